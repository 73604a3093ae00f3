"""A batch of appends as one call of ``es.append``: what must hold of each, their order, their arrays, their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, get_args
from uuid import UUID

import msgspec

from complaints.chain import hashes
from complaints.errors import CommandReused, RedressError, Taken, VersionConflict
from complaints.ports import GENESIS, Append, Appended, Category, Claim, Guard, NewEvent

CALL = f"SELECT * FROM es.append({', '.join(f'${place}' for place in range(1, 14))})"  # noqa: S608 - only numbers
"""The arguments are those of ``arguments``."""


_CATEGORIES = frozenset(get_args(Category))
_LAST_VERSION = 2**31 - 1
_LAST_SCHEMA_VERSION = 2**15 - 1


class Prepared(msgspec.Struct, frozen=True):
    """An append that may be sent: checked and hashed."""

    append: Append
    versions: range  # of its events
    hashes: list[bytes]  # of its events
    size: int  # bytes that its events take on the way

    def chained(self) -> Iterator[tuple[int, NewEvent, bytes, bytes]]:
        """Version, event, previous hash and hash of each event."""
        previous = [self.append.previous_hash, *self.hashes]
        return zip(self.versions, self.append.events, previous, self.hashes, strict=False)


def prepare(append: Append, *, counts_from_zero: bool = False) -> Prepared:
    """Checks what the store asks of every append and computes its hashes.

    ``counts_from_zero`` says that a new stream's first event is version 0, as in some of the library's own streams.

    Raises: ValueError, which is the caller's bug: no user can cause it.
    """
    if not append.events:
        raise ValueError("an append holds at least one event")
    if not 0 <= append.expected_version <= _LAST_VERSION - len(append.events):
        raise ValueError(f"a stream does not go on after version {append.expected_version}")
    if len(append.previous_hash) != len(GENESIS):
        raise ValueError("a hash is 32 bytes")
    if append.category not in _CATEGORIES:
        raise ValueError(f"{append.category!r} is not a category")
    size = 0
    for event in append.events:
        if not 1 <= event.schema_version <= _LAST_SCHEMA_VERSION:
            raise ValueError("a schema version is between 1 and 32767")
        size += len(event.data) + len(event.meta)
    _storable("".join([event.type for event in append.events]))
    _storable(append.desk)
    for claim in append.claims:
        _storable(claim.scope)
        if claim in append.releases:
            raise ValueError(f"the same append claims and releases {claim.scope}")
    first = append.expected_version + (0 if counts_from_zero else 1)
    return Prepared(append, range(first, first + len(append.events)), hashes(append, first_version=first), size)


def _storable(name: str) -> None:
    if "\0" in name:
        raise ValueError("the database stores no null character in a name")


def waves(appends: Sequence[Append]) -> list[int]:
    """The wave, from 1, in which each append is done: one that touches what an earlier one writes comes after it.

    So a batch does what the same appends would have done one by one, in some order. Nearly always all are in the first.
    """
    writes = [_written(append) for append in appends]
    guards = [[guard.stream_id.int for guard in append.guards] for append in appends]
    all_written = {item for items in writes for item in items}
    if len(all_written) == sum(map(len, writes)) and all_written.isdisjoint(item for items in guards for item in items):
        return [1] * len(appends)
    wrote: dict[Hashable, int] = defaultdict(int)
    read: dict[Hashable, int] = defaultdict(int)
    order = []
    for written, guarded in zip(writes, guards, strict=True):
        wave = 1 + max(*(max(wrote[item], read[item]) for item in written), *(wrote[item] for item in guarded), 0)
        for item in written:
            wrote[item] = wave
        for item in guarded:
            read[item] = max(read[item], wave)
        order.append(wave)
    return order


def _written(append: Append) -> list[Hashable]:
    """What the append changes: its command, its stream, its claims."""
    items: list[Hashable] = [append.command_id.int, append.stream_id.int]  # as numbers, which hash fast
    items += [(append.desk, claim.scope, claim.key) for claim in append.claims]
    items += [(append.desk, claim.scope, claim.key) for claim in append.releases]
    return items


def arguments(batch: Sequence[Prepared], *, shard: int = 0) -> list[Any]:
    """The arguments of ``es.append`` for a batch, in order."""
    appends = [prepared.append for prepared in batch]
    order = waves(appends)
    last = max(order, default=0)
    events: list[tuple[object, ...]] = []
    guards: list[tuple[int, Guard]] = []
    claims: list[tuple[int, Append, bool, Claim]] = []
    for number, prepared in enumerate(batch, 1):
        append = prepared.append
        first = append.events[0].occurred_at
        events += [
            (
                number,
                version,
                new.type,
                new.schema_version,
                None if new.occurred_at is first else new.occurred_at,  # an instant is slow to write
                new.data,
                new.meta,
                before,
                after,
            )
            for version, new, before, after in prepared.chained()
        ]
        guards += [(number, guard) for guard in append.guards]
        claims += [(number, append, False, claim) for claim in append.claims]
        claims += [(number, append, True, claim) for claim in append.releases]
    return [
        shard,
        last,
        [
            (
                wave,
                append.command_id,
                append.fingerprint,
                append.stream_id,
                append.category,
                append.desk,
                append.expected_version,
                append.previous_hash,
                len(append.events),
                prepared.versions[-1],
                prepared.hashes[-1],
                append.events[0].occurred_at,
            )
            for wave, append, prepared in zip(order, appends, batch, strict=True)
        ],
        events,
        [number for number, _ in guards],
        [guard.stream_id for _, guard in guards],
        [guard.version for _, guard in guards],
        [number for number, _, _, _ in claims],
        [append.stream_id for _, append, _, _ in claims],
        [release for _, _, release, _ in claims],
        [append.desk for _, append, _, _ in claims],
        [claim.scope for _, _, _, claim in claims],
        [claim.key for _, _, _, claim in claims],
    ]


def answers(batch: Sequence[Prepared], rows: Sequence[Any]) -> list[Appended | RedressError]:
    """What the rows of ``es.append`` say to each append of the batch, in its order."""
    if len(rows) == 1 and rows[0]["status"] == "all":
        return list(_side_by_side(batch, rows[0]["first_pos"]))
    found = {row["app"]: row for row in rows}
    return [_answer(prepared.append, found[number]) for number, prepared in enumerate(batch, 1)]


def _side_by_side(batch: Sequence[Prepared], position: int) -> Iterator[Appended]:
    """The places of appends that are written one after the other from ``position`` on."""
    for prepared in batch:
        count = len(prepared.versions)
        yield Appended(
            version=prepared.versions[-1],
            first_position=position,
            last_position=position + count - 1,
            hash=prepared.hashes[-1],
        )
        position += count


def _answer(append: Append, row: Any) -> Appended | RedressError:
    match row["status"]:
        case "ok" | "duplicate" as status:
            return Appended(
                version=row["version"],
                first_position=row["first_pos"],
                last_position=row["last_pos"],
                hash=row["hash"],
                duplicate=status == "duplicate",
            )
        case "conflict":
            return conflict(append, row["other"], row["version"])
        case "taken":
            return Taken(row["scope"], row["other"])
        case _:
            return reused(append)


def conflict(append: Append, stream_id: UUID, actual: int) -> VersionConflict:
    """The append's own stream, or one that it guards, is somewhere else."""
    expected = {guard.stream_id: guard.version for guard in append.guards} | {append.stream_id: append.expected_version}
    return VersionConflict(stream_id, expected[stream_id], actual)


def reused(append: Append) -> CommandReused:
    """The command id was used before, for another request."""
    return CommandReused("the same id came before with another request", command_id=str(append.command_id))
