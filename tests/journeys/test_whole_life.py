"""A complaint's whole life at each demo desk: from the post to the closed case, and its history read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from heapq import merge
from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from typer.testing import CliRunner

from complaints.adapters.kafka import Topics
from complaints.identity import complaint_id
from redress.demo_desks import DemoDesk, demo_desks
from redress.verify import app as verify
from tests.contracts.bus import everything_on
from tests.journeys.conftest import Start
from tests.journeys.live import Live
from tests.journeys.lives import LIVES, Line
from tests.journeys.mailbox import text_of

ZONE: Final = ZoneInfo("Asia/Shanghai")
OPENED: Final = datetime(2026, 3, 1, 8, tzinfo=ZONE)
END: Final = datetime(2026, 4, 30, 18, tzinfo=ZONE)
CUSTOMER: Final = "kehu@home.example"

Event = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What is left of it all."""

    histories: Mapping[str, Sequence[Event]]  # by desk
    cases: Mapping[str, Mapping[str, Any]]
    escalations: Sequence[Mapping[str, Any]]
    mails: Sequence[EmailMessage]
    proof: Mapping[str, Any]


@pytest.fixture(scope="module")
async def lived(system: Start) -> Lived:
    """The four lives, side by side."""
    async with system(OPENED) as live:
        keys = {demo.open.desk: await _open(live, demo) for demo in demo_desks()}
        await live.settled()
        for at, desk, line in merge(*map(_dated, LIVES), key=itemgetter(0)):
            async with live.instant(at):
                await _do(live, desk, keys[desk], line)
        await live.advance(END)
        topics = Topics(live.settings.kafka.topic_prefix)
        records = await everything_on(live.settings.kafka, topics.escalations)
        return Lived(
            histories={desk: await live.history(_case(desk), key=keys[desk]) for desk in LIVES},
            cases={desk: await live.get(f"/v1/complaints/{_case(desk)}", key=keys[desk]) for desk in LIVES},
            escalations=[json.loads(record.value) for record in records],
            mails=list(live.mailbox.mails),
            proof=await _verified(live),
        )


def _case(desk: str) -> str:
    return str(complaint_id(desk, "whole-life"))


def _dated(desk: str) -> list[tuple[datetime, str, Line]]:
    at = (datetime.strptime(f"2026-{line[0]}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE) for line in LIVES[desk])
    return [(when, desk, line) for when, line in zip(at, LIVES[desk], strict=True)]


async def _open(live: Live, demo: DemoDesk) -> str:
    """Opens a demo desk; the key of its frontend."""
    desk = demo.open.desk
    await live.done("/v1/desks", msgspec.to_builtins(demo.open))
    for change in demo.changes:
        await live.done(f"/v1/desks/{desk}/events", msgspec.to_builtins(change))
    issue = {"event": "desk.key-issued", "data": {"frontend": "counter", "roles": ["*"], "scopes": ["read", "write"]}}
    return str((await live.done(f"/v1/desks/{desk}/events", issue))["key"])


async def _do(live: Live, desk: str, key: str, line: Line) -> None:
    """Somebody does something: whoever is named for the role, else whoever has it."""
    _, role, command, data = line
    if command == "receive":
        body = {"by": {"person": _anybody(desk, role), "role": role}, "data": {**data, **_COMPLAINANT}}
        await live.done(f"/v1/desks/{desk}/complaints", body, key=key, once="whole-life")
        return
    path = f"/v1/complaints/{_case(desk)}"
    named = (await live.get(path, key=key))["assignees"]
    person = "kehu" if role == "customer" else named.get(role) or _anybody(desk, role)
    await live.done(f"{path}/{command}", {"by": {"person": person, "role": role}, "data": data}, key=key)


_COMPLAINANT: Final = {"complainant": "kehu", "contact": {"email": CUSTOMER}}


def _anybody(desk: str, role: str) -> str:
    (demo,) = (demo for demo in demo_desks() if demo.open.desk == desk)
    return next(person.person for person in demo.open.people if role in person.roles)


async def _verified(live: Live) -> Mapping[str, Any]:
    """What `redress verify` says of the log."""
    environment = {
        "REDRESS_DATA_DIR": str(live.settings.files.data_dir),
        "REDRESS_DATABASE_URL": live.settings.database.url,
    }
    said = await asyncio.to_thread(CliRunner(env=environment).invoke, verify, ["--json"])
    assert said.exit_code == 0, said.output
    proof: Mapping[str, Any] = json.loads(said.output)
    return proof


# --- what must have happened ---
ALL: Final = ("complaint.received", "complaint.assigned", "clock.warned", "clock.breached")
LATER: Final = ("complaint.resolved", "complaint.revisited", "complaint.closed")
MILESTONES: Final = {
    "plain": (  # it is acknowledged and assigned at once, by two services: in either order
        *("complaint.received", "clock.warned", "clock.breached", "complaint.escalated", "complaint.resolved"),
        *("complaint.revisited", "steps.reopened", "complaint.resolved", "complaint.revisited", "complaint.closed"),
    ),
    "garage": ALL + LATER,
    "developer": ALL + LATER,
    "broker": ("complaint.received", "clock.warned", "clock.breached", "complaint.assigned", "clock.breached", *LATER),
}
"""In their order, with others between."""


@pytest.mark.parametrize("desk", LIVES)
def test_a_complaint_is_chased_from_its_receipt_to_its_end(desk: str, lived: Lived) -> None:
    names = iter(event["event"] for event in lived.histories[desk])
    assert [name for name in MILESTONES[desk] if name not in names] == []
    assert lived.cases[desk]["status"] == "closed"


def test_what_nobody_has_to_decide_is_done_at_the_instant_of_the_receipt(lived: Lived) -> None:
    received_at = lived.histories["plain"][0]["at"]
    names = {event["event"] for event in lived.histories["plain"] if event["at"] == received_at}
    assert {"complaint.acknowledged", "complaint.assigned", "assignee.named"} <= names


@pytest.mark.parametrize("desk", LIVES)
def test_everything_that_the_system_did_by_itself_names_its_clause(desk: str, lived: Lived) -> None:
    by_the_system = [event for event in lived.histories[desk] if event["by"]["role"] == "system"]
    assert len(by_the_system) > 3
    assert [event for event in by_the_system if not event["clause"]] == []
    assert {(event["pack"], event["pack_version"]) for event in by_the_system} == {_pack(desk)}


def _pack(desk: str) -> tuple[str, int]:
    (demo,) = (demo for demo in demo_desks() if demo.open.desk == desk)
    assert demo.open.pack is not None
    return demo.open.pack, 1


@pytest.mark.parametrize("desk", LIVES)
def test_a_breach_is_dated_at_its_due_instant_whatever_comes_of_it(desk: str, lived: Lived) -> None:
    breaches = [event for event in lived.histories[desk] if event["event"] == "clock.breached"]
    assert breaches
    assert [event for event in breaches if event["at"] != event["data"]["due_at"]] == []


@pytest.mark.parametrize("desk", LIVES)
def test_every_breach_and_escalation_stands_on_the_topic_once(desk: str, lived: Lived) -> None:
    wanted = [
        (event["event"], event["position"], event["clause"])
        for event in lived.histories[desk]
        if event["event"] in {"clock.breached", "complaint.escalated"}
    ]
    records = [record for record in lived.escalations if record["complaint"] == _case(desk)]
    assert [
        (record["event"], record["position"], record["clause"])
        for record in sorted(records, key=itemgetter("position"))
        if record["event"] in {"clock.breached", "complaint.escalated"}
    ] == wanted
    assert all(record["link"].endswith(f"/complaints/{_case(desk)}") and record["what"] for record in records)


@pytest.mark.parametrize("desk", LIVES)
def test_whoever_is_named_for_what_is_late_has_it_in_the_mailbox(desk: str, lived: Lived) -> None:
    breach = next(event for event in lived.histories[desk] if event["event"] == "clock.breached")
    due = datetime.fromisoformat(breach["data"]["due_at"]).astimezone(ZONE)
    clause = breach["clause"] if isinstance(breach["clause"], str) else breach["clause"][0]
    assignees = {f"{person}@{desk}.example" for person in _ever_named(lived.histories[desk])}
    said = [
        text_of(mail)
        for mail in lived.mails
        if mail["To"] in assignees and _case(desk) in text_of(mail) and f"{due:%Y-%m-%d %H:%M}" in text_of(mail)
    ]
    assert any(clause in text for text in said), said


def _ever_named(history: Sequence[Event]) -> set[str]:
    return {event["data"]["person"] for event in history if event["event"] == "assignee.named"}


def test_what_is_escalated_is_in_the_mailbox_of_the_next_tier(lived: Lived) -> None:
    escalated = [event for event in lived.histories["plain"] if event["event"] == "complaint.escalated"]
    assert [event["data"]["to"] for event in escalated[:2]] == ["desk_lead", "head"]
    for address, event in zip(("lea@plain.example", "hugo@plain.example"), escalated, strict=False):
        texts = [text_of(mail) for mail in lived.mails if mail["To"] == address]
        assert any(_case("plain") in text and event["clause"] in text for text in texts), texts


def test_the_complainant_is_told_that_the_complaint_has_come_with_its_clause_and_by_when_there_is_an_answer(
    lived: Lived,
) -> None:
    started = next(
        event
        for event in lived.histories["plain"]
        if event["event"] == "clock.started" and event["data"]["clock"] == "answer"
    )
    due = datetime.fromisoformat(started["data"]["due_at"]).astimezone(ZONE)
    first = next(text_of(mail) for mail in lived.mails if mail["To"] == CUSTOMER)
    assert _case("plain") in first
    assert "第六条" in first
    assert f"{due:%Y-%m-%d %H:%M}" in first


def test_no_mail_comes_twice(lived: Lived) -> None:
    ids = [mail["Message-ID"] for mail in lived.mails]
    assert len(set(ids)) == len(ids)


def test_the_log_verifies(lived: Lived) -> None:
    assert lived.proof["holds"] is True
    assert lived.proof["findings"] == []
    assert lived.proof["positions"] >= max(history[-1]["position"] for history in lived.histories.values())
