"""A count that was overtaken on its way is sent again; one that is merely on its way is not."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from complaints.codec import Envelope, Recorded
from complaints.commands import SYSTEM
from complaints.counting import Counted
from complaints.events import ComplaintCounted, Event, FactsRecorded
from routing.matters import overtaken
from routing.sheets import Sheet
from tests.services.routing.offices import NOON

ID = UUID("6b7b3c1e-6d5b-4f5e-9d55-2f6f2f8f3c11")
AT = datetime(2026, 3, 2, 4, tzinfo=UTC)


def recorded(event: Event) -> Recorded:
    meta = Envelope(desk="d", complaint=str(ID), at=AT, by=SYSTEM, command_id=ID)
    return Recorded(
        position=9,
        stream_id=ID,
        version=4,
        category="complaint",
        desk="d",
        type="complaint.counted",
        schema_version=1,
        recorded_at=AT,
        event=event,
        meta=meta,
        hash=b"",
        sealed={},
    )


def counted(value: int) -> Recorded:
    return recorded(ComplaintCounted(at=AT, count="same", value=value))


def sheet(sent: int | None, heard: int | None) -> Sheet:
    case = Counted(complaint=str(ID), received_at=AT)
    return Sheet(
        desk="d",
        desk_version=1,
        counted=case,
        sent={} if sent is None else {"same": sent},
        heard={} if heard is None else {"same": heard},
    )


def test_an_older_count_that_comes_after_the_last_is_followed_by_the_last_again() -> None:
    (command,) = overtaken(sheet(sent=3, heard=3), counted(2), NOON)
    assert (command.command, command.data) == ("record-count", {"count": "same", "value": 3})


@pytest.mark.parametrize(
    ("sent", "heard", "value"),
    [(3, 3, 3), (3, 2, 3), (3, 1, 2), (3, None, 2), (None, None, 2)],
    ids=["the last again", "the last", "one before, the last on its way", "the first", "never sent"],
)
def test_a_count_that_comes_in_its_turn_is_followed_by_nothing(sent: int | None, heard: int | None, value: int) -> None:
    assert overtaken(sheet(sent, heard), counted(value), NOON) == []


def test_what_is_no_count_and_what_is_not_counted_is_followed_by_nothing() -> None:
    assert overtaken(sheet(3, 3), recorded(FactsRecorded(at=AT, facts={}, person="x")), NOON) == []
    assert overtaken(None, counted(2), NOON) == []
