"""The notifier in virtual time: the messages that events call for, and what becomes of those that it sends.

Which messages, when they may go and where is decided by `notifier.messages`, `notifier.quiet` and
`notifier.destinations`. A message is taken where there is an address for it, at the first try.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from complaints.codec import DESK
from complaints.commands import RecordDelivery
from complaints.complaint import Complaint
from complaints.desk_view import DeskView
from complaints.escalations import is_past
from complaints.events import Event, stored_name
from complaints.identity import service_command_id
from notifier.destinations import Nowhere, destination, is_stale
from notifier.messages import CALLS_FOR_MESSAGES, NOTICES, WEBHOOK, Case, Message, messages_for
from notifier.quiet import may_go_at
from redress.simulation.entries import Told
from redress.simulation.routing_side import stream_of


@dataclass(order=True, frozen=True, slots=True)
class Kept:
    """A message on its way."""

    at: datetime  # when it may go
    number: int
    message: Message = field(compare=False)


class NotifierSide:
    """What the notifier has kept to be sent, and what it has sent."""

    def __init__(self, view: DeskView) -> None:
        self._view = view
        self._known: set[UUID] = set()
        self._kept: list[Kept] = []
        self._numbers = count()

    def follow(
        self, complaint: str, events: Iterable[tuple[Event, Complaint | None]], version: int, now: datetime
    ) -> None:
        """Keeps the messages that events call for, each with the case after it; ``version`` is the first's."""
        for place, (event, state) in enumerate(events, version):
            if not (self._view.webhooks or isinstance(event, CALLS_FOR_MESSAGES)):
                continue
            kind = state.case if state is not None else "complaint"
            if is_past(event, imported=state is not None and state.imported, recorded_at=now):
                continue
            for message in messages_for(event, Case(complaint, place, stored_name(event, kind), state), self._view):
                self._keep(message, now)

    def _keep(self, message: Message, now: datetime) -> None:
        if message.key in self._known:
            return
        self._known.add(message.key)
        at = now if message.urgent else may_go_at(now, self._view.quiet_hours, self._view.zone)
        heapq.heappush(self._kept, Kept(at, next(self._numbers), message))

    def next_send(self) -> datetime | None:
        """When the next message may go."""
        return self._kept[0].at if self._kept else None

    def send(self, at: datetime, state: Complaint | None) -> tuple[Told | None, RecordDelivery | None]:
        """Sends the next message; what it says, and what its case is told of it. Nothing where it is no longer true.

        ``state``: the case that ``next_case`` names, as it stands.
        """
        message = heapq.heappop(self._kept).message
        if state is not None and message.channel != WEBHOOK and is_stale(message, state):
            return None, None
        about = {} if message.step is None else {"step": message.step}
        said = {name: _instant(value) if name.endswith("_at") else value for name, value in message.context.items()}
        data = {"to": message.recipient, "channel": message.channel, **about, **said}
        told = Told(at, message.complaint, message.kind, message.clause, data)
        if message.step is None or message.complaint == DESK:
            return told, None
        to = destination(message, state, self._view) if message.channel != WEBHOOK else None
        reason = to.why if isinstance(to, Nowhere) else None
        return told, RecordDelivery(
            id=service_command_id(stream_of(message.complaint), "record-delivery", message.key),
            complaint=message.complaint,
            at=at,
            step=message.step,
            channel=message.channel,
            delivered=reason is None,
            to=message.recipient,
            reason=reason,
            alert=None if message.kind in NOTICES else message.kind,
        )

    @property
    def next_case(self) -> str:
        """The case that the next message is about."""
        return self._kept[0].message.complaint


def _instant(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
