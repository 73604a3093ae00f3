"""``redress rebuild``: builds a read model anew from the log, beside the live one, and flips to it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.progress import Progress

from complaints.adapters import database as databases
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.master_key import load_master
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.sealing import Sealing
from complaints.errors import Malformed
from ledger.files import Files, Opener
from ledger.models import NAMES, models
from ledger.opening import NeverOpened
from ledger.projections.model import Target
from ledger.rebuild import rebuild as build
from redress.reading import AsJson, say
from redress.record import DatabaseUrl, connected, progress_console, settings_for

app = typer.Typer()


@app.command()
def rebuild(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=f"One of {', '.join(NAMES)}.")],
    database: DatabaseUrl = None,
    json_: AsJson = False,
) -> None:
    """Builds the next version of a read model from the log; readers see the old one until it is complete."""
    if model not in NAMES:
        raise Malformed("MODEL", f"must be one of {', '.join(NAMES)}")
    target = asyncio.run(_rebuilt(model, database, quiet=json_))
    if json_:
        say({"model": target.name, "version": target.version, "schema": target.schema})
    else:
        print(f"{target.name}: version {target.version} is live, in schema {target.schema}")


async def _rebuilt(name: str, database: str | None, *, quiet: bool) -> Target:
    settings = settings_for(database)
    engine = databases.engine(settings.database.url, application="redress-rebuild", pool_size=2)
    try:
        async with connected(settings, application="redress-rebuild") as pool:
            key = settings.files.seal_key
            opener: Opener = Sealing.on(pool, load_master(key)) if key.exists() else NeverOpened()
            store = PostgresEventStore(pool)
            views = LoggedViews(store, PostgresPacks(pool), opener)
            model = next(model for model in models(views) if model.name == name)
            files = Files(store, opener)
            if quiet:
                return await build(model, engine=engine, pool=pool, files=files)
            with Progress(console=progress_console, transient=True) as bar:
                task = bar.add_task("streams")
                return await build(
                    model,
                    engine=engine,
                    pool=pool,
                    files=files,
                    progress=lambda done, of: bar.update(task, completed=done, total=of),
                )
    finally:
        await engine.dispose()
