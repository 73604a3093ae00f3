"""Says whether a record is what it was when it was written, and where it is not, exactly what differs. Pure.

`complaints.chain` finds that an event does not fit its hash; here it is worked out which column was altered: most of
what a row says stands in its envelope as well, and if one column, put back, gives the stored hash again, that is what
was altered, and what it was. What lies under a checkpoint's root only (when something was recorded) is narrowed to the
positions between two checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from complaints.chain import Checkpoint, LogCheck, hash_of, leaf_of, verify_stream
from complaints.identity import desk_stream, duties_stream
from complaints.merkle import verify_inclusion
from complaints.ports import GENESIS, StoredEvent
from complaints.registry import REGISTRY

Proofs = Mapping[int, tuple[int, Sequence[bytes]]]
"""Position to the size of a checkpoint and the path from the event's leaf to its root."""

CATEGORIES: Final = ("complaint", "desk", "duties")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not hold. ``column``: what of the row was altered, as far as it can be told."""

    code: str
    position: int
    stream: str | None = None
    version: int | None = None
    column: str | None = None
    found: Any = None
    expected: Any = None
    why: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found. ``covered``: positions under a checkpoint that holds; the tail after it is young."""

    holds: bool
    positions: int
    streams: int
    root: str | None = None
    checkpoints: int = 0
    covered: int = 0
    signatures: str
    findings: list[Finding]


class Verification:
    """The check of a whole log that arrives in order: ``add`` each event, then ``result``."""

    def __init__(
        self, checkpoints: Sequence[Checkpoint] = (), *, signatures: str, others: Sequence[Finding] = ()
    ) -> None:
        self._check = LogCheck(checkpoints)
        self._sizes = sorted({checkpoint.size for checkpoint in checkpoints})
        self._signatures = signatures
        self._findings: list[Finding] = list(others)
        self._heads: dict[UUID, tuple[int, bytes]] = {}
        self._altered: dict[UUID, tuple[StoredEvent, bytes, int]] = {}  # last altered event, hash it gives, its finding
        self._seen = 0

    def add(self, event: StoredEvent) -> None:
        """Looks at the next event."""
        before = self._heads.get(event.stream_id)
        suspect = self._altered.pop(event.stream_id, None)
        self._check.add(event)
        new = self._check.flaws[self._seen :]
        self._seen = len(self._check.flaws)
        if suspect is not None and event.previous_hash == suspect[1]:
            self._blame_hash(suspect)
            new = [flaw for flaw in new if flaw.code != "unchained"]  # it follows what was there
        for flaw in new:
            if flaw.code == "altered":
                self._note_altered(event, before)
            elif flaw.code in ("root", "contradiction"):
                self._findings.append(self._of_root(flaw.position, flaw.code, flaw.why))
            else:
                self._findings.append(_finding(event, flaw.code, flaw.why))
        self._heads[event.stream_id] = (event.version, event.hash)

    def heads(self, heads: Mapping[UUID, tuple[int, bytes]]) -> None:
        """Compares with where the store believes every stream to stand: a tail that was cut off shows there."""
        for stream, (version, digest) in heads.items():
            last = self._heads.get(stream)
            if last != (version, digest):
                found = None if last is None else last[0]
                why = f"the store knows version {version} of this stream, the log ends with {found or 'nothing'}"
                if last is not None and last[0] == version:
                    why = f"version {version} is not the event that the store knows as this stream's last"
                self._findings.append(
                    Finding(
                        code="cut-off",
                        position=0,
                        stream=str(stream),
                        version=version,
                        found=found,
                        expected=version,
                        why=why,
                    )
                )

    def result(self) -> Result:
        """What was found in the events added so far."""
        verdict = self._check.verdict()
        flaws = [Finding(code=f.code, position=f.position, why=f.why) for f in verdict.flaws[self._seen :]]
        early = [f for f in self._check.flaws[: self._seen] if f.code == "contradiction" and f.position == 0]
        findings = [*self._findings, *flaws, *(Finding(code=f.code, position=0, why=f.why) for f in early)]
        bad = {finding.position for finding in findings if finding.code in ("root", "contradiction")}
        covered = [size for size in self._sizes if size <= verdict.size and size not in bad]
        return Result(
            holds=not findings,
            positions=verdict.size,
            streams=verdict.streams,
            root=verdict.root.hex(),
            checkpoints=verdict.checkpoints,
            covered=max(covered, default=0),
            signatures=self._signatures,
            findings=findings,
        )

    def _note_altered(self, event: StoredEvent, before: tuple[int, bytes] | None) -> None:
        column, expected = what_differs(event, before)
        if column is None:
            self._altered[event.stream_id] = (event, hash_of(event), len(self._findings))
            why = "the content does not give the hash: data or meta was altered"
            self._findings.append(_finding(event, "altered", why, column="data or meta"))
            return
        found = getattr(event, column)
        why = f"{column} was altered: it is {_told(found)}, it was {_told(expected)}"
        self._findings.append(
            _finding(event, "altered", why, column=column, found=_told(found), expected=_told(expected))
        )

    def _blame_hash(self, suspect: tuple[StoredEvent, bytes, int]) -> None:
        """The next event follows what the content gives: the content stands, the hash beside it was altered."""
        event, computed, place = suspect
        why = f"hash was altered: it is {event.hash.hex()}, it was {computed.hex()}; the content is what it was"
        self._findings[place] = _finding(
            event, "altered", why, column="hash", found=event.hash.hex(), expected=computed.hex()
        )

    def _of_root(self, size: int, code: str, why: str) -> Finding:
        earlier = max((known for known in self._sizes if known < size), default=0)
        where = f"something in positions {earlier + 1} to {size} was altered, added, left out or moved"
        return Finding(code=code, position=size, why=f"{why}: {where}" if code == "root" else why)


def what_differs(event: StoredEvent, before: tuple[int, bytes] | None) -> tuple[str | None, Any]:
    """The one column that, put back to what it must have been, gives the stored hash; None where no one does."""
    for column, value in _candidates(event, before):
        if value != getattr(event, column) and hash_of(replace(event, **{column: value})) == event.hash:
            return column, value
    return None, None


def _candidates(event: StoredEvent, before: tuple[int, bytes] | None) -> Iterator[tuple[str, Any]]:
    version, previous = before if before is not None else (0, GENESIS)
    yield "previous_hash", previous
    yield "version", version + 1
    yield from (("category", category) for category in CATEGORIES)
    yield from (("schema_version", number) for number in range(1, 20))
    yield from (("type", name) for name, _ in REGISTRY.names())
    try:
        meta = msgspec.json.decode(event.meta)
        desk, at = str(meta["desk"]), datetime.fromisoformat(meta["at"])
        yield "desk", desk
        yield "occurred_at", at
        yield "command_id", UUID(meta["command_id"])
        yield from (("stream_id", stream) for stream in (desk_stream(desk), duties_stream(desk)))
        yield "stream_id", UUID(meta["complaint"])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return  # the envelope says nothing: then it is what was altered


def verify_part(
    events: Iterable[StoredEvent],
    proofs: Proofs,
    checkpoints: Sequence[Checkpoint],
    *,
    signatures: str,
    others: Sequence[Finding] = (),
) -> Result:
    """Checks some streams of a log, each from its beginning: hashes, chains, and each event's place in the log.

    An event younger than every checkpoint has no place to prove yet; ``covered`` counts those that have.
    """
    by_stream: dict[UUID, list[StoredEvent]] = {}
    for event in events:
        by_stream.setdefault(event.stream_id, []).append(event)
    roots = {checkpoint.size: checkpoint.root for checkpoint in checkpoints}
    findings, proven = list(others), 0
    for stream in by_stream.values():
        stream.sort(key=lambda event: event.version)
        findings += _of_stream(stream)
        for event in stream:
            why = _unproven(event, proofs, roots)
            if why:
                findings.append(_finding(event, "not-included", why))
            elif event.position in proofs:
                proven += 1
    return Result(
        holds=not findings,
        positions=sum(len(stream) for stream in by_stream.values()),
        streams=len(by_stream),
        checkpoints=len(roots),
        covered=proven,
        signatures=signatures,
        findings=findings,
    )


def _of_stream(stream: Sequence[StoredEvent]) -> Iterator[Finding]:
    """What is wrong with the hashes, the chain and the order of one stream."""
    flaws = {(flaw.position, flaw.code): flaw for flaw in verify_stream(stream)}
    before: StoredEvent | None = None
    for event in stream:
        if (event.position, "altered") in flaws:
            column, expected = what_differs(event, (before.version, before.hash) if before is not None else None)
            why = "the content does not give the hash: data, meta or hash was altered"
            if column is not None:
                why = f"{column} was altered: it was {_told(expected)}"
            yield _finding(event, "altered", why, column=column or "data, meta or hash")
        if (flaw := flaws.get((event.position, "unchained"))) is not None:
            yield _finding(event, "unchained", flaw.why)
        if before is not None and event.position <= before.position:
            yield _finding(event, "gap", f"lies at position {event.position}, before version {before.version}")
        before = event


def _unproven(event: StoredEvent, proofs: Proofs, roots: Mapping[int, bytes]) -> str | None:
    """Why the event's place is not proven though it should be."""
    size, path = proofs.get(event.position, (0, ()))
    if size in roots:
        if verify_inclusion(leaf_of(event), event.position - 1, size, path, roots[size]):
            return None
        return f"its place is not in the log over which the checkpoint of {size} positions was signed"
    if event.position <= max(roots, default=0):
        return "no proof says where in the log it lies"
    return None


def _finding(event: StoredEvent, code: str, why: str, **more: Any) -> Finding:
    return Finding(
        code=code, position=event.position, stream=str(event.stream_id), version=event.version, why=why, **more
    )


def _told(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
