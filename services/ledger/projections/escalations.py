"""What needs a person, and what no longer does: one row an escalation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters.database import metadata
from complaints.codec import builtins
from ledger.files import File
from ledger.projections.model import upsert

NAME: Final = "escalations"


@cache
def tables(schema: str) -> MetaData:
    """The escalations in a schema."""
    found = metadata(schema)
    instant = DateTime(timezone=True)
    Table(
        "alarm",
        found,
        Column("position", BigInteger, primary_key=True),
        Column("desk", Text, nullable=False),
        Column("stream", Uuid, nullable=False),
        Column("seen", Integer, nullable=False),
        Column("event", Text, nullable=False),
        Column("since", instant, nullable=False),
        Column("settled_at", instant),
        Column("settled_by", Text),
        Column("body", JSONB, nullable=False),  # the record of complaints.escalations.v1
        Index("alarm_desk", "desk", "position"),
    )
    return found


class Escalations:
    """The escalations, written from files."""

    name = NAME
    meaning = 1

    def tables(self, schema: str) -> MetaData:
        """The escalations in a schema."""
        return tables(schema)

    async def write(self, connection: AsyncConnection, schema: str, files: Sequence[File]) -> None:
        """Writes what these streams ask people to see to."""
        rows = [row for file in files for row in rows_of(file)]
        await upsert(connection, tables(schema).tables[f"{schema}.alarm"], rows)


def rows_of(file: File) -> list[dict[str, Any]]:
    """The rows of a stream."""
    return [
        {
            "position": alarm.escalation.position,
            "desk": file.desk,
            "stream": file.stream,
            "seen": alarm.seen,
            "event": alarm.escalation.event,
            "since": alarm.escalation.since,
            "settled_at": alarm.settled_at,
            "settled_by": alarm.settled_by,
            "body": builtins(alarm.escalation),
        }
        for alarm in file.alarms
    ]
