"""Refused attempts: acts that a hold, or a rule about who may act, has kept from happening.

They leave no event, since nothing happened. That the rule was tried and held is told in its verdict all the same, so
they are counted beside the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec

from complaints.errors import Rejected

_NAMED_BY: Final[Mapping[str, str]] = {"held": "hold", "not-allowed": "bar"}


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. ``rule``: the hold or bar that refused it; ``command``: what was tried; no person is named."""

    desk: str
    complaint: UUID
    rule: str
    command: str
    command_id: UUID
    role: str
    at: datetime


NoteRefusal = Callable[[Refusal], Awaitable[None]]
"""Keeps an attempt; the same command is one attempt, however often it is sent. The answer to the sender does not depend
on it, so it raises nothing that passes."""


async def not_kept(_: Refusal) -> None:
    """Keeps none: for whoever counts them otherwise."""


class Refusals(Protocol):
    """Counts the attempts that were kept."""

    async def counted(self, complaint: UUID, *, upto: datetime, known: datetime | None = None) -> Mapping[str, int]:
        """How often each hold or bar has refused an act by then, as far as it was ``known`` then."""
        ...


def rule_of(error: Rejected) -> str | None:
    """The hold or bar that refused an act; None where something else did."""
    name = error.data.get(_NAMED_BY.get(error.code, ""))
    return name if isinstance(name, str) else None
