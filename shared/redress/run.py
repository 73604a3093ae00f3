"""``redress run``: the whole system on one machine, with four demo desks to try it on."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from local_stack.settings import StackSettings
from local_stack.supervisor import run as run_stack
from redress.demo import load

app = typer.Typer()


@app.command()
def run(
    demo: Annotated[bool, typer.Option(help="Open the demo desks and print commands to try.")] = True,
) -> None:
    """Start everything on this machine; Ctrl-C stops it.

    PostgreSQL and Kafka are started here unless REDRESS_DATABASE_URL and REDRESS_KAFKA_BOOTSTRAP_SERVERS name others.
    """
    raise typer.Exit(asyncio.run(run_stack(StackSettings(), demo=load if demo else None)))
