"""What a message becomes when it is sent: an address, a language, and what it says. Personal values live only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.sealing import Sealing
from complaints.codec import decode, to_json, wire
from complaints.complaint import Complaint, replay
from complaints.desk_view import DeskView
from complaints.events import CaseEvent, Clause
from complaints.personal import CUSTOMER, is_closed
from complaints.ports import EventStore
from complaints.procedure.model import Procedure
from notifier.channels import Outgoing, Refused
from notifier.deliveries import Delivery
from notifier.messages import EMAIL, WEBHOOK
from notifier.rendering import render


@dataclass(frozen=True, slots=True)
class Addressing:
    """Finds out where a message goes and what it says."""

    store: EventStore
    views: LoggedViews
    sealing: Sealing
    public_url: str

    async def outgoing(self, delivery: Delivery) -> Outgoing:
        """The message with its address. Raises: Refused where it can go nowhere; Unknown, Transient, Undecodable."""
        desk = await self.views.current(delivery.desk)
        if delivery.channel == WEBHOOK:
            return await self._hook(delivery, desk)
        state = await self._state(delivery) if delivery.complaint == str(delivery.stream) else None
        procedure = await self._procedure(state, desk)
        address, language = _customer(state, desk) if delivery.recipient == CUSTOMER else _person(delivery, desk)
        context = _context(delivery, desk, state, procedure=procedure, language=language, public_url=self.public_url)
        letter = render(cast("Any", delivery.kind), language, context, pack=procedure.id)
        return Outgoing(key=delivery.key, address=address, at=delivery.at, letter=letter)

    async def _hook(self, delivery: Delivery, desk: DeskView) -> Outgoing:
        hook = desk.webhooks.get(delivery.recipient)
        if hook is None:
            raise Refused("the webhook was removed")
        rows = await self.store.read(delivery.stream, after=delivery.version - 1, upto=delivery.version)
        body = to_json(wire(decode(rows[0]))).decode()
        secret = self.sealing.webhook_secret(desk.desk, hook.name, hook.generation)
        return Outgoing(key=delivery.key, address=hook.url, at=delivery.at, body=body, secret=secret)

    async def _state(self, delivery: Delivery) -> Complaint:
        """The case as it is now, opened."""
        rows = await self.store.read(delivery.stream)
        records = await self.sealing.unseal([decode(row) for row in rows])
        return replay(cast("CaseEvent", record.event) for record in records)

    async def _procedure(self, state: Complaint | None, desk: DeskView) -> Procedure:
        if state is None or not state.desk_version or state.desk_version == desk.version:
            return desk.procedure
        return (await self.views.at(desk.desk, state.desk_version)).procedure


def _customer(state: Complaint | None, desk: DeskView) -> tuple[str, str]:
    contact = state.contact if state is not None else {}
    address = contact.get(EMAIL)
    if address is None:
        raise Refused("no e-mail address of the complainant is known")
    if is_closed(address):
        raise Refused("the complainant was erased")
    return address, _language(contact.get("language"), desk)


def _person(delivery: Delivery, desk: DeskView) -> tuple[str, str]:
    person = desk.directory.get(delivery.recipient)
    if person is None:
        raise Refused("the person does not work at the desk any more")
    address = person.email if delivery.channel == EMAIL else person.channels.get(delivery.channel)
    if not address or is_closed(address):
        raise Refused(f"the person has no {delivery.channel}")
    return address, _language(person.language, desk)


def _language(language: str | None, desk: DeskView) -> str:
    return desk.locale if language is None or is_closed(language) else language


def _context(
    delivery: Delivery,
    desk: DeskView,
    state: Complaint | None,
    *,
    procedure: Procedure,
    language: str,
    public_url: str,
) -> dict[str, Any]:
    said = delivery.context
    about = said.get("clock") or said.get("notice") or said.get("owe") or delivery.step or ""
    says = said.get("says") or _says(procedure, str(about))
    english = language == "en"
    case = f"/complaints/{delivery.complaint}" if state is not None else f"/desks/{desk.desk}/duties"
    context: dict[str, Any] = {
        "reference": delivery.complaint if state is not None else "",
        "desk": desk.title,
        "procedure": (procedure.en if english else None) or procedure.title,
        "received": _wall(state.received_at, desk.zone) if state is not None else "",
        "clause": _cited(delivery.clause),
        "says": says or "",
        "our_translation": procedure.english.get(str(says), "") if english and says else "",
        "subject": about,
        "due": _wall(said.get("due_at") or _due(state, str(about)), desk.zone),
        "answer_due": _wall(_answer_due(state, procedure), desk.zone),
        "answer": _answer(state, procedure, str(delivery.step)),
        "link": public_url.rstrip("/") + case,
    }
    names = ("role", "queue", "rule", "by", "period")
    return context | {name: str(said.get(name, "")) for name in names}


def _says(procedure: Procedure, about: str) -> str | None:
    name = about.partition("#")[0]
    row = procedure.steps.get(name) or procedure.clocks.get(name) or procedure.desk.get(name)
    return row.says if row is not None else None


def _cited(clause: Clause) -> str:
    return "; ".join([clause] if isinstance(clause, str) else clause or [])


def _wall(at: datetime | str | None, zone: ZoneInfo) -> str:
    """An instant as the desk's people read it."""
    if at is None:
        return ""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def _due(state: Complaint | None, clock: str) -> datetime | None:
    found = state.clocks.get(clock) if state is not None else None
    return found.due_at if found is not None and found.live else None


def _answer_due(state: Complaint | None, procedure: Procedure) -> datetime | None:
    """Until when the step has to be done that carries the milestone `resolved`."""
    if state is None:
        return None
    dates = [_due(state, step.id) for step in procedure.steps.values() if step.milestone == "resolved"]
    return min((at for at in dates if at is not None), default=None)


def _answer(state: Complaint | None, procedure: Procedure, step: str) -> str:
    """The texts that the step records, which is what it tells."""
    row = procedure.steps.get(step.partition("#")[0])
    if state is None or row is None:
        return ""
    facts: Mapping[str, Any] = state.facts
    return "\n\n".join(str(facts[name]) for name in row.records if name in facts and not is_closed(facts[name]))
