"""A synchronous caller's way to asyncpg: one event loop on a thread of its own, one pool, one listener."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import asyncpg
from eventsourcing.persistence import DatabaseError, IntegrityError, OperationalError, PersistenceError

from complaints.adapters.database import passing, pool
from complaints.adapters.event_store import PostgresEventStore, patiently
from complaints.errors import RedressError, StoreUnavailable

T = TypeVar("T")

_LOOK = 1.0
"""Seconds after which listeners look at the log without having been told."""


class Session:
    """Runs coroutines against one database for callers on any thread. Nothing is opened before it is needed.

    A server that cannot be reached is waited for, ``patience`` seconds a call.
    """

    def __init__(self, url: str, *, max_size: int = 8, patience: float = 15.0) -> None:
        self._url, self._max_size, self._patience = url, max_size, patience
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._thread.start()
        self._opening = asyncio.Lock()
        self._pool: Any = None
        self._listeners: set[threading.Event] = set()
        self._listening: asyncio.Task[None] | None = None

    def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """What ``work`` returns, given a connection in a transaction that is committed after it.

        Tried again, with a new connection, while the server cannot be reached: so ``work`` must be repeatable.

        Raises: the library's PersistenceError of the kind that fits.
        """

        async def once() -> T:
            connections = await self._connections()
            async with connections.acquire() as connection, connection.transaction():
                return await work(connection)

        with _translated():
            return self._on_the_loop(patiently(once, self._patience))

    def listen(self, event: threading.Event) -> None:
        """Sets the event, from now on, whenever the log has grown."""
        self._listeners.add(event)
        with _translated():
            self._on_the_loop(self._start_listening())

    def unlisten(self, event: threading.Event) -> None:
        """Leaves the event alone from now on."""
        self._listeners.discard(event)

    def close(self) -> None:
        """Closes all connections and ends the thread; a repeat does nothing."""
        if self._loop.is_closed():
            return
        self._on_the_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_the_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _connections(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await pool(
                    self._url, application="redress-recorder", max_size=self._max_size, patience=self._patience
                )
            return self._pool

    async def _start_listening(self) -> None:
        if self._listening is None:
            self._listening = asyncio.create_task(self._tell_listeners(await self._connections()))

    async def _tell_listeners(self, connections: Any) -> None:
        async with PostgresEventStore(connections).appended() as hints:
            while True:
                with suppress(TimeoutError):  # a hint may get lost: whoever listens looks now and then anyway
                    await asyncio.wait_for(anext(hints), _LOOK)
                for event in tuple(self._listeners):
                    event.set()

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        if self._pool is not None:
            await self._pool.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Raises the library's errors in place of ours and of asyncpg's."""
    try:
        yield
    except PersistenceError:
        raise
    except StoreUnavailable as error:
        raise OperationalError(str(error)) from error
    except (RedressError, asyncpg.IntegrityConstraintViolationError) as error:
        raise IntegrityError(str(error)) from error
    except asyncpg.PostgresError as error:
        raise (OperationalError if passing(error) else DatabaseError)(str(error)) from error
