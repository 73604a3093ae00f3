"""Pack files by content, kept for ever: in PostgreSQL, or in memory."""

from __future__ import annotations

from typing import Protocol

import asyncpg

from complaints.adapters.event_store import patiently
from complaints.desk_view import AdoptedPack

PATIENCE = 15.0


class PackStore(Protocol):
    """Keeps pack files."""

    async def keep(self, pack: AdoptedPack) -> None:
        """Keeps a file; one with that content stays as it is."""
        ...

    async def text(self, digest: str) -> tuple[str, str | None]:
        """A file's text, and the procedure's own words. Raises KeyError."""
        ...


class MemoryPacks:
    """``PackStore`` in this process."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[str, str | None]] = {}

    async def keep(self, pack: AdoptedPack) -> None:
        """Keeps a file."""
        self._texts.setdefault(pack.digest, (pack.text, pack.source))

    async def text(self, digest: str) -> tuple[str, str | None]:
        """A file's text."""
        return self._texts[digest]


class PostgresPacks:
    """``PackStore`` in ``es.pack``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def keep(self, pack: AdoptedPack) -> None:
        """Keeps a file. Raises StoreUnavailable."""
        query = "INSERT INTO es.pack (digest, text, source) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        await patiently(lambda: self._pool.execute(query, pack.digest, pack.text, pack.source), PATIENCE)

    async def text(self, digest: str) -> tuple[str, str | None]:
        """A file's text. Raises KeyError, StoreUnavailable."""
        query = "SELECT text, source FROM es.pack WHERE digest = $1"
        row = await patiently(lambda: self._pool.fetchrow(query, digest), PATIENCE)
        if row is None:
            raise KeyError(digest)
        return row["text"], row["source"]
