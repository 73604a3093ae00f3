"""What a world has to tell: events, refusals and messages, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

from complaints.codec import builtins, wire_event
from complaints.errors import Rejected
from complaints.events import Clause, Event


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a case, or of the desk's duties."""

    complaint: str  # the scenario's own name for the case, or ``desk``
    event: Event
    case: str = "complaint"

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.event.at

    def wire(self, zone: tzinfo) -> dict[str, Any]:
        """The line that says so, its instants in the desk's zone."""
        return wire_event(in_zone(self.event, zone), complaint=self.complaint, case=self.case) | {
            "at": self.at.astimezone(zone).isoformat()
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule said no."""

    at: datetime
    complaint: str
    command: str
    rejected: Rejected

    def wire(self, zone: tzinfo) -> dict[str, Any]:
        """The line that says so."""
        return {
            "at": self.at.astimezone(zone).isoformat(),
            "complaint": self.complaint,
            "rejected": self.rejected.code,
            "clause": self.rejected.clause,
            "data": {"why": self.rejected.why, **builtins(in_zone(self.rejected.data, zone))},
        }


@dataclass(frozen=True, slots=True)
class Told:
    """A message that the notifier would send."""

    at: datetime
    complaint: str
    message: str  # its kind
    clause: Clause
    data: Mapping[str, Any] = field(default_factory=dict)

    def wire(self, zone: tzinfo) -> dict[str, Any]:
        """The line that says so."""
        return {
            "at": self.at.astimezone(zone).isoformat(),
            "complaint": self.complaint,
            "message": self.message,
            "clause": self.clause,
            "data": builtins(in_zone(dict(self.data), zone)),
        }


Entry = Happened | Refused | Told


HOLDS_INSTANTS: Final = (datetime, list, tuple, msgspec.Struct)


def in_zone(value: Any, zone: tzinfo) -> Any:
    """The same value with every instant in it as the desk's wall shows it."""
    if isinstance(value, datetime):
        return value.astimezone(zone)
    if isinstance(value, msgspec.Struct):
        held = {name: getattr(value, name) for name in value.__struct_fields__}
        moved = {name: in_zone(one, zone) for name, one in held.items() if isinstance(one, HOLDS_INSTANTS) and one}
        return msgspec.structs.replace(value, **moved) if moved else value
    if isinstance(value, dict):
        return {key: in_zone(one, zone) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(in_zone(one, zone) for one in value)
    return value
