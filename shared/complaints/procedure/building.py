"""Conditions and limits, compiled where they stand in their rows; what every section needs to read its fields."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from complaints.procedure.conditions import CelCondition, Names, Wrong
from complaints.procedure.document import Row
from complaints.procedure.limits import Limit, LimitKind, parse_limit
from complaints.procedure.model import UNSET
from complaints.procedure.naming import Naming
from complaints.procedure.places import Refusals
from complaints.procedure.shapes import NOT_STATED, is_silence

Asked = list[tuple[CelCondition, Row, str]]
LENGTHS = frozenset(
    (LimitKind.ELAPSED, LimitKind.HOURS, LimitKind.WORKING, LimitKind.WORKING_DAYS, LimitKind.DAYS, LimitKind.MONTHS)
)
"""Kinds of limit that are a length of time: they can be counted from any instant."""


def alternatives(value: Any) -> tuple[str, ...]:
    """``a | b`` or a list of such as one tuple of names; silence is no name."""
    if value is None or is_silence(value):
        return ()
    texts = value if isinstance(value, list) else [value]
    return tuple(name for text in texts for name in str(text).split(" | "))


def needed(value: Any) -> tuple[tuple[str, ...], ...]:
    """``[a, b | c]``: all of them, of each any."""
    if value is None:
        return ()
    return tuple(tuple(str(text).split(" | ")) for text in (value if isinstance(value, list) else [value]))


def english(row: Row) -> tuple[str | None, str | None]:
    """Our translation of ``says`` (or of ``title`` where there is no says), and of the title beside a says."""
    en = row.get("en")
    return (en["says"], en["title"]) if isinstance(en, dict) else (en, None)


class Builder:
    """Conditions and limits in their rows; ``asked`` keeps every condition with the row and field where it stands."""

    def __init__(self, naming: Naming, refusals: Refusals) -> None:
        self.naming, self.refusals = naming, refusals
        self.answers = naming.names.answers
        self.asked: Asked = []

    def condition(
        self, row: Row, key: str, *, item: str | None = None, names: Names | None = None
    ) -> CelCondition | None:
        """The condition of a field, None where there is none; ``item``: the kind of item inside which it is asked."""
        if key not in row:
            return None
        try:
            condition = (names or self.naming.names).compile(row[key])
        except Wrong as wrong:
            at = f"column {wrong.column} of the condition: " if wrong.column is not None else ""
            raise row.refusal(key, at + wrong.why, column=wrong.column) from None
        for name in condition.refs:
            kind = self.naming.scope.get(name, item)
            if kind != item:
                raise row.refusal(key, f"{name} belongs to each {kind}; ask for {kind}.open or {kind}.count")
        self.asked.append((condition, row, key))
        return condition

    def otherwise(self, row: Row, key: str) -> tuple[CelCondition, ...]:
        """The conditions that the desk might have chosen in this field, where it chose one."""
        made = []
        for text in row.otherwise.get(key, ()):
            with suppress(Wrong):  # a condition that stands only beside another answer would not have decided
                made.append(self.naming.names.compile(text))
        return tuple(made)

    def must(self, row: Row, key: str, *, item: str | None = None) -> CelCondition:
        """The condition of a field that the row has."""
        condition = self.condition(row, key, item=item)
        if condition is None:
            raise row.refusal(key, f"needs {key!r}")
        return condition

    def limit(self, row: Row, key: str, *, item: str | None = None) -> Limit:
        """The limit of a field that the row has."""
        limit = parse_limit(str(row[key]))
        question = limit.question
        if question == "hours" and "hours" not in self.answers:
            raise row.refusal(key, "'h' needs the question hours (elapsed or working), or write 'h elapsed'")
        if question == "first_day" and "first_day" not in self.answers:
            raise row.refusal(key, "'working days' needs the question first_day (next_day or same_day)")
        if limit.fact is not None:
            self.instant(row, key, limit.fact, item=item)
        return limit

    def instant(self, row: Row, key: str, name: str, *, item: str | None = None) -> None:
        """Refuses a name that is no instant, or an instant of each item outside it."""
        if self.naming.names.types.get(name) != "time":
            raise row.refusal(key, f"{name} is not a fact of type time")
        if self.naming.scope.get(name, item) != item:
            raise row.refusal(key, f"{name} belongs to each {self.naming.scope[name]}")

    def start(self, row: Row, *, item: str | None = None) -> str | None:
        """``from``: received, a step, a step with .over, or a fact that is an instant."""
        start: str | None = row.get("from")
        if start is None or start == "received":
            return start
        if start.startswith("fact "):
            self.instant(row, "from", start.removeprefix("fact "), item=item)
            return start
        step = start.removesuffix(".over")
        if step not in self.naming.steps:
            raise row.refusal("from", f"no such step: {step}")
        kind = self.naming.steps[step][1].get("for-each")
        if kind not in (None, item):
            raise row.refusal("from", f"{step} belongs to each {kind}")
        return start

    def starts_as(self, row: Row, name: str) -> Any:
        """The starting value of a fact or count, UNSET where nothing holds before somebody speaks."""
        value = row.get("starts-as", NOT_STATED)
        if value == NOT_STATED:
            return UNSET
        kind = self.naming.names.types[name]
        choices = self.naming.names.values.get(name)
        if "fact" in row and ("means" in row or "within" in row):
            raise row.refusal("starts-as", f"{name} is derived; it has no value of its own to start as")
        if kind == "yes-no":
            value = {"yes": True, "no": False}.get(value, value) if isinstance(value, str) else value
            fits = isinstance(value, bool)
        elif kind == "number":
            fits = isinstance(value, int) and not isinstance(value, bool)
        elif kind == "text":
            fits = isinstance(value, str) and (choices is None or value in choices)
        else:
            fits = False
        if not fits:
            raise row.refusal("starts-as", f"{name} is never {row['starts-as']}")
        return value
