"""Questions to the other read models: what is owed in the desk, what needs a person, duties and their reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from complaints.errors import Malformed
from ledger import models
from ledger.paging import LIMIT, MOST, TEXT, USUAL, YES_NO, cursor_of, key_of, whole, yes_no
from ledger.projections import duties, escalations, register

VIEWER: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "role": (TEXT, "Look as this role sees it; the key must speak for it."),
    "person": (TEXT, "Look as this person sees it."),
}
BOOK: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "format": ({"type": "string", "enum": ["json", "xlsx"]}, "A workbook, which comes whole, or JSON."),
}
_PAGE: Final = {**VIEWER, "limit": (LIMIT, "Entries on a page."), "after": (TEXT, "Taken from a `next` link.")}
ESCALATIONS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "open": (YES_NO, "What still needs a person, or what does no more."),
    "event": (TEXT, "What happened, as `clock.breached`."),
    **_PAGE,
}
STREAM: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    **VIEWER,
    "after": ({"type": "integer", "minimum": 0}, "The position after which to begin; `Last-Event-ID` goes before it."),
}
REPORTS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "owe": (TEXT, "The duty's name."),
    "state": ({"type": "string", "enum": ["open", "missed", "done", "lapsed"]}, "How the period stands."),
    **_PAGE,
}
DUTIES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "reported": (YES_NO, "Periods of which a report was produced, or none."),
    **REPORTS,
}
PARTS: Final = (*register.PARTS, "undecided")
_WORK: Final = """
SELECT e.complaint, e.title, e.grade, e.holder, e.seen, w.body, w.at, w.step
FROM {schema}.entry e
CROSS JOIN LATERAL (
    SELECT body, coalesce(body ->> 'step', body ->> 'decide') AS step,
        coalesce((body ->> CASE :part WHEN 'dated' THEN 'due_at' ELSE 'since' END)::timestamptz, e.received_at) AS at
    FROM jsonb_array_elements(e.work) AS body
    WHERE body ->> 'part' = :part
) w
WHERE e.desk = :desk AND (:part = 'undecided' OR e.work <> '[]')
    AND (CAST(:role AS text) IS NULL OR (e.owing @> ARRAY[CAST(:role AS text)] AND w.body -> 'roles' ? :role))
    AND (CAST(:person AS text) IS NULL
        OR (e.people @> ARRAY[CAST(:person AS text)] AND w.body ->> 'assignee' = :person))
    AND (CAST(:after_at AS timestamptz) IS NULL
        OR (w.at, e.complaint::text, w.step) > (:after_at, :after_complaint, :after_step))
ORDER BY w.at, e.complaint::text, w.step
LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the cursor of the next page; None where there is nothing more."""

    entries: list[dict[str, Any]]
    after: str | None


class Lists:
    """Answers questions from the live read models. Every method raises NotBuilt."""

    def __init__(self, engine: AsyncEngine, *, public_url: str) -> None:
        self._engine, self._public_url = engine, public_url.rstrip("/")

    # --- work ---
    async def work(
        self,
        desk: str,
        part: str,
        now: datetime,
        *,
        role: str | None,
        person: str | None,
        limit: int,
        after: str | None,
    ) -> Page:
        """One part of the work list: dated by due instant, the others by age. Raises Malformed."""
        at, complaint, step = key_of(after, datetime, str, str) if after is not None else (None, "", "")
        async with self._engine.connect() as connection:
            schema = await models.live(connection, register.NAME)
            rows = (
                await connection.execute(
                    text(_WORK.format(schema=schema)),  # the schema's name is made of ours alone
                    {
                        "desk": desk,
                        "part": part,
                        "role": role,
                        "person": person,
                        "limit": limit + 1,
                        "after_at": at,
                        "after_complaint": complaint,
                        "after_step": step,
                    },
                )
            ).all()
        shown = rows[:limit]
        entries = [
            {
                **{name: value for name, value in row.body.items() if name != "part"},
                "late": part == "dated" and row.at < now,
                "title": row.title,
                "grade": row.grade,
                "holder": row.holder,
                "version": row.seen,
            }
            for row in shown
        ]
        more = cursor_of(shown[-1].at, str(shown[-1].complaint), shown[-1].step) if len(rows) > limit else None
        return Page(entries, more)

    # --- escalations ---
    async def escalations(self, desk: str, asked: Mapping[str, str]) -> Page:
        """What needs a person, the newest first; ``open``: only what still does, or only what does no more.

        Raises: Malformed.
        """
        limit = whole(asked.get("limit"), "limit", USUAL, MOST)
        open_ = yes_no(asked.get("open"), "open")
        async with self._engine.connect() as connection:
            schema = await models.live(connection, escalations.NAME)
            table = escalations.tables(schema).tables[f"{schema}.alarm"]
            found: list[ColumnElement[bool]] = [table.c.desk == desk]
            if open_ is not None:
                found.append(table.c.settled_at.is_(None) if open_ else table.c.settled_at.is_not(None))
            if asked.get("event"):
                found.append(table.c.event == asked["event"])
            if asked.get("after"):
                found.append(table.c.position < key_of(asked["after"], int)[0])
            query = select(table).where(and_(*found)).order_by(table.c.position.desc()).limit(limit + 1)
            rows = (await connection.execute(query)).all()
        shown = rows[:limit]
        entries = [
            {
                **row.body,
                "link": self._public_url + row.body["link"],
                "settled_at": row.settled_at,
                "settled_by": row.settled_by,
            }
            for row in shown
        ]
        return Page(entries, cursor_of(shown[-1].position) if len(rows) > limit else None)

    async def written_upto(self, partitions: int) -> int:
        """A position up to which every event has been written: where a listener begins that has read the list."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(text("SELECT count(*), min(last_position) FROM ledger.inbox"))).one()
        return int(row[1] or 0) if row[0] >= partitions else 0

    # --- duties ---
    async def duties(self, desk: str, asked: Mapping[str, str], now: datetime) -> Page:
        """The desk's duties, the latest period first. Raises Malformed."""
        limit = whole(asked.get("limit"), "limit", USUAL, MOST)
        state, reported = asked.get("state"), yes_no(asked.get("reported"), "reported")
        if state not in (None, "", "open", "missed", "done", "lapsed"):
            raise Malformed("state", "must be open, missed, done or lapsed")
        async with self._engine.connect() as connection:
            table = _period(await models.live(connection, duties.NAME))
            c = table.c
            found: list[ColumnElement[bool]] = [c.desk == desk]
            if state:
                found.append(c.state == state)
            if asked.get("owe"):
                found.append(c.owe == asked["owe"])
            if reported is not None:
                found.append(c.reported_at.is_not(None) if reported else c.reported_at.is_(None))
            if asked.get("after"):
                at, owe, period = key_of(asked["after"], datetime, str, str)
                found.append(
                    (c.opened_at < at) | and_(c.opened_at == at, (c.owe > owe) | and_(c.owe == owe, c.period > period))
                )
            query = select(table).where(and_(*found)).order_by(c.opened_at.desc(), c.owe, c.period).limit(limit + 1)
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[:limit]
        entries = [
            {
                **{name: value for name, value in row.items() if name not in ("desk", "seen")},
                "overdue": row["state"] in ("open", "missed") and row["due_at"] is not None and row["due_at"] < now,
            }
            for row in shown
        ]
        last = shown[-1] if len(rows) > limit else None
        more = cursor_of(last["opened_at"], last["owe"], last["period"]) if last is not None else None
        return Page(entries, more)


def _period(schema: str) -> Table:
    return duties.tables(schema).tables[f"{schema}.period"]
