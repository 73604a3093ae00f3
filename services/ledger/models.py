"""Which versions of the read models there are: what is live, what is being built, what was live before.

A version is a schema of its own, ``rm_<name>_v<n>``. The consumer writes to what is live and to what is being built, so
a version is complete once everything that was in the log when it began has been written to it as well. Readers ask
which version is live with every request; the one before is kept until the next is begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from complaints.adapters.database import Lock
from complaints.desks import DeskViews
from complaints.errors import Transient
from ledger.projections.duties import Duties
from ledger.projections.escalations import Escalations
from ledger.projections.model import Model, Target, shape_of
from ledger.projections.register import Register

NAMES: Final = (Register.name, Escalations.name, Duties.name)


class NotBuilt(Transient):
    """A read model has no live version yet."""

    code = "not-built"


def models(views: DeskViews) -> tuple[Model, ...]:
    """Every read model."""
    return Register(views), Escalations(), Duties()


async def live(connection: AsyncConnection, name: str) -> str:
    """The schema of the live version. Raises: NotBuilt."""
    row = await connection.scalar(
        text("SELECT version FROM ledger.read_model WHERE name = :name AND phase = 'live'"), {"name": name}
    )
    if row is None:
        raise NotBuilt(f"the read model {name} is being built", model=name)
    return Target(name, row).schema


async def targets(connection: AsyncConnection) -> list[Target]:
    """The versions to write to; they stay so until the transaction ends."""
    rows = await connection.execute(
        text("SELECT name, version FROM ledger.read_model WHERE phase <> 'retired' ORDER BY name, version FOR SHARE")
    )
    return [Target(row.name, row.version) for row in rows]


async def outdated(connection: AsyncConnection, known: Sequence[Model]) -> list[Model]:
    """The models whose live version is not what this code keeps."""
    rows = await connection.execute(text("SELECT name, shape FROM ledger.read_model WHERE phase = 'live'"))
    shapes = {row.name: row.shape for row in rows}
    return [model for model in known if shapes.get(model.name) != shape_of(model)]


async def begin(engine: AsyncEngine, model: Model) -> Target:
    """Begins the next version. One that was begun before and never went live is dropped, and so is the retired one."""
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({Lock.LEDGER_MODELS:d}, 0)"))
        rows = (
            await connection.execute(
                text("SELECT version, phase FROM ledger.read_model WHERE name = :name FOR UPDATE"),
                {"name": model.name},
            )
        ).all()
        for row in rows:
            if row.phase != "live":
                await connection.execute(
                    text("DELETE FROM ledger.read_model WHERE name = :name AND version = :version"),
                    {"name": model.name, "version": row.version},
                )
                await connection.execute(
                    text(f"DROP SCHEMA IF EXISTS {Target(model.name, row.version).schema} CASCADE")
                )
        target = Target(model.name, max((row.version for row in rows), default=0) + 1)
        await connection.execute(text(f"CREATE SCHEMA {target.schema}"))
        await connection.run_sync(model.tables(target.schema).create_all, checkfirst=False)
        await connection.execute(
            text(
                "INSERT INTO ledger.read_model (name, version, phase, shape) "
                "VALUES (:name, :version, 'building', :shape)"
            ),
            {"name": target.name, "version": target.version, "shape": shape_of(model)},
        )
    return target


async def flip(engine: AsyncEngine, target: Target) -> None:
    """Makes a version the live one; the one before is kept, and not written to any more."""
    async with engine.begin() as connection:
        at = {"name": target.name, "version": target.version}
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({Lock.LEDGER_MODELS:d}, 0)"))
        await connection.execute(
            text(
                "UPDATE ledger.read_model SET phase = 'retired', changed_at = clock_timestamp() "
                "WHERE name = :name AND phase = 'live'"
            ),
            at,
        )
        done = await connection.execute(
            text(
                "UPDATE ledger.read_model SET phase = 'live', changed_at = clock_timestamp() "
                "WHERE name = :name AND version = :version"
            ),
            at,
        )
        if done.rowcount != 1:
            raise NotBuilt(f"another rebuild of {target.name} was begun after this one", model=target.name)
