"""What the commands share that go to the record itself: the database and the keys, told or found in this folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from complaints.adapters import database
from complaints.adapters.settings import Database, Files, Settings
from complaints.adapters.signed_notes import Verifier, load_signer
from complaints.errors import Malformed, RedressError
from local_stack.places import data_dir
from local_stack.postgres import LocalPostgres
from local_stack.settings import StackSettings

DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="The database; REDRESS_DATABASE_URL, or the local one, otherwise."),
]
PublicKey = Annotated[
    str | None,
    typer.Option("--public-key", metavar="KEY|FILE", help="The public key of the checkpoints: name+id+key, or a file."),
]

progress_console = Console(stderr=True)


class NoDatabase(RedressError):
    """Nobody said which database, and there is no local one in this folder."""

    code = "no-database"


def settings_for(url: str | None) -> Settings:
    """The settings of a command that goes to the database itself. Raises NoDatabase."""
    found = url or os.environ.get("REDRESS_DATABASE_URL") or _local_database()
    files = Files() if os.environ.get("REDRESS_DATA_DIR") else Files(data_dir=data_dir())
    return replace(Settings.read(), database=Database(url=found), files=files)


def _local_database() -> str:
    stack = StackSettings()
    folder = stack.data_dir / "postgres"
    if not folder.exists():
        raise NoDatabase("say which database: --database URL, or run this where `redress run` keeps its data")
    return LocalPostgres(folder, stack.postgres_port).url


@asynccontextmanager
async def connected(settings: Settings, *, application: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on the database. Raises StoreUnavailable."""
    pool = await database.pool(settings.database.url, application=application, max_size=4, patience=5.0)
    try:
        yield pool
    finally:
        await pool.close()


def verifiers(public_key: str | None, settings: Settings | None = None) -> list[Verifier]:
    """The public key that was told, else the one of this installation; none where there is none.

    Raises: Malformed.
    """
    if public_key is not None:
        file = Path(public_key)
        text = file.read_text(encoding="utf-8").strip() if "+" not in public_key and file.is_file() else public_key
        try:
            return [Verifier.parse(text)]
        except ValueError as error:
            raise Malformed("--public-key", str(error)) from None
    if settings is not None and settings.files.checkpoint_key.exists():
        return [load_signer(settings.files.checkpoint_key).verifier]
    return []
