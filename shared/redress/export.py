"""``redress export``: events as they are stored, checkpoints, proofs and the public key, to be verified elsewhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from complaints.errors import Malformed
from ledger.casebook import uuid_of
from ledger.exports import Scope, lines, write
from redress.reading import AsJson, say
from redress.record import DatabaseUrl, PublicKey, connected, settings_for, verifiers

app = typer.Typer()


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Where to; `.zip` makes an archive.")],
    *,
    desk: Annotated[str | None, typer.Option(help="Everything of one desk.")] = None,
    case: Annotated[str | None, typer.Option(metavar="COMPLAINT", help="One case.")] = None,
    database: DatabaseUrl = None,
    public_key: PublicKey = None,
    json_: AsJson = False,
) -> None:
    """Exports the whole log, a desk or a case. `redress verify --export FILE` checks it offline."""
    if desk is not None and case is not None:
        raise Malformed("--case", "a desk or a case, not both")
    scope = Scope(desk=desk, case=uuid_of(case) if case is not None else None)
    events = asyncio.run(_export(file, scope, database, public_key))
    if json_:
        say({"file": str(file), "scope": str(scope), "events": events})
    else:
        print(f"{file}: {scope}, {events} events")


async def _export(file: Path, scope: Scope, database: str | None, public_key: str | None) -> int:
    settings = settings_for(database)
    keys = verifiers(public_key, settings)
    async with connected(settings, application="redress-export") as pool:
        source = lines(pool, scope, exported_at=datetime.now(UTC), public_key=str(keys[0]) if keys else None)
        return await write(file, source)
