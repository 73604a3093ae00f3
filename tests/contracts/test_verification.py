"""Whatever byte of the record is altered, verification finds it and says where; offline, with the public key alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from complaints.adapters import database
from complaints.adapters.checkpoints import Checkpointer
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.signed_notes import Signer
from complaints.chain import hash_of
from complaints.identity import REDRESS_NS
from complaints.ports import GENESIS, Append, NewEvent
from ledger.exports import Scope, lines, verify_database, verify_file, write
from ledger.verification import Finding, Result
from redress.verify import app
from tests import servers

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SIGNER = Signer.generate("redress.example/log")
STREAMS = [uuid5(REDRESS_NS, f"verify-{n}") for n in range(3)]


@pytest.fixture
def log_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A database for one test: every test here spoils its log."""
    name = f"redress_verify_{secrets.token_hex(4)}"
    yield servers.create_database(postgres_url, name, template=migrated_template)
    servers.drop_database(postgres_url, name)


@pytest.fixture
async def pool(log_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A log of three cases with four events each, and a checkpoint over every four positions."""
    pool = await database.pool(log_url, application="test_verification", max_size=4)
    async with PostgresEventStore(pool) as store:
        heads = dict.fromkeys(STREAMS, (0, GENESIS))
        for _ in range(4):
            for stream in STREAMS:
                version, head = heads[stream]
                done = await store.append(_append(stream, version, head))
                heads[stream] = (done.version, done.hash)
    await Checkpointer(pool, SIGNER, now=lambda: AT, every=4, longest=timedelta()).issue_due()
    yield pool
    await pool.close()


def _append(stream: UUID, version: int, head: bytes) -> Append:
    command = uuid4()
    meta = {"desk": "acme", "complaint": str(stream), "at": AT, "command_id": str(command),
            "by": {"person": "an", "role": "agent"}}  # fmt: skip
    event = NewEvent(
        type="facts.asked",
        occurred_at=AT,
        data=msgspec.json.encode({"facts": [f"f{version}"]}),
        meta=msgspec.json.encode(meta),
    )
    return Append(
        stream_id=stream,
        category="complaint",
        desk="acme",
        expected_version=version,
        previous_hash=head,
        command_id=command,
        events=(event,),
    )


async def verified(pool: asyncpg.Pool) -> Result:
    return await verify_database(pool, [SIGNER.verifier])


async def spoiled(pool: asyncpg.Pool, statement: str, *values: Any) -> None:
    """What somebody can do who owns the database."""
    async with pool.acquire() as connection:
        await connection.execute("SET session_replication_role = replica")  # no trigger fires
        await connection.execute(statement, *values)
        await connection.execute("SET session_replication_role = origin")


async def test_a_log_that_nobody_touched_holds(pool: asyncpg.Pool) -> None:
    result = await verified(pool)
    assert result.holds
    assert (result.positions, result.streams, result.checkpoints, result.covered) == (12, 3, 3, 12)
    assert str(SIGNER.verifier) in result.signatures


ALTERATIONS = {
    "data": ("data = data || ' '::bytea", "data or meta"),
    "meta": ("meta = meta || ' '::bytea", "data or meta"),
    "hash": ("hash = sha256('x')", "hash"),
    "prev_hash": ("prev_hash = sha256('x')", "previous_hash"),
    "type": ("type = 'complaint.closed'", "type"),
    "desk": ("desk = 'other'", "desk"),
    "category": ("category = 'duties'", "category"),
    "schema_version": ("schema_version = 2", "schema_version"),
    "occurred_at": ("occurred_at = occurred_at - interval '1 day'", "occurred_at"),
    "command_id": ("command_id = gen_random_uuid()", "command_id"),
    "stream_id": ("stream_id = gen_random_uuid()", "stream_id"),
    "version": ("version = 40", "version"),
}


@pytest.mark.parametrize("column", ALTERATIONS)
async def test_an_altered_column_is_named_with_its_position_stream_and_version(pool: asyncpg.Pool, column: str) -> None:
    change, named = ALTERATIONS[column]
    await spoiled(pool, f"UPDATE es.event SET {change} WHERE pos = 5")  # noqa: S608 - of the table above
    result = await verified(pool)
    assert not result.holds
    altered = [one for one in result.findings if one.code == "altered"]
    assert [(one.position, one.column) for one in altered] == [(5, named)]
    if column not in ("stream_id", "version"):
        assert (altered[0].stream, altered[0].version) == (str(STREAMS[1]), 2)
    if named not in ("data or meta", "hash"):
        assert altered[0].expected != altered[0].found
        assert str(altered[0].expected) in altered[0].why


async def test_a_column_is_told_with_what_it_was(pool: asyncpg.Pool) -> None:
    await spoiled(pool, "UPDATE es.event SET desk = 'other' WHERE pos = 5")
    (finding,) = (await verified(pool)).findings
    assert (finding.found, finding.expected) == ("other", "acme")


async def test_another_instant_of_recording_is_found_between_two_checkpoints(pool: asyncpg.Pool) -> None:
    await spoiled(pool, "UPDATE es.event SET recorded_at = recorded_at + interval '1 microsecond' WHERE pos = 6")
    result = await verified(pool)
    roots = [one for one in result.findings if one.code == "root"]
    assert [one.position for one in roots] == [8, 12]
    assert "positions 5 to 8" in roots[0].why
    assert result.covered == 4


async def test_an_event_that_was_rewritten_with_all_that_follows_it_is_found_by_the_checkpoint(
    pool: asyncpg.Pool,
) -> None:
    """The last of a stream, so that its chain holds: only what was signed tells."""
    async with PostgresEventStore(pool) as store:
        (row,) = await store.read_all(after=11)
    forged = msgspec.structs.replace(row, data=b'{"facts":["forged"]}')
    digest = hash_of(forged)
    await spoiled(pool, "UPDATE es.event SET data = $1, hash = $2 WHERE pos = 12", forged.data, digest)
    await spoiled(pool, "UPDATE es.stream SET hash = $1 WHERE stream_id = $2", digest, row.stream_id)
    result = await verified(pool)
    assert [(one.code, one.position) for one in result.findings] == [("root", 12)]


@pytest.mark.parametrize(
    ("statement", "codes"),
    [
        ("DELETE FROM es.event WHERE pos = 5", {"gap", "unchained", "root", "cut-off"}),
        ("DELETE FROM es.event WHERE pos > 10", {"cut-off"}),
    ],
)
async def test_what_was_left_out_is_found(pool: asyncpg.Pool, statement: str, codes: set[str]) -> None:
    await spoiled(pool, statement)
    result = await verified(pool)
    assert not result.holds
    assert {one.code for one in result.findings} == codes


async def test_a_tail_that_was_cut_off_with_every_trace_in_the_store_is_found_by_the_checkpoint(
    pool: asyncpg.Pool,
) -> None:
    await spoiled(pool, "DELETE FROM es.event WHERE pos > 10")
    await spoiled(
        pool,
        "UPDATE es.stream s SET version = e.version, hash = e.hash FROM es.event e WHERE e.stream_id = s.stream_id "
        "AND e.version = (SELECT max(version) FROM es.event WHERE stream_id = s.stream_id)",
    )
    (finding,) = (await verified(pool)).findings
    assert finding == Finding(code="cut-off", position=12, why="a checkpoint covers 12 positions, the log has 10")


async def test_a_checkpoint_that_another_key_signed_is_no_checkpoint(pool: asyncpg.Pool) -> None:
    note = Signer.generate("redress.example/log").sign(f"redress.example/log\n12\n{'A' * 43}=\n")
    await spoiled(pool, "UPDATE es.checkpoint SET note = $1 WHERE size = 12", note)
    (finding,) = (await verified(pool)).findings
    assert (finding.code, finding.position) == ("unsigned", 12)


# --- exports ---
async def exported(pool: asyncpg.Pool, file: Path, scope: Scope | None = None) -> Path:
    source = lines(pool, scope or Scope(), exported_at=AT, public_key=str(SIGNER.verifier))
    await write(file, source)
    return file


@pytest.mark.parametrize("name", ["log.jsonl", "log.zip"])
async def test_an_export_is_verified_with_the_public_key_alone(pool: asyncpg.Pool, tmp_path: Path, name: str) -> None:
    file = await exported(pool, tmp_path / name)
    header, result = verify_file(file, [SIGNER.verifier])
    assert header.scope == "log"
    assert (result.holds, result.positions, result.covered) == (True, 12, 12)


@pytest.mark.parametrize("scope", [Scope(desk="acme"), Scope(case=STREAMS[0])])
async def test_a_part_of_the_log_proves_its_place_in_the_whole(
    pool: asyncpg.Pool, tmp_path: Path, scope: Scope
) -> None:
    file = await exported(pool, tmp_path / "part.jsonl", scope)
    _, result = verify_file(file, [SIGNER.verifier])
    assert result.holds
    assert result.covered == result.positions == (12 if scope.desk else 4)


Edit = Callable[[list[dict[str, Any]]], None]


def _data(rows: list[dict[str, Any]]) -> None:
    rows[2]["event"]["data"] = "e30="


def _recorded_at(rows: list[dict[str, Any]]) -> None:
    rows[2]["event"]["recorded_at"] = "2020-01-01T00:00:00Z"


def _position(rows: list[dict[str, Any]]) -> None:
    rows[2]["event"]["position"] = 99


def _left_out(rows: list[dict[str, Any]]) -> None:
    del rows[2]


@pytest.mark.parametrize("edit", [_data, _recorded_at, _position, _left_out])
@pytest.mark.parametrize("scope", [Scope(), Scope(case=STREAMS[0])])
async def test_an_export_that_was_edited_does_not_hold(
    pool: asyncpg.Pool, tmp_path: Path, edit: Edit, scope: Scope
) -> None:
    file = await exported(pool, tmp_path / "log.jsonl", scope)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    edit(rows)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, result = verify_file(file, [SIGNER.verifier])
    assert not result.holds


async def test_the_command_names_what_was_altered_and_ends_with_1(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = await exported(pool, tmp_path / "log.jsonl")
    whole = CliRunner().invoke(app, ["--export", str(file), "--public-key", str(SIGNER.verifier)])
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (0, "everything holds")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[5]["event"]["occurred_at"] = "2026-03-02T09:31:00Z"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    altered = CliRunner().invoke(app, ["--export", str(file), "--public-key", str(SIGNER.verifier), "--json"])
    assert altered.exit_code == 1
    (finding,) = json.loads(altered.output)["findings"]
    assert (finding["position"], finding["column"], finding["expected"]) == (5, "occurred_at", AT.isoformat())
