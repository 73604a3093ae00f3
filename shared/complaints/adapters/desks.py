"""``Desks``: desks for a process that runs on asyncio; changes are checked here, sealed, and recorded."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID, uuid4

import asyncpg
import msgspec

from complaints.adapters.desk_log import ApplicationLog, DeskLog, StoreLog
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.pack_store import MemoryPacks, PackStore, PostgresPacks
from complaints.adapters.sealing import Sealing
from complaints.codec import DESK, Envelope
from complaints.commands import SYSTEM, Sender
from complaints.desk_checks import Issued, World
from complaints.desk_events import DeskEvent, DeskOpened, KeyIssued, PackAdopted, WebhookAdded, person_of
from complaints.desk_keys import ANY, SCOPES, key_hash, key_token
from complaints.desk_packs import pack_of
from complaints.desk_requests import Changed, DeskChange, OpenDesk
from complaints.desk_rules import changing, opening
from complaints.desk_view import DeskView
from complaints.desks import evolve, no_such_desk
from complaints.errors import CommandReused, Rejected, VersionConflict
from complaints.identity import OPERATOR, desk_stream
from complaints.planning import Context
from complaints.ports import EventStore, Now
from complaints.sealer import Unsealed

TRIES = 5
Decide = Callable[[DeskView | None, World], tuple[Sequence[DeskEvent], DeskView]]
"""The events that follow for a desk as it is, and the desk after them."""


class Desks(LoggedViews):
    """Views of desks, and the one door to change them. One for each process; it sees its own changes at once."""

    def __init__(
        self,
        *,
        store: EventStore,
        log: DeskLog,
        packs: PackStore,
        sealing: Sealing,
        now: Now,
        fresh_for: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store, packs, sealing, fresh_for=fresh_for, clock=clock)
        self._log, self._sealing, self._now = log, sealing, now

    @classmethod
    async def start(
        cls,
        *,
        store: EventStore,
        database_url: str,
        pool: asyncpg.Pool,
        sealing: Sealing,
        now: Now,
        fresh_for: float = 1.0,
    ) -> Desks:
        """On a migrated database; ``stop`` gives its connections back."""
        log = await ApplicationLog.on(database_url)
        return cls(store=store, log=log, packs=PostgresPacks(pool), sealing=sealing, now=now, fresh_for=fresh_for)

    @classmethod
    def in_memory(cls, *, store: EventStore, sealing: Sealing, now: Now) -> Desks:
        """On a store in memory."""
        return cls(store=store, log=StoreLog(store), packs=MemoryPacks(), sealing=sealing, now=now)

    async def stop(self) -> None:
        """Gives back what is held."""
        await self._log.close()

    async def open(self, request: OpenDesk, *, by: Sender, command_id: UUID, context: Context) -> Changed:
        """Opens a desk.

        Raises: Malformed, PackRefused; Rejected(desk-exists); CommandReused; StoreUnavailable.
        """

        def decide(view: DeskView | None, world: World) -> tuple[Sequence[DeskEvent], DeskView]:
            if view is not None:
                raise Rejected("desk-exists", None, f"desk {request.desk} was opened before", desk=request.desk)
            return opening(request, self._now(), world)

        return await self._changed(request.desk, request, decide, by=by, command_id=command_id, context=context)

    async def change(
        self,
        desk: str,
        request: DeskChange,
        *,
        by: Sender,
        command_id: UUID,
        context: Context,
        if_version: int | None = None,
    ) -> Changed:
        """Changes a desk. ``if_version``: what the sender believes its version to be.

        Raises: Malformed, PackRefused, Rejected; Unknown(no-such-desk); CommandReused; StoreUnavailable.
        """

        def decide(view: DeskView | None, world: World) -> tuple[Sequence[DeskEvent], DeskView]:
            if view is None:
                raise no_such_desk(desk)
            if if_version not in {None, view.version}:
                raise Rejected(
                    "version-conflict",
                    None,
                    f"desk {desk} is at version {view.version}, not {if_version}",
                    expected=if_version,
                    actual=view.version,
                )
            event, after = changing(view, request, self._now(), world)
            return [event], after

        return await self._changed(desk, request, decide, by=by, command_id=command_id, context=context)

    async def issue_operator_key(self, frontend: str = "operator") -> str:
        """A key for whoever runs the deployment, good for every desk: made beside the API, which needs one itself."""
        issued = _new_key(OPERATOR)

        def decide(view: DeskView | None, _world: World) -> tuple[Sequence[DeskEvent], DeskView]:
            at = self._now()
            opened = DeskOpened(at=at, desk=OPERATOR, title="Operator", timezone="UTC", locale="en")
            key = KeyIssued(
                at=at, key=issued.id, hash=key_hash(issued.token), frontend=frontend, roles=(ANY,), scopes=SCOPES
            )
            events: list[DeskEvent] = [key] if view is not None else [opened, key]
            for event in events:
                view = evolve(view, view.version + 1 if view else 1, event, {})
            return events, cast("DeskView", view)

        request = {"frontend": frontend, "key": issued.id}
        await self._changed(OPERATOR, request, decide, by=SYSTEM, command_id=uuid4(), context=Context())
        return issued.token

    async def _changed(
        self,
        desk: str,
        request: object,
        decide: Decide,
        *,
        by: Sender,
        command_id: UUID,
        context: Context,
    ) -> Changed:
        fingerprint = self._sealing.digest(desk, "command", msgspec.json.encode([request, by], order="sorted"))
        for tries in range(1, TRIES + 1):
            if (repeated := await self._repeated(desk, command_id, fingerprint)) is not None:
                return repeated
            view = await self.latest(desk)
            key = _new_key(desk)
            events, after = decide(view, World(pack=pack_of, key=key))
            if after.pack is not None and any(isinstance(event, PackAdopted) for event in events):
                await self._packs.keep(after.pack)  # before the event that names it
            expected = view.version if view is not None else 0
            changes = await self._enveloped(desk, events, expected, by=by, command_id=command_id, context=context)
            try:
                place = await self._log.record(desk, changes, expected_version=expected, fingerprint=fingerprint)
            except VersionConflict:
                if tries == TRIES:
                    raise
                continue
            self.learn(desk, place.version)
            return self._answer(desk, events, place.version, place.position, key)
        raise AssertionError("the last try returns or raises")

    async def _enveloped(
        self,
        desk: str,
        events: Sequence[DeskEvent],
        version: int,
        *,
        by: Sender,
        command_id: UUID,
        context: Context,
    ) -> list[tuple[DeskEvent, Envelope]]:
        """Staff's names and contacts are sealed, under a key of their own for each person."""
        stream = desk_stream(desk)
        items = []
        for number, event in enumerate(events, version + 1):
            person = person_of(event)
            subject = stream if person is None else self._sealing.pseudonym(desk, f"staff:{person}")
            items.append(Unsealed(event, number, subject))
        sealed, _ = await self._sealing.seal(stream, desk, items, facts=(), by=by)
        envelope = Envelope(
            desk=desk,
            complaint=DESK,
            at=self._now(),
            desk_version=version,
            by=by,
            frontend=context.frontend,
            command_id=command_id,
            causation_id=context.causation_id,
            correlation_id=context.correlation_id or command_id,
            traceparent=context.traceparent,
        )
        return [(cast("DeskEvent", event), envelope) for event in sealed]

    async def _repeated(self, desk: str, command_id: UUID, fingerprint: bytes) -> Changed | None:
        found = await self._store.find_command(command_id)
        if found is None:
            return None
        stream, before, appended = found
        if stream != desk_stream(desk) or before != fingerprint:
            raise CommandReused("the Idempotency-Key was used for another request", command_id=str(command_id))
        return Changed(desk=desk, version=appended.version, position=appended.last_position, duplicate=True)

    def _answer(self, desk: str, events: Sequence[DeskEvent], version: int, position: int, key: Issued) -> Changed:
        shown = next((key.token for event in events if isinstance(event, KeyIssued)), None)
        hook = next((event for event in events if isinstance(event, WebhookAdded)), None)
        secret = self._sealing.webhook_secret(desk, hook.name, hook.generation) if hook is not None else None
        return Changed(desk=desk, version=version, position=position, key=shown, secret=secret)


def _new_key(desk: str) -> Issued:
    """A key of 256 random bits."""
    public = secrets.token_hex(4)
    return Issued(id=public, token=key_token(desk, public, secrets.token_urlsafe(32)))
