"""Has the log published again from a position on: ``python -m intake.rewind POSITION``, for topics that were lost.

Create the topics anew first. Whoever leads begins again within a second. Then restart the consumers: each sees that its
topic is another one, reads it from its start, and knows the positions that it has used.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import asyncpg

from complaints.adapters.database import asyncpg_url
from complaints.adapters.settings import Settings


async def rewind(connection: asyncpg.Connection, position: int, *, shard: int = 0) -> bool:
    """Whoever leads the shard publishes from after ``position``; False where nothing is published beyond it."""
    moved: str = await connection.execute(
        "UPDATE es.relay SET pos = $2, epoch = epoch + 1, checkpoint_size = least(checkpoint_size, $2) "
        "WHERE shard = $1 AND pos > $2",
        shard,
        position,
    )
    return moved == "UPDATE 1"


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 1 where there was nothing to do."""
    parser = argparse.ArgumentParser(prog="intake.rewind", description="Publishes the log again.")
    parser.add_argument("position", type=int, help="the last position that need not be published again; 0 for all")
    position: int = parser.parse_args(arguments).position

    async def work() -> bool:
        connection = await asyncpg.connect(asyncpg_url(Settings.read().database.url))
        try:
            return await rewind(connection, position)
        finally:
            await connection.close()

    if not asyncio.run(work()):
        sys.stderr.write(f"nothing after position {position} has been published yet\n")
        return 1
    sys.stdout.write(f"the log is being published again from position {position + 1}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
