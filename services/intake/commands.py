"""From a request to a handled command: who may send it, what it is called, under which id it is known for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid4

import msgspec

from complaints.adapters.records import CommandRecord
from complaints.codec import DESK, Recorded
from complaints.commands import COMMAND_TYPES, SERVICE_COMMANDS, Command, DutyCommand, Receive, Sender, from_wire
from complaints.desk_keys import Principal
from complaints.desk_requests import Changed, DeskChange, OpenDesk
from complaints.desk_view import DeskView
from complaints.errors import Malformed, Rejected, Unknown
from complaints.events import stored_name
from complaints.handling import Handled, Handler
from complaints.identity import EVERY_DESK, command_id, complaint_id
from complaints.planning import Context
from complaints.ports import EventStore, Now
from complaints.registry import REGISTRY
from intake.auth import need_desk, need_role, need_scope
from intake.reading import Limits, text_rule
from intake.schemas import CommandBody, Done, EventOut
from intake.turns import Turns

RECEIVE: Final = "receive"
DUTIES: Final = frozenset(name for name, kind in COMMAND_TYPES.items() if issubclass(kind, DutyCommand))
CASE_COMMANDS: Final = tuple(
    name for name in COMMAND_TYPES if name not in SERVICE_COMMANDS and name not in DUTIES and name != RECEIVE
)
DESK_COMMANDS: Final = tuple(name for name in COMMAND_TYPES if name in DUTIES and name not in SERVICE_COMMANDS)


class Office(Protocol):
    """The desks: who has a key, how each is set up, and how that is changed. `complaints.adapters.desks` is one."""

    async def authenticate(self, token: str) -> Principal: ...
    async def current(self, desk: str) -> DeskView: ...
    async def at(self, desk: str, version: int) -> DeskView: ...
    async def list(self) -> list[DeskView]: ...
    async def open(self, request: OpenDesk, *, by: Sender, command_id: UUID, context: Context) -> Changed: ...
    async def change(
        self,
        desk: str,
        request: DeskChange,
        *,
        by: Sender,
        command_id: UUID,
        context: Context,
        if_version: int | None = None,
    ) -> Changed: ...


class Opener(Protocol):
    """Opens sealed personal values."""

    async def unseal(self, records: list[Recorded]) -> list[Recorded]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes work with."""

    handler: Handler
    store: EventStore
    desks: Office
    opener: Opener
    now: Now
    limits: Limits
    turns: Turns = field(default_factory=Turns)

    async def handle(self, desk: str, command: Command, *, context: Context, if_version: int | None = None) -> Handled:
        """`Handler.handle`, when it is this command's turn."""
        about = command.complaint if command.complaint != DESK else f"{DESK}:{desk}"
        async with self.turns.turn(about):
            return await self.handler.handle(desk, command, context=context, if_version=if_version)


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what the request belongs to."""

    who: Principal
    correlation_id: UUID
    traceparent: str | None = None

    @property
    def context(self) -> Context:
        """What the core keeps of it."""
        return Context(frontend=self.who.frontend, correlation_id=self.correlation_id, traceparent=self.traceparent)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is asked for. ``key``: the idempotency key; ``at``: its own instant, in an imported life."""

    name: str
    body: CommandBody
    key: str | None = None
    at: datetime | None = None
    if_version: int | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was handled."""

    desk: str
    complaint: str
    command_id: UUID
    handled: Handled
    received: bool = False


class Commands:
    """Sends what frontends ask for to the handler."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def receive(self, asking: Asking, desk: str, asked: Asked, *, label: str | None = None) -> Sent:
        """Opens a case at a desk; under the same label (else key) it is the same case.

        Raises: Rejected(already-received): another request has opened it, which `of` names.
        """
        need_scope(asking.who, "write")
        need_desk(asking.who, desk)
        name = asked.key if label is None else label
        case = uuid4() if name is None else complaint_id(desk, name)
        return await self._send(asking, desk, str(case), asked)

    async def send(self, asking: Asking, complaint: str, asked: Asked, *, desk: str | None = None) -> Sent:
        """Sends a command to a case that is there; ``desk`` is its desk where the sender knows it.

        Raises: everything that `Handler.handle` raises; Refused: the key is not good for it.
        """
        need_scope(asking.who, "write")
        if asked.name not in COMMAND_TYPES or asked.name == RECEIVE or asked.name in DUTIES:
            raise no_such_command(asked.name)
        need_role(asking.who, asked.body.by, asked.name)
        case = uuid_of(complaint)
        if desk is None:
            desk = await self.desk_of_case(asking.who, case)
        else:
            need_desk(asking.who, desk)
        return await self._send(asking, desk, str(case), asked)

    async def send_to_desk(self, asking: Asking, desk: str, asked: Asked) -> Sent:
        """Sends a command about one of the desk's own duties."""
        need_scope(asking.who, "write")
        need_desk(asking.who, desk)
        if asked.name not in DUTIES:
            raise no_such_command(asked.name)
        return await self._send(asking, desk, DESK, asked)

    async def desk_of_case(self, who: Principal, case: UUID) -> str:
        """The desk of a case: a key's own, or for an operator's key the one that received it.

        Raises: Unknown(no-such-complaint).
        """
        if who.desk != EVERY_DESK:
            return who.desk
        first = await self._parts.store.read(case, upto=1)
        if not first or first[0].category != "complaint":
            raise no_such_complaint(str(case))
        return first[0].desk

    async def _send(self, asking: Asking, desk: str, complaint: str, asked: Asked) -> Sent:
        body, key = asked.body, asked.key
        need_role(asking.who, body.by, asked.name)
        for name, said in (("person", body.by.person), ("role", body.by.role)):
            if rule := name_rule(said, self._parts.limits):
                raise Malformed(f"by.{name}", rule)
        command_uuid = uuid4() if key is None else command_id(desk, asking.who.frontend, key)
        at = self._parts.now() if asked.at is None else asked.at
        command = from_wire(asked.name, body.data, id=command_uuid, complaint=complaint, at=at, by=body.by)
        received = isinstance(command, Receive)
        if isinstance(command, Receive) and command.imported:
            need_scope(asking.who, "import")
        handled = await self._parts.handle(desk, command, context=asking.context, if_version=asked.if_version)
        if received and not handled.events:
            why = f"it is complaint {complaint}: under this name the desk has received one, by another request"
            raise Rejected("already-received", None, why, of=complaint)
        return Sent(desk=desk, complaint=complaint, command_id=command_uuid, handled=handled, received=received)


def name_rule(name: str, limits: Limits) -> str | None:
    """The rule that the name of a person or a role breaks."""
    return "must not be empty" if not name.strip() else text_rule(name, limits.name)


def uuid_of(complaint: str) -> UUID:
    """The id in a URL. Raises Unknown: it is none, so there is no such complaint."""
    try:
        return UUID(complaint)
    except ValueError:
        raise no_such_complaint(complaint) from None


def no_such_complaint(complaint: str) -> Unknown:
    """Nothing is known under that id, or it is another desk's."""
    return Unknown("no-such-complaint", "there is no such complaint", complaint=complaint)


def no_such_command(name: str) -> Malformed:
    """No command of the public door is called so."""
    return Malformed("command", f"no command is called {name}", code="no-such-command")


def done(sent: Sent, correlation_id: UUID) -> Done:
    """The answer to a command."""
    handled = sent.handled
    data = handled.data or [None] * len(handled.events)
    before = handled.version - len(handled.events)
    return Done(
        id=sent.complaint,
        desk=sent.desk,
        version=handled.version,
        first_position=handled.first_position,
        last_position=handled.last_position,
        command_id=sent.command_id,
        correlation_id=correlation_id,
        duplicate=handled.duplicate,
        events=[
            EventOut(
                at=event.at,
                complaint=sent.complaint,
                event=stored_name(event, handled.case),
                clause=event.clause,
                rule=event.rule,
                inputs=event.inputs,
                data=REGISTRY.data(event) if written is None else msgspec.Raw(written),
                version=before + n,
                position=handled.first_position + n - 1,
            )
            for n, (event, written) in enumerate(zip(handled.events, data, strict=True), 1)
        ],
    )


async def consume(parts: Parts, record: CommandRecord) -> None:
    """Decides a command of one of the services, as it comes from the topic."""
    command = record.to_command(parts.now())
    context = Context(
        correlation_id=record.correlation_id, causation_id=record.causation_id, traceparent=record.traceparent
    )
    await parts.handle(record.desk, command, context=context)
