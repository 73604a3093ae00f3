"""``redress verify``: whether the record is what it was when it was written, and where not, exactly what differs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from rich.progress import Progress

from ledger.exports import verify_database, verify_file
from ledger.verification import Result
from redress.reading import AsJson, ReadKey, download, ledger, say
from redress.record import DatabaseUrl, PublicKey, connected, progress_console, settings_for, verifiers

app = typer.Typer()

Export = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE", exists=True, dir_okay=False, help="An export; needs nothing else."),
]

Url = Annotated[
    str | None, typer.Option("--url", help="A running ledger, for operators: the log is fetched and verified here.")
]


@app.command()
def verify(
    *,
    export: Export = None,
    database: DatabaseUrl = None,
    url: Url = None,
    key: ReadKey = None,
    public_key: PublicKey = None,
    json_: AsJson = False,
) -> None:
    """Verifies every hash, chain and position, and the Merkle roots in the signed checkpoints.

    Ends with 1 where anything does not hold, and says what was altered: position, stream, version, and what differs.
    """
    if export is not None:
        header, result = verify_file(export, verifiers(public_key))
        scope = header.scope
    elif url is not None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "log.jsonl"
            download(ledger(url, key), "/v1/export", file)
            header, result = verify_file(file, verifiers(public_key))
            scope = header.scope
    else:
        scope, result = "log", asyncio.run(_verified(database, public_key, quiet=json_))
    if json_:
        say({"scope": scope, **msgspec.to_builtins(result)})
    else:
        print("\n".join(_told(scope, result)))
    if not result.holds:
        raise typer.Exit(1)


async def _verified(database: str | None, public_key: str | None, *, quiet: bool) -> Result:
    settings = settings_for(database)
    keys = verifiers(public_key, settings)
    async with connected(settings, application="redress-verify") as pool:
        if quiet:
            return await verify_database(pool, keys)
        with Progress(console=progress_console, transient=True) as bar:
            task = bar.add_task("positions")
            return await verify_database(
                pool, keys, progress=lambda done, of: bar.update(task, completed=done, total=of)
            )


def _told(scope: str, result: Result) -> list[str]:
    lines = [f"{scope}: {result.positions} events in {result.streams} streams"]
    if scope == "log":
        young = result.positions - result.covered
        lines.append(f"Merkle root {result.root}")
        lines.append(f"checkpoints: {result.checkpoints} hold, over {result.covered} positions, {young} are younger")
    else:
        lines.append(f"proven to lie in the log: {result.covered} of {result.positions} events")
    lines.append(f"signatures: {result.signatures}")
    for one in result.findings:
        where = f"position {one.position}" + (f", stream {one.stream}, version {one.version}" if one.stream else "")
        lines.append(f"{one.code}: {where}: {one.why}")
    lines.append("everything holds" if result.holds else f"{len(result.findings)} things do NOT hold")
    return lines
