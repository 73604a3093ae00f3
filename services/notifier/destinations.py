"""Where a message can go, and whether what it says is still true. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from complaints.complaint import Complaint
from complaints.desk_view import DeskView
from complaints.personal import CUSTOMER, is_closed
from notifier.messages import EMAIL


class Going(Protocol):
    """A message on its way."""

    @property
    def kind(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def context(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where it goes, and the language tag in which it is to be written."""

    address: str
    language: str


@dataclass(frozen=True, slots=True)
class Nowhere:
    """It can go nowhere: why, in words and as a stable code."""

    why: str
    code: str


def destination(going: Going, state: Complaint | None, desk: DeskView) -> Address | Nowhere:
    """Where a letter or an alert goes. ``state``: the case that it is about, opened; None for the desk's own duties."""
    return _of_customer(state, desk) if going.recipient == CUSTOMER else _of_person(going, desk)


def _of_customer(state: Complaint | None, desk: DeskView) -> Address | Nowhere:
    contact = state.contact if state is not None else {}
    address = contact.get(EMAIL)
    if address is None:
        return Nowhere("no e-mail address of the complainant is known", "no-address")
    if is_closed(address):
        return Nowhere("the complainant was erased", "erased")
    return Address(address, _language(contact.get("language"), desk))


def _of_person(going: Going, desk: DeskView) -> Address | Nowhere:
    person = desk.directory.get(going.recipient)
    if person is None and desk.directory.ever(going.recipient) is None:
        return Nowhere(f"nobody at the desk acts as {going.recipient}", "nobody")
    if person is None:
        return Nowhere("the person does not work at the desk any more", "left")
    address = person.email if going.channel == EMAIL else person.channels.get(going.channel)
    if not address or is_closed(address):
        return Nowhere(f"the person has no {going.channel}", "no-address")
    return Address(address, _language(person.language, desk))


def _language(language: str | None, desk: DeskView) -> str:
    return desk.locale if not language or is_closed(language) else language


def is_stale(going: Going, state: Complaint) -> bool:
    """Whether what an alert would say has passed while it waited: quiet hours end when the work may be done already.

    A breach stays a breach, and what was escalated stays so.
    """
    said = going.context
    match going.kind:
        case "warned":
            clock = state.clocks.get(str(said.get("clock")))
            return clock is None or not clock.live
        case "assigned":
            return state.closed or state.assignees.get(str(said.get("role"))) != going.recipient
        case "unassigned":
            return state.closed or str(said.get("role")) not in state.lacking
        case _:
            return False
