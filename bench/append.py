"""How fast the record takes appends: ``python -m bench append`` prints JSON lines. Starts a PostgreSQL of its own.

On a store that holds 500,000 events already, at 16 writers that each wait for their own answer, one event of some 700
bytes an append, in rounds that take turns on the same server:

- ``append``: the event store with every check: version, previous hash, command id, and for each new case, which is
  every fifth append, a claimed number and a guarded other stream;
- ``append.library``: the PostgreSQL recorder of `eventsourcing`, 16 threads, over as many events;
- ``append.bare``: pgbench inserting one row of the same size into a table with one key, 16 clients.

``ratio_to_library`` and ``ratio_to_bare`` are medians of the rounds' own ratios. ``append.batch`` says how the rate and
the waiting change with the number of writers.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

import asyncpg
import uvloop
from eventsourcing.persistence import InfrastructureFactory, StoredEvent

from bench.figures import is_quick, report
from complaints.adapters.database import migrate, pool
from complaints.adapters.event_store import PostgresEventStore
from complaints.chain import hashes
from complaints.ports import GENESIS, Append, Appended, Claim, Guard, NewEvent
from local_stack.ports import free_port
from local_stack.postgres import LocalPostgres, binaries

HELD = 500_000
PER_STREAM = 5
WRITERS = 16
ROUNDS = 5
SECONDS = 4.0
BIRTH = datetime(2026, 3, 2, 9, tzinfo=UTC)
SPACE = UUID("5f1f7a0e-3d5c-4a53-9a55-6e0f1d6a3b10")
DATA = b'{"facts":{"text":"' + b"x" * 380 + b'"}}'
META = b'{"by":{"person":"somebody","role":"agent"},"clause":"' + b"y" * 245 + b'"}'
BARE = """
\\set n random(1, 1000000000)
INSERT INTO bare (data) VALUES (repeat('x', 700)::bytea || :n::text::bytea);
"""


def main(argv: Sequence[str] = ()) -> None:
    """Loads, then measures in turns; ``--quick``: on a tenth of the events, in shorter rounds."""
    quick = is_quick(argv)
    held, seconds = (HELD // 10, SECONDS / 4) if quick else (HELD, SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        with (
            LocalPostgres(Path(folder) / "postgres", free_port()) as server,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,  # the loop that the services run on
        ):
            runner.run(measure(server.url, held, seconds))


async def measure(url: str, number: int, seconds: float) -> None:
    """Prints every figure."""
    await migrate(url, target="es@head")
    began = time.perf_counter()
    await fill(url, number)
    report("append.loaded", events=number, seconds=round(time.perf_counter() - began, 1))
    rounds: list[dict[str, float]] = []
    with closing(library(url)) as factory:
        recorder = factory.application_recorder()
        await copy_for_the_library(url, number)
        async with await pool(url, max_size=4) as connections, PostgresEventStore(connections) as store:
            await ours(store, WRITERS, 1.0)  # statements are prepared, pages are read
            for _ in range(ROUNDS):
                mine = await ours(store, WRITERS, seconds)
                theirs = await asyncio.to_thread(the_librarys, recorder, seconds)
                rounds.append({"ours": mine[0], "library": theirs, "bare": await asyncio.to_thread(bare, url, seconds)})
            report(
                "append",
                writers=WRITERS,
                per_second=middle(rounds, "ours"),
                ratio_to_library=round(median(each["ours"] / each["library"] for each in rounds), 2),
                ratio_to_bare=round(median(each["ours"] / each["bare"] for each in rounds), 3),
                rounds=ROUNDS,
            )
            report("append.library", writers=WRITERS, per_second=middle(rounds, "library"))
            report("append.bare", writers=WRITERS, per_second=middle(rounds, "bare"))
            for writers in (1, 4, 16, 64, 256):
                samples = [await ours(store, writers, seconds / 2) for _ in range(3)]
                report(
                    "append.batch",
                    writers=writers,
                    per_second=round(median(rate for rate, _ in samples)),
                    ms_p50=round(median(waits[len(waits) // 2] for _, waits in samples), 2),
                    ms_p99=round(median(waits[len(waits) * 99 // 100] for _, waits in samples), 2),
                )


async def ours(store: PostgresEventStore, writers: int, seconds: float) -> tuple[float, list[float]]:
    """Appends a second, and how long each waited, in ms, sorted."""
    waits: list[float] = []
    ends = time.perf_counter() + seconds

    async def write() -> None:
        place, stream_id, last = None, uuid4(), None
        while (before := time.perf_counter()) < ends:
            if place is not None and place.version == PER_STREAM:
                last, stream_id, place = (stream_id, place.version), uuid4(), None
            place = await store.append(one(stream_id, place, last))
            waits.append((time.perf_counter() - before) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    return len(waits) / (time.perf_counter() - began), sorted(waits)


def one(stream_id: UUID, place: Appended | None, last: tuple[UUID, int] | None = None) -> Append:
    """The next append of a case that stands at ``place``; a new one is linked to ``last``, the case before it."""
    return Append(
        stream_id=stream_id,
        category="complaint",
        desk="bench",
        expected_version=place.version if place else 0,
        previous_hash=place.hash if place else GENESIS,
        command_id=uuid4(),
        fingerprint=stream_id.bytes,
        events=(NewEvent(type="complaint.received", occurred_at=BIRTH, data=DATA, meta=META),),
        claims=() if place else (Claim(scope="number", key=stream_id.bytes),),
        guards=() if place or last is None else (Guard(stream_id=last[0], version=last[1]),),
    )


def the_librarys(recorder: Any, seconds: float) -> float:
    """Inserts a second of the library's recorder."""
    ends = time.perf_counter() + seconds

    def write(_: int) -> int:
        done, stream_id, version = 0, uuid4(), 0
        while time.perf_counter() < ends:
            if version == PER_STREAM:
                stream_id, version = uuid4(), 0
            version += 1
            recorder.insert_events([StoredEvent(stream_id, version, "complaint.received", DATA + META)])
            done += 1
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as threads:
        done = sum(threads.map(write, range(WRITERS)))
    return done / (time.perf_counter() - began)


def bare(url: str, seconds: float) -> float:
    """Transactions a second of pgbench."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(BARE)
        script.flush()
        command = [str(binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={WRITERS}", "--jobs=2"]
        command += [f"--time={seconds:.0f}", f"--file={script.name}", url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own words
    found = re.search(r"tps = ([\d.]+)", output)
    if found is None:
        raise RuntimeError(output)
    return float(found[1])


async def fill(url: str, number: int) -> None:
    """A store of streams of five events, as if they had been appended one by one."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE bare (id bigserial PRIMARY KEY, data bytea NOT NULL)")
        batch = 50_000
        for start in range(0, number, batch):
            await connection.copy_records_to_table(
                "event", schema_name="es", columns=COLUMNS, records=held(start, start + batch)
            )
        await connection.execute(
            "INSERT INTO es.stream SELECT stream_id, version, category, desk, hash FROM es.event WHERE version = $1",
            PER_STREAM,
        )
        await connection.execute(
            "INSERT INTO es.command SELECT command_id, stream_id, version, pos, pos, uuid_send(stream_id) FROM es.event"
        )
        await connection.execute(
            "INSERT INTO es.claim SELECT desk, 'number', uuid_send(stream_id), stream_id FROM es.stream"
        )
        await connection.execute("INSERT INTO bare (data) SELECT data || meta FROM es.event")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


COLUMNS = (
    *("pos", "recorded_at", "occurred_at", "stream_id", "command_id", "version", "shard", "schema_version", "category"),
    *("desk", "type", "prev_hash", "hash", "meta", "data"),
)


def held(start: int, end: int) -> Iterator[tuple[Any, ...]]:
    """Rows of the log, with their hashes; the positions of a stream lie side by side."""
    for first in range(start, end, PER_STREAM):
        place, stream_id = None, uuid5(SPACE, str(first))
        for version in range(1, PER_STREAM + 1):
            append = one(stream_id, place)
            (own,) = hashes(append)
            position = first + version
            place = Appended(version=version, first_position=position, last_position=position, hash=own)
            yield (
                *(position, BIRTH, BIRTH, stream_id, append.command_id, version, 0, 1, "complaint", "bench"),
                *("complaint.received", append.previous_hash, own, META, DATA),
            )


def library(url: str) -> InfrastructureFactory[Any]:
    """The library's own persistence, on the same database."""
    parts = urlsplit(url)
    return InfrastructureFactory.construct(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.removeprefix("/"),
            "POSTGRES_HOST": parts.hostname or "",
            "POSTGRES_PORT": str(parts.port),
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": parts.password or "",
            "POSTGRES_POOL_SIZE": str(WRITERS),
        }
    )


async def copy_for_the_library(url: str, number: int) -> None:
    """As many events in the library's own table."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
            " SELECT stream_id, version, type, data || meta FROM es.event WHERE pos <= $1 ORDER BY pos",
            number,
        )
        await connection.execute("VACUUM ANALYZE stored_events")
    finally:
        await connection.close()


def middle(rounds: list[dict[str, float]], name: str) -> int:
    """The median of a figure over the rounds."""
    return round(median(each[name] for each in rounds))


if __name__ == "__main__":
    main(sys.argv[1:])
