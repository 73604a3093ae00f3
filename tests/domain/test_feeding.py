"""What rows of the sample data ask for. The rows here are made up; they have the columns of the real ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from redress.feeding.files import FILES, DataFile, desks
from redress.feeding.rows import (
    BACKWARDS,
    GAP,
    OUT_OF_ORDER,
    SENDER,
    UTC_ASSUMED,
    IncidentLog,
    Line,
    Row,
    cfpb_complaint,
    cfpb_narrative,
    chinese_complaint,
    local,
    nyc_request,
)

NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(row: Row) -> list[tuple[str, str, datetime | None]]:
    """What a row tells, in short: command, step, instant."""
    return [(line.command, line.data.get("step", ""), line.at) for line in row.lines]


# --- local times ---
def test_a_local_time_is_the_instant_that_the_clocks_of_its_zone_show_then() -> None:
    assert local("2025-01-01T07:52:00", NEW_YORK) == (utc("2025-01-01T12:52"), ())
    assert local("2025-07-01T07:52:00", NEW_YORK) == (utc("2025-07-01T11:52"), ())


def test_a_local_time_that_the_clock_skips_is_taken_as_that_much_after_the_jump_and_said_so() -> None:
    assert local("2025-03-09T02:30:00", NEW_YORK) == (utc("2025-03-09T07:30"), (GAP,))
    assert utc("2025-03-09T07:30").astimezone(NEW_YORK).time().isoformat() == "03:30:00"


@pytest.mark.parametrize("edge", ["2025-03-09T01:59:59", "2025-03-09T03:00:00"])
def test_the_times_beside_the_jump_are_there(edge: str) -> None:
    assert local(edge, NEW_YORK)[1] == ()


def test_of_a_local_time_that_comes_twice_the_first_coming_is_meant() -> None:
    assert local("2025-11-02T01:30:00", NEW_YORK) == (utc("2025-11-02T05:30"), ())


# --- complaints ---
def cfpb(**fields: str) -> dict[str, str]:
    empty = dict.fromkeys(
        ("complaint_id", "issue", "sub_issue", "product", "sub_product", "company", "state", "zip_code"), ""
    )
    return {**empty, "complaint_id": "17", "consumer_complaint_narrative": "", "submitted_via": "Web", **fields}


def test_a_financial_complaint_is_received_now_with_what_it_says() -> None:
    row = cfpb_complaint(
        cfpb(
            issue="Fees",
            sub_issue="Charged twice",
            product="Card",
            company="A Bank",
            state="NJ",
            zip_code="070XX",
            consumer_complaint_narrative="They charged me XXXX twice.",
        )
    )
    assert [line.body("k") for line in row.lines] == [
        {
            "complaint": "cfpb:17",
            "command": "receive",
            "by": SENDER,
            "key": "k",
            "data": {
                "channel": "web",
                "facts": {
                    "source_id": "cfpb:17",
                    "subject": "Fees / Charged twice",
                    "category": "Card",
                    "respondent": "A Bank",
                    "place": "NJ 070XX",
                    "content": "They charged me XXXX twice.",
                    "acknowledged_elsewhere": True,
                },
            },
        }
    ]
    assert (row.remarks, row.silent) == ((), None)


def test_what_a_row_leaves_empty_is_no_fact() -> None:
    (line,) = cfpb_complaint(cfpb(issue="Fees")).lines
    assert line.data["facts"] == {"source_id": "cfpb:17", "subject": "Fees", "acknowledged_elsewhere": True}


@pytest.mark.parametrize(
    ("sent", "channel"),
    [("Postal mail", "letter"), ("Email", "email"), ("Referral", "referral"), ("", "other")],
)
def test_the_channel_is_how_the_complaint_was_sent(sent: str, channel: str) -> None:
    assert cfpb_complaint(cfpb(submitted_via=sent)).lines[0].data["channel"] == channel


def test_a_narrative_is_a_case_of_its_own() -> None:
    (line,) = cfpb_narrative({"source_row": "9", "product": "Loans", "narrative": "They lost my file."}).lines
    assert (line.complaint, line.command, line.at) == ("cfpb-narrative:9", "receive", None)
    assert line.data["facts"]["content"] == "They lost my file."


@pytest.mark.parametrize(
    ("topics", "category", "subject"), [(["refund", "delivery"], "refund", "refund, delivery"), ([], None, None)]
)
def test_the_first_topic_that_was_found_in_a_review_is_its_category(
    topics: list[str], category: str | None, subject: str | None
) -> None:
    (line,) = chinese_complaint({"id": "zh-1", "text": "退款没有到账", "matched_topics": topics}).lines
    facts = line.data["facts"]
    assert (facts["content"], facts.get("category"), facts.get("subject")) == ("退款没有到账", category, subject)


# --- lives of service requests ---
def request(**fields: str) -> dict[str, str]:
    return {
        "unique_key": "5",
        "created_at_local": "2025-01-06T09:00:00",
        "closed_at_local": "2025-01-08T10:00:00",
        "resolution_updated_at_local": "2025-01-07T10:00:00",
        "agency": "DSNY",
        "agency_name": "Sanitation",
        "complaint_type": "Noise",
        "descriptor": "Loud",
        "location_type": "Street",
        "incident_zip": "11429",
        "city": "QUEENS",
        **fields,
    }


def test_a_request_is_received_answered_by_its_agency_and_closed_each_at_its_own_instant() -> None:
    row = nyc_request(request())
    assert told(row) == [
        ("receive", "", utc("2025-01-06T14:00")),
        ("record-step", "answer", utc("2025-01-07T15:00")),
        ("record-step", "closed_by_person", utc("2025-01-08T15:00")),
    ]
    assert [line.by["role"] for line in row.lines] == ["desk_lead", "DSNY", "DSNY"]
    assert row.lines[0].data["facts"]["department"] == "DSNY"
    assert row.lines[0].data["facts"]["place"] == "Street, QUEENS, 11429"
    assert row.remarks == ()


def test_a_request_that_is_open_is_received_and_nothing_else() -> None:
    assert told(nyc_request(request(closed_at_local=""))) == [("receive", "", utc("2025-01-06T14:00"))]


def test_a_request_without_an_update_is_answered_when_it_is_closed() -> None:
    row = nyc_request(request(resolution_updated_at_local=""))
    assert [at for _, _, at in told(row)[1:]] == [utc("2025-01-08T15:00")] * 2
    assert row.remarks == ()


def test_a_resolution_updated_after_the_closing_is_dated_at_the_closing_and_said_so() -> None:
    row = nyc_request(request(resolution_updated_at_local="2025-02-01T10:00:00"))
    assert [at for _, _, at in told(row)[1:]] == [utc("2025-01-08T15:00")] * 2
    assert row.remarks == (OUT_OF_ORDER,)


def test_a_request_created_in_the_hour_that_the_clock_skips_says_so_once() -> None:
    skipped = "2025-03-09T02:10:00"
    row = nyc_request(
        request(created_at_local=skipped, resolution_updated_at_local=skipped, closed_at_local="2025-03-09T02:40:00")
    )
    assert [at for _, _, at in told(row)] == [
        utc("2025-03-09T07:10"),
        utc("2025-03-09T07:10"),
        utc("2025-03-09T07:40"),
    ]
    assert row.remarks == (GAP,)


def test_a_request_closed_before_it_was_created_is_told_as_it_stands_and_left_to_the_system_to_refuse() -> None:
    row = nyc_request(request(closed_at_local="2025-01-05T10:00:00", resolution_updated_at_local=""))
    assert [at for _, _, at in told(row)] == [utc("2025-01-06T14:00"), *[utc("2025-01-05T15:00")] * 2]


# --- lives of incidents ---
def update(**fields: str) -> dict[str, str]:
    return {
        "number": "INC1",
        "sys_updated_at": "2016-03-01T10:00",
        "opened_at": "2016-03-01T09:00",
        "incident_state": "New",
        "contact_type": "Phone",
        "category": "Category 1",
        "subcategory": "Subcategory 2",
        "priority": "3 - Moderate",
        "assignment_group": "Group 7",
        **fields,
    }


def log(*updates: dict[str, str]) -> list[Row]:
    read = IncidentLog().row
    return [read(each) for each in updates]


def steps(rows: Iterable[Row]) -> list[list[str]]:
    """The steps that each row tells; commands that tell none by their own name."""
    return [[str(line.data.get("step", line.command)) for line in row.lines] for row in rows]


def facts(line: Line) -> dict[str, Any]:
    return dict(line.data["facts"])


def test_the_first_update_of_an_incident_is_a_complaint_received_when_the_incident_was_opened() -> None:
    (row,) = log(update())
    (line,) = row.lines
    assert (line.complaint, line.command, line.at) == ("incident:INC1", "receive", utc("2016-03-01T09:00"))
    assert line.data["channel"] == "Phone"
    assert facts(line) == {
        "source_id": "incident:INC1",
        "subject": "Subcategory 2",
        "category": "Category 1",
        "priority": "normal",
        "department": "group_7",
        "acknowledged_elsewhere": True,
    }
    assert row.remarks == (UTC_ASSUMED,)


@pytest.mark.parametrize(
    ("priority", "grade"),
    [("1 - Critical", "high"), ("2 - High", "high"), ("3 - Moderate", "normal"), ("4 - Low", "low")],
)
def test_four_priorities_become_three(priority: str, grade: str) -> None:
    assert facts(log(update(priority=priority))[0].lines[0])["priority"] == grade


def test_an_update_that_changes_nothing_is_silent_and_says_why() -> None:
    _, row = log(update(), update(sys_updated_at="2016-03-01T11:00"))
    assert row.lines == ()
    assert row.silent == "an update that changes nothing the procedure knows"


def test_waiting_for_the_caller_is_a_fact_from_the_update_that_says_so_to_the_one_that_does_not() -> None:
    _, waits, goes_on = log(
        update(),
        update(sys_updated_at="2016-03-01T11:00", incident_state="Awaiting User Info"),
        update(sys_updated_at="2016-03-02T11:00", incident_state="Active"),
    )
    assert told(waits) == [("record-facts", "", utc("2016-03-01T11:00"))]
    assert facts(waits.lines[0]) == {"waiting_for_customer": True}
    assert told(goes_on) == [("record-facts", "", utc("2016-03-02T11:00"))]
    assert facts(goes_on.lines[0]) == {"waiting_for_customer": False}


def test_an_incident_that_waits_for_its_caller_from_the_beginning_is_received_so() -> None:
    (row,) = log(update(incident_state="Awaiting User Info"))
    assert facts(row.lines[0])["waiting_for_customer"] is True


def test_another_group_is_another_department_and_a_hand_over() -> None:
    _, row = log(update(), update(sys_updated_at="2016-03-01T11:00", assignment_group="Group 8"))
    assert steps([row]) == [["record-facts", "reassign"]]
    assert facts(row.lines[0]) == {"department": "group_8"}


def test_a_group_that_is_taken_away_is_no_hand_over() -> None:
    _, row = log(update(), update(sys_updated_at="2016-03-01T11:00", assignment_group=""))
    assert row.lines == ()


def test_another_priority_is_a_fact_only_where_it_makes_another_grade() -> None:
    _, same, lower = log(
        update(priority="1 - Critical"),
        update(sys_updated_at="2016-03-01T11:00", priority="2 - High"),
        update(sys_updated_at="2016-03-01T12:00", priority="4 - Low"),
    )
    assert same.lines == ()
    assert facts(lower.lines[0]) == {"priority": "low"}


def test_resolved_is_the_answer_and_closed_the_closing() -> None:
    rows = log(
        update(),
        update(sys_updated_at="2016-03-02T11:00", incident_state="Resolved"),
        update(sys_updated_at="2016-03-03T11:00", incident_state="Closed"),
    )
    assert steps(rows) == [["receive"], ["answer"], ["closed_by_person"]]


def test_an_incident_that_goes_straight_to_closed_is_answered_and_closed_at_once() -> None:
    _, row = log(update(), update(sys_updated_at="2016-03-02T11:00", incident_state="Closed"))
    assert told(row) == [
        ("record-step", "answer", utc("2016-03-02T11:00")),
        ("record-step", "closed_by_person", utc("2016-03-02T11:00")),
    ]


def test_a_log_that_begins_at_the_end_tells_the_whole_life_in_one_row() -> None:
    (row,) = log(update(incident_state="Closed"))
    assert steps([row]) == [["receive", "answer", "closed_by_person"]]


def test_after_the_answer_another_group_is_no_hand_over() -> None:
    rows = log(
        update(),
        update(sys_updated_at="2016-03-02T11:00", incident_state="Resolved"),
        update(sys_updated_at="2016-03-02T12:00", incident_state="Resolved", assignment_group="Group 8"),
    )
    assert steps(rows) == [["receive"], ["answer"], ["record-facts"]]


def test_a_resolved_incident_that_is_worked_on_again_was_not_accepted_and_is_answered_again() -> None:
    rows = log(
        update(),
        update(sys_updated_at="2016-03-02T11:00", incident_state="Resolved"),
        update(sys_updated_at="2016-03-03T11:00", incident_state="Active"),
        update(sys_updated_at="2016-03-04T11:00", incident_state="Resolved"),
    )
    assert steps(rows) == [["receive"], ["answer"], ["heard_again"], ["answer"]]
    (heard,) = rows[2].lines
    assert (heard.data["outcome"], heard.by["role"]) == ("not_accepted", "customer_desk")


def test_a_closed_incident_that_is_worked_on_again_is_reopened_before_anything_else_of_that_update() -> None:
    rows = log(
        update(incident_state="Closed"),
        update(sys_updated_at="2016-03-03T11:00", incident_state="Active", assignment_group="Group 8"),
        update(sys_updated_at="2016-03-04T11:00", incident_state="Closed", assignment_group="Group 8"),
    )
    assert steps(rows)[1:] == [["reopened", "record-facts", "reassign"], ["answer", "closed_by_person"]]


def test_an_update_that_lies_before_the_one_before_it_is_dated_as_that_one_and_said_so() -> None:
    _, _, late = log(
        update(),
        update(sys_updated_at="2016-03-02T11:00", assignment_group="Group 8"),
        update(sys_updated_at="2016-03-01T23:00", incident_state="Resolved", assignment_group="Group 8"),
    )
    assert told(late) == [("record-step", "answer", utc("2016-03-02T11:00"))]
    assert late.remarks == (UTC_ASSUMED, BACKWARDS)


def test_a_first_update_before_the_opening_is_dated_at_the_opening() -> None:
    (row,) = log(update(sys_updated_at="2016-03-01T08:00", incident_state="Resolved"))
    assert [at for _, _, at in told(row)] == [utc("2016-03-01T09:00")] * 2
    assert row.remarks == (UTC_ASSUMED, BACKWARDS)


def test_incidents_of_one_log_do_not_mix() -> None:
    rows = log(update(), update(number="INC2", assignment_group="Group 8"), update(sys_updated_at="2016-03-01T11:00"))
    assert steps(rows) == [["receive"], ["receive"], []]


# --- files ---
def write(folder: Path, file: DataFile, records: Sequence[dict[str, Any]]) -> None:
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        if file.path.endswith(".csv"):
            writer = csv.DictWriter(out, records[0])
            writer.writeheader()
            writer.writerows(records)
        else:
            out.writelines(json.dumps(record, ensure_ascii=False) + "\n\n" for record in records)


def test_a_record_of_several_lines_of_text_is_one_row(tmp_path: Path) -> None:
    file = FILES[0]
    write(tmp_path, file, [cfpb(consumer_complaint_narrative="one\ntwo\r\nthree"), cfpb(complaint_id="18")])
    first, second = file.rows(tmp_path)
    assert facts(first.lines[0])["content"] == "one\ntwo\r\nthree"
    assert second.lines[0].complaint == "cfpb:18"


def test_blank_lines_between_records_are_no_rows(tmp_path: Path) -> None:
    file = next(file for file in FILES if file.name == "Chinese reviews")
    write(tmp_path, file, [{"id": f"zh-{n}", "text": "坏了", "matched_topics": []} for n in range(3)])
    assert [row.lines[0].complaint for row in file.rows(tmp_path)] == ["zh-0", "zh-1", "zh-2"]


def test_reading_a_log_a_second_time_begins_anew(tmp_path: Path) -> None:
    file = next(file for file in FILES if file.name == "Incident log")
    write(tmp_path, file, [update(), update(sys_updated_at="2016-03-02T11:00", incident_state="Closed")])
    assert list(file.rows(tmp_path)) == list(file.rows(tmp_path))


def test_every_file_goes_to_a_desk_that_is_opened_for_it() -> None:
    assert {file.desk for file in FILES} == {desk.desk for desk in desks()}
