"""``redress packs``: check, read and compare procedure packs with their text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from complaints.complaint import INITIAL
from complaints.deciding.frame import frame_of
from complaints.errors import PackRefused
from complaints.events import Clause
from complaints.procedure import coverage as covering
from complaints.procedure import schema as schemas
from complaints.procedure.library import PackFile, clauses_of, find_pack, packs
from complaints.procedure.model import Procedure
from redress import packs_fields, packs_page
from redress.packs_shown import rows_of

app = typer.Typer(no_args_is_help=True, help="The procedure packs: check, read and compare them with their text.")

Name = Annotated[str, typer.Argument(metavar="PACK", help="An id, its number, or a path.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[PACK]…", help="Ids, numbers or paths; default all shipped.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Desk = Annotated[
    Path | None, typer.Option("--desk", metavar="FILE", dir_okay=False, help="A desk's JSON; its answers are taken.")
]
Row = dict[str, Any]


@app.command("list")
def list_(json_: AsJson = False) -> None:
    """The shipped packs."""
    rows = [
        {
            "pack": pack.id,
            "version": pack.version,
            "title": p.title,
            "en": p.en,
            "steps": len(p.steps),
            "digest": p.digest,
        }
        for pack in packs().values()
        for p in [pack.load()]
    ]
    _say(rows, json_, "{pack}  version {version}  {title}")


@app.command()
def lint(names: Names = None, desk: Desk = None, json_: AsJson = False) -> None:
    """Everything to argue about in a pack: what is refused, warnings, readings and silences, each with line and clause.

    Also tries every value that a reading offers. Ends with 1 if anything is refused.
    """
    refused = False
    for pack in _chosen(names):
        for row in findings(pack, _answers(desk)):
            refused = refused or row["kind"] == "refused"
            place = f" {row['place']}" if row.get("place") else ""
            clause = f" [{_clause(row['clause'])}]" if row.get("clause") else ""
            text = "{file}:{line}:{column}: {kind}" + _literal(place) + ": {why}" + _literal(clause)
            _say([row], json_, text)
    if refused:
        raise typer.Exit(1)


def findings(pack: PackFile, answers: Mapping[str, Any]) -> Iterator[Row]:
    """What ``lint`` says of one pack, as data."""
    try:
        procedure = pack.load(answers)
    except PackRefused as refused:
        yield _refused(refused)
        yield from ({"kind": "refused", **also} for also in refused.data.get("also", ()))
        return
    for finding in procedure.findings:
        at = {"line": finding.line, "column": finding.column, "place": finding.place, "clause": finding.clause}
        yield {"file": pack.file, "kind": "warning", **at, "about": finding.kind, "why": finding.why}
    listed = clauses_of(pack.id)
    for citation in covering.unlisted(procedure, listed) if listed is not None else ():
        why = f"{citation.rule} cites {citation.clause}, which the text's list of clauses lacks"
        at = {"line": citation.line, "column": 1, "place": citation.rule, "clause": citation.clause}
        yield {"file": pack.file, "kind": "warning", **at, "about": "clause", "why": why}
    if pack.source is None:
        why = f"the text {procedure.source or ''} is not at hand: no quotation was looked up"
        yield {"file": pack.file, "kind": "warning", "line": 1, "column": 1, "about": "source", "why": why}
    for row in place_rows(procedure):
        yield {"file": pack.file, "kind": row["kind"], **row, "why": _open(row)}
    yield from _offers(pack, procedure, answers)


def _offers(pack: PackFile, procedure: Procedure, answers: Mapping[str, Any]) -> Iterator[Row]:
    """Offered values that the pack, with them, would be refused for."""
    for place in procedure.places.values():
        for offer in place.offers:
            if offer == place.value:
                continue
            try:
                pack.load({**answers, place.name: offer})
            except PackRefused as refused:
                why = refused.reason.removeprefix(f"desk: {place.name}: ")
                yield {**_refused(refused), "place": place.name, "why": f"with {offer!r}: {why}"}


@app.command()
def places(name: Name, desk: Desk = None, json_: AsJson = False) -> None:
    """What the text leaves open: every reading and silence, where a desk may answer, and what it answered."""
    rows = place_rows(find_pack(name).load(_answers(desk)))
    for row in rows:
        clause = _literal(_clause(row["clause"]))
        _say([row], json_, "{line:>4}  {place}: " + _literal(_open(row)) + (f"  [{clause}]" if clause else ""))


def place_rows(procedure: Procedure) -> list[Row]:
    """Every place as data."""
    return [
        {
            "place": place.name,
            "kind": "reading" if place.kind == "reading" else "silence",
            "value": place.value,
            "offers": list(place.offers),
            "word": place.word,
            "because": place.because,
            "clause": place.clause,
            "answered": place.answered,
            "line": place.line,
            "column": place.column,
        }
        for place in procedure.places.values()
    ]


def _open(row: Row) -> str:
    said = f"the desk says {row['value']}" if row["answered"] else f"read as {row['value']}"
    if row["kind"] == "reading":
        others = ", ".join(str(offer) for offer in row["offers"] if offer != row["value"])
        return f"{said}; it may be {others}: {row['because']}"
    if row["answered"]:
        return f"{said}; the text {'says only ' + row['word'] if row['word'] else 'does not say'}"
    return f"the text says only {row['word']}" if row["word"] else "the text does not say"


@app.command()
def loops(name: Name, json_: AsJson = False) -> None:
    """What each loop opens again: the step it leads back to, and whatever comes after it."""
    procedure = find_pack(name).load()
    frame, rows = frame_of(procedure, INITIAL), list[Row]()
    for step in procedure.steps.values():
        for outcome, first in step.back.items():
            again = frame.again(first)
            then = [other for other in procedure.steps if other in again and other != first]
            rows.append({"step": step.id, "outcome": outcome, "first": first, "then": then, "clause": step.clause})
    for row in rows:
        _say([row], json_, "{step} {outcome}: opens {first} again, then " + (", ".join(row["then"]) or "nothing else"))


@app.command()
def coverage(names: Names = None, json_: AsJson = False) -> None:
    """For each clause of the text: is it executed, recorded, guidance or not executable, and by which rows."""
    for pack in _chosen(names):
        for clause in covering.coverage(pack.load(), clauses_of(pack.id)):
            row = {"clause": clause.id, "status": clause.status, "rules": list(clause.rules), "why": clause.why}
            _say([row], json_, "{clause}  {status}  {why}")


@app.command()
def schema(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", dir_okay=False, help="Writes it there.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Accepted, as by every command; it is JSON anyway.")] = False,
) -> None:
    """The JSON Schema of a pack file."""
    if write is None:
        typer.echo(schemas.document(), nl=False)
        return
    write.parent.mkdir(parents=True, exist_ok=True)
    write.write_text(schemas.document(), encoding="utf-8")
    _say([{"file": str(write)}], json_, "{file}")


@app.command()
def fields(
    write: Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Renews the list in that page.")] = None,
    json_: AsJson = False,
) -> None:
    """Every field of the pack language; or renews the page that lists them."""
    if write is not None:
        write.write_text(packs_fields.renewed(write.read_text(encoding="utf-8")), encoding="utf-8")
        _say([{"file": str(write)}], json_, "{file}")
    elif json_:
        _say(packs_fields.rows(), json_, "")
    else:
        typer.echo(packs_fields.markdown(), nl=False)


@app.command()
def show(name: Name, desk: Desk = None, json_: AsJson = False) -> None:
    """A pack as a process owner reads it: who owes what, when, and by which clause."""
    for row in rows_of(find_pack(name).load(_answers(desk))):
        text = _literal(row["text"])
        _say([{key: value for key, value in row.items() if key != "text"}], json_, text)


@app.command()
def page(name: Name, desk: Desk = None, json_: AsJson = False) -> None:
    """A pack as a page to check against its text: its path as a picture, its clocks, its gaps, clause by clause."""
    pack = find_pack(name)
    text = packs_page.page(pack.load(_answers(desk)), clauses_of(pack.id))
    _say([{"pack": pack.id, "page": text}], json_, "{page}")


@app.command()
def pages(
    write: Annotated[Path, typer.Option("--write", metavar="FOLDER", file_okay=False, help="Where they are written.")],
    names: Names = None,
    json_: AsJson = False,
) -> None:
    """The pages of the packs, and one that leads to them, written into a folder."""
    write.mkdir(parents=True, exist_ok=True)
    chosen = _chosen(names)
    for pack in chosen:
        file = write / f"{pack.id}.md"
        file.write_text(packs_page.page(pack.load(), clauses_of(pack.id)), encoding="utf-8")
        _say([{"file": str(file)}], json_, "{file}")
    if not names:
        (write / "README.md").write_text(packs_page.index(pack.load() for pack in chosen), encoding="utf-8")


def _chosen(names: list[str] | None) -> list[PackFile]:
    return [find_pack(name) for name in names] if names else list(packs().values())


def _answers(desk: Path | None) -> dict[str, Any]:
    if desk is None:
        return {}
    answers: dict[str, Any] = json.loads(desk.read_text(encoding="utf-8")).get("answers", {})
    return answers


def _refused(refused: PackRefused) -> Row:
    at = {"line": refused.line, "column": refused.column, "clause": refused.clause}
    return {"file": refused.file, "kind": "refused", **at, "why": refused.reason}


def _clause(clause: Clause) -> str:
    if clause is None:
        return ""
    return clause if isinstance(clause, str) else ", ".join(clause)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _say(rows: Iterable[Row], json_: bool, text: str) -> None:
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False, default=str) if json_ else text.format_map(row))
