"""The register 台账: one row a case, with what is owed in it. No personal value stands here.

Whether something is overdue is asked when the register is read: a row changes only when its case does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from complaints.adapters.database import metadata
from complaints.business_time import BusinessCalendar
from complaints.codec import builtins
from complaints.complaint import Complaint
from complaints.desk_view import compiled_calendar
from complaints.desks import DeskViews
from complaints.errors import Malformed, PackRefused, Rejected, Unknown
from complaints.events import FactValue
from complaints.procedure.model import Procedure
from complaints.work import Case, Owed, Work, work
from ledger.files import File
from ledger.projections.model import NotShown, upsert

NAME: Final = "register"
PARTS: Final = ("dated", "undated", "stale")


@cache
def tables(schema: str) -> MetaData:
    """The register in a schema."""
    found = metadata(schema)
    instant = DateTime(timezone=True)
    Table(
        "entry",
        found,
        Column("complaint", Uuid, primary_key=True),
        Column("desk", Text, nullable=False),
        Column("seen", Integer, nullable=False),  # the version of the case that the row shows
        Column("position", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("title", Text, nullable=False),
        Column("pack", Text, nullable=False),
        Column("pack_version", Integer, nullable=False),
        Column("desk_version", Integer, nullable=False),
        Column("calendar", Text, nullable=False),
        Column("imported", Boolean, nullable=False),
        Column("received_at", instant, nullable=False),
        Column("last_at", instant, nullable=False),
        Column("channel", Text, nullable=False),
        Column("receiver", Text, nullable=False),
        Column("grade", Text),
        Column("owner", Text),
        Column("holder", Text, nullable=False),
        Column("assignees", JSONB, nullable=False),
        Column("lacking", JSONB, nullable=False),
        Column("people", ARRAY(Text), nullable=False),
        Column("status", Text, nullable=False),
        Column("closed_at", instant),
        Column("reopened_at", instant),
        Column("milestones", JSONB, nullable=False),
        Column("next_due", instant),
        Column("next_clock", Text),
        Column("provisional", Boolean, nullable=False),
        Column("breaches", JSONB, nullable=False),
        Column("breached", Integer, nullable=False),
        Column("owed", Integer, nullable=False),
        Column("undecided", Integer, nullable=False),
        Column("owing", ARRAY(Text), nullable=False),  # the roles that owe something
        Column("decided", JSONB, nullable=False),
        Column("counts", JSONB, nullable=False),
        Column("facts", JSONB, nullable=False),
        Column("work", JSONB, nullable=False),
        Index("entry_received", "desk", "received_at", "complaint"),
        Index("entry_due", "desk", "next_due"),
        Index("entry_people", "people", postgresql_using="gin"),
        Index("entry_owing", "owing", postgresql_using="gin"),
        Index("entry_facts", "facts", postgresql_using="gin", postgresql_ops={"facts": "jsonb_path_ops"}),
    )
    return found


class Register:
    """The register, written from files."""

    name = NAME
    meaning = 1

    def __init__(self, views: DeskViews) -> None:
        self._views = views

    def tables(self, schema: str) -> MetaData:
        """The register in a schema."""
        return tables(schema)

    async def write(self, connection: AsyncConnection, schema: str, files: Sequence[File]) -> None:
        """Writes the rows of these cases. Raises: NotShown, StoreUnavailable."""
        rows = [await self._row(file) for file in files if file.category == "complaint"]
        await upsert(connection, tables(schema).tables[f"{schema}.entry"], rows)

    async def _row(self, file: File) -> dict[str, Any]:
        try:
            view = await self._views.at(file.desk, file.under)
            current = await self._views.current(file.desk)
            calendars = {**view.calendars, **current.calendars}
            return row_of(file, view.procedure, compiled_calendar(calendars[file.state.calendar]))
        except (Unknown, Rejected, Malformed, PackRefused, KeyError) as error:
            raise NotShown(f"no row can be made of {file.stream}: {error}", stream=str(file.stream)) from error


def row_of(file: File, procedure: Procedure, calendar: BusinessCalendar) -> dict[str, Any]:
    """The row of a case, from the case and its procedure alone."""
    state = file.state
    at = state.last_at or datetime.min.replace(tzinfo=UTC)
    owed = work([Case(str(file.stream), state, procedure, calendar)], at)
    clock, due, provisional = next_due(procedure, state, owed)
    facts = public_facts(procedure, state)
    return {
        "complaint": file.stream,
        "desk": file.desk,
        "seen": file.version,
        "position": file.position,
        "kind": state.case,
        "title": title_of(procedure, state, facts),
        "pack": state.pack,
        "pack_version": state.pack_version,
        "desk_version": file.under,
        "calendar": state.calendar,
        "imported": state.imported,
        "received_at": state.received_at,
        "last_at": at,
        "channel": state.channel,
        "receiver": state.receiver,
        "grade": _text(state.decided.get("grade")),
        "owner": _text(state.decided.get("owner")),
        "holder": state.holder,
        "assignees": dict(state.assignees),
        "lacking": dict(state.lacking),
        "people": sorted(set(state.assignees.values())),
        "status": "closed" if state.closed else "open",
        "closed_at": state.closed_at,
        "reopened_at": state.reopened_at,
        "milestones": builtins(dict(state.milestones)),
        "next_due": due,
        "next_clock": clock,
        "provisional": provisional,
        "breaches": builtins(state.breaches),
        "breached": len(state.breaches),
        "owed": sum(len(getattr(owed, part)) for part in PARTS),
        "undecided": len(owed.undecided),
        "owing": sorted({role for part in PARTS for one in getattr(owed, part) for role in roles_of(one, state)}),
        "decided": dict(state.decided),
        "counts": dict(state.counts),
        "facts": facts,
        "work": _work(owed, state),
    }


def next_due(procedure: Procedure, state: Complaint, owed: Work) -> tuple[str | None, datetime | None, bool]:
    """What is due next, late or not: the step or clock, the instant, and whether it rests on unpublished days."""
    found = [(one.due_at, one.step, one.provisional) for one in owed.dated if one.due_at is not None]
    found += [
        (clock.due_at, name, clock.provisional)
        for name, clock in state.clocks.items()
        if name in procedure.clocks and clock.state == "running" and clock.due_at is not None
    ]
    if not found:
        return None, None, False
    due, name, provisional = min(found)
    return name, due, provisional


def public_facts(procedure: Procedure, state: Complaint) -> dict[str, FactValue]:
    """The facts of a case that are nobody's personal matter. One that the procedure does not know is kept back."""
    open_ = {name for name, fact in procedure.facts.items() if not fact.personal}
    return {name: value for name, value in state.facts.items() if name in open_}


def title_of(procedure: Procedure, state: Complaint, facts: dict[str, FactValue]) -> str:
    """A line by which people know the case: what kind it is, and what is chosen about it."""
    kind = procedure.kinds.get(state.case)
    parts = [kind.title if kind is not None else "投诉"]
    parts += [
        str(facts[name])
        for name, fact in procedure.facts.items()
        if fact.kind == "choice" and fact.of is None and isinstance(facts.get(name), str)
    ]
    return " · ".join(parts)


def roles_of(owed: Owed, state: Complaint) -> list[str]:
    """The roles any of which may do what is owed, ``owner`` and the like by who that is in this case."""
    standing = {
        "owner": _text(state.decided.get("owner")) or "owner",
        "holder": state.holder or "holder",
        "receiver": state.receiver or "receiver",
    }
    texts = [owed.by] if isinstance(owed.by, str) else owed.by
    names = (name.strip() for text in texts for name in text.split("|"))
    return list(dict.fromkeys(standing.get(name, name) for name in names))


def _work(owed: Work, state: Complaint) -> list[dict[str, Any]]:
    """The four parts of the work list as one list; an entry names its part and its roles."""
    found: list[dict[str, Any]] = []
    for part in PARTS:
        found += [{"part": part, "roles": roles_of(one, state), **builtins(one)} for one in getattr(owed, part)]
    found += [{"part": "undecided", "roles": [], **builtins(one)} for one in owed.undecided]
    for one in found:
        one.pop("late", None)  # a matter of when it is asked
    return found


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
