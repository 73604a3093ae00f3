"""What makes the record tamper-evident: the hash of an event, the leaf of a position, and the check of a whole log.

**Event hash.** SHA-256 over these bytes, all integers big-endian, nothing between the parts::

    16  the ASCII text "redress event 1" and one line feed
    32  hash of the stream's previous event; 32 zero bytes before the first
    16  stream id, as RFC 9562 writes a UUID
     4  version, unsigned
     2  schema version, unsigned
     8  occurred_at: microseconds since 1970-01-01T00:00:00Z, signed
    16  command id, as RFC 9562 writes a UUID
    then category, desk, type (UTF-8), meta and data (as stored), each as
     4  its length in bytes, unsigned
     n  its bytes

Every stored column takes part except the position and recorded_at, which are given at commit; those are in the leaf.

**Leaf.** 48 bytes: position (8, unsigned), recorded_at (8, microseconds as above, signed), event hash (32). The leaf of
position p has index p - 1 in the Merkle tree of RFC 6962 (`complaints.merkle`).

**Checkpoint.** The size of the log and its Merkle root, in the text form of C2SP tlog-checkpoint, signed as a C2SP
signed-note. A hash chain shows what was changed; only a checkpoint kept elsewhere shows that a tail was cut off.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Protocol
from uuid import UUID

from complaints.merkle import HASH_BYTES, Frontier, leaf_hash
from complaints.ports import GENESIS, Append, StoredEvent

_HEAD = Struct(">16s32s16sIHq16s")
_LENGTH = Struct(">I")
_LEAF = Struct(">Qq32s")
_TAG = b"redress event 1\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Hashed(Protocol):
    """What is hashed of an event beside its place: of one that is new, or of one that is stored."""

    @property
    def type(self) -> str: ...
    @property
    def schema_version(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def meta(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...


class Hashing:
    """Hashes the events of one command, over the bytes that the module's page lists; what is common is written once."""

    def __init__(self, *, stream_id: UUID, command_id: UUID, category: str, desk: str) -> None:
        self._stream, self._command = stream_id.bytes, command_id.bytes
        self._at: tuple[datetime | None, int] = (None, 0)  # mostly all of them are of one instant
        self._where = b"".join(_LENGTH.pack(len(text)) + text for text in (category.encode(), desk.encode()))

    def hash(self, event: Hashed, *, version: int, previous: bytes) -> bytes:
        """The hash of one event, 32 bytes. Raises ValueError: its instant has no zone."""
        if event.occurred_at is not self._at[0]:
            self._at = (event.occurred_at, _microseconds(event.occurred_at))
        at, name, meta, data = self._at[1], event.type.encode(), event.meta, event.data
        parts = (
            _HEAD.pack(_TAG, previous, self._stream, version, event.schema_version, at, self._command),
            self._where,
            _LENGTH.pack(len(name)),
            name,
            _LENGTH.pack(len(meta)),
            meta,
            _LENGTH.pack(len(data)),
            data,
        )
        return sha256(b"".join(parts)).digest()


def hash_of(event: StoredEvent) -> bytes:
    """What the hash of a stored event must be, given what is stored before it."""
    hashing = Hashing(stream_id=event.stream_id, command_id=event.command_id, category=event.category, desk=event.desk)
    return hashing.hash(event, version=event.version, previous=event.previous_hash)


def hashes(append: Append, *, first_version: int | None = None) -> list[bytes]:
    """The hashes of an append's events, each over the one before it, the first over ``append.previous_hash``.

    ``first_version`` is one more than the expected version unless the stream counts from 0.
    """
    hashing = Hashing(
        stream_id=append.stream_id, command_id=append.command_id, category=append.category, desk=append.desk
    )
    chain, previous = [], append.previous_hash
    for version, event in enumerate(
        append.events, append.expected_version + 1 if first_version is None else first_version
    ):
        previous = hashing.hash(event, version=version, previous=previous)
        chain.append(previous)
    return chain


def leaf(position: int, recorded_at: datetime, hash: bytes) -> bytes:
    """The leaf hash of a position in the Merkle tree over the log."""
    return leaf_hash(_LEAF.pack(position, _microseconds(recorded_at), hash))


def leaf_of(event: StoredEvent) -> bytes:
    """The leaf hash of a stored event."""
    return leaf(event.position, event.recorded_at, event.hash)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A claim about the first ``size`` positions of the log that ``origin`` names."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The body of the signed note, with its final line feed. Source: C2SP tlog-checkpoint."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Reads a note's body; further lines are extensions and are passed over. Raises ValueError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not lines[0] or "" in lines[:-1]:
            raise ValueError("a checkpoint is three or more lines that are not empty, each ended by a line feed")
        origin, size, root = lines[:3]
        if not (size.isascii() and size.isdigit()) or (size[0] == "0" and size != "0"):
            raise ValueError(f"{size!r} is not the size of a log")
        digest = b64decode(root, validate=True)
        if len(digest) != HASH_BYTES or b64encode(digest).decode() != root:
            raise ValueError(f"{root!r} is not a SHA-256 root in base64")
        return cls(origin, int(size), digest)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in the record that does not hold.

    ``code``: ``gap`` a position is missing or doubled; ``backwards`` recorded_at is earlier than at the position
    before; ``altered`` the stored content does not give the stored hash; ``unchained`` the event does not follow its
    stream's previous one; ``root`` a checkpoint's root is not that of the positions it covers; ``cut-off`` a checkpoint
    covers more positions than there are; ``contradiction`` two checkpoints claim different roots for one size.
    """

    position: int  # of the event; of a checkpoint its size
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check of a log found. ``root`` covers positions 1 … ``size``."""

    size: int
    root: bytes
    streams: int
    checkpoints: int  # how many were compared and hold
    flaws: list[Flaw]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.flaws


class LogCheck:
    """The check of a log that arrives in order of position, from the first on: ``add`` each event, then ``verdict``.

    Events are read once; memory grows with the number of streams, not of events. Whether a checkpoint was signed by the
    right key is for whoever parsed it to check.
    """

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self.flaws: list[Flaw] = []
        self._frontier = Frontier()
        self._position = 0
        self._recorded_at: datetime | None = None
        self._streams: dict[UUID, tuple[int, bytes]] = {}
        self._compared = 0
        self._claims: dict[int, bytes] = {}
        for checkpoint in checkpoints:
            if self._claims.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                self._flaw(checkpoint.size, "contradiction", "two checkpoints of this size have different roots")
        self._compare()

    def add(self, event: StoredEvent) -> None:
        """Looks at the next event."""
        if event.position != self._position + 1:
            self._flaw(event.position, "gap", f"follows position {self._position}")
        if self._recorded_at is not None and event.recorded_at < self._recorded_at:
            self._flaw(event.position, "backwards", f"recorded at {event.recorded_at}, before {self._recorded_at}")
        if hash_of(event) != event.hash:
            self._flaw(event.position, "altered", "the stored content does not give the stored hash")
        before = self._streams.get(event.stream_id)
        if why := _unchained(before, event):
            self._flaw(event.position, "unchained", why)
        self._streams[event.stream_id] = (event.version, event.hash)
        self._position, self._recorded_at = event.position, event.recorded_at
        self._frontier.add(leaf_of(event))
        self._compare()

    def verdict(self) -> Verdict:
        """What was found in the events added so far; checkpoints that reach beyond them count as cut off."""
        size = self._frontier.size
        beyond = [
            Flaw(claim, "cut-off", f"a checkpoint covers {claim} positions, the log has {size}")
            for claim in sorted(self._claims)
            if claim > size
        ]
        return Verdict(size, self._frontier.root(), len(self._streams), self._compared, [*self.flaws, *beyond])

    def _compare(self) -> None:
        claimed = self._claims.get(self._frontier.size)
        if claimed is None:
            return
        if claimed == self._frontier.root():
            self._compared += 1
        else:
            self._flaw(self._frontier.size, "root", "the root in the checkpoint is not that of these positions")

    def _flaw(self, position: int, code: str, why: str) -> None:
        self.flaws.append(Flaw(position, code, why))


def verify_log(events: Iterable[StoredEvent], checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
    """Checks a whole log, in order of position: positions, hashes, chains, and every checkpoint's root."""
    check = LogCheck(checkpoints)
    for event in events:
        check.add(event)
    return check.verdict()


def verify_stream(events: Iterable[StoredEvent]) -> list[Flaw]:
    """Checks one stream from its beginning, in order of version: hashes and chain. Empty when all holds."""
    flaws, before = [], None
    for event in events:
        if hash_of(event) != event.hash:
            flaws.append(Flaw(event.position, "altered", "the stored content does not give the stored hash"))
        if why := _unchained(before, event):
            flaws.append(Flaw(event.position, "unchained", why))
        before = (event.version, event.hash)
    return flaws


def _unchained(before: tuple[int, bytes] | None, event: StoredEvent) -> str:
    """Why the event does not follow ``before``, its stream's version and hash; empty if it does."""
    if before is None:  # the library's own streams may count from 0
        if event.version not in (0, 1) or event.previous_hash != GENESIS:
            return f"version {event.version} of stream {event.stream_id} is the first here"
    elif event.version != before[0] + 1 or event.previous_hash != before[1]:
        return f"version {event.version} of stream {event.stream_id} does not follow version {before[0]}"
    return ""


def _microseconds(instant: datetime) -> int:
    """Since 1970, exactly. Raises ValueError for an instant without a zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone")
    return (instant - _EPOCH) // _MICROSECOND
