"""What one line of a bulk request, or one CloudEvent, asks for.

A sender that does not wait for answers names complaints by labels of its own: label L of a desk is the complaint that
its `receive` opens, in this request and every later one. And it may send lives that are over: then each command has the
instant at which it was sent, and the case is marked as imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

from msgspec.structs import replace

from complaints.codec import DESK
from complaints.commands import COMMAND_TYPES
from complaints.desk_keys import Principal
from complaints.errors import Malformed
from complaints.identity import EVERY_DESK, complaint_id
from intake.auth import allows, desk_of, need_scope
from intake.commands import DUTIES, RECEIVE, Asked, no_such_command
from intake.schemas import BulkLine, CommandBody

LONGEST: Final = 255
"""Characters of a label or a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A command and what it is for. ``complaint``: its id, as far as it is known; ``others``: those that it names.

    ``desk`` may be None only for a case that is named by its id. ``order``: what is done in order has the same one.
    """

    kind: Literal["receive", "case", "duty"]
    asked: Asked
    desk: str | None
    complaint: str | None
    label: str | None = None
    others: tuple[str, ...] = ()
    order: str


def understood(who: Principal, line: BulkLine, default_desk: str | None) -> Wanted:
    """What a line asks for.

    Raises: Malformed naming the field; Refused, Unknown: the key is not good for it.
    """
    _check_names(line)
    if line.command not in COMMAND_TYPES:
        raise no_such_command(line.command)
    desk = line.desk if line.desk is not None else default_desk
    if line.at is not None:
        need_scope(who, "import")
    if line.command in DUTIES:
        desk = desk_of(who, desk, field="desk")
        return Wanted(kind="duty", asked=_asked(line), desk=desk, complaint=None, order=f"{DESK}:{desk}")
    if line.command == RECEIVE:
        return _receipt(who, line, desk_of(who, desk, field="desk"))
    if line.complaint is None:
        raise Malformed("complaint", "is missing")
    if desk is not None or who.desk != EVERY_DESK or not _is_id(line.complaint):
        desk = desk_of(who, desk, field="desk")
    complaint = _resolved(line.complaint, desk)
    data, others = _referring(line.data, line.command, desk)
    return Wanted(
        kind="case", asked=_asked(line, data=data), desk=desk, complaint=complaint, others=others, order=complaint
    )


def _receipt(who: Principal, line: BulkLine, desk: str) -> Wanted:
    if line.complaint is not None and _is_id(line.complaint):
        raise Malformed("complaint", "must be a label of your own: a new complaint is given its id")
    data, others = _referring(line.data, RECEIVE, desk)
    at = line.at
    if at is None and allows(who, "import"):
        at = _instant(data.get("occurred_at"))
    if at is not None:
        data = {"occurred_at": at.isoformat(), **data, "imported": True}
    label = line.complaint if line.complaint is not None else line.key
    complaint = str(complaint_id(desk, label)) if label is not None else None
    return Wanted(
        kind="receive",
        asked=replace(_asked(line, data=data), key=line.key if line.key is not None else label, at=at),
        desk=desk,
        complaint=complaint,
        label=label,
        others=others,
        order=complaint or str(uuid4()),
    )


def _asked(line: BulkLine, *, data: dict[str, Any] | None = None) -> Asked:
    body = CommandBody(by=line.by, data=line.data if data is None else data)
    return Asked(name=line.command, body=body, key=line.key, at=line.at, if_version=line.if_version)


def _check_names(line: BulkLine) -> None:
    for field in ("complaint", "key", "desk"):
        value = getattr(line, field)
        if value is not None and not (value.strip() and len(value) <= LONGEST and value.isprintable()):
            raise Malformed(field, f"must be 1 to {LONGEST} printable characters")
    if line.at is not None and line.at.tzinfo is None:
        raise Malformed("at", "must be an instant with its offset, as 2026-03-02T09:00:00+08:00")


def _instant(value: object) -> datetime | None:
    """An instant that the data names, as far as it is one; what else is wrong with it the core says."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _is_id(complaint: str) -> bool:
    """Whether it is an id as answers give it; other ways to write a UUID may be somebody's labels."""
    try:
        return str(UUID(complaint)) == complaint.lower()
    except ValueError:
        return False


def _resolved(complaint: str, desk: str | None) -> str:
    """The id behind a label; an id stands for itself."""
    if desk is None or _is_id(complaint):
        return str(UUID(complaint))
    return str(complaint_id(desk, complaint))


def _referring(data: dict[str, Any], command: str, desk: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The data with labels of other complaints resolved, and those complaints."""
    if command == "link" and isinstance(named := data.get("complaint"), str):
        resolved = _resolved(named, desk) if desk is not None else named
        return {**data, "complaint": resolved}, (resolved,)
    again = data.get("again_of")
    if command == RECEIVE and isinstance(again, Mapping) and isinstance(named := again.get("complaint"), str):
        resolved = _resolved(named, desk)
        return {**data, "again_of": {**again, "complaint": resolved}}, (resolved,)
    return data, ()
