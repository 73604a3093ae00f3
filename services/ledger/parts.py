"""What the ledger answers with: its readers, put together once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.ports import Now
from ledger.board import Board
from ledger.casebook import Casebook
from ledger.files import Opener
from ledger.lists import Lists
from ledger.proof import Proofs
from ledger.register import Registers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The readers.

    ``partitions``: of the topic of events; ``keep_alive``: seconds between signs of life of a stream; ``public_key``:
    the one that checkpoints are signed for, None where this process does not know it.
    """

    pool: asyncpg.Pool
    engine: AsyncEngine
    store: PostgresEventStore
    views: LoggedViews
    opener: Opener
    casebook: Casebook
    registers: Registers
    lists: Lists
    board: Board
    proofs: Proofs
    now: Now
    public_url: str
    partitions: int
    public_key: Callable[[], str | None]
    keep_alive: float = 15.0
