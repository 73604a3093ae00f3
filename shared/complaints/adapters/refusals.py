"""Refused attempts in PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from complaints.adapters.database import passing
from complaints.refusals import Refusal

logger = logging.getLogger(__name__)


class PostgresRefusals:
    """`complaints.refusals.Refusals`, and what notes them, in the table ``es.refusal``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def note(self, refusal: Refusal) -> None:
        """Keeps one; where the database is away it is lost, and only its count is poorer."""
        try:
            await self._pool.execute(
                "INSERT INTO es.refusal (complaint, rule, command_id, desk, command, role, at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                refusal.complaint,
                refusal.rule,
                refusal.command_id,
                refusal.desk,
                refusal.command,
                refusal.role,
                refusal.at,
            )
        except Exception as error:
            if not passing(error):
                raise
            logger.warning("refusal.not-kept", extra={"complaint": str(refusal.complaint), "rule": refusal.rule})

    async def counted(self, complaint: UUID, *, upto: datetime, known: datetime | None = None) -> Mapping[str, int]:
        """How often each hold or bar has refused an act by then, as far as it was ``known`` then."""
        rows = await self._pool.fetch(
            "SELECT rule, count(*) AS times FROM es.refusal "
            "WHERE complaint = $1 AND at <= $2 AND ($3::timestamptz IS NULL OR noted_at <= $3) GROUP BY rule",
            complaint,
            upto,
            known,
        )
        return {row["rule"]: row["times"] for row in rows}
