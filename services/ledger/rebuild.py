"""Builds the next version of a read model from the log while the live one is read and written, then flips to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from complaints.errors import Undecodable
from ledger import models
from ledger.files import File, Files
from ledger.projections.model import Model, NotShown, Target

logger = logging.getLogger(__name__)

PORTION: Final = 200

Progress = Callable[[int, int], None]
"""Is told how many streams are written, of how many."""


def silent(_done: int, _of: int) -> None:
    """Tells nobody."""


async def rebuild(
    model: Model, *, engine: AsyncEngine, pool: asyncpg.Pool, files: Files, progress: Progress = silent
) -> Target:
    """Builds the next version of a model and makes it the live one.

    Whatever is in the log when the version begins is written here; whatever comes after, by the consumer, which writes
    to both from then on. A stream that both write ends as the later of the two says.

    A stream that cannot be read or shown is left out, and the log says which.

    Raises: NotBuilt where another rebuild was begun after this one; StoreUnavailable.
    """
    target = await models.begin(engine, model)
    logger.info("rebuild.begun", extra={"model": target.name, "version": target.version})
    total = await pool.fetchval("SELECT count(*) FROM es.stream WHERE category <> 'desk'")
    after, done, left_out = UUID(int=0), 0, 0
    while streams := await _streams(pool, after):
        found = [file for stream in streams if (file := await _read(files, stream)) is not None]
        try:
            await _write(engine, model, target, found)
        except NotShown:
            for file in found:
                try:
                    await _write(engine, model, target, [file])
                except NotShown:  # the consumer has put it with the dead letters, too
                    logger.error("rebuild.left-out", extra={"model": target.name, "stream": str(file.stream)})  # noqa: TRY400
                    left_out += 1
        after, done = streams[-1], done + len(streams)
        progress(done, total)
    await models.flip(engine, target)
    logger.info(
        "rebuild.done", extra={"model": target.name, "version": target.version, "streams": done, "left_out": left_out}
    )
    return target


async def _read(files: Files, stream: UUID) -> File | None:
    """A stream; None for one that cannot be read, which the consumer has put with the dead letters, too."""
    try:
        return await files.load(stream)
    except Undecodable:
        logger.exception("rebuild.undecodable", extra={"stream": str(stream)})
        return None


async def _write(engine: AsyncEngine, model: Model, target: Target, found: Sequence[File]) -> None:
    async with engine.begin() as connection:
        await _still_ours(connection, target)
        await model.write(connection, target.schema, found)


async def _streams(pool: asyncpg.Pool, after: UUID) -> Sequence[UUID]:
    """The next streams by id. One that appears behind us was appended since, and comes on the topic."""
    rows = await pool.fetch(
        "SELECT stream_id FROM es.stream WHERE category <> 'desk' AND stream_id > $1 ORDER BY stream_id LIMIT $2",
        after,
        PORTION,
    )
    return [UUID(bytes=row["stream_id"].bytes) for row in rows]


async def _still_ours(connection: AsyncConnection, target: Target) -> None:
    """Raises NotBuilt where another rebuild has dropped what we build; it cannot while the transaction lasts."""
    found = await connection.scalar(
        text(
            "SELECT version FROM ledger.read_model WHERE name = :name AND version = :version AND phase = 'building' "
            "FOR SHARE"
        ),
        {"name": target.name, "version": target.version},
    )
    if found is None:
        raise models.NotBuilt(f"another rebuild of {target.name} was begun after this one", model=target.name)
