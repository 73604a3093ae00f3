"""A batch of appends as one call of ``es.append``: what must hold of each, their order, their arrays, their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, get_args
from uuid import UUID

import msgspec

from complaints.chain import hashes
from complaints.errors import CommandReused, RedressError, Taken, VersionConflict
from complaints.ports import GENESIS, Append, Appended, Category, NewEvent

CALL = f"SELECT * FROM es.append({', '.join(f'${place}' for place in range(1, 31))})"  # noqa: S608 - only numbers
"""The arguments are those of ``arguments``."""


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
    if append.category not in get_args(Category):
        raise ValueError(f"{append.category!r} is not a category")
    if not all(1 <= event.schema_version <= _LAST_SCHEMA_VERSION for event in append.events):
        raise ValueError("a schema version is between 1 and 32767")
    if len(append.previous_hash) != len(GENESIS):
        raise ValueError("a hash is 32 bytes")
    names = [append.desk, *(event.type for event in append.events), *(claim.scope for claim in append.claims)]
    if any("\0" in name for name in names):
        raise ValueError("the database stores no null character in a name")
    if overlap := set(append.claims) & set(append.releases):
        raise ValueError(f"the same append claims and releases {next(iter(overlap)).scope}")
    first = append.expected_version + (0 if counts_from_zero else 1)
    return Prepared(
        append,
        range(first, first + len(append.events)),
        hashes(append, first_version=first),
        sum(len(event.data) + len(event.meta) for event in append.events),
    )


def waves(appends: Iterable[Append]) -> list[int]:
    """The wave, from 1, in which each append is done: one that touches what an earlier one writes comes after it.

    So a batch does what the same appends would have done one by one, in some order. Nearly always all are in the first.
    """
    wrote: dict[Hashable, int] = defaultdict(int)
    read: dict[Hashable, int] = defaultdict(int)
    order = []
    for append in appends:
        writes: list[Hashable] = [append.command_id, append.stream_id]
        writes += [(append.desk, claim.scope, claim.key) for claim in (*append.claims, *append.releases)]
        guards = [guard.stream_id for guard in append.guards]
        wave = 1 + max(*(max(wrote[item], read[item]) for item in writes), *(wrote[item] for item in guards), 0)
        for item in writes:
            wrote[item] = wave
        for item in guards:
            read[item] = max(read[item], wave)
        order.append(wave)
    return order


def arguments(batch: Sequence[Prepared], *, shard: int = 0) -> list[Any]:
    """The arguments of ``es.append`` for a batch, in order."""
    appends = [prepared.append for prepared in batch]
    order = waves(appends)
    numbered = list(enumerate(batch, 1))
    events = [(number, *link) for number, prepared in numbered for link in prepared.chained()]
    guards = [(number, guard) for number, prepared in numbered for guard in prepared.append.guards]
    claims = [
        (number, release, prepared.append.desk, claim)
        for number, prepared in numbered
        for release, group in ((False, prepared.append.claims), (True, prepared.append.releases))
        for claim in group
    ]
    return [
        shard,
        max(order, default=0),
        order,
        [append.command_id for append in appends],
        [append.fingerprint for append in appends],
        [append.stream_id for append in appends],
        [append.category for append in appends],
        [append.desk for append in appends],
        [append.expected_version for append in appends],
        [append.previous_hash for append in appends],
        [len(append.events) for append in appends],
        [prepared.versions[-1] for prepared in batch],
        [prepared.hashes[-1] for prepared in batch],
        [number for number, _, _, _, _ in events],
        [version for _, version, _, _, _ in events],
        [event.type for _, _, event, _, _ in events],
        [event.schema_version for _, _, event, _, _ in events],
        [event.occurred_at for _, _, event, _, _ in events],
        [event.data for _, _, event, _, _ in events],
        [event.meta for _, _, event, _, _ in events],
        [previous for _, _, _, previous, _ in events],
        [own for _, _, _, _, own in events],
        [number for number, _ in guards],
        [guard.stream_id for _, guard in guards],
        [guard.version for _, guard in guards],
        [number for number, _, _, _ in claims],
        [release for _, release, _, _ in claims],
        [desk for _, _, desk, _ in claims],
        [claim.scope for _, _, _, claim in claims],
        [claim.key for _, _, _, claim in claims],
    ]


def answer(append: Append, row: Any) -> Appended | RedressError:
    """What a row of ``es.append`` says to the one who asked."""
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
