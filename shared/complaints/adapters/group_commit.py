"""Group commit: many requests wait on one bounded queue, one task writes them in batches that grow with the load."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from complaints.adapters.append_batch import Prepared
from complaints.adapters.database import Backoff, passing
from complaints.errors import RedressError, StoreBusy, StoreUnavailable
from complaints.ports import Appended

logger = logging.getLogger(__name__)

Write = Callable[[Sequence[Prepared]], Awaitable[Sequence[Appended | RedressError]]]
"""Writes a batch in one transaction and answers in its order. After an error that is ``passing`` nobody knows whether
it did; any other means that nothing was written, because something in the batch cannot be."""


_WATCH = 0.1
"""Seconds between looks at who has waited too long."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is taken on. Times in seconds."""

    queue: int = 4096  # appends that may wait
    appends: int = 512  # in a batch
    bytes: int = 4_000_000  # of events in a batch; a single append may be larger
    busy_after: float = 2.0  # how long an append waits for a place in the queue
    patience: float = 15.0  # how long it waits altogether


class _Waiting(msgspec.Struct, frozen=True):
    prepared: Prepared
    answer: asyncio.Future[Appended | Exception]  # an error is a result too: nobody may be left to retrieve it
    until: float  # the loop's time


class GroupCommit:
    """Brings appends to ``write`` in batches and each answer to the one who waits for it.

    While the server cannot be reached, the batch is sent again and again: its outcome is unknown, and the command id
    makes sure that what was written is answered, not repeated. Whoever stops waiting, by time or by cancellation, is
    left out of the next try and changes nothing for the others. One append that the server refuses is found by halving.
    """

    def __init__(self, write: Write, limits: Limits) -> None:
        self._write, self._limits = write, limits
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(limits.queue)
        self._patient: deque[_Waiting] = deque()  # everybody, in the order in which their patience ends
        self._watch: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task that writes."""
        self._task = asyncio.create_task(self._drain(), name="group-commit")

    async def stop(self) -> None:
        """Ends the task; whoever still waits is told that the store is unavailable."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        for waiting in self._patient:
            _settle(waiting, StoreUnavailable("the store is closing; the same command may be sent again"))
        self._patient.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def append(self, prepared: Prepared) -> Appended:
        """Waits until the append is durable.

        Raises: StoreBusy, StoreUnavailable, and what ``write`` answered.
        """
        if self._task is None or self._task.done():
            raise StoreUnavailable("the store is not open")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(prepared, loop.create_future(), loop.time() + self._limits.patience)
        if self._queue.full():
            await self._wait_for_room(waiting)
        else:
            self._queue.put_nowait(waiting)
        self._patient.append(waiting)
        if self._watch is None:
            self._watch = loop.call_later(_WATCH, self._end_patience)
        answer = await waiting.answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _wait_for_room(self, waiting: _Waiting) -> None:
        try:
            async with asyncio.timeout(self._limits.busy_after):
                await self._queue.put(waiting)
        except TimeoutError:
            raise StoreBusy(f"{self._limits.queue} appends wait before this one") from None

    def _end_patience(self) -> None:
        """Tells those who have waited long enough; one timer for all costs less than one for each."""
        loop = asyncio.get_running_loop()
        patient, now = self._patient, loop.time()
        while patient and (patient[0].answer.done() or patient[0].until <= now):
            waiting = patient.popleft()
            if not waiting.answer.done():
                why = f"no answer from the store within {self._limits.patience:g} s; the same command may be sent again"
                waiting.answer.set_result(StoreUnavailable(why))
        self._watch = loop.call_later(_WATCH, self._end_patience) if self._patient else None

    async def _drain(self) -> None:
        while True:
            batch = [await self._queue.get()]
            await asyncio.sleep(0)  # those who were answered just now may come back with their next append
            size = batch[0].prepared.size
            while len(batch) < self._limits.appends and size < self._limits.bytes and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                size += batch[-1].prepared.size
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Returns when everybody in the batch has an answer or has stopped waiting."""
        backoff = Backoff()
        while batch := [waiting for waiting in batch if not waiting.answer.done()]:
            try:
                answers = await self._write([waiting.prepared for waiting in batch])
            except Exception as error:  # noqa: BLE001 - tried again, or given to the one who caused it
                if passing(error):
                    logger.warning("store.unreachable", extra={"appends": len(batch), "error": repr(error)})
                    await backoff.wait()
                elif len(batch) == 1:
                    _settle(batch[0], error)
                else:
                    middle = len(batch) // 2
                    await self._commit(batch[:middle])
                    await self._commit(batch[middle:])
                    return
            else:
                for waiting, answer in zip(batch, answers, strict=True):
                    _settle(waiting, answer)


def _settle(waiting: _Waiting, answer: Appended | Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(answer)
