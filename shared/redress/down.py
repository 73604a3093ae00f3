"""``redress down``: stops the system of this data folder from another terminal."""

from __future__ import annotations

import typer

from local_stack.settings import StackSettings
from local_stack.supervisor import down as stop_stack

app = typer.Typer()


@app.command()
def down() -> None:
    """Stop what `redress run` started in this folder, also what is left of one that was killed."""
    raise typer.Exit(stop_stack(StackSettings()))
