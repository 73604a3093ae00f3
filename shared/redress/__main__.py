"""``redress``: one command line for everything that is done with this project.

Each command group lies in a module of its own, with a Typer ``app``, and is imported only when it is called for: so the
pure commands start fast, and a part that is not installed is missing alone. A group with one command is that command
(``redress run``), one with several has them below it (``redress packs lint``).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Final, TextIO

import typer

from complaints.errors import RedressError


@dataclass(frozen=True, slots=True)
class Group:
    """A command group: its name, the module that holds it, what it is for."""

    name: str
    module: str
    about: str


GROUPS: Final = (
    Group("run", "redress.run", "Start everything on this machine; Ctrl-C stops it."),
    Group("down", "redress.down", "Stop what run started in this folder."),
    Group("desk", "redress.desk", "A desk's configuration: open it, adopt a pack, publish a calendar, people, keys."),
    Group("feed", "redress.feed", "Send the sample data through the public API."),
    Group("history", "redress.history", "Everything that happened to a case, with the clause behind each step."),
    Group("simulate", "redress.simulate", "Run a scenario through the real core in virtual time, without servers."),
    Group("packs", "redress.packs", "The procedure packs: check, read and compare them with their text."),
    Group("calendar", "redress.calendar", "Working time: when something falls due, how much of it has passed."),
    Group("vocabulary", "redress.vocabulary", "Every command and every event, from the code."),
    Group("schemas", "redress.schemas", "The JSON Schema of every event."),
    Group("verify", "redress.verify", "Verify the chain, the checkpoints and the signatures of the log."),
    Group("rebuild", "redress.rebuild", "Build a read model anew from the log."),
    Group("export", "redress.export", "Export cases and proofs."),
    Group("report", "redress.report", "The figures and reports that a desk owes."),
    Group("forms", "redress.forms", "The forms and registers of a desk, and what stands in them."),
    Group("dead-letters", "redress.dead_letters", "Records that could not be handled: list, look, send again."),
)
HELP: Final = "Runs an organisation's own written complaint procedure and can prove that it did."


class NotInstalled(RedressError):
    """A part of the command line, or a package that it needs, is not there."""

    code = "not-installed"


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line, with the one group loaded that the arguments call for.

    Raises:
        NotInstalled: the group called for cannot be imported.
    """
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    called = next((a for a in arguments if not a.startswith("-")), None)
    for group in GROUPS:
        if group.name == called:
            _mount(app, group)
        elif find_spec(group.module) is not None:
            app.command(group.name, help=group.about)(_elsewhere)
    return app


def _root() -> None:
    """Keeps the name of a single command from being taken for an argument."""


def _elsewhere() -> None:
    """Stands in the list for a group that was not called for."""


def _mount(app: typer.Typer, group: Group) -> None:
    try:
        mounted: typer.Typer = import_module(group.module).app
    except ModuleNotFoundError as error:
        lacking = "is not part of this installation" if error.name == group.module else f"needs {error.name}"
        raise NotInstalled(f"redress {group.name} {lacking}", command=group.name, module=error.name) from error
    alone = mounted.registered_commands if not mounted.registered_groups else []
    if len(alone) == 1 and mounted.registered_callback is None and alone[0].callback is not None:
        settings = alone[0].context_settings
        app.command(group.name, help=alone[0].help or group.about, context_settings=settings)(alone[0].callback)
    else:
        app.add_typer(mounted, name=group.name, help=group.about)


def report(error: RedressError, arguments: Sequence[str], stream: TextIO) -> None:
    """Says what is wrong: one line, or with ``--json`` one object with its code and data."""
    if "--json" in arguments:
        told = {"error": error.code, "why": error.why, **error.data}
        stream.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
    else:
        others = (f"  also: {o['file']}:{o['line']}:{o['column']}: {o['why']}\n" for o in error.data.get("also", ()))
        stream.writelines([f"{error.code}: {error.why}\n", *others])


def main() -> None:
    """The entry point: ends with 0, 1 where something is wrong with what was asked, 2 where it was asked wrongly."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # texts are Chinese whatever the locale says
            stream.reconfigure(encoding="utf-8")
    arguments = sys.argv[1:]
    try:
        build(arguments)(prog_name="redress")
    except RedressError as error:
        report(error, arguments, sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # whoever read us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
