"""Group commit with a server made of plain functions: what it does in one batch, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from complaints.adapters.append_batch import Prepared, prepare, waves
from complaints.adapters.group_commit import GroupCommit, Limits
from complaints.errors import RedressError, StoreBusy, StoreUnavailable, VersionConflict
from complaints.ports import Append, Appended, Claim, Guard, NewEvent

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def append(stream: int, *, command: int | None = None, size: int = 2, **fields: Any) -> Append:
    given: dict[str, Any] = {
        "stream_id": UUID(int=stream),
        "category": "complaint",
        "desk": "plain",
        "expected_version": 0,
        "command_id": UUID(int=1000 + stream if command is None else command),
        "events": (NewEvent(type="test.received", occurred_at=NINE, data=b"x" * size, meta=b""),),
    }
    return Append(**(given | fields))


class Server:
    """Remembers the batches that it wrote; waits at ``gate``, and fails as ``failures`` say, in turn."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []
        self.refuses: set[int] = set()
        self.sent: list[list[int]] = []
        self.written: list[list[int]] = []

    async def write(self, batch: Sequence[Prepared]) -> Sequence[Appended | RedressError]:
        streams = [prepared.append.stream_id.int for prepared in batch]
        self.sent.append(streams)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if refused := self.refuses.intersection(streams):
            raise KeyError(min(refused))
        self.written.append(streams)
        return [
            VersionConflict(prepared.append.stream_id, 0, 1)
            if prepared.append.expected_version
            else Appended(version=1, first_position=stream, last_position=stream, hash=prepared.hashes[-1])
            for stream, prepared in zip(streams, batch, strict=True)
        ]


@asynccontextmanager
async def commits(server: Server, **limits: Any) -> AsyncIterator[GroupCommit]:
    commit = GroupCommit(server.write, Limits(**limits))
    commit.start()
    yield commit
    await commit.stop()


async def send(commit: GroupCommit, *appends: Append) -> list[Appended | BaseException]:
    return await asyncio.gather(*(commit.append(prepare(one)) for one in appends), return_exceptions=True)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_whoever_comes_while_a_batch_is_under_way_is_in_the_next() -> None:
    server = Server()
    server.gate.clear()
    async with commits(server) as commit:
        first = asyncio.create_task(send(commit, append(1)))
        await turns()
        rest = asyncio.create_task(send(commit, *(append(stream) for stream in range(2, 9))))
        await turns()
        server.gate.set()
        await asyncio.gather(first, rest)
    assert server.written == [[1], [2, 3, 4, 5, 6, 7, 8]]


async def test_a_batch_ends_at_its_limits_of_number_and_of_bytes() -> None:
    server = Server()
    async with commits(server, appends=3, bytes=100) as commit:
        await send(commit, *(append(stream) for stream in range(1, 8)))
        await send(commit, append(8, size=60), append(9, size=60), append(10, size=500), append(11, size=1))
    assert server.written == [[1, 2, 3], [4, 5, 6], [7], [8, 9], [10], [11]]


async def test_each_gets_its_own_answer() -> None:
    server = Server()
    async with commits(server) as commit:
        good, bad, also_good = await send(commit, append(1), append(2, expected_version=1), append(3))
    assert isinstance(good, Appended)
    assert good.first_position == 1
    assert isinstance(bad, VersionConflict)
    assert isinstance(also_good, Appended)
    assert also_good.first_position == 3


async def test_after_a_lost_connection_the_same_batch_is_sent_again() -> None:
    server = Server()
    server.failures = [ConnectionResetError("lost"), ConnectionRefusedError("down"), TimeoutError("slow")]
    async with commits(server) as commit:
        answers = await send(commit, append(1), append(2))
    assert server.sent == [[1, 2]] * 4
    assert all(isinstance(answer, Appended) for answer in answers)


async def test_of_a_batch_that_the_server_refuses_only_the_cause_is_refused() -> None:
    server = Server()
    server.refuses = {3, 6}
    async with commits(server) as commit:
        answers = await send(commit, *(append(stream) for stream in range(1, 9)))
    assert [stream for stream, answer in enumerate(answers, 1) if isinstance(answer, KeyError)] == [3, 6]
    assert sorted(stream for batch in server.written for stream in batch) == [1, 2, 4, 5, 7, 8]


async def test_whoever_was_cancelled_before_the_batch_was_sent_is_left_out_and_later_his_answer_is_dropped() -> None:
    server = Server()
    server.gate.clear()
    async with commits(server) as commit:
        under_way = [asyncio.create_task(commit.append(prepare(append(stream)))) for stream in (1, 2)]
        await turns()
        waiting = [asyncio.create_task(commit.append(prepare(append(stream)))) for stream in (3, 4)]
        await turns()
        under_way[0].cancel()
        waiting[0].cancel()
        await turns()
        server.gate.set()
        answers = await asyncio.gather(*under_way, *waiting, return_exceptions=True)
    assert server.written == [[1, 2], [4]]
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False, True, False]


async def test_whoever_has_waited_long_enough_is_told_and_is_not_sent_again() -> None:
    server = Server()
    server.failures = [ConnectionRefusedError("down")] * 1000
    async with commits(server, patience=0.2) as commit:
        (answer,) = await send(commit, append(1))
        assert isinstance(answer, StoreUnavailable)
        server.failures = []
        (answer,) = await send(commit, append(2))
    assert isinstance(answer, Appended)
    assert server.written == [[2]]


async def test_a_full_queue_is_busy_and_recovers() -> None:
    server = Server()
    server.gate.clear()
    async with commits(server, queue=2, busy_after=0.05) as commit:
        first = asyncio.create_task(send(commit, append(1)))
        await turns()
        rest = asyncio.create_task(send(commit, *(append(stream) for stream in (2, 3, 4))))
        await asyncio.sleep(0.2)
        server.gate.set()
        assert isinstance((await rest)[2], StoreBusy)
        await first
        (answer,) = await send(commit, append(5))
    assert isinstance(answer, Appended)


async def test_when_the_store_closes_nobody_is_left_waiting() -> None:
    server = Server()
    server.gate.clear()
    async with commits(server) as commit:
        waiting = [asyncio.create_task(send(commit, append(1)))]
        await turns()
        waiting.append(asyncio.create_task(send(commit, append(2))))
        await turns()
    answers = await asyncio.gather(*waiting)
    assert all(isinstance(answer, StoreUnavailable) for (answer,) in answers)
    (answer,) = await send(commit, append(3))
    assert isinstance(answer, StoreUnavailable)


def test_appends_that_have_nothing_in_common_are_done_together() -> None:
    assert waves([append(stream) for stream in range(5)]) == [1, 1, 1, 1, 1]
    assert waves([]) == []


@pytest.mark.parametrize(
    ("pair", "order"),
    [
        ((append(1), append(1, command=7)), [1, 2]),  # the same stream
        ((append(1, command=7), append(2, command=7)), [1, 2]),  # the same command
        (
            (append(1, claims=(Claim(scope="n", key=b"1"),)), append(2, releases=(Claim(scope="n", key=b"1"),))),
            [1, 2],
        ),
        ((append(1, claims=(Claim(scope="n", key=b"1"),)), append(2, claims=(Claim(scope="n", key=b"2"),))), [1, 1]),
        (
            (
                append(1, claims=(Claim(scope="n", key=b"1"),)),
                append(2, desk="other", claims=(Claim(scope="n", key=b"1"),)),
            ),
            [1, 1],
        ),
        ((append(1), append(2, guards=(Guard(stream_id=UUID(int=1), version=0),))), [1, 2]),
        ((append(2, guards=(Guard(stream_id=UUID(int=1), version=0),)), append(1)), [1, 2]),
        (
            (
                append(2, guards=(Guard(stream_id=UUID(int=1), version=0),)),
                append(3, guards=(Guard(stream_id=UUID(int=1), version=0),)),
            ),
            [1, 1],
        ),
    ],
)
def test_appends_that_touch_the_same_thing_come_one_after_the_other(
    pair: tuple[Append, Append], order: list[int]
) -> None:
    assert waves(pair) == order
