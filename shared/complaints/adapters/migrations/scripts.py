"""SQL scripts as part of a revision."""

from pathlib import Path
from typing import Any, cast

from alembic import op


def run_script(path: Path) -> None:
    """Runs a script of many statements in the revision's transaction."""
    script = path.read_text(encoding="utf-8")
    connection = cast("Any", op.get_bind().connection.dbapi_connection)
    connection.run_async(lambda driver: driver.execute(script))  # asyncpg's own: SQLAlchemy's takes one statement
