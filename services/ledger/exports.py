"""What leaves the system to be verified elsewhere: events as they are stored, checkpoints, proofs, the public key.

An export is lines of JSON. The first says what it is; then come events in the order of the log, with their stored bytes
in base64; then checkpoints as signed notes; and, where not the whole log is exported, for each event the path that
proves its place in it. A ``.zip`` holds the same lines, and notes and key once more as files that other tools read.
"""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from complaints.adapters.checkpoints import Issued, read_notes, stored_checkpoints
from complaints.adapters.event_store import COLUMNS, SHARD, PostgresEventStore, stored
from complaints.adapters.signed_notes import Verifier
from complaints.chain import leaf
from complaints.errors import Malformed
from complaints.merkle import MerkleTree
from complaints.ports import Category, StoredEvent
from ledger.verification import Finding, Result, Verification, verify_part

FORMAT: Final = 1
LINES: Final = "export.jsonl"
KEY: Final = "public-key.txt"
PAGE: Final = 2000


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. ``scope``: ``log``, ``desk:<name>`` or ``case:<id>``."""

    redress_export: int
    scope: str
    exported_at: datetime
    public_key: str | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is stored."""

    position: int
    stream: UUID
    version: int
    category: Category
    desk: str
    type: str
    schema_version: int
    occurred_at: datetime
    recorded_at: datetime
    command_id: UUID
    data: bytes
    meta: bytes
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: StoredEvent) -> Row:
        """The row of an event."""
        named = {name: getattr(event, name) for name in _SAME}
        return cls(**named, stream=event.stream_id, previous_hash=event.previous_hash.hex(), hash=event.hash.hex())

    def event(self) -> StoredEvent:
        """The event of a row. Raises ValueError where a hash is none."""
        named = {name: getattr(self, name) for name in _SAME}
        return StoredEvent(
            **named,
            stream_id=self.stream,
            previous_hash=bytes.fromhex(self.previous_hash),
            hash=bytes.fromhex(self.hash),
        )


_SAME: Final = (
    "position", "version", "category", "desk", "type", "schema_version", "occurred_at", "recorded_at", "command_id",
    "data", "meta",
)  # fmt: skip


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The way from an event's leaf to the root of a checkpoint, base64."""

    position: int
    size: int
    path: list[str]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line after the first: one of these."""

    event: Row | None = None
    checkpoint: str | None = None
    proof: Proof | None = None


# --- writing ---
@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is exported; neither: the whole log."""

    desk: str | None = None
    case: UUID | None = None

    def __str__(self) -> str:
        return f"case:{self.case}" if self.case else f"desk:{self.desk}" if self.desk else "log"


async def lines(
    pool: asyncpg.Pool, scope: Scope, *, exported_at: datetime, public_key: str | None
) -> AsyncIterator[bytes]:
    """The lines of an export, each ended by a line feed."""
    header = Header(redress_export=FORMAT, scope=str(scope), exported_at=exported_at, public_key=public_key)
    yield _line(header)
    positions: list[int] = []
    async for rows in _pages(pool, scope):
        for row in rows:
            event = stored(row)
            positions.append(event.position)
            yield _line(Line(event=Row.of(event)))
    checkpoints = [one async for one in _checkpoints(pool)]
    if str(scope) != "log":
        checkpoints = checkpoints[-1:]
    for one in checkpoints:
        yield _line(Line(checkpoint=one.note))
    if str(scope) != "log" and checkpoints:
        async for proof in _proofs(pool, positions, checkpoints[-1].size):
            yield _line(Line(proof=proof))


async def _pages(pool: asyncpg.Pool, scope: Scope) -> AsyncIterator[Sequence[Any]]:
    after = 0
    while True:
        rows = await pool.fetch(
            f"SELECT {COLUMNS} FROM es.event WHERE shard = $1 AND pos > $2 "  # noqa: S608
            "AND ($3::text IS NULL OR desk = $3) AND ($4::uuid IS NULL OR stream_id = $4) ORDER BY pos LIMIT $5",
            SHARD,
            after,
            scope.desk,
            scope.case,
            PAGE,
        )
        if not rows:
            return
        yield rows
        after = rows[-1]["pos"]


async def _checkpoints(pool: asyncpg.Pool) -> AsyncIterator[Issued]:
    after = 0
    while found := await stored_checkpoints(pool, after=after):
        for one in found:
            yield one
        after = found[-1].size


async def _proofs(pool: asyncpg.Pool, positions: Sequence[int], size: int) -> AsyncIterator[Proof]:
    tree = MerkleTree()
    while len(tree) < size:
        rows = await pool.fetch(
            "SELECT pos, recorded_at, hash FROM es.event WHERE shard = $1 AND pos > $2 ORDER BY pos LIMIT $3",
            SHARD,
            len(tree),
            PAGE * 5,
        )
        if not rows:
            return
        tree.extend([leaf(row["pos"], row["recorded_at"], row["hash"]) for row in rows])
    for position in positions:
        if position <= size:
            path = [b64encode(node).decode() for node in tree.inclusion(position - 1, size)]
            yield Proof(position=position, size=size, path=path)


def _line(value: Any) -> bytes:
    return msgspec.json.encode(value) + b"\n"


async def write(file: Path, source: AsyncIterator[bytes]) -> int:
    """Writes an export to a file, a ``.zip`` by its name; answers how many events."""
    if file.suffix != ".zip":
        with file.open("wb") as out:
            return await _copied(source, out, [])
    kept: list[bytes] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(LINES, "w", force_zip64=True) as out:
            events = await _copied(source, out, kept)
        for raw in kept:
            if raw.startswith(b'{"redress_export"'):
                key = msgspec.json.decode(raw, type=Header).public_key
                archive.writestr(KEY, f"{key or ''}\n")
            elif (note := msgspec.json.decode(raw, type=Line).checkpoint) is not None:
                size = note.split("\n")[1]
                archive.writestr(f"checkpoints/{size}.txt", note)
    return events


async def _copied(source: AsyncIterator[bytes], out: Any, kept: list[bytes]) -> int:
    events = 0
    async for raw in source:
        out.write(raw)
        if raw.startswith(b'{"event"'):
            events += 1
        elif not raw.startswith(b'{"proof"'):
            kept.append(raw)
    return events


# --- verifying ---
@dataclass(slots=True)
class _Rest:
    """What an export holds beside its events."""

    notes: list[str] = field(default_factory=list)
    proofs: dict[int, tuple[int, list[bytes]]] = field(default_factory=dict)


def verify_file(file: Path, verifiers: Sequence[Verifier] = ()) -> tuple[Header, Result]:
    """Verifies an export with nothing else at hand but a public key; without one, with the export's own.

    Raises: Malformed where it is no export.
    """
    header = header_of(file)
    own = not verifiers
    if own and header.public_key:
        verifiers = [Verifier.parse(header.public_key)]
    rest = _Rest()
    for _ in _events(file, rest):
        pass
    checkpoints, others, said = checked_notes(rest.notes, verifiers)
    if verifiers and own:
        said += ", with the key that lies in the export: compare it with the one that was published"
    if header.scope != "log":
        found = verify_part(_events(file, _Rest()), rest.proofs, checkpoints, signatures=said, others=others)
        return header, found
    verification = Verification(checkpoints, signatures=said, others=others)
    for event in _events(file, _Rest()):
        verification.add(event)
    return header, verification.result()


def checked_notes(notes: Iterable[str], verifiers: Sequence[Verifier]) -> tuple[list[Any], list[Finding], str]:
    """The checkpoints in these notes, what is wrong with any, and in words what was checked of their signatures."""
    notes = list(notes)
    if not verifiers:
        return [], [], f"not checked: no public key for {len(notes)} checkpoints"
    checkpoints, flaws = read_notes(notes, verifiers)
    findings = [Finding(code=flaw.code, position=flaw.position, why=flaw.why) for flaw in flaws]
    return checkpoints, findings, f"checked with {', '.join(map(str, verifiers))}"


def header_of(file: Path) -> Header:
    """The first line of an export. Raises Malformed."""
    try:
        header = msgspec.json.decode(next(_raw(file), b""), type=Header)
    except msgspec.MsgspecError:
        raise Malformed(str(file), "is no export of Redress") from None
    if header.redress_export != FORMAT:
        raise Malformed(str(file), f"is an export of format {header.redress_export}; this reads format {FORMAT}")
    return header


def _events(file: Path, rest: _Rest) -> Iterator[StoredEvent]:
    """The events of an export; what else there is goes into ``rest``. Raises Malformed."""
    raws = _raw(file)
    next(raws)
    for number, raw in enumerate(raws, 2):
        try:
            line = msgspec.json.decode(raw, type=Line)
            if line.event is not None:
                yield line.event.event()
            elif line.checkpoint is not None:
                rest.notes.append(line.checkpoint)
            elif line.proof is not None:
                path = [b64decode(node, validate=True) for node in line.proof.path]
                rest.proofs[line.proof.position] = (line.proof.size, path)
        except ValueError as error:  # msgspec's are, too
            raise Malformed(f"{file}:{number}", f"cannot be read: {error}") from None


def _raw(file: Path) -> Iterator[bytes]:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive, archive.open(LINES) as inside:
                yield from io.BufferedReader(inside)  # type: ignore[type-var]  # it reads, which is all that is asked
        else:
            with file.open("rb") as plain:
                yield from plain
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Malformed(str(file), f"cannot be read: {error}") from None


async def verify_database(pool: asyncpg.Pool, verifiers: Sequence[Verifier], *, progress: Any = None) -> Result:
    """Verifies the log in a database, with its checkpoints and with where it believes its streams to stand."""
    store = PostgresEventStore(pool)
    notes = [one.note async for one in _checkpoints(pool)]
    checkpoints, others, said = checked_notes(notes, verifiers)
    verification = Verification(checkpoints, signatures=said, others=others)
    head, after = await store.head(), 0
    while events := await store.read_all(after=after, limit=PAGE):
        for event in events:
            verification.add(event)
        after = events[-1].position
        if progress is not None:
            progress(min(after, head), head)
        if after >= head:
            break
    return await _with_heads(pool, verification, head)


async def _with_heads(pool: asyncpg.Pool, verification: Verification, upto: int) -> Result:
    """Streams that went on since we began are left out: their last event was not looked at."""
    after = UUID(int=0)
    while rows := await pool.fetch(
        "SELECT s.stream_id, s.version, s.hash FROM es.stream s WHERE s.stream_id > $1 AND NOT EXISTS "
        "(SELECT FROM es.event e WHERE e.stream_id = s.stream_id AND e.pos > $2) ORDER BY s.stream_id LIMIT $3",
        after,
        upto,
        PAGE,
    ):
        verification.heads({UUID(bytes=row["stream_id"].bytes): (row["version"], row["hash"]) for row in rows})
        after = UUID(bytes=rows[-1]["stream_id"].bytes)
    return verification.result()
