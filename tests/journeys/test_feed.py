"""The sample data's way into a running system: `redress feed` over a small folder of made-up rows.

One desk has people with mail addresses before it is fed, so that whoever is told of something could be told of the
past as well; the others are opened by the feed.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from typer.testing import CliRunner

from complaints.adapters.kafka import Topics
from complaints.identity import complaint_id
from local_stack.ports import free_port
from redress.feed import app
from redress.feeding.files import FILES, desks
from redress.feeding.sending import FeedFailed
from tests.contracts.bus import everything_on
from tests.journeys.live import Live, running
from tests.journeys.mailbox import text_of

START: Final = datetime(2050, 3, 14, 9, tzinfo=UTC)
"""A Monday that is still to come: when something was recorded is the server's own time, and that must not make a past
of what happens here after it."""

SOON_DUE: Final = datetime(2050, 3, 16, 18, tzinfo=UTC)  # three working days after the Friday on which SOON was opened
INCIDENTS: Final = "it-incidents"
PEOPLE: Final = (
    ("feed", ["desk_lead"]),
    ("desk_lead", ["desk_lead"]),
    ("customer_desk", ["customer_desk"]),
    ("gus", ["group_7"]),
    ("hugo", ["head"]),
)


# --- the data ---
def cfpb(number: str, **fields: str) -> dict[str, str]:
    columns = (
        *("complaint_id", "product", "sub_product", "issue", "sub_issue", "consumer_complaint_narrative"),
        *("company", "state", "zip_code", "submitted_via"),
    )
    return {**dict.fromkeys(columns, ""), "complaint_id": number, "issue": "Fees", "submitted_via": "Web", **fields}


def request(number: str, created: str, closed: str = "", updated: str = "") -> dict[str, str]:
    return {
        "unique_key": number,
        "created_at_local": created,
        "closed_at_local": closed,
        "resolution_updated_at_local": updated,
        "agency": "DSNY",
        "agency_name": "Sanitation",
        "complaint_type": "Noise",
        "descriptor": "Loud",
        "location_type": "Street",
        "incident_zip": "00000",
        "city": "SOMEWHERE",
    }


def incident(
    number: str, opened: str, *updates: tuple[str, str], priority: str = "2 - High", group: str = "Group 7"
) -> list[dict[str, str]]:
    """Updates of an incident: (instant, state), or (instant, group) where another group takes over."""
    rows = []
    state = "New"
    for at, what in updates:
        state, group = (state, what) if what.startswith("Group") else (what, group)
        rows.append(
            {
                "number": number,
                "sys_updated_at": at,
                "opened_at": opened,
                "incident_state": state,
                "contact_type": "Phone",
                "category": "Category 1",
                "subcategory": "Subcategory 2",
                "priority": priority,
                "assignment_group": group,
            }
        )
    return rows


ROWS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "CFPB complaints": [
        cfpb("1", consumer_complaint_narrative="Charged twice,\nand once more."),
        cfpb("2"),
        cfpb("2", issue="The same number again"),
    ],
    "CFPB narratives": [{"source_row": "1", "product": "Loans", "narrative": "They lost my file."}],
    "Chinese reviews": [
        {"id": "zh-1", "text": "退款一直没有到账", "matched_topics": ["refund"]},
        {"id": "zh-2", "text": "送来的是坏的", "matched_topics": []},
    ],
    "NYC 311": [
        request("1", "2025-01-06T09:00:00", "2025-01-08T10:00:00", "2025-01-07T10:00:00"),
        request("2", "2025-01-06T09:00:00"),  # never answered
        request("3", "2025-03-09T02:30:00", "2025-03-10T09:00:00"),  # in the hour that the clock skips
        request("4", "2025-01-06T09:00:00", "2025-01-05T10:00:00"),  # closed before it was created
        request("5", "2025-01-06T09:00:00", "2025-01-08T10:00:00", "2025-02-03T10:00:00"),  # updated after it
    ],
    "Incident log": [
        *incident(
            "LATE",
            "2016-03-01T09:00",
            ("2016-03-01T09:30", "New"),
            ("2016-03-01T09:40", "New"),  # says nothing new
            ("2016-03-10T09:00", "Resolved"),
            ("2016-03-11T09:00", "Closed"),
        ),
        *incident("OPEN", "2016-03-01T09:00", ("2016-03-01T09:30", "New")),
        *incident(
            "WAITS",
            "2016-03-01T09:00",
            ("2016-03-01T09:30", "New"),
            ("2016-03-02T09:00", "Awaiting User Info"),
            ("2016-03-08T09:00", "Active"),
            ("2016-03-08T10:00", "Group 8"),
            ("2016-03-09T09:00", "Resolved"),
            ("2016-03-10T09:00", "Active"),
            ("2016-03-11T09:00", "Closed"),
            ("2016-03-14T09:00", "Active"),
            ("2016-03-13T09:00", "Closed"),  # before the update before it
        ),
        *incident("SOON", "2050-03-11T09:00", ("2050-03-11T09:30", "New")),
    ],
}


def write(folder: Path) -> Path:
    """The folder of data sets."""
    for file in FILES:
        path = folder / file.path
        path.parent.mkdir(parents=True)
        with path.open("w", encoding="utf-8", newline="") as out:
            if file.path.endswith(".csv"):
                writer = csv.DictWriter(out, ROWS[file.name][0])
                writer.writeheader()
                writer.writerows(ROWS[file.name])
            else:
                out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS[file.name])
    return folder


# --- the running system ---
Account = Mapping[str, Any]


@dataclass(kw_only=True)
class Fed:
    """What the two runs said, and what the system holds after them."""

    first: Mapping[str, Account]
    second: Mapping[str, Account]
    third: str  # as a person reads it
    events: tuple[int, int]  # on record after each run
    histories: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)  # by label
    alerts: list[Mapping[str, Any]] = field(default_factory=list)  # records of the escalations topic
    deliveries: list[tuple[str, str]] = field(default_factory=list)  # kind, case
    letters: list[str] = field(default_factory=list)  # texts of the mails


@pytest.fixture(scope="module")
async def fed(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Fed:
    """The data fed twice, then two days and a half in which nobody does anything."""
    data = write(tmp_path_factory.mktemp("data"))
    async with running(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        topic_prefix=topic_prefix,
        data_dir=tmp_path_factory.mktemp("feed"),
        start=START,
    ) as live:
        await live.done("/v1/desks", _staffed())
        first = await _feed(live, data)
        await live.settled()
        after = await _events(live)
        second = await _feed(live, data)
        await live.settled()
        fed = Fed(first=first, second=second, third=await _told(live, data), events=(after, await _events(live)))
        await live.advance(SOON_DUE + timedelta(hours=1))
        labels = [(file.desk, line.complaint) for file in FILES for row in file.rows(data) for line in row.lines]
        fed.histories = {label: await live.history(complaint_id(desk, label)) for desk, label in labels}
        topics = Topics(live.settings.kafka.topic_prefix)
        fed.alerts = [
            json.loads(record.value) for record in await everything_on(live.settings.kafka, topics.escalations)
        ]
        rows = await live.pool.fetch("SELECT kind, complaint FROM notifier.delivery")
        fed.deliveries = [(row["kind"], row["complaint"]) for row in rows]
        fed.letters = [text_of(mail) for mail in live.mailbox.mails]
    return fed


def _staffed() -> Mapping[str, Any]:
    """The desk of the incidents with people whom mail can reach."""
    desk = next(desk for desk in desks() if desk.desk == INCIDENTS)
    people = [{"person": person, "roles": roles, "email": f"{person}@desk.example"} for person, roles in PEOPLE]
    opened: dict[str, Any] = msgspec.to_builtins(desk)
    departments = [{"department": name, "title": name} for name in ("group_7", "group_8", "customer_desk")]
    return {**opened, "people": people, "departments": departments}


async def _feed(live: Live, data: Path) -> Mapping[str, Account]:
    """The account that a run gives of each file."""
    lines = (await _told(live, data, "--json")).splitlines()
    return {account["file"]: account for account in map(json.loads, lines)}


async def _told(live: Live, data: Path, *options: str) -> str:
    """What `redress feed` prints: it runs beside the services, as another process would."""
    arguments = ["--data", str(data), "--url", str(live.http.base_url), "--key", live.key, *options]
    ran = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


async def _events(live: Live) -> int:
    """How many events of cases are on record."""
    return int(await live.pool.fetchval("SELECT count(*) FROM es.event WHERE category = 'complaint'"))


def happened(history: Iterable[Mapping[str, Any]], *names: str) -> list[tuple[str, str, Any]]:
    """Events of these names: name, instant, and what it is about."""
    return [
        (event["event"], event["at"], event["data"].get("clock") or event["data"].get("to"))
        for event in history
        if event["event"] in names
    ]


CHASED: Final = [
    ("clock.breached", "2016-03-04T18:00:00Z", "answer"),
    ("complaint.escalated", "2016-03-04T18:00:00Z", "desk_lead"),
    ("clock.breached", "2016-03-08T18:00:00Z", "directions"),
    ("complaint.escalated", "2016-03-08T18:00:00Z", "head"),
]
"""An urgent case of a Tuesday that nobody answers: three working days, then two, each until six in the evening."""


def case(label: str, desk: str = INCIDENTS) -> str:
    return str(complaint_id(desk, label))


# --- the account ---
@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_every_row_is_accounted_for(name: str, fed: Fed) -> None:
    for account in (fed.first[name], fed.second[name]):
        assert account["rows"] == len(ROWS[name])
        assert account["rows"] == sum(account[became] for became in ("accepted", "already", "refused", "silent"))
        assert account["adds_up"] is True


def test_what_is_new_is_accepted(fed: Fed) -> None:
    assert {name: account["accepted"] for name, account in fed.first.items()} == {
        "CFPB complaints": 2,
        "CFPB narratives": 1,
        "Chinese reviews": 2,
        "NYC 311": 4,
        "Incident log": 14,
    }


def test_what_is_refused_is_grouped_by_its_reason_with_the_clause_and_an_example(fed: Fed) -> None:
    account = fed.first["NYC 311"]
    assert account["refused"] == 1
    assert account["reasons"] == {"record-step: not-a-time (第十条)": 1, "record-step: step-not-open (第十七条)": 1}
    assert [example.split(":")[:2] for (example,) in account["examples"].values()] == [["nyc311", "4"]] * 2


def test_a_number_that_comes_twice_is_refused_the_second_time(fed: Fed) -> None:
    assert fed.first["CFPB complaints"]["refused"] == 1
    assert len(happened(fed.histories["cfpb:2"], "complaint.received")) == 1


def test_a_row_that_says_nothing_new_is_counted_as_silent(fed: Fed) -> None:
    assert fed.first["Incident log"]["silent"] == 1


def test_what_had_to_be_understood_otherwise_is_remarked(fed: Fed) -> None:
    assert sorted(fed.first["NYC 311"]["remarks"].values()) == [1, 1]
    assert sorted(fed.first["Incident log"]["remarks"].values()) == [1, len(ROWS["Incident log"])]


def test_what_the_procedure_made_of_the_rows_is_counted(fed: Fed) -> None:
    events = fed.first["Incident log"]["events"]
    names = ("complaint.received", "clock.breached", "complaint.escalated", "complaint.reopened", "complaint.closed")
    assert [events[name] for name in names] == [4, 2, 2, 1, 3]


def test_a_second_run_adds_nothing(fed: Fed) -> None:
    for name, account in fed.second.items():
        assert account["accepted"] == 0
        assert account["already"] == fed.first[name]["accepted"]
        assert account["refused"] == fed.first[name]["refused"]
        assert account["events"] == {}
    assert fed.events[1] == fed.events[0]


def test_a_person_reads_the_same_account(fed: Fed) -> None:
    assert "NYC 311 → nyc-311\n  5 rows: 0 accepted, 4 there already, 1 refused, 0 saying nothing new" in fed.third


# --- lives ---
def test_complaints_are_received_now_and_lives_when_they_began(fed: Fed) -> None:
    received = {label: history[0]["at"] for label, history in fed.histories.items()}
    assert received["cfpb:1"] == received["zh-1"] == "2050-03-14T09:00:00Z"
    assert received["nyc311:1"] == "2025-01-06T14:00:00Z"
    assert received["nyc311:3"] == "2025-03-09T07:30:00Z"
    assert received["incident:LATE"] == "2016-03-01T09:00:00Z"


def test_only_lives_are_marked_as_imported(fed: Fed) -> None:
    marked = {label for label, history in fed.histories.items() if history[0]["data"].get("imported")}
    assert marked == {label for label in fed.histories if label.startswith(("nyc311:", "incident:"))}


@pytest.mark.parametrize("label", ["incident:LATE", "incident:OPEN"])
def test_a_life_has_its_breaches_and_escalations_at_their_true_instants(label: str, fed: Fed) -> None:
    """LATE is told to its end, and its own later rows bring them up; OPEN is not, and its timers do."""
    assert happened(fed.histories[label], "clock.breached", "complaint.escalated") == CHASED


def test_each_of_them_cites_its_clause(fed: Fed) -> None:
    chased = [e for e in fed.histories["incident:LATE"] if e["event"] in {"clock.breached", "complaint.escalated"}]
    assert [event["clause"] for event in chased] == ["第十条（二）", "第十二条", "第十三条", "第十三条"]


def test_the_history_of_a_life_runs_forward(fed: Fed) -> None:
    for history in fed.histories.values():
        instants = [datetime.fromisoformat(event["at"]) for event in history]
        assert instants == sorted(instants)


def test_a_life_pauses_changes_hands_and_is_reopened_when_the_rows_say_so(fed: Fed) -> None:
    history = fed.histories["incident:WAITS"]
    told = ("clock.paused", "clock.resumed", "complaint.passed", "work.recorded", "complaint.reopened")
    assert [at for name, at, _ in happened(history, *told)] == [
        "2016-03-02T09:00:00Z",
        "2016-03-08T09:00:00Z",
        "2016-03-08T10:00:00Z",
        "2016-03-10T09:00:00Z",
        "2016-03-14T09:00:00Z",
    ]
    assert happened(history, "clock.breached", "complaint.escalated") == []


# --- and nobody is told of the past ---
def test_nobody_is_alerted_to_what_lies_in_the_past_but_to_what_comes_after_it(fed: Fed) -> None:
    """SOON is imported as well, and its limit runs out before the eyes of the desk."""
    assert {(alert["event"], alert["complaint"], alert["since"]) for alert in fed.alerts} == {
        ("clock.breached", case("incident:SOON"), "2050-03-16T18:00:00Z"),
        ("complaint.escalated", case("incident:SOON"), "2050-03-16T18:00:00Z"),
    }


def test_no_mail_is_about_what_lies_in_the_past_but_about_what_comes_after_it(fed: Fed) -> None:
    about = {label: {kind for kind, of in fed.deliveries if of == case(label)} for label in fed.histories}
    assert {label: kinds for label, kinds in about.items() if kinds} == {
        "incident:OPEN": {"assigned"},  # somebody has it in hand from now on
        "incident:SOON": {"assigned", "breached", "escalated"},
    }


def test_the_mails_that_went_out_are_those(fed: Fed) -> None:
    assert len(fed.letters) == len(fed.deliveries)


# --- what keeps it from running ---
def test_a_folder_without_the_data_is_named(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--data", str(tmp_path), "--key", "k"])
    assert isinstance(ran.exception, FeedFailed)
    assert f"{tmp_path} has no cfpb_complaints/cfpb_complaints.csv" in str(ran.exception)


def test_a_system_that_does_not_run_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ran = CliRunner().invoke(app, ["--data", str(write(tmp_path / "data")), "--key", "k", "--url", url])
    assert isinstance(ran.exception, FeedFailed)
    assert f"{url} does not answer" in str(ran.exception)
