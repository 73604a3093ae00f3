"""Questions to the register: who asks for which rows, a page at a time, as JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, RowMapping, Table, and_, cast, false, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import Text

from complaints.errors import Malformed
from ledger import models
from ledger.paging import INSTANT, LIMIT, MOST, TEXT, USUAL, YES_NO, cursor_of, instant, key_of, whole, yes_no
from ledger.projections.register import NAME, tables

FACT: Final = "fact."
COLUMNS: Final = (
    "complaint", "kind", "title", "status", "received_at", "channel", "grade", "owner", "holder", "assignees",
    "lacking", "next_due", "next_clock", "overdue", "provisional", "breached", "breaches", "owed", "undecided",
    "milestones", "closed_at", "reopened_at", "last_at", "receiver", "pack", "pack_version", "desk_version",
    "calendar", "imported", "decided", "counts", "facts", "version",
)  # fmt: skip
_EQUAL: Final = {
    "status": "status", "grade": "grade", "owner": "owner", "holder": "holder", "channel": "channel", "kind": "kind",
    "receiver": "receiver",
}  # fmt: skip
PARAMETERS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    **{name: (TEXT, f"Cases with this {name}.") for name in _EQUAL},
    "assignee": (TEXT, "Cases in which this person acts."),
    "overdue": (YES_NO, "Cases of which something is late now, or nothing."),
    "breached": (YES_NO, "Cases with a breach, or without."),
    "undecided": (YES_NO, "Cases in which a table is undecided, or none."),
    "due_before": (INSTANT, "Cases of which something falls due before this instant."),
    "received_from": (INSTANT, "Cases received at this instant or later."),
    "received_to": (INSTANT, "Cases received before this instant."),
    "text": (TEXT, "Cases with this text in their title or in a fact that is not personal."),
    "order": ({"type": "string", "enum": ["newest", "oldest"]}, "Which are first."),
    "limit": (LIMIT, "Entries on a page."),
    "after": (TEXT, "Taken from a `next` link."),
    "format": ({"type": "string", "enum": ["json", "csv"]}, "CSV comes whole."),
    "role": (TEXT, "Look as this role sees it; the key must speak for it."),
    "person": (TEXT, "Look as this person sees it."),
    "lang": (TEXT, "For the console's pages; the API takes it and makes nothing of it."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What rows are asked for. ``hidden``: facts that are kept from whoever asks."""

    desk: str
    equal: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    assignee: str | None = None
    overdue: bool | None = None
    breached: bool | None = None
    undecided: bool | None = None
    due_before: datetime | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    text: str | None = None
    oldest_first: bool = False
    limit: int = USUAL
    after: str | None = None
    hidden: frozenset[str] = frozenset()


def question(desk: str, asked: Mapping[str, str], hidden: frozenset[str]) -> Question:
    """The question of a query string. Raises Malformed, also for a parameter that there is none of."""
    for name in asked:
        if name not in PARAMETERS and not name.startswith(FACT):
            raise Malformed(name, "is no filter of the register", known=[*PARAMETERS, "fact.<name>"])
    order = asked.get("order", "newest")
    if order not in ("newest", "oldest"):
        raise Malformed("order", "must be newest or oldest")
    return Question(
        desk=desk,
        equal={name: asked[name] for name in _EQUAL if asked.get(name)},
        facts={name.removeprefix(FACT): value for name, value in asked.items() if name.startswith(FACT) and value},
        assignee=asked.get("assignee") or None,
        overdue=yes_no(asked.get("overdue"), "overdue"),
        breached=yes_no(asked.get("breached"), "breached"),
        undecided=yes_no(asked.get("undecided"), "undecided"),
        due_before=instant(asked.get("due_before"), "due_before"),
        received_from=instant(asked.get("received_from"), "received_from"),
        received_to=instant(asked.get("received_to"), "received_to"),
        text=asked.get("text") or None,
        oldest_first=order == "oldest",
        limit=whole(asked.get("limit"), "limit", USUAL, MOST),
        after=asked.get("after") or None,
        hidden=hidden,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page; None where there is nothing more."""

    rows: list[dict[str, Any]]
    after: str | None


class Registers:
    """Answers questions from the live register."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, asked: Question, now: datetime) -> Page:
        """A page of rows. Raises: NotBuilt; Malformed where the cursor is none."""
        async with self._engine.connect() as connection:
            table = _entry(await models.live(connection, NAME))
            place = [table.c.received_at, table.c.complaint]
            query = select(table).where(_matches(table, asked, now))
            if asked.after is not None:
                at = tuple_(*key_of(asked.after, datetime, UUID))
                query = query.where(tuple_(*place) > at if asked.oldest_first else tuple_(*place) < at)
            order = place if asked.oldest_first else [column.desc() for column in place]
            rows = (await connection.execute(query.order_by(*order).limit(asked.limit + 1))).mappings().all()
        shown = rows[: asked.limit]
        more = cursor_of(shown[-1]["received_at"], shown[-1]["complaint"]) if len(rows) > asked.limit else None
        return Page([_shown(row, now, asked.hidden) for row in shown], more)

    async def count(self, asked: Question, now: datetime) -> int:
        """How many rows there are in all. Raises: NotBuilt."""
        async with self._engine.connect() as connection:
            table = _entry(await models.live(connection, NAME))
            query = select(func.count()).select_from(table).where(_matches(table, asked, now))
            return int(await connection.scalar(query) or 0)

    async def everything(self, asked: Question, now: datetime) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """All rows, page by page."""
        after = asked.after
        while True:
            page = await self.page(replace(asked, after=after, limit=MOST), now)
            if page.rows:
                yield page.rows
            if page.after is None:
                return
            after = page.after


def _entry(schema: str) -> Table:
    return tables(schema).tables[f"{schema}.entry"]


def _matches(table: Table, asked: Question, now: datetime) -> ColumnElement[bool]:
    c = table.c
    found: list[ColumnElement[bool]] = [c.desk == asked.desk]
    found += [c[_EQUAL[name]] == value for name, value in asked.equal.items()]
    if asked.assignee is not None:
        found.append(c.people.contains([asked.assignee]))
    if asked.overdue is not None:
        late = and_(c.next_due.is_not(None), c.next_due < now)
        found.append(late if asked.overdue else ~late)
    if asked.breached is not None:
        found.append((c.breached > 0) if asked.breached else (c.breached == 0))
    if asked.undecided is not None:
        found.append((c.undecided > 0) if asked.undecided else (c.undecided == 0))
    if asked.due_before is not None:
        found.append(c.next_due < asked.due_before)
    if asked.received_from is not None:
        found.append(c.received_at >= asked.received_from)
    if asked.received_to is not None:
        found.append(c.received_at < asked.received_to)
    for name, value in asked.facts.items():
        found.append(false() if name in asked.hidden else _fact(c.facts, name, value))
    if asked.text is not None:
        seen = c.facts.op("-")(cast(sorted(asked.hidden), ARRAY(Text))) if asked.hidden else c.facts
        words = cast(seen, Text).icontains(asked.text, autoescape=True)
        found.append(words | c.title.icontains(asked.text, autoescape=True) if not asked.hidden else words)
    return and_(*found)


def _fact(facts: ColumnElement[Any], name: str, value: str) -> ColumnElement[bool]:
    """A fact has a value, as text or as what the text says in JSON: yes-no facts are true and false."""
    said: list[Any] = [value]
    try:
        plain = json.loads(value)
    except (ValueError, RecursionError):
        plain = None
    if isinstance(plain, bool | int | float) and math.isfinite(plain):
        said.append(plain)
    either = [facts.op("@>")(cast({name: one}, JSONB)) for one in said]
    return either[0] if len(either) == 1 else either[0] | either[1]


def _shown(row: RowMapping, now: datetime, hidden: frozenset[str]) -> dict[str, Any]:
    found = dict[str, Any](**row)
    found["complaint"], found["version"] = str(found["complaint"]), found["seen"]
    found["overdue"] = found["next_due"] is not None and found["next_due"] < now
    for name in ("facts", "decided", "counts"):
        found[name] = {key: value for key, value in found[name].items() if key not in hidden}
    if hidden:
        found["title"] = found["kind"]
    return {name: found[name] for name in COLUMNS}


# --- CSV ---
def csv_lines(rows: Sequence[Mapping[str, Any]], *, header: bool) -> str:
    """Rows as CSV (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if header:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case int() | float():
            return str(value)
        case _:
            said = str(value)
            return f"'{said}" if said[:1] in "=+-@\t\r" and said else said
