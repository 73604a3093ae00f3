"""What the commands share that ask the ledger: where it is and which key to read with, told or found in this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from complaints.errors import RedressError
from local_stack.settings import StackSettings
from redress.api import SECONDS, Api, ApiRefused, Unreachable

KEYS_FILE = "keys.json"
"""Where `redress run` keeps the keys that it was shown, in its data folder."""

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
Workbook = Annotated[
    Path | None, typer.Option("--xlsx", metavar="FILE", dir_okay=False, help="Writes a workbook there instead.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


class NoKey(RedressError):
    """Nobody said which key to read with, and this folder has none."""

    code = "no-key"


def ledger(url: str | None, key: str | None) -> Api:
    """The ledger's API. Raises NoKey."""
    stack = StackSettings()
    token = key or _operator_key(stack.data_dir)
    if not token:
        raise NoKey("say which key to read with: --key, or REDRESS_KEY")
    return Api((url or f"http://{stack.host}:{stack.ledger_port}").rstrip("/"), token)


def _operator_key(data_dir: Path) -> str | None:
    file = data_dir / KEYS_FILE
    if not file.exists():
        return None
    key: str | None = json.loads(file.read_bytes()).get("operator")
    return key


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


def say(value: Any) -> None:
    """One JSON value on a line."""
    print(json.dumps(value, ensure_ascii=False, default=str))
