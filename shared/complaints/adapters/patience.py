"""Doing the same work again until the servers that it needs are there."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError

from complaints.adapters.database import Backoff, passing
from complaints.adapters.kafka import is_passing
from complaints.errors import Transient

logger = logging.getLogger(__name__)

RETRIES = Counter(
    "redress_retries", "Work that was tried again because a server was not there, by why.", ("work", "reason")
)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: a server or the way to it failed, or somebody else was faster."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.connection_invalidated or is_transient(error.orig.__cause__ or error.orig)
    return passing(error) or isinstance(error, Transient) or (isinstance(error, KafkaError) and is_passing(error))


class Patience:
    """Waits out what passes, says so once, and knows what is in the way now. Whatever else goes wrong is raised."""

    def __init__(self, work: str, **fields: object) -> None:
        self._work, self._fields = work, fields
        self.trouble: str | None = None

    async def until_done(
        self, work: Callable[[], Awaitable[None]], *, wanted: Callable[[], bool] = lambda: True, longest: float = 5.0
    ) -> bool:
        """Does ``work`` until it succeeds; False when it failed and is not ``wanted`` any more."""
        backoff = Backoff(longest=longest)
        while True:
            try:
                await work()
            except Exception as error:
                if not is_transient(error):
                    raise
                self.note(error)
                await backoff.wait()
                if not wanted():
                    return False
            else:
                self.well()
                return True

    def note(self, error: Exception) -> None:
        """Something passing is in the way."""
        RETRIES.labels(self._work, type(error).__name__).inc()
        if self.trouble is None:
            logger.warning("work.waits", extra={"work": self._work, **self._fields}, exc_info=error)
        self.trouble = f"waits: {type(error).__name__}"

    def well(self) -> None:
        """Nothing is in the way."""
        if self.trouble is not None:
            logger.info("work.goes-on", extra={"work": self._work, **self._fields})
        self.trouble = None
