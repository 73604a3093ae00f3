"""``redress feed``: the sample data, through the public API, into the running system."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from local_stack.settings import StackSettings
from redress.demo import read_keys
from redress.feeding.files import FILES, DataFile, desks
from redress.feeding.sending import SECONDS, Account, FeedFailed, send

app = typer.Typer()


@app.command()
def feed(
    data: Annotated[
        Path, typer.Option(envvar="REDRESS_FEED_DATA", help="The folder of data sets.", show_default=True)
    ] = Path("../shared/data"),
    url: Annotated[str | None, typer.Option(help="Where intake answers.")] = None,
    key: Annotated[str | None, typer.Option(envvar="REDRESS_KEY", help="An operator's key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
) -> None:
    """Send the sample data into the running system; what is there already is not added again.

    Complaints are received now; lives of requests and incidents are told with their true instants, back-dated. At the
    end every row is accounted for: accepted, there already, refused with the reason, or saying nothing new.
    """
    settings = StackSettings()
    missing = [file.path for file in FILES if not (data / file.path).is_file()]
    if missing:
        raise FeedFailed(f"{data} has no {', '.join(missing)}; --data or REDRESS_FEED_DATA names the folder")
    found = key or read_keys(settings.data_dir).operator
    if found is None:
        raise FeedFailed(f"no key in {settings.data_dir}: start the system with `make run`, or give --key")
    base = url or f"http://127.0.0.1:{settings.intake_port}"
    accounts = asyncio.run(_feed(base, found, data, quiet=as_json))
    for file, account in accounts:
        typer.echo(_json(account.as_json(file.name)) if as_json else _told(file, account))
    if not all(account.adds_up for _, account in accounts):
        raise FeedFailed("some rows are not accounted for")


async def _feed(url: str, key: str, data: Path, *, quiet: bool) -> list[tuple[DataFile, Account]]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=SECONDS, trust_env=False) as http:
        try:
            await _open_desks(http)
            return [(file, await send(http, file.desk, file.rows(data), _progress(file, quiet))) for file in FILES]
        except httpx.TransportError as error:
            raise FeedFailed(f"{url} does not answer ({type(error).__name__}); `make run` starts the system") from error


async def _open_desks(http: httpx.AsyncClient) -> None:
    for desk in desks():
        if (await http.get(f"/v1/desks/{desk.desk}")).is_success:
            continue
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"feed-{desk.desk}"}
        answer = await http.post("/v1/desks", content=msgspec.json.encode(desk), headers=headers)
        if not answer.is_success:
            raise FeedFailed(f"desk {desk.desk} was not opened: {answer.status_code} {answer.text[:500]}")


def _progress(file: DataFile, quiet: bool) -> Any:
    def tell(account: Account) -> None:
        if not quiet and sys.stderr.isatty():
            typer.echo(f"\r{file.name}: {account.rows} rows, {account.commands} commands", nl=False, err=True)

    return tell


def _told(file: DataFile, account: Account) -> str:
    became = f"{account.accepted} accepted, {account.already} there already, {account.refused} refused"
    lines = [
        f"{file.name} → {file.desk}",
        f"  {account.rows} rows: {became}, {account.silent} saying nothing new; {account.commands} commands",
    ]
    lines += [f"    {number:6} {reason}" for reason, number in account.reasons.most_common()]
    for reason, examples in account.examples.items():
        lines += [f"           e.g. {example}" for example in examples[:1] if reason]
    lines += [f"    {number:6} rows: {remark}" for remark, number in account.remarks.most_common()]
    if account.events:
        lines.append("  what the procedure made of it:")
        lines += [f"    {number:6} {name}" for name, number in account.events.most_common()]
    return "\n".join(lines)


def _json(account: dict[str, Any]) -> str:
    return msgspec.json.encode(account).decode()
