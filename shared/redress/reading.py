"""What the commands that read share: where the database, the keys and the ledger are, told or found in this folder."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import typer
from rich.console import Console

from complaints.adapters import database
from complaints.adapters.settings import Database, Files, Settings
from complaints.adapters.signed_notes import Verifier, load_signer
from complaints.errors import Malformed, RedressError
from local_stack.places import data_dir
from local_stack.postgres import LocalPostgres
from local_stack.settings import StackSettings
from redress.api import SECONDS, Api, ApiRefused, Unreachable
from redress.demo import read_keys

DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="The database; REDRESS_DATABASE_URL, or the local one, otherwise."),
]
LedgerUrl = Annotated[
    str | None,
    typer.Option("--url", envvar="REDRESS_LEDGER_URL", help="Where the ledger answers; the local one otherwise."),
]
ReadKey = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="REDRESS_KEY",
        help="The key to read with; the operator's of this folder otherwise.",
        show_envvar=True,
    ),
]
PublicKey = Annotated[
    str | None,
    typer.Option("--public-key", metavar="KEY|FILE", help="The public key of the checkpoints: name+id+key, or a file."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]

progress_console = Console(stderr=True)


class NoKey(RedressError):
    """Nobody said which key to read with, and this folder has none."""

    code = "no-key"


def settings_for(url: str | None) -> Settings:
    """The settings of a command that goes to the database itself."""
    found = url or os.environ.get("REDRESS_DATABASE_URL") or _local_database()
    return replace(Settings.read(), database=Database(url=found), files=_files())


def _files() -> Files:
    return Files() if os.environ.get("REDRESS_DATA_DIR") else Files(data_dir=data_dir())


def _local_database() -> str:
    stack = StackSettings()
    folder = stack.data_dir / "postgres"
    if not folder.exists():
        raise NoDatabase("say which database: --database URL, or run this where `redress run` keeps its data")
    return LocalPostgres(folder, stack.postgres_port).url


class NoDatabase(RedressError):
    """Nobody said which database, and there is no local one in this folder."""

    code = "no-database"


@asynccontextmanager
async def connected(settings: Settings, *, application: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on the database. Raises StoreUnavailable."""
    pool = await database.pool(settings.database.url, application=application, max_size=4, patience=5.0)
    try:
        yield pool
    finally:
        await pool.close()


def ledger(url: str | None, key: str | None) -> Api:
    """The ledger's API. Raises NoKey."""
    stack = StackSettings()
    token = key or read_keys(stack.data_dir).operator
    if not token:
        raise NoKey("say which key to read with: --key, or REDRESS_KEY")
    return Api((url or f"http://{stack.host}:{stack.ledger_port}").rstrip("/"), token)


def download(api: Api, path: str, file: Path) -> None:
    """An export of the ledger into a file. Raises ApiRefused, Unreachable."""
    headers = {"Authorization": f"Bearer {api.key}"}
    try:
        with (
            httpx.Client(base_url=api.url, headers=headers, timeout=SECONDS) as client,
            client.stream("GET", path) as answer,
            file.open("wb") as out,
        ):
            if not answer.is_success:
                problem = json.loads(answer.read())
                raise ApiRefused(str(problem.get("code", "refused")), str(problem.get("detail", answer.status_code)))
            for chunk in answer.iter_bytes():
                out.write(chunk)
    except (httpx.HTTPError, ValueError) as error:
        raise Unreachable(f"{api.url} does not answer: {error}", url=api.url) from None


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


def say(value: Any) -> None:
    """One JSON value on a line."""
    print(json.dumps(value, ensure_ascii=False, default=str))
