"""The shape of a pack, and its places: what the text leaves open, and what the desk answered there.

One walk along the tables of the language: every unknown field, missing field and value of a wrong shape is refused;
every reading becomes the value in force, every silence the desk's answer where there is one. After it the document
holds plain values only, and each row knows its own place.
Source: the pack language, section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from complaints.errors import PackRefused
from complaints.procedure.conditions import near
from complaints.procedure.document import Row, Seq, graft
from complaints.procedure.fields import Field, Table
from complaints.procedure.model import Place
from complaints.procedure.sections import ONE_ROW, SECTIONS
from complaints.procedure.shapes import SOFT, is_silence

READING: Final = ("reading", "or", "because")


class Refusals:
    """Everything that is wrong with one pack; a phase reports all it finds before the next one begins."""

    def __init__(self) -> None:
        self.found: list[PackRefused] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keeps a refusal and goes on with the next row."""
        try:
            yield
        except PackRefused as refused:
            self.found.append(refused)

    def stop(self) -> None:
        """Ends the load if anything was refused.

        Raises:
            PackRefused: the first; ``data["also"]`` holds the others: file, line, column, why, clause of each.
        """
        if self.found:
            first, *others = self.found
            first.data["also"] = [
                {"file": o.file, "line": o.line, "column": o.column, "why": o.reason, "clause": o.clause}
                for o in others
            ]
            raise first


def plain(value: Any) -> Any:
    """A value of the file without its positions."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same answer; ``yes`` and ``no`` may come as true and false."""
    truth = {"yes": True, "no": False}
    a, b = (truth.get(x, x) if isinstance(x, str) else x for x in (a, b))
    return type(a) is type(b) and bool(a == b)


class Walk:
    """Walks one document; ``places``, ``answered`` and ``rows`` are what it found."""

    def __init__(self, root: Row, answers: Mapping[str, Any], refusals: Refusals) -> None:
        self.root, self.answers, self.refusals = root, answers, refusals
        self.places: dict[str, Place] = {}
        self.rows: list[tuple[Row, Table]] = []  # every row in force, in file order

    def walk(self) -> None:
        """Checks and settles the whole document; refusals are collected."""
        root = self.root
        for name in root:
            if name in ONE_ROW:
                with self.refusals.collect():
                    self.one(root, name, ONE_ROW[name], name)
            elif name in SECTIONS:
                with self.refusals.collect():
                    self.many(root, name, SECTIONS[name], name)
            else:
                with self.refusals.collect():
                    raise root.refusal_of_key(name, f"no such section: {name}")
        if "pack" not in root:
            with self.refusals.collect():
                raise root.refusal("pack", "a pack begins with its section pack")
        for place in self.answers:
            if place not in self.places:
                with self.refusals.collect():
                    told = f"desk: the pack leaves nothing open at {place}{near(place, self.places)}"
                    raise PackRefused(root.file, 1, 1, told)

    @property
    def answered(self) -> frozenset[str]:
        """The places that the desk answered."""
        return frozenset(place.name for place in self.places.values() if place.answered)

    def many(self, row: Row, key: str, tables: tuple[Table, ...], place: str, *, nested: bool = False) -> None:
        """A list of rows."""
        rows = row[key]
        if not isinstance(rows, Seq) or (nested and not rows):
            raise row.refusal(key, f"{key} is a list of rows")
        for n, inner in enumerate(rows):
            with self.refusals.collect():
                if not isinstance(inner, Row):
                    raise row.refusal(key, f"{key}: a row stands here", item=n)
                table = _table_of(inner, tables, key)
                name = next((inner[k] for k in table.keys), None)
                numbered = nested or name is None or table.keys == ("part",)
                self.row(inner, table, f"{place}.{n + 1}" if numbered else str(name))

    def one(self, row: Row, key: str, table: Table, place: str) -> None:
        """A single row."""
        if not isinstance(row[key], Row):
            raise row.refusal(key, f"{key} is one row of {', '.join(f.name for f in table.fields)}")
        self.row(row[key], table, place)

    def row(self, row: Row, table: Table, place: str) -> None:
        """One row: its fields, its places, the rows inside it."""
        row.place = place
        self.rows.append((row, table))
        name = next((str(row[k]) for k in table.keys if k in row), "a row")
        for field in table.fields:
            if field.required and field.name not in row:
                with self.refusals.collect():
                    raise row.refusal(row_key(row, table), f"{table.name}: {name} needs {field.name!r}")
        for key in list(row):
            with self.refusals.collect():
                found = table.field(key)
                if found is None:
                    raise row.refusal_of_key(key, f"{table.name}: the engine does not execute {key!r}")
                self.value(row, found, f"{place}.{key}")

    def value(self, row: Row, field: Field, place: str) -> None:
        """One field: settles a reading or a silence, then looks at the shape."""
        key, value = field.name, row[field.name]
        if isinstance(value, Row) and "reading" in value:
            self.reading(row, field, place, value)
        elif _silent(field, value):
            self.silence(row, field, place)
        elif is_silence(value) and not field.fixed:
            said = "a soft word" if str(value).startswith(SOFT) else "silence"
            raise row.refusal(key, f"{key}: {said} has no meaning here; write a value or a reading")
        self.shape(row, field, place)

    def reading(self, row: Row, field: Field, place: str, value: Row) -> None:
        """``{reading: X, or: [Y], because: …}``: the desk may choose Y."""
        key = field.name
        if field.fixed:
            raise row.refusal(key, f"{key} is no place for a reading")
        for k in value:
            if k not in READING:
                raise value.refusal_of_key(k, f"a reading has {', '.join(READING)}; not {k!r}")
        others, because = value.get("or"), value.get("because")
        if not isinstance(others, Seq) or not others or not isinstance(because, str):
            raise row.refusal(key, "a reading says what else the words allow (or, a list) and why (because, a text)")
        offers = [value["reading"], *others]
        for n, offer in enumerate(offers):
            why = None if _silent(field, offer) else _wrong(field, offer)
            if why is not None:
                raise value.refusal("or" if n else "reading", f"{key}: {why}", item=n - 1 if n else None)
        chosen, mark = offers[0], value.marks["reading"]
        if place in self.answers:
            given = self.answers[place]
            at = next((n for n, offer in enumerate(offers) if same(plain(offer), plain(given))), -1)
            if at < 0:
                told = f"desk: {place} is {given!r}; the pack offers {', '.join(map(repr, plain(offers)))}"
                raise row.refusal(key, told)
            chosen, mark = offers[at], value.marks["reading"] if at == 0 else others.marks[at - 1]
            row.desk[key] = place
            row.otherwise[key] = tuple(plain(offer) for n, offer in enumerate(offers) if n != at)
        row[key], row.marks[key] = chosen, mark
        self.places[place] = Place(
            name=place,
            kind="reading",
            value=plain(chosen),
            offers=tuple(plain(offers)),
            because=because,
            word=None,
            clause=row.clause,
            answered=place in self.answers,
            line=mark.line,
            column=mark.column,
        )

    def silence(self, row: Row, field: Field, place: str) -> None:
        """``not-stated`` or ``soft <word>``: the desk may fill it."""
        key = field.name
        text = str(row[key])
        if place in self.answers:
            row.desk[key] = place
            row[key] = graft(_counted(field, self.answers[place]), row, key)
            if not _silent(field, row[key]) and (why := _wrong(field, row[key])) is not None:
                raise row.refusal(key, why)
        mark = row.mark_of(key)
        self.places[place] = Place(
            name=place,
            kind="soft" if text.startswith(SOFT) else "not-stated",
            value=plain(row[key]),
            offers=(),
            because=None,
            word=text.removeprefix(SOFT) if text.startswith(SOFT) else None,
            clause=row.clause,
            answered=place in self.answers,
            line=mark.line,
            column=mark.column,
        )

    def shape(self, row: Row, field: Field, place: str) -> None:
        """The value in force: a single value, or rows of their own."""
        key, value = field.name, row[field.name]
        if _silent(field, value):
            return
        if field.rows and (isinstance(value, Seq) or field.shape is None):
            self.many(row, key, field.rows, place, nested=field.name != "rows" or field.rows[0].keys == ())
        elif field.row is not None:
            self.one(row, key, field.row, place)
        elif field.shape is not None and (why := field.shape.wrong(value)) is not None:
            raise row.refusal(key, why if why.startswith("not ") else f"{key}: {why}")


def row_key(row: Row, table: Table) -> str:
    """The field that names the row, else its first."""
    return next((k for k in table.keys if k in row), next(iter(row), ""))


def _table_of(row: Row, tables: tuple[Table, ...], section: str) -> Table:
    found = [t for t in tables if not t.keys or t.keys[0] in row]
    if len(found) == 1:
        return found[0]
    names = ", ".join(t.keys[0] for t in tables)
    if len(tables) == 1:
        raise row.refusal("", f"{section}: a row needs {names!r}")
    raise row.refusal("", f"{section}: a row is one of {names}" + ("; not two" if found else ""))


def _silent(field: Field, value: Any) -> bool:
    if not is_silence(value):
        return False
    if str(value).startswith(SOFT):
        return "soft" in field.silent and len(value) > len(SOFT)
    return value in field.silent


def _counted(field: Field, value: Any) -> Any:
    """An answer; a number that was written as a text, where only a number can stand, is that number."""
    if not isinstance(value, str) or re.fullmatch("[0-9]{1,9}", value) is None or _wrong(field, value) is None:
        return value
    return int(value) if _wrong(field, int(value)) is None else value


def _wrong(field: Field, value: Any) -> str | None:
    """What is wrong with a value that is offered or answered; rows inside it are looked at once it is in force."""
    if field.rows and (isinstance(value, list) or field.shape is None):
        return None if isinstance(value, list) and value else "a list of rows stands here"
    if field.row is not None:
        return None if isinstance(value, dict) else "a row stands here"
    return field.shape.wrong(value) if field.shape is not None else None
