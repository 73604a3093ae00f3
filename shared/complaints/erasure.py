"""Erasing a data subject: the key that is destroyed closes every case of the subject, so all of them have a say.

The order makes it safe to be interrupted. First the erasure is announced at the key, so that no new case may use it;
then the event is recorded on the case that was asked, guarded by the versions of the subject's other cases; from there
on it goes through: the others get the event too, and the key is destroyed. ``recover`` ends what a crash left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import msgspec

from complaints.codec import Envelope, decode
from complaints.commands import EraseSubject
from complaints.complaint import Complaint, evolve
from complaints.errors import Transient, Unknown, VersionConflict
from complaints.events import SubjectErased
from complaints.identity import service_command_id
from complaints.ports import EventStore
from complaints.sealer import Sealer
from complaints.streams import Entry, Loaded, Streams


class Erasures:
    """Carries out what was decided about a subject, on all of its cases."""

    def __init__(self, cases: Streams[Complaint], store: EventStore, sealer: Sealer) -> None:
        self._cases, self._store, self._sealer = cases, store, sealer

    async def begin(self, loaded: Loaded[Complaint], command: EraseSubject) -> Sequence[Loaded[Complaint]]:
        """Announces the erasure; answers the subject's other cases, as they stand now.

        Raises: Transient while a case of the subject is just being received.
        """
        return await self._others(loaded, command.id)

    async def abandon(self, subject: UUID, command: EraseSubject) -> None:
        """The command was refused."""
        await self._sealer.abandon_erasing(subject, command.id)

    async def finish(self, loaded: Loaded[Complaint], command_id: UUID) -> None:
        """Records on the other cases what was recorded on this one, then destroys the key. May be repeated."""
        recorded = await self._recorded(loaded.stream_id, loaded.subject)
        if recorded is None:
            return
        event, meta = recorded
        others = await self._others(loaded, command_id)
        for other in others:
            await self._tell(other, event, meta)
        await self._sealer.erase(loaded.subject)
        for stream_id in (loaded.stream_id, *(other.stream_id for other in others)):
            self._cases.forget(stream_id)

    async def recover(self) -> int:
        """Ends what was recorded and takes back what was not, of all that was begun a while ago; answers how many."""
        begun = await self._sealer.erasing()
        for subject, command_id in begun.items():
            found = await self._store.find_command(command_id)
            if found is None:
                await self._sealer.abandon_erasing(subject, command_id)
            else:
                stream_id, _, _ = found
                await self.finish(await self._cases.load(stream_id, "", fresh=True), command_id)
        return len(begun)

    async def _others(self, loaded: Loaded[Complaint], command_id: UUID) -> list[Loaded[Complaint]]:
        others = []
        for link in await self._sealer.begin_erasing(loaded.subject, command_id):
            if link.stream == loaded.stream_id:
                continue
            try:
                other = await self._cases.load(link.stream, loaded.desk, fresh=True)
            except Unknown:  # a report of the desk's, whose rows close with the key
                continue
            if other.version:
                others.append(other)
            elif link.fresh:
                raise Transient("a case of this subject is just being received; send the request again")
        return others

    async def _recorded(self, stream_id: UUID, subject: UUID) -> tuple[SubjectErased, Envelope] | None:
        """The last event that says so, and its envelope."""
        for row in reversed(await self._store.read(stream_id)):
            record = decode(row)
            if isinstance(record.event, SubjectErased) and record.event.subject == str(subject):
                return record.event, record.meta
        return None

    async def _tell(self, other: Loaded[Complaint], event: SubjectErased, meta: Envelope) -> None:
        while str(other.subject) not in other.state.erased:
            state = other.state
            at = max(event.at, state.last_at or event.at)  # a stream never runs backwards
            entry = Entry(
                meta=msgspec.structs.replace(
                    meta,
                    complaint=str(other.stream_id),
                    pack=state.pack,
                    pack_version=state.pack_version,
                    desk_version=other.desk_version,
                    command_id=service_command_id(other.stream_id, "erase-subject", meta.command_id),
                    causation_id=meta.command_id,
                    imported=state.imported,
                ),
                fingerprint=b"",
            )
            with suppress(VersionConflict):  # it has gone on; it is told all the same
                told = msgspec.structs.replace(event, at=at)
                await self._cases.write(other, [told], entry, state=evolve(state, told))
            other = await self._cases.load(other.stream_id, other.desk, fresh=True)
