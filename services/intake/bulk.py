"""Bulk: commands as lines of JSON in, one result line for each out, while the request is still coming in.

Memory is bounded by a window of lines that are under way: a line is read only when there is room for it, and there is
room only when the reader has taken the results before it. So a slow reader slows the sender down, and nobody else.

Lines about one complaint are done in order; those about different ones at the same time. A line that is refused,
broken or too long takes no other with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Final

from complaints.adapters.database import Backoff
from complaints.adapters.problems import problem_of
from complaints.codec import to_json
from complaints.errors import Transient
from complaints.events import stored_name
from intake.commands import Asking, Commands, Parts, Sent
from intake.reading import Limits, json_of, struct_of, too_large
from intake.schemas import BulkLine, LineDone, LineRefused
from intake.wanted import Wanted, understood

logger = logging.getLogger(__name__)

WINDOW: Final = 64
"""Lines of one request that are under way at once."""

PATIENCE: Final = 30.0
"""Seconds for which a line is tried again while the store is busy or away; its sender waits, as it should."""


class Bulk:
    """Takes the lines of bulk requests, each as a command of its own."""

    def __init__(self, parts: Parts, commands: Commands, *, window: int = WINDOW) -> None:
        self._parts, self._commands, self._window = parts, commands, window

    async def results(self, asking: Asking, chunks: AsyncIterable[bytes], desk: str | None) -> AsyncGenerator[bytes]:
        """A result line for each line that comes, in their order; ``desk``: of lines that name none.

        What ends early (the sender is gone) has done the lines that were under way, and no further ones.
        """
        results = Results(self._window)
        reader = asyncio.create_task(self._read(asking, chunks, desk, results), name="bulk.read")
        try:
            async for block in results.blocks():
                yield block
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, asking: Asking, chunks: AsyncIterable[bytes], desk: str | None, results: Results) -> None:
        work = InOrder()
        number = 0
        try:
            async for raw in lines(chunks, self._parts.limits.body):
                number += 1
                if raw is None or raw.strip():
                    await results.room()
                    results.add(self._begin(work, asking, number, raw, desk))
        finally:
            results.end()

    def _begin(
        self, work: InOrder, asking: Asking, number: int, raw: bytes | None, desk: str | None
    ) -> asyncio.Task[bytes]:
        """Starts a line, after those before it that are about the same complaints."""
        limits = self._parts.limits
        try:
            line = struct_of(json_of(_whole(raw, limits), limits, what="line"), BulkLine, what="line")
            wanted = understood(asking.who, line, desk)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line is told in its result
            return asyncio.create_task(refused(number, None, error, asking))
        return work.start(wanted, lambda: self.done(asking, number, wanted))

    async def done(self, asking: Asking, number: int, wanted: Wanted) -> bytes:
        """The result line of a command; a store that is busy or away is waited for."""
        backoff = Backoff(PATIENCE)
        while True:
            try:
                return _line(number, await send(self._commands, asking, wanted))
            except Transient as error:
                if not await backoff.wait():
                    return await refused(number, wanted.complaint, error, asking)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a line is told in its result
                return await refused(number, wanted.complaint, error, asking)


class InOrder:
    """Runs work at the same time, but in order what is about the same complaint."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Task[bytes]] = {}

    def start(self, wanted: Wanted, work: Callable[[], Awaitable[bytes]]) -> asyncio.Task[bytes]:
        """Starts work once everything started before about the same complaints has ended."""
        before = [task for one in (wanted.order, *wanted.others) if (task := self._last.get(one)) is not None]

        async def run() -> bytes:
            if before:
                await asyncio.wait(before)
            return await work()

        task = asyncio.create_task(run())
        self._last[wanted.order] = task
        task.add_done_callback(lambda ended: self._forget(wanted.order, ended))
        return task

    def _forget(self, about: str, ended: asyncio.Task[bytes]) -> None:
        if self._last.get(about) is ended:
            del self._last[about]


async def send(commands: Commands, asking: Asking, wanted: Wanted) -> Sent:
    """Sends what a line or an event asks for."""
    match wanted:
        case Wanted(kind="receive", desk=str(desk)):
            return await commands.receive(asking, desk, wanted.asked, label=wanted.label)
        case Wanted(kind="duty", desk=str(desk)):
            return await commands.send_to_desk(asking, desk, wanted.asked)
        case _:
            return await commands.send(asking, wanted.complaint or "", wanted.asked, desk=wanted.desk)


class Results:
    """Results under way, in the order of their lines; there is room for so many."""

    def __init__(self, room: int) -> None:
        self._room = asyncio.Semaphore(room)
        self._tasks: deque[asyncio.Task[bytes]] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    async def room(self) -> None:
        """Waits until a further one may begin."""
        await self._room.acquire()

    def add(self, task: asyncio.Task[bytes]) -> None:
        """One more, for which there was room."""
        self._tasks.append(task)
        self._changed.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._changed.set()

    async def blocks(self) -> AsyncGenerator[bytes]:
        """The results; those that are there already go out together. Room is made when a block has been taken."""
        while self._tasks or not self._ended:
            if not self._tasks:
                self._changed.clear()
                await self._changed.wait()
                continue
            block = [await self._tasks.popleft()]
            while self._tasks and self._tasks[0].done():
                block.append(self._tasks.popleft().result())
            yield b"".join(block)
            for _ in block:
                self._room.release()


async def lines(chunks: AsyncIterable[bytes], most: int) -> AsyncGenerator[bytes | None]:
    """The lines of a stream without their ends; None for one of more than ``most`` bytes, which is passed over."""
    rest, passing = b"", False
    async for chunk in chunks:
        *whole, tail = chunk.split(b"\n")
        for part in whole:
            line = rest + part
            yield None if passing or len(line) > most else line
            rest, passing = b"", False
        rest += tail
        if len(rest) > most:
            rest, passing = b"", True
    if rest or passing:
        yield None if passing else rest


def _whole(raw: bytes | None, limits: Limits) -> bytes:
    if raw is None:
        raise too_large("line", limits.body)
    return raw


def _line(number: int, sent: Sent) -> bytes:
    handled = sent.handled
    line = LineDone(
        line=number,
        status=201 if sent.received else 200,
        id=sent.complaint,
        desk=sent.desk,
        version=handled.version,
        first_position=handled.first_position,
        last_position=handled.last_position,
        duplicate=handled.duplicate,
        events=[stored_name(event, handled.case) for event in handled.events],
    )
    return to_json(line) + b"\n"


async def refused(number: int, complaint: str | None, error: Exception, asking: Asking) -> bytes:
    """The result line of what was refused."""
    problem = problem_of(error)
    if problem.status >= 500 and not isinstance(error, Transient):
        logger.error("bulk.line-failed", exc_info=error)
    document = problem.document(correlation_id=str(asking.correlation_id))
    return to_json(LineRefused(line=number, status=problem.status, id=complaint, problem=document)) + b"\n"
