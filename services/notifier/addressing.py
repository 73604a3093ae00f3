"""What a message becomes when it is sent: an address, a language, and what it says. Personal values live only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, cast
from zoneinfo import ZoneInfo

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.sealing import Sealing
from complaints.codec import decode, to_json, wire
from complaints.complaint import Complaint, replay
from complaints.desk_view import DeskView
from complaints.events import CaseEvent, Clause
from complaints.personal import is_closed
from complaints.ports import EventStore
from complaints.procedure.model import Procedure
from notifier.channels import Outgoing, Refused, Withheld
from notifier.deliveries import Delivery
from notifier.destinations import Nowhere, destination, is_stale
from notifier.messages import WEBHOOK
from notifier.rendering import language_of, render


@dataclass(frozen=True, slots=True)
class Addressing:
    """Finds out where a message goes and what it says. ``contact``: the address that complainants may write to."""

    store: EventStore
    views: LoggedViews
    sealing: Sealing
    public_url: str
    contact: str

    async def outgoing(self, delivery: Delivery) -> Outgoing:
        """The message with its address.

        Raises: Refused where it can go nowhere, Withheld where it would not be true any more; Unknown, Transient,
        Undecodable, ContentMissing, TemplateBroken.
        """
        desk = await self.views.current(delivery.desk)
        if delivery.channel == WEBHOOK:
            return await self._hook(delivery, desk)
        state = await self._state(delivery) if delivery.of_case else None
        if state is not None and is_stale(delivery, state):
            raise Withheld("it is not true any more", "stale")
        procedure = await self._procedure(state, desk)
        to = destination(delivery, state, desk)
        if isinstance(to, Nowhere):
            raise Refused(to.why, to.code)
        language = language_of(to.language)
        context = context_of(delivery, desk, state, procedure=procedure, language=language)
        context |= {"contact": self.contact, "link": self.public_url.rstrip("/") + _path(delivery)}
        letter = render(delivery.kind, language, context, pack=procedure.id)
        return Outgoing(key=delivery.key, address=to.address, letter=letter)

    async def _hook(self, delivery: Delivery, desk: DeskView) -> Outgoing:
        hook = desk.webhooks.get(delivery.recipient)
        if hook is None:
            raise Refused("the webhook was removed", "webhook-removed")
        rows = await self.store.read(delivery.stream, after=delivery.version - 1, upto=delivery.version)
        body = to_json(wire(decode(rows[0]))).decode()
        secret = self.sealing.webhook_secret(desk.desk, hook.name, hook.generation)
        return Outgoing(key=delivery.key, address=hook.url, body=body, secret=secret)

    async def _state(self, delivery: Delivery) -> Complaint:
        """The case as it is now, opened."""
        rows = await self.store.read(delivery.stream)
        records = await self.sealing.unseal([decode(row) for row in rows])
        return replay(cast("CaseEvent", record.event) for record in records)

    async def _procedure(self, state: Complaint | None, desk: DeskView) -> Procedure:
        if state is None or not state.desk_version or state.desk_version == desk.version:
            return desk.procedure
        return (await self.views.at(desk.desk, state.desk_version)).procedure


def _path(delivery: Delivery) -> str:
    return f"/complaints/{delivery.complaint}" if delivery.of_case else f"/desks/{delivery.desk}/duties"


# --- what it says ---
class _Row(Protocol):
    """A row of the procedure that says something."""

    @property
    def says(self) -> str | None: ...
    @property
    def clause(self) -> Clause: ...


TOLD: Final = ("rule", "how", "by", "period", "queue")
"""What a template may use of a message's own context, empty where it says nothing of it."""


def context_of(
    delivery: Delivery, desk: DeskView, state: Complaint | None, *, procedure: Procedure, language: str
) -> dict[str, str]:
    """What a template may say but for ``contact`` and ``link``; empty where there is nothing to say."""
    said, english = delivery.context, language == "en"
    about = str(said.get("clock") or said.get("notice") or said.get("owe") or delivery.step or "")
    row = _row(procedure, str(said.get("rule", ""))) or _row(procedure, about)
    says = (row.says if row is not None else None) or ""
    clause, says_clause = cited(delivery.clause), cited(row.clause) if row is not None else ""
    role = procedure.roles.get(str(said.get("role")))
    due = _instant(said.get("due_at"))
    if due is None or delivery.kind == "warned":  # it may have moved since
        due = _due(state, about) or due
    return {
        "reference": delivery.complaint if state is not None else "",
        "desk": desk.title,
        "procedure": procedure.title,
        "procedure_in_english": (procedure.en or "") if english else "",
        "received": wall(state.received_at if state is not None else None, desk.zone),
        "clause": clause,
        "says": says,
        "says_clause": "" if says_clause in clause else says_clause,
        "our_translation": procedure.english.get(says, "") if english else "",
        "subject": about,
        "role": ((role.en if english else None) or role.title) if role is not None else str(said.get("role", "")),
        "due": wall(due, desk.zone),
        "answer_due": wall(_answer_due(state, procedure), desk.zone),
        "answer": _answer(state, procedure, str(delivery.step)),
        **{name: str(said.get(name, "")) for name in TOLD},
    }


def _row(procedure: Procedure, about: str) -> _Row | None:
    name = about.partition("#")[0]
    rules: dict[str, _Row] = {hold.name: hold for hold in procedure.holds}
    rules |= {bar.name: bar for bar in procedure.access}
    return procedure.steps.get(name) or procedure.clocks.get(name) or procedure.desk.get(name) or rules.get(name)


def cited(clause: Clause) -> str:
    """Clauses as a reader finds them."""
    return "; ".join([clause] if isinstance(clause, str) else clause or [])


def wall(at: datetime | None, zone: ZoneInfo) -> str:
    """An instant as the desk's people read it."""
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def _instant(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _due(state: Complaint | None, clock: str) -> datetime | None:
    found = state.clocks.get(clock) if state is not None else None
    return found.due_at if found is not None and found.live else None


def _answer_due(state: Complaint | None, procedure: Procedure) -> datetime | None:
    """Until when the step has to be done that carries the milestone `resolved`."""
    dates = [_due(state, step.id) for step in procedure.steps.values() if step.milestone == "resolved"]
    return min((at for at in dates if at is not None), default=None)


def _answer(state: Complaint | None, procedure: Procedure, step: str) -> str:
    """The texts that the step records, which is what it tells."""
    row = procedure.steps.get(step.partition("#")[0])
    if state is None or row is None:
        return ""
    facts: Mapping[str, Any] = state.facts
    return "\n\n".join(str(facts[name]) for name in row.records if name in facts and not is_closed(facts[name]))
