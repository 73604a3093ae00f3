"""What a row of a data file asks for, as lines of the bulk API. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

SENDER: Final = {"person": "feed", "role": "desk_lead"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command about a case, named by a label of ours. ``at``: when it happened; None: now."""

    complaint: str
    command: str
    data: Mapping[str, Any]
    by: Mapping[str, str] = field(default_factory=lambda: SENDER)
    at: datetime | None = None

    def body(self, key: str) -> dict[str, Any]:
        """The line as the API takes it."""
        body = {"complaint": self.complaint, "command": self.command, "by": self.by, "data": self.data, "key": key}
        return body | ({"at": self.at.isoformat()} if self.at is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a file and what it asks for. ``remarks``: what had to be understood otherwise than it stands.

    Without lines it says nothing that the procedure knows; ``silent`` says why.
    """

    lines: tuple[Line, ...]
    remarks: tuple[str, ...] = ()
    silent: str | None = None


Fields = Mapping[str, str]

GAP: Final = "a local time that the clock skips; taken as that much after the jump"


def local(text: str, zone: ZoneInfo) -> tuple[datetime, tuple[str, ...]]:
    """The instant of a wall time without offset, and remarks. Of one that comes twice the first coming is meant."""
    at = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    exists = at.astimezone(zone).replace(tzinfo=None) == datetime.fromisoformat(text)
    return at, () if exists else (GAP,)


def known(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts without those that the row leaves empty."""
    return {name: value for name, value in facts.items() if value not in {"", None}}


def received(label: str, facts: Mapping[str, Any], *, channel: str, at: datetime | None = None) -> Line:
    """A case comes in; whoever sent it has its acknowledgement from where it comes from."""
    data = {"channel": channel or "other", "facts": {**known(facts), "acknowledged_elsewhere": True}}
    return Line(complaint=label, command="receive", data=data, at=at)


def step(label: str, name: str, at: datetime, by: str, **data: Any) -> Line:
    """A step is recorded by a role."""
    return Line(
        complaint=label, command="record-step", data={"step": name, **data}, by={"person": by, "role": by}, at=at
    )


# --- complaints as they come in ---
CHANNELS: Final = {"Postal mail": "letter", "Web": "web", "Phone": "phone", "Fax": "fax", "Email": "email"}


def cfpb_complaint(fields: Fields) -> Row:
    """A complaint about a financial product, received now; its own date stays in its number's register."""
    number = fields["complaint_id"]
    facts = {
        "source_id": f"cfpb:{number}",
        "subject": " / ".join(text for text in (fields["issue"], fields["sub_issue"]) if text),
        "category": fields["product"],
        "product": fields["sub_product"],
        "respondent": fields["company"],
        "place": " ".join(text for text in (fields["state"], fields["zip_code"]) if text),
        "content": fields["consumer_complaint_narrative"],
    }
    channel = CHANNELS.get(fields["submitted_via"], fields["submitted_via"].lower())
    return Row(lines=(received(f"cfpb:{number}", facts, channel=channel),))


def cfpb_narrative(fields: Fields) -> Row:
    """A complaint told in the consumer's own words."""
    number = fields["source_row"]
    facts = {
        "source_id": f"cfpb-narrative:{number}",
        "content": fields["narrative"],
        "category": fields["product"],
        "subject": fields["product"],
    }
    return Row(lines=(received(f"cfpb-narrative:{number}", facts, channel="web"),))


def chinese_complaint(fields: Mapping[str, Any]) -> Row:
    """A review that complains. Its topics are found by keywords and say no more than that."""
    topics = list(fields["matched_topics"])
    facts = {
        "source_id": fields["id"],
        "content": fields["text"],
        "category": topics[0] if topics else "",
        "subject": ", ".join(topics),
    }
    return Row(lines=(received(str(fields["id"]), facts, channel="web"),))


# --- whole lives ---
NEW_YORK: Final = ZoneInfo("America/New_York")
OUT_OF_ORDER: Final = "the resolution was updated after the closing; the answer is dated at the closing"


def nyc_request(fields: Fields) -> Row:
    """A service request from its creation to its closing: the agency answers when it updates the resolution."""
    label, agency = f"nyc311:{fields['unique_key']}", fields["agency"]
    created, remarks = local(fields["created_at_local"], NEW_YORK)
    facts = {
        "source_id": label,
        "subject": fields["descriptor"],
        "category": fields["complaint_type"],
        "department": agency,
        "respondent": fields["agency_name"],
        "place": ", ".join(text for text in (fields["location_type"], fields["city"], fields["incident_zip"]) if text),
    }
    lines = [received(label, facts, channel="phone", at=created)]
    updated, closed = fields["resolution_updated_at_local"], fields["closed_at_local"]
    if closed:
        closed_at, more = local(closed, NEW_YORK)
        answered_at, again = local(updated, NEW_YORK) if updated else (closed_at, ())
        remarks = (*remarks, *more, *again, *((OUT_OF_ORDER,) if answered_at > closed_at else ()))
        answered_at = min(answered_at, closed_at)
        lines.append(step(label, "answer", answered_at, agency))
        lines.append(step(label, "closed_by_person", closed_at, agency))
    return Row(lines=tuple(lines), remarks=tuple(dict.fromkeys(remarks)))


PRIORITIES: Final = {"1": "high", "2": "high", "3": "normal", "4": "low"}
UTC_ASSUMED: Final = "no time zone is stated; taken as UTC"
WAITS_FOR_THE_CALLER: Final = "Awaiting User Info"
BACKWARDS: Final = "its instant lies before that of the update before it; dated as that one"


@dataclass(slots=True)
class IncidentLog:
    """Updates of incidents, in the order of their numbers and counts; what changes between two is what happened."""

    last: dict[str, Fields] = field(default_factory=dict)
    last_at: dict[str, datetime] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def row(self, fields: Fields) -> Row:
        """What an update says that the one before it did not."""
        number = fields["number"]
        label, before = f"incident:{number}", self.last.get(number)
        remarks = [UTC_ASSUMED]
        at = datetime.fromisoformat(fields["sys_updated_at"]).replace(tzinfo=UTC)
        lines: list[Line] = []
        if before is None:
            opened = datetime.fromisoformat(fields["opened_at"]).replace(tzinfo=UTC)
            lines.append(received(label, _incident_facts(label, fields), channel=fields["contact_type"], at=opened))
            self.last_at[number] = opened
        if at < self.last_at[number]:
            at = self.last_at[number]
            remarks.append(BACKWARDS)
        lines += self._changes(label, number, before, fields, at)
        self.last[number], self.last_at[number] = fields, at
        silent = None if lines else "an update that changes nothing the procedure knows"
        return Row(lines=tuple(lines), remarks=tuple(remarks), silent=silent)

    def _changes(self, label: str, number: str, before: Fields | None, now: Fields, at: datetime) -> Iterator[Line]:
        was, state = (before or {}).get("incident_state", "New"), now["incident_state"]
        group = _group(now)
        if was in {"Resolved", "Closed"} and state not in {"Resolved", "Closed"} and number in self.answered:
            yield from self._taken_up_again(label, number, was, at)
        facts = _changed_facts(before, now)
        if facts:
            yield Line(complaint=label, command="record-facts", data={"facts": facts}, at=at)
        if before is not None and group not in {"", _group(before)} and number not in self.answered:
            yield step(label, "reassign", at, "desk_lead")
        if state in {"Resolved", "Closed"} and number not in self.answered:
            self.answered.add(number)
            yield step(label, "answer", at, "desk_lead")
        if state == "Closed" and was != "Closed":
            yield step(label, "closed_by_person", at, "desk_lead")

    def _taken_up_again(self, label: str, number: str, was: str, at: datetime) -> Iterator[Line]:
        self.answered.discard(number)
        if was == "Closed":
            yield step(label, "reopened", at, "customer_desk")
        else:
            yield step(label, "heard_again", at, "customer_desk", outcome="not_accepted")


def _incident_facts(label: str, fields: Fields) -> dict[str, Any]:
    return {
        "source_id": label,
        "subject": fields["subcategory"],
        "category": fields["category"],
        "priority": _priority(fields),
        "department": _group(fields),
        "waiting_for_customer": True if fields["incident_state"] == WAITS_FOR_THE_CALLER else None,
    }


def _changed_facts(before: Fields | None, now: Fields) -> dict[str, Any]:
    if before is None:
        return {}
    read: dict[str, Callable[[Fields], Any]] = {
        "priority": _priority,
        "department": _group,
        "waiting_for_customer": lambda fields: fields["incident_state"] == WAITS_FOR_THE_CALLER,
    }
    return known({name: value(now) for name, value in read.items() if value(now) != value(before)})


def _group(fields: Fields) -> str:
    return fields["assignment_group"].lower().replace(" ", "_")


def _priority(fields: Fields) -> str:
    return PRIORITIES[fields["priority"][:1]]
