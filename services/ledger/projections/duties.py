"""What each desk owes without a case: one row a duty and period, with its report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import ARRAY, Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters.database import metadata
from ledger.duties import Duty
from ledger.files import File
from ledger.projections.model import upsert

NAME: Final = "duties"


@cache
def tables(schema: str) -> MetaData:
    """The duties in a schema."""
    found = metadata(schema)
    instant = DateTime(timezone=True)
    Table(
        "period",
        found,
        Column("desk", Text, primary_key=True),
        Column("owe", Text, primary_key=True),
        Column("period", Text, primary_key=True),
        Column("seen", Integer, nullable=False),
        Column("clause", JSONB, nullable=False),
        Column("by", Text, nullable=False),
        Column("to", ARRAY(Text), nullable=False),
        Column("duty", Text, nullable=False),
        Column("opened_at", instant, nullable=False),
        Column("due_at", instant),
        Column("state", Text, nullable=False),
        Column("person", Text),
        Column("done_at", instant),
        Column("in_time", Boolean),
        Column("breached_at", instant),
        Column("reported_at", instant),
        Column("report", Integer),  # the version of the duties' stream that holds the figures
        Index("period_opened", "desk", "opened_at", "owe", "period"),
    )
    return found


class Duties:
    """The duties, written from files."""

    name = NAME
    meaning = 1

    def tables(self, schema: str) -> MetaData:
        """The duties in a schema."""
        return tables(schema)

    async def write(self, connection: AsyncConnection, schema: str, files: Sequence[File]) -> None:
        """Writes the duties of these desks."""
        rows = [row_of(file.desk, duty) for file in files for duty in file.duties.values()]
        await upsert(connection, tables(schema).tables[f"{schema}.period"], rows)


def row_of(desk: str, duty: Duty) -> dict[str, Any]:
    """The row of a duty in a period."""
    return {
        "desk": desk,
        "owe": duty.owe,
        "period": duty.period,
        "seen": duty.seen,
        "clause": duty.clause,
        "by": duty.by,
        "to": list(duty.to),
        "duty": duty.duty,
        "opened_at": duty.opened_at,
        "due_at": duty.due_at,
        "state": duty.state,
        "person": duty.person,
        "done_at": duty.done_at,
        "in_time": duty.in_time,
        "breached_at": duty.breached_at,
        "reported_at": duty.reported_at,
        "report": duty.report,
    }
