"""What every read model is: tables in a schema of their own, written row by row under the version of the stream.

A row carries the version of the stream that it shows, and only a later one replaces it. So it does not matter in which
order or how often streams are written, or that a rebuild writes beside the consumer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.errors import RedressError
from ledger.files import File


class NotShown(RedressError):
    """A stream that no row can be made of: its desk, procedure or calendar is not there."""

    code = "not-shown"


class Model(Protocol):
    """A read model. ``meaning`` is raised when the same columns come to mean something else."""

    name: str
    meaning: int

    def tables(self, schema: str) -> MetaData:
        """Its tables in a schema."""
        ...

    async def write(self, connection: AsyncConnection, schema: str, files: Sequence[File]) -> None:
        """Brings the rows of these streams up to date. Raises NotShown, Transient."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A version of a read model, in its schema."""

    name: str
    version: int

    @property
    def schema(self) -> str:
        """Where its tables lie."""
        return f"rm_{self.name}_v{self.version}"


def shape_of(model: Model) -> str:
    """A digest of what the code keeps in the model: its columns and indexes, and what they mean."""
    tables = model.tables("rm").sorted_tables
    said = [f"{table.name}.{c.name} {c.type!r} {c.nullable} {c.primary_key}" for table in tables for c in table.columns]
    said += sorted(
        f"{i.name} {[c.name for c in i.columns]} {sorted(map(str, i.dialect_kwargs.items()))}"
        for table in tables
        for i in table.indexes
    )
    return sha256("\n".join([str(model.meaning), *said]).encode()).hexdigest()


async def upsert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows by primary key; one that is there stays where it shows as late a version (column ``seen``)."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(table)
    new = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(
        index_elements=keys, set_=new, where=table.c.seen < statement.excluded.seen
    )
    await connection.execute(statement, sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys)))
