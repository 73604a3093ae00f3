"""A pack file as rows that know where they stand. YAML 1.2, without anchors, aliases and tags.

``Row`` and ``Seq`` are a dict and a list that keep line and column of every key and value, so that whatever is refused
later is refused with its place in the file. Lines and columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.tokens import AliasToken, AnchorToken, TagToken

from complaints.errors import PackRefused
from complaints.events import Clause


class Mark(NamedTuple):
    """Where a key or a value begins; ``text``: the column of its first character, None where columns do not add up."""

    line: int
    column: int
    text: int | None = None


class Row(dict[str, Any]):
    """A mapping of the file.

    ``desk`` holds, for each field that the desk answered, the name of the place; ``otherwise``, for each reading among
    these, the offers that it did not take. ``place`` is the row's own.
    """

    __slots__ = ("desk", "file", "keys_at", "mark", "marks", "otherwise", "parent", "place")

    def __init__(self, file: str, mark: Mark, parent: Row | None) -> None:
        super().__init__()
        self.file, self.mark, self.parent = file, mark, parent
        self.keys_at: dict[str, Mark] = {}
        self.marks: dict[str, Mark] = {}
        self.desk: dict[str, str] = {}
        self.otherwise: dict[str, tuple[Any, ...]] = {}
        self.place = ""

    @property
    def clause(self) -> Clause:
        """The clause of this row, else of the row around it."""
        own = self.get("clause")
        if isinstance(own, str) or (isinstance(own, list) and all(isinstance(c, str) for c in own)):
            return own if isinstance(own, str) else list(own)
        return self.parent.clause if self.parent is not None else None

    def mark_of(self, key: str, item: int | None = None) -> Mark:
        """Where the value of ``key``, or its ``item``-th element, stands; the row itself where there is none."""
        value = self.get(key)
        if item is not None and isinstance(value, Seq):
            return value.marks[item]
        return self.marks.get(key, self.mark)

    def refusal(self, key: str, why: str, *, item: int | None = None, column: int | None = None) -> PackRefused:
        """The error that says why the value of ``key`` is refused; ``column`` counts from 1 inside its text."""
        mark = self.mark_of(key, item)
        at = mark.text + column - 1 if column is not None and mark.text is not None else mark.column
        told = f"desk: {self.desk[key]}: {why}" if key in self.desk else why
        return PackRefused(self.file, mark.line, at, told, self.clause)

    def refusal_of_key(self, key: str, why: str) -> PackRefused:
        """The error that says why there must be no ``key`` here."""
        mark = self.keys_at.get(key, self.mark)
        return PackRefused(self.file, mark.line, mark.column, why, self.clause)


class Seq(list[Any]):
    """A sequence of the file."""

    __slots__ = ("mark", "marks")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.marks: list[Mark] = []


NO_MARKS: Final = "no anchors, aliases or tags; quote a text that begins with ! & or *"
DEEPEST: Final = 24
LONGEST: Final = 1_000_000
INTEGER: Final = re.compile(r"[-+]?[0-9]+")
FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
ODD_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
"""Ends of a line for YAML 1.1, none for YAML 1.2 and for editors: what follows would stand on another line for each."""
WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read(text: str, file: str) -> Row:
    """The file's one mapping.

    Raises:
        PackRefused: not YAML; a line that ends for some readers only; an anchor, alias or tag; a key twice; anything
            but one mapping.
    """
    if len(text) > LONGEST:
        raise PackRefused(file, 1, 1, f"a pack of {len(text)} characters; {LONGEST} are enough for any procedure")
    _refuse_odd_breaks(text, file)
    try:
        events = _events(text, file)
    except MarkedYAMLError as error:
        _refuse_marks(text, file)
        at = error.problem_mark or error.context_mark
        line, column = (at.line + 1, at.column + 1) if at is not None else (1, 1)
        problem = str(error.problem or error.context or "not YAML").strip().splitlines()[0]
        raise PackRefused(file, line, column, f"not YAML: {problem}") from None
    except YAMLError as error:
        raise PackRefused(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}") from None
    roots = [e for e in events if hasattr(e, "anchor")]
    if not roots or not isinstance(roots[0], MappingStartEvent):
        raise PackRefused(file, 1, 1, "a pack is one mapping of sections")
    reader = _Reader(file, iter(events[events.index(roots[0]) :]))
    root = reader.mapping(reader.next(), None)
    if any(hasattr(e, "anchor") for e in reader.events):
        raise PackRefused(file, 1, 1, "a pack file holds one document")
    return root


@lru_cache(maxsize=64)  # many desks run the same pack, each with answers of its own
def _events(text: str, file: str) -> tuple[Event, ...]:
    found, depth = [], 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, MappingStartEvent | SequenceStartEvent)
        depth -= isinstance(event, MappingEndEvent | SequenceEndEvent)
        if depth > DEEPEST:  # before the parser's time grows with the square of it
            raise PackRefused(file, _mark(event).line, _mark(event).column, "nested too deeply for a pack")
        if not isinstance(event, DocumentStartEvent):
            found.append(event)
    return tuple(found)


def _refuse_odd_breaks(text: str, file: str) -> None:
    if (odd := ODD_BREAKS.search(text)) is not None:
        at, code = odd.start(), ord(odd[0])
        why = f"the character U+{code:04X} ends a line for some readers and not for others; write it \\u{code:04x}"
        raise PackRefused(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), why)


def _refuse_marks(text: str, file: str) -> None:
    """Refuses the anchor, alias or tag that made the file unreadable: a condition that begins with ``!``, unquoted."""
    with suppress(YAMLError):
        for token in YAML(typ="safe", pure=True).scan(text):
            if isinstance(token, AliasToken | AnchorToken | TagToken):
                raise PackRefused(file, token.start_mark.line + 1, token.start_mark.column + 1, NO_MARKS)


class _Reader:
    """Builds rows from parser events."""

    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self.file, self.events = file, events

    def next(self) -> Event:
        event = next(self.events)
        mark = _mark(event)
        tag = getattr(event, "ctag", None)
        if getattr(event, "anchor", None) is not None or isinstance(event, AliasEvent) or tag is not None:
            raise PackRefused(self.file, mark.line, mark.column, NO_MARKS)
        return event

    def value(self, event: Event, parent: Row | None) -> Any:
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        return self.sequence(event, parent) if isinstance(event, SequenceStartEvent) else self.mapping(event, parent)

    def sequence(self, event: Event, parent: Row | None) -> Seq:
        seq = Seq(_mark(event))
        while not isinstance(event := self.next(), SequenceEndEvent):
            seq.marks.append(_mark(event))
            seq.append(self.value(event, parent))
        return seq

    def mapping(self, event: Event, parent: Row | None) -> Row:
        row = Row(self.file, _mark(event), parent)
        while not isinstance(event := self.next(), MappingEndEvent):
            key = str(event.value) if isinstance(event, ScalarEvent) else ""
            at = _mark(event)
            if not key or key in row:
                why = f"{key!r} stands here twice" if key else "a field's name is a word"
                raise PackRefused(self.file, at.line, at.column, why, row.clause)
            row.keys_at[key] = at
            event = self.next()
            row.marks[key] = _mark(event)
            row[key] = self.value(event, row)
        return row


def _mark(event: Event) -> Mark:
    start, end = event.start_mark, event.end_mark
    text = None
    if isinstance(event, ScalarEvent) and start.line == end.line:
        quotes = 0 if event.style is None else 1
        if end.column - start.column == len(event.value) + 2 * quotes:  # no escapes
            text = start.column + 1 + quotes
    return Mark(start.line + 1, start.column + 1, text)


def _scalar(event: ScalarEvent) -> str | int | float | bool | None:
    value = str(event.value)
    if event.style is not None:
        return value
    if value in WORDS:
        return WORDS[value]
    if INTEGER.fullmatch(value):
        return int(value)
    return float(value) if FLOAT.fullmatch(value) else value


def graft(value: Any, row: Row, key: str) -> Any:
    """A desk's answer, which did not come from the file, as rows and sequences at the place that it fills."""
    mark = row.marks.get(key, row.mark)._replace(text=None)
    if isinstance(value, dict):
        made = Row(row.file, mark, row)
        for k, v in value.items():
            made.desk[str(k)] = row.desk[key]
            made.marks[str(k)] = made.keys_at[str(k)] = mark
            made[str(k)] = graft(v, made, str(k))
        return made
    if isinstance(value, list | tuple):
        seq = Seq(mark)
        for v in value:
            seq.append(graft(v, row, key))
            seq.marks.append(mark)
        return seq
    return value
