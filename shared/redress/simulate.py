"""``redress simulate``: a scenario through the real core in virtual time, without servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from complaints.codec import to_json
from complaints.errors import Malformed
from complaints.procedure.library import find_pack
from redress.simulation import DeskFile, Scenario, ScenarioRefused, World, desk_of, read_desk, read_scenario, table
from redress.simulation.scenario import instant

app = typer.Typer()

File = Annotated[
    Path,
    typer.Argument(
        metavar="SCENARIO",
        help="JSON lines, `-` for standard input: at, complaint, command, by, data. The first may be a head instead "
        "of the options: pack, until, desk.",
    ),
]
Pack = Annotated[str | None, typer.Option("--pack", metavar="PACK", help="A pack's id, its number, or a path.")]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="INSTANT", help="When the simulation ends; default the last command's instant."),
]
Desk = Annotated[
    Path | None,
    typer.Option(
        "--desk",
        metavar="FILE",
        dir_okay=False,
        help="A desk in JSON, every key optional: answers, calendar, people, settings. With people, commands are held "
        "to their roles, and the system hands over and names who acts. Default: Monday to Friday 09:00–18:00 in "
        "Asia/Shanghai, nothing answered, nobody named.",
    ),
]
System = Annotated[
    bool | None,
    typer.Option(
        "--system/--no-system",
        help="Whether the system hands over and gives notice by itself, as live; default where people are named.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def simulate(
    scenario: File,
    *,
    pack: Pack = None,
    until: Until = None,
    desk: Desk = None,
    system: System = None,
    json_: AsJson = False,
) -> None:
    """Runs a scenario through the real core, timers, routing and notification rules in virtual time.

    Prints a line for each event, rejection and message, at the desk's wall time. Rejections are part of a scenario; the
    command fails only where something cannot be read.
    """
    file = "standard input" if str(scenario) == "-" else scenario.name
    told = read_scenario(_bytes(scenario, file), file=file)
    opened = _desk(desk) or told.head.desk or DeskFile()
    named = pack or told.head.pack
    if named is None:
        raise ScenarioRefused(file, None, "pack", "must be named, by --pack or by the scenario's head")
    world = World(desk_of(find_pack(named), opened), acts=system)
    end = _until(until) or told.head.until or max((command.at for command in told.commands), default=None)
    if end is None:
        return
    if not json_:
        typer.echo(table.header())
    for line in play(world, told, end, file):
        typer.echo(to_json(line) if json_ else table.row(json.loads(to_json(line))))
    if later := sum(command.at > end for command in told.commands):
        sys.stderr.write(
            f"{later} commands lie after {end.astimezone(world.view.zone).isoformat()} and were left out\n"
        )


def play(world: World, scenario: Scenario, until: datetime, file: str) -> Iterator[dict[str, Any]]:
    """The lines of output, as they come.

    Raises:
        ScenarioRefused: an instant in a command's data lies outside the years that can be counted.
    """
    shown = 0
    for numbered in sorted(scenario.lines, key=attrgetter("command.at")):
        if numbered.command.at > until:
            break
        try:
            world.send(numbered.command)
        except Malformed as error:
            raise ScenarioRefused(file, numbered.line, error.field, error.rule) from error
        yield from (entry.wire(world.view.zone) for entry in world.entries[shown:])
        shown = len(world.entries)
    world.advance(until)
    yield from (entry.wire(world.view.zone) for entry in world.entries[shown:])


def _bytes(path: Path, file: str) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ScenarioRefused(file, None, "scenario", f"cannot be read: {error.strerror}") from error


def _desk(path: Path | None) -> DeskFile | None:
    return None if path is None else read_desk(_bytes(path, path.name), file=path.name)


def _until(text: str | None) -> datetime | None:
    return None if text is None else instant(text, "until")
