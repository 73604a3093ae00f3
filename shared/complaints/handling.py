"""``Handler``: the only way to write to cases and duties. Load, decide, seal, append; again where somebody was first.

A state kept in memory may be behind the log, so nothing is refused on its word: the command is decided once more on a
fresh state, and a command that was decided before gets the answer it got then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from complaints.commands import Command, DutyCommand, EraseSubject, data_of, name_of
from complaints.complaint import INITIAL, Complaint, evolve
from complaints.deciding import taken
from complaints.desks import DeskViews
from complaints.duties import EMPTY, evolve_duty
from complaints.erasure import Erasures
from complaints.errors import (
    BeingErased,
    CommandReused,
    Malformed,
    RedressError,
    Rejected,
    StoreUnavailable,
    Taken,
    Unknown,
    VersionConflict,
)
from complaints.events import Event
from complaints.planning import Context, Plan, Planner, Request
from complaints.ports import EventStore, Now
from complaints.refusals import NoteRefusal, Refusal, not_kept, rule_of
from complaints.sealer import Sealer
from complaints.streams import CACHED, Loaded, Streams
from complaints.timeliness import in_utc

__all__ = ["Context", "Handled", "Handler", "Loaded", "Observer"]

TRIES: Final = 8


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did. A repeat (``duplicate``) has the events and the place of the first time.

    A command that decided nothing has no events; its positions are 0, and its repeat is looked at again.
    """

    stream_id: UUID
    events: Sequence[Event]
    version: int  # of the stream after them
    first_position: int = 0
    last_position: int = 0
    duplicate: bool = False
    case: str  # what kind of case it is of
    data: Sequence[bytes | None] = ()  # of each event, as `Decided.data`


class Observer(Protocol):
    """Is told what became of each command; ``outcome``: ``done``, ``nothing``, ``repeated``, or the error's code."""

    def __call__(self, *, desk: str, command: str, outcome: str, tries: int) -> None: ...


def unobserved(*, desk: str, command: str, outcome: str, tries: int) -> None:
    """Nobody watches."""


async def at_once(_tries: int) -> None:
    """Tries again without a pause."""


class Handler:
    """Handles commands on a store. One for each process; any number of tasks may use it at once."""

    def __init__(
        self,
        *,
        store: EventStore,
        desks: DeskViews,
        sealer: Sealer,
        now: Now,
        cached: int = CACHED,
        tries: int = TRIES,
        pause: Callable[[int], Awaitable[None]] = at_once,
        observe: Observer = unobserved,
        note_refusal: NoteRefusal = not_kept,
    ) -> None:
        self._store, self._sealer = store, sealer
        self._tries, self._pause, self._observe, self._note_refusal = tries, pause, observe, note_refusal
        self._cases = Streams("complaint", INITIAL, evolve, store=store, sealer=sealer, cached=cached)
        self._duties = Streams("duties", EMPTY, evolve_duty, store=store, sealer=sealer, cached=cached)
        self._erasures = Erasures(self._cases, store, sealer)
        self._planner = Planner(
            desks=desks, sealer=sealer, now=now, cases=self._cases, duties=self._duties, erasures=self._erasures
        )

    async def handle(self, desk: str, command: Command, *, context: Context, if_version: int | None = None) -> Handled:
        """Decides a command and records what follows.

        ``if_version``: what the sender believes the stream's version to be.

        Raises:
            Rejected: a rule said no; ``version-conflict`` where ``if_version`` is not the version.
            Malformed, Unknown: no such desk, no such complaint.
            CommandReused: the command's id was used for another request.
            Transient: nothing is decided, the same command may be sent again.
        """
        tries, outcome = 1, "failed"
        try:
            asked = in_utc(command)
            fingerprint = self._fingerprint(desk, asked)
            request = Request(desk=desk, command=asked, context=context, fingerprint=fingerprint, if_version=if_version)
            while True:
                try:
                    handled = await self._handled(request, fresh=tries > 1)
                    if isinstance(asked, EraseSubject):
                        await self._finish_erasing(request, handled)
                except (VersionConflict, BeingErased) as error:
                    if tries == self._tries or (isinstance(error, BeingErased) and not await self.recover()):
                        raise
                    await self._pause(tries)
                    tries += 1
                else:
                    outcome = "repeated" if handled.duplicate else "done" if handled.events else "nothing"
                    return handled
        except RedressError as error:
            outcome = error.code
            if isinstance(error, Rejected) and (rule := rule_of(error)) is not None:
                await self._note(desk, command, rule)
            raise
        finally:
            self._observe(desk=desk, command=name_of(command), outcome=outcome, tries=tries)

    async def load(self, desk: str, complaint: str) -> Loaded[Complaint]:
        """A case as it stands now. Raises Unknown(no-such-complaint)."""
        loaded = await self._planner.case(desk, complaint, fresh=True)
        if not loaded.version:
            raise Unknown("no-such-complaint", f"no complaint is called {complaint}", complaint=complaint)
        return loaded

    async def recover(self) -> int:
        """Settles the erasures that a crash has interrupted; answers how many. To be called when a process starts."""
        return await self._erasures.recover()

    async def _handled(self, request: Request, *, fresh: bool) -> Handled:
        """One try. What memory would refuse, or find nothing to do about, is looked at again on a fresh state."""
        try:
            plan = await self._planner.plan(request, fresh=fresh)
        except (Rejected, Malformed, Unknown):
            if not fresh:
                return await self._handled(request, fresh=True)
            if (handled := await self._repeated(request)) is not None:
                return handled
            raise
        if not plan.events:
            if not fresh:
                return await self._handled(request, fresh=True)
            return await self._repeated(request) or Handled(
                stream_id=plan.loaded.stream_id, events=(), version=plan.loaded.version, case=plan.loaded.case
            )
        return await self._written(request, plan)

    async def _written(self, request: Request, plan: Plan[Any]) -> Handled:
        try:
            written = await plan.streams.write(plan.loaded, plan.events, plan.entry, state=plan.state, data=plan.data)
        except Taken as error:
            raise taken(error.scope, str(error.holder), plan.procedure) from None
        if written.after is None:
            handled = await self._repeated(request)
            if handled is None:
                raise StoreUnavailable("the store knows the command and cannot find it")
            return handled
        return Handled(
            stream_id=plan.loaded.stream_id,
            events=written.events,
            version=written.appended.version,
            first_position=written.appended.first_position,
            last_position=written.appended.last_position,
            case=written.after.case,
            data=plan.data,
        )

    async def _repeated(self, request: Request) -> Handled | None:
        """The answer that the command got before, None for a new one. Raises CommandReused."""
        found = await self._store.find_command(request.command.id)
        if found is None:
            return None
        stream_id, fingerprint, appended = found
        if fingerprint != request.fingerprint:
            raise CommandReused("the Idempotency-Key was used for another request", command_id=str(request.command.id))
        streams: Streams[Any] = self._duties if isinstance(request.command, DutyCommand) else self._cases
        loaded = await streams.load(stream_id, request.desk, fresh=True)
        return Handled(
            stream_id=stream_id,
            events=await streams.written(stream_id, appended),
            version=appended.version,
            first_position=appended.first_position,
            last_position=appended.last_position,
            duplicate=True,
            case=loaded.case,
        )

    async def _finish_erasing(self, request: Request, handled: Handled) -> None:
        loaded = await self._cases.load(handled.stream_id, request.desk)
        await self._erasures.finish(loaded, request.command.id)

    async def _note(self, desk: str, command: Command, rule: str) -> None:
        """A hold or bar has refused an act in a case."""
        refusal = Refusal(
            desk=desk,
            complaint=UUID(command.complaint),
            rule=rule,
            command=name_of(command),
            command_id=command.id,
            role=command.by.role,
            at=command.at,
        )
        await self._note_refusal(refusal)

    def _fingerprint(self, desk: str, command: Command) -> bytes:
        """A digest of the request without its instant of receipt; keyed, since a request holds personal values."""
        request = {
            "command": name_of(command),
            "complaint": command.complaint,
            "by": command.by,
            "data": data_of(command),
        }
        return self._sealer.digest(desk, "command", msgspec.json.encode(request, order="sorted"))
