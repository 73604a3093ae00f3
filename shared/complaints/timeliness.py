"""Instants that senders claim: what lies in the future, or absurdly far back, is refused before anything is decided.

``at`` is when a command is received. Only a case that is imported may be told of a past in which it was received: the
commands of such a life carry their own instants, each no earlier than the one before it.

What a timer was fired for has come, though the clock here is behind the monitor's: its command is not before that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from complaints.commands import SERVICE_COMMANDS, Command, FireTimer, MissDuty, OpenDuty, Receive, StepData, name_of
from complaints.desk_view import IntakeLimits
from complaints.errors import Malformed, Rejected

AnyCommand = TypeVar("AnyCommand", bound=Command)

CLAIMED = ("occurred_at", "done_at", "due_at", "opens_at")
"""The instants that a command may claim."""


def in_utc(command: AnyCommand) -> AnyCommand:
    """The command with all its instants in UTC. Raises Malformed for one without an offset."""
    changes: dict[str, datetime] = {}
    for name in ("at", *CLAIMED):
        value = getattr(command, name, None)
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise Malformed(f"data.{name}", "must be an instant with its offset, as 2026-03-02T09:00:00+08:00")
            if value.tzinfo is not UTC:
                changes[name] = value.astimezone(UTC)
    return msgspec.structs.replace(command, **changes) if changes else command


def timely(
    command: AnyCommand, limits: IntakeLimits, now: datetime, *, imported: bool, last_at: datetime | None
) -> AnyCommand:
    """The command, if its instants can be believed; what lies ahead by no more than the clocks may differ is now.

    ``last_at``: of the case's last event. An imported step that is told out of order is done when it says, recorded
    when it can be.

    Raises: Rejected in-the-future, too-old.
    """
    back_dated = imported or (isinstance(command, Receive) and command.imported)
    ahead = now + limits.skew
    if command.at > ahead:
        raise _in_the_future("at", command.at, now)
    if not back_dated and name_of(command) not in SERVICE_COMMANDS and command.at < now - limits.skew:
        raise Rejected(
            "too-old",
            None,
            "only an imported case is told of the past by `at`; say done_at or occurred_at",
            field="at",
            earliest=(now - limits.skew).isoformat(),
        )
    _not_too_old("at", command.at, now, limits.imported_oldest)
    changes: dict[str, datetime] = {}
    fired_for = _fired_for(command)
    if fired_for is not None and command.at < fired_for <= ahead:
        changes["at"] = fired_for
    for name in ("occurred_at", "done_at"):
        claimed = getattr(command, name, None)
        if claimed is None:
            continue
        if claimed > min(command.at + limits.skew, ahead):
            raise _in_the_future(name, claimed, command.at)
        oldest = limits.oldest if name == "occurred_at" and not back_dated else limits.imported_oldest
        _not_too_old(name, claimed, now, oldest)
        changes[name] = min(claimed, command.at)
    out_of_order = back_dated and last_at is not None and command.at < last_at
    if out_of_order and isinstance(command, StepData) and command.done_at is None:
        changes["done_at"] = command.at
    return msgspec.structs.replace(command, **changes) if changes else command


def _fired_for(command: Command) -> datetime | None:
    """What a timer waited for."""
    match command:
        case FireTimer() | MissDuty():
            return command.due_at
        case OpenDuty():
            return command.opens_at
        case _:
            return None


def _in_the_future(field: str, claimed: datetime, now: datetime) -> Rejected:
    return Rejected("in-the-future", None, f"{field} {claimed.isoformat()} lies after {now.isoformat()}", field=field)


def _not_too_old(field: str, claimed: datetime, now: datetime, oldest: timedelta) -> None:
    earliest = now - oldest
    if claimed < earliest:
        raise Rejected(
            "too-old",
            None,
            f"{field} {claimed.isoformat()} lies before {earliest.isoformat()}",
            field=field,
            earliest=earliest.isoformat(),
        )
