"""Proofs that the events of a case are in the log that a signed checkpoint speaks of.

The tree of the log is kept in memory, 64 bytes an event, and grows by what was appended since it was last asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from complaints.adapters.checkpoints import Issued, stored_checkpoints
from complaints.adapters.event_store import SHARD
from complaints.chain import leaf
from complaints.errors import Unknown
from complaints.merkle import MerkleTree
from complaints.ports import StoredEvent

PAGE: Final = 10_000


class Proofs:
    """Makes inclusion and consistency proofs. The tree grows by what was appended since the last question."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._tree, self._lock = pool, MerkleTree(), asyncio.Lock()

    async def checkpoints(self, after: int, limit: int) -> Sequence[Issued]:
        """Those over more than ``after`` positions, smallest first."""
        return await stored_checkpoints(self._pool, after=after, limit=limit)

    async def checkpoint(self, size: int | None) -> Issued:
        """The checkpoint of a size, else the last. Raises Unknown(no-such-checkpoint)."""
        row = await self._pool.fetchrow(
            "SELECT shard, size, root, issued_at, note FROM es.checkpoint "
            "WHERE shard = $1 AND ($2::bigint IS NULL OR size = $2) ORDER BY size DESC LIMIT 1",
            SHARD,
            size,
        )
        if row is None:
            raise Unknown("no-such-checkpoint", "no checkpoint of this size was issued", size=size)
        return Issued(**row)

    async def inclusion(self, events: Sequence[StoredEvent], size: int) -> list[dict[str, Any]]:
        """For each event within the first ``size`` positions: its leaf and the path from there to the root."""
        tree = await self._upto(size)
        return [
            {
                "position": event.position,
                "version": event.version,
                "recorded_at": event.recorded_at,
                "hash": event.hash.hex(),
                "leaf_index": event.position - 1,
                "leaf_hash": leaf(event.position, event.recorded_at, event.hash).hex(),
                "path": [node.hex() for node in tree.inclusion(event.position - 1, size)],
            }
            for event in events
            if event.position <= size
        ]

    async def consistency(self, old: int, size: int) -> list[str]:
        """That the log of a checkpoint begins with the log of an earlier one."""
        tree = await self._upto(size)
        return [node.hex() for node in tree.consistency(old, size)]

    async def covering(self, position: int) -> Issued:
        """The first checkpoint that covers a position. Raises Unknown(no-checkpoint-yet)."""
        found = await stored_checkpoints(self._pool, after=position - 1, limit=1)
        if not found:
            why = f"no checkpoint covers position {position} yet; one is issued within a minute"
            raise Unknown("no-checkpoint-yet", why, position=position)
        return found[0]

    async def _upto(self, size: int) -> MerkleTree:
        """The tree over at least ``size`` leaves."""
        async with self._lock:
            while len(self._tree) < size:
                rows = await self._pool.fetch(
                    "SELECT pos, recorded_at, hash FROM es.event WHERE shard = $1 AND pos > $2 ORDER BY pos LIMIT $3",
                    SHARD,
                    len(self._tree),
                    PAGE,
                )
                if not rows:
                    raise Unknown("no-such-checkpoint", "the log does not reach that far", size=size)
                self._tree.extend([leaf(row["pos"], row["recorded_at"], row["hash"]) for row in rows])
        return self._tree
