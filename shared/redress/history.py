"""``redress history``: everything that happened to a case, with the clause behind each step, now or as it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import typer

from redress.reading import AsJson, LedgerUrl, ReadKey, ledger, say

app = typer.Typer()


@app.command()
def history(
    case: Annotated[str, typer.Argument(metavar="COMPLAINT", help="The complaint's id.")],
    *,
    as_of: Annotated[str | None, typer.Option(metavar="INSTANT", help="As it was: what had happened by then.")] = None,
    known_at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="As it was known: what had been recorded by then.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="Look as this role sees it.")] = None,
    url: LedgerUrl = None,
    key: ReadKey = None,
    json_: AsJson = False,
) -> None:
    """Everything that happened to a case, with the clause behind each step."""
    asked = {"as_of": as_of, "known_at": known_at, "role": role}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    file = ledger(url, key).get(f"/v1/complaints/{case}/case-file" + (f"?{query}" if query else ""))
    if json_:
        say(file)
    else:
        print("\n".join(told(file)))


def told(file: dict[str, Any]) -> Iterator[str]:
    """A case file as lines for a terminal."""
    zone, procedure = ZoneInfo(file["timezone"]), file["procedure"]
    yield f"{file['id']}  {file['desk']}  {procedure['title']} (version {procedure['version']})"
    if file["as_of"] or file["known_at"]:
        asked = [("as it was at", file["as_of"]), ("as it was known at", file["known_at"])]
        yield "  ".join(f"{word} {_wall(at, zone)}" for word, at in asked if at)
    standing = [("status", file["status"]), ("grade", file["grade"]), ("owner", file["owner"])]
    standing += [("holder", file["holder"]), ("version", f"{file['version']} of {file['latest_version']}")]
    yield "  ".join(f"{name}: {value}" for name, value in standing if value is not None)
    yield ""
    for event in file["history"]:
        yield from _event(event, zone)
    yield from _owed(file["work"], zone)
    bad = [one for one in file["verdicts"] if one["verdict"] in ("breached", "broken")]
    if bad:
        yield ""
        yield "breached or broken:"
        yield from (
            f"  {_clause(one['clause'])}  {one['row']}: {one['verdict']}  {one.get('words', '')}" for one in bad
        )
    yield ""
    yield f"({file['translation']})"


def _event(event: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    clause = _clause(event["clause"])
    yield f"{_wall(event['at'], zone)}  {event['event']}  {_data(event['data'])}" + (f"  [{clause}]" if clause else "")
    if event.get("says"):
        yield f"{'':21}{event['says']}"
    if event.get("en"):
        yield f"{'':21}{event['en']}"


def _owed(work: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    yield ""
    yield "owed now:"
    rows = [f"  {_wall(one['due_at'], zone)}  {one['step']} by {_said(one['by'])}" for one in work["dated"]]
    rows += [
        f"  {one.get('word', 'not-stated'):19}  {one['step']} by {_said(one['by'])}"
        for one in (*work["undated"], *work["stale"])
    ]
    rows += [f"  {'undecided':19}  {one['decide']}: needs {', '.join(one['needs'])}" for one in work["undecided"]]
    yield from rows or ["  nothing"]


def _data(data: dict[str, Any]) -> str:
    """The fields by which people know an event."""
    shown: list[str] = []
    for name, value in data.items():
        if name in _LEFT_OUT or value in (None, [], {}, False, ""):
            continue
        shown.append(f"{name}={_said(value)}")
    return " ".join(shown)


_LEFT_OUT = frozenset((
    "says", "guidance", "verb", "over", "round", "duty", "intervals", "warn_at", "looked_at", "subject", "pack",
    "pack_version", "desk_version", "calendar", "case",
))  # fmt: skip


def _said(value: Any) -> str:
    match value:
        case {"$erased": True}:
            return "‹erased›"
        case {"$sealed": _}:
            return "‹sealed›"
        case dict():
            return "{" + ", ".join(f"{name}: {_said(inner)}" for name, inner in value.items()) + "}"
        case list():
            return ", ".join(_said(inner) for inner in value)
        case _:
            return str(value)


def _clause(clause: str | Iterable[str] | None) -> str:
    return "" if clause is None else clause if isinstance(clause, str) else ", ".join(clause)


def _wall(at: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
