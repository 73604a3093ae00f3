"""``redress vocabulary``: every command and every event, from the code that defines them.

``docs/vocabulary.md`` holds the tables between marks: ``--write`` renews them, ``--check`` says whether they are
current. What stands outside the marks is written by hand.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
import typer

from complaints import commands, desk_events, events
from complaints.commands import COMMAND_TYPES, SERVICE_COMMANDS, Command, Link, StepData
from complaints.desk_events import DESK_EVENT_TYPES
from complaints.events import EVENT_TYPES, Decision, FactValue, Record
from complaints.registry import OBLIGATORY

app = typer.Typer(help="Every command and every event, from the code.")

Type = type[msgspec.Struct]
Row = dict[str, Any]

BASES: Final[Mapping[Type, str]] = {Record: "a record", Decision: "a decision", StepData: "what is said with a record"}
"""Fields that many types share; they are listed once, under this name."""
WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    bool: "bool",
    int: "int",
    float: "number",
    datetime: "instant",
    date: "date",
    timedelta: "duration",
    UUID: "uuid",
    Any: "any",
    dict: "object",
}
MARK: Final = re.compile(r"<!-- (commands|events|desk-events) -->\n.*?<!-- /\1 -->\n", re.DOTALL)


@app.command()
def vocabulary(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Renews the tables in that page.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Ends with 1 if its tables are old.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object a command or event.")] = False,
) -> None:
    """Prints every command and every event with its data; or renews or checks the page that shows them."""
    if check is not None:
        current = renewed(check.read_text(encoding="utf-8")) == check.read_text(encoding="utf-8")
        told = "current" if current else "not current: redress vocabulary --write " + str(check)
        typer.echo(json.dumps({"file": str(check), "current": current}) if json_ else f"{check}: {told}")
        raise typer.Exit(0 if current else 1)
    if write is not None:
        write.write_text(renewed(write.read_text(encoding="utf-8")), encoding="utf-8")
        typer.echo(json.dumps({"file": str(write), "written": True}) if json_ else f"{write}: written")
        return
    for name, rows in tables().items():
        if json_:
            typer.echo("\n".join(json.dumps({"table": name, **row}, ensure_ascii=False) for row in rows))
        else:
            typer.echo(f"## {name}\n\n{_table(name, rows)}")


def renewed(page: str) -> str:
    """The page with its tables as the code has them now."""
    made = tables()
    return MARK.sub(lambda m: f"<!-- {m[1]} -->\n{_table(m[1], made[m[1]])}<!-- /{m[1]} -->\n", page)


def tables() -> dict[str, list[Row]]:
    """Each table as data."""
    return {
        "commands": [*_shared(StepData), *(_row(name, kind) for name, kind in COMMAND_TYPES.items())],
        "events": [*_shared(Record, Decision), *(_row(name, kind) for name, kind in EVENT_TYPES.items())],
        "desk-events": [_row(name, kind) for name, kind in DESK_EVENT_TYPES.items()],
    }


def _shared(*bases: Type) -> Iterable[Row]:
    for base in bases:
        yield {
            "name": BASES[base],
            "about": _about(base),
            "data": _data(base, own=False),
            "sent_by": None,
            "version": None,
        }


def _row(name: str, kind: Type) -> Row:
    base = next((b for b in BASES if issubclass(kind, b)), None)
    data = _data(kind, own=base is not None)
    return {
        "name": name,
        "about": _about(kind),
        **({"is": BASES[base]} if base is not None else {}),
        "data": data,
        "sent_by": ("services" if name in SERVICE_COMMANDS else "people") if issubclass(kind, Command) else None,
        "version": getattr(kind, "schema_version", None),
    }


def _about(kind: Type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split()).replace("``", "`")


def _data(kind: Type, *, own: bool) -> list[Row]:
    """The fields of the data: without the envelope, and with ``own`` without those of a shared base."""
    envelope = set(commands.ENVELOPE if issubclass(kind, Command) else events.ENVELOPE)
    base = next((b for b in BASES if own and issubclass(kind, b)), None)
    skip = envelope | ({f.name for f in msgspec.structs.fields(base)} if base is not None else set())
    always = {name for parent in kind.__mro__ for name in OBLIGATORY.get(parent, ())}
    rows = []
    for field in msgspec.structs.fields(kind):
        if field.name not in skip:
            wire = "complaint" if kind is Link and field.name == "other" else field.encode_name
            optional = not (field.required or field.name in always)
            kinds = _words(field.type) + ("?" if NoneType in get_args(field.type) and not optional else "")
            rows.append({"field": wire, "type": kinds, "optional": optional, "note": _note(kind, field.name)})
    return rows


def _words(kind: Any) -> str:
    """A type in the words of the page: ``text``, ``[text]``, ``text | [text]``; None goes without saying."""
    origin, args = get_origin(kind), get_args(kind)
    if kind == FactValue:
        said = "value"
    elif origin in (Union, UnionType):
        said = " | ".join(dict.fromkeys(_words(a) for a in args if a is not NoneType))
    elif origin is Annotated:
        said = _words(args[0])
    elif origin is Literal:
        said = " | ".join(map(str, args))
    elif origin in (list, tuple):
        said = f"[{', '.join(_words(a) for a in args if a is not Ellipsis)}]"
    elif origin is not None and issubclass(origin, Mapping):
        said = f"{{{_words(args[0])}: {_words(args[1])}}}"
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        said = "{" + ", ".join(f.encode_name + ("" if f.required else "?") for f in fields) + "}"
    else:
        said = WORDS.get(kind, getattr(kind, "__name__", str(kind)))
    return said


# --- the remarks beside the fields: comments, which only the source still has ---
def _note(kind: Type, field: str) -> str | None:
    for parent in kind.__mro__:
        module = inspect.getmodule(parent)
        if module in (events, commands, desk_events) and (note := _notes(module).get((parent.__name__, field))):
            return note
    return None


@cache
def _notes(module: ModuleType) -> dict[tuple[str, str], str]:
    """The comment at the end of the line of each field of each class."""
    source = inspect.getsource(module)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {
        (node.name, field.target.id): comments[field.lineno]
        for node in classes
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.lineno in comments
    }


# --- as a page ---
def _table(name: str, rows: Iterable[Row]) -> str:
    asked = name == "commands"
    heading = "| command | data | what it asks | sent by |" if asked else "| event | data | what it says |"
    lines = [heading, "|---" * heading.count(" | ") + "|---|"]
    for row in rows:
        is_ = row.get("is")
        shown = ", ".join(_field(f) for f in row["data"])
        data = f"{is_} with {shown}" if is_ and shown else is_ or shown or "–"
        title = row["name"] if row["name"] in BASES.values() else f"`{row['name']}`"
        cells = [title, data, row["about"], *([row["sent_by"] or "–"] if asked else [])]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _field(field: Row) -> str:
    note = f" ({field['note']})" if field["note"] else ""
    return f"`{field['field']}{'?' if field['optional'] else ''}: {field['type']}`{note}"
