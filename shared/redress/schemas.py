"""``redress schemas``: the JSON Schema of every event, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from complaints.registry import REGISTRY

app = typer.Typer(no_args_is_help=True, help="The JSON Schema of every event, as files.")

Folder = Annotated[Path, typer.Argument(help="Where the files lie.", file_okay=False)]


@app.command()
def write(folder: Folder = Path("docs/schemas/events")) -> None:
    """Writes the schema of every current version; those of older versions stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in REGISTRY.documents().items():
        (folder / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(REGISTRY.documents())} schemas in {folder}")


@app.command()
def check(folder: Folder = Path("docs/schemas/events")) -> None:
    """Says which files are not current; ends with 1 if there are any."""
    if stale := stale_files(folder):
        typer.echo("\n".join(stale))
        raise typer.Exit(1)


def stale_files(folder: Path) -> list[str]:
    """What is wrong with the files in a folder, one line each: missing, not current, or of no event."""
    wanted, found = REGISTRY.documents(), {file.name for file in folder.glob("*.json")}
    known = {f"{name}.v{version}.json" for name, version in REGISTRY.names()}
    return [
        *(f"{name}: missing" for name in sorted(known - found)),
        *(f"{name}: of no event" for name in sorted(found - known)),
        *(
            f"{name}: not current; run `redress schemas write`"
            for name in sorted(wanted.keys() & found)
            if (folder / name).read_text(encoding="utf-8") != wanted[name]
        ),
    ]
