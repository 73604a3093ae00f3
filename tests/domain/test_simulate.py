"""The world and the command that runs it: what happens in which order, who acts, and what a bad scenario is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from complaints.commands import COMMAND_TYPES, SYSTEM, Command, Sender, from_wire
from complaints.desk_events import PersonJoined
from complaints.desk_requests import DeskChange, JoinPerson
from complaints.errors import Malformed, PackRefused, Rejected, Unknown
from complaints.events import ComplaintCounted, DutyOpened, StepOpened, tag_of
from complaints.identity import command_id
from complaints.procedure.library import find_pack
from redress.simulate import app
from redress.simulation import (
    DeskFile,
    Happened,
    Refused,
    ScenarioRefused,
    Told,
    World,
    desk_of,
    read_desk,
    read_scenario,
)
from tests.expectations import NAMES, STORIES, lines, story
from tests.spec import SHANGHAI, pack

RUNNER = CliRunner()
NINE = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ask(name: str, at: datetime, case: str = "A", by: str = "front", **data: Any) -> Command:
    person, _, role = by.partition("/")
    sender = SYSTEM if by == "system" else Sender(person=person, role=role or person)
    unique = command_id("test", "test", f"{name} {case} {by} {at} {sorted(data.items(), key=str)}")
    data = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in data.items()}
    assert name in COMMAND_TYPES
    return from_wire(name, data, id=unique, complaint=case, at=at, by=sender)


def told(world: World, complaint: str | None = None) -> list[str]:
    """Names of events and codes of refusals, in order."""
    return [
        tag_of(entry.event) if isinstance(entry, Happened) else entry.rejected.code
        for entry in world.entries
        if isinstance(entry, Happened | Refused) and complaint in (None, entry.complaint)
    ]


def happened(world: World) -> list[Happened]:
    return [entry for entry in world.entries if isinstance(entry, Happened)]


def of(world: World, name: str) -> list[Any]:
    """The events of that name."""
    return [entry.event for entry in happened(world) if tag_of(entry.event) == name]


# --- time ---
SHORT = pack("""\
steps:
- part: p
  rows:
  - {do: look, clause: s1, by: cm, within: 2 h elapsed}
  - {do: check, clause: s2, by: cm, after: look, wait: 1 h elapsed, when: "look.attempts > 0"}
desk:
- {owe: report, every: day, by: md, clause: d1}
""")


def test_a_timer_fires_at_its_instant() -> None:
    world = World.of(SHORT).run([ask("receive", NINE)], NINE + 2 * HOUR)
    (breach,) = of(world, "clock.breached")
    assert (breach.clock, breach.at) == ("look", NINE + 2 * HOUR)
    assert world.now == NINE + 2 * HOUR


def test_nothing_happens_after_the_end() -> None:
    world = World.of(SHORT).run([ask("receive", NINE), ask("receive", NINE + DAY, "B")], NINE + HOUR)
    assert of(world, "clock.breached") == []
    assert world.cases.keys() == {"A"}


def test_an_act_at_the_very_instant_of_its_deadline_is_in_time() -> None:
    due = NINE + 2 * HOUR
    world = World.of(SHORT).run([ask("receive", NINE), ask("record-step", due, by="cm", step="look")], due + HOUR)
    assert of(world, "clock.breached") == []
    assert [event.in_time for event in of(world, "clock.stopped")] == [True]


def test_an_act_at_its_deadline_is_in_time_also_where_a_period_opens_at_that_instant() -> None:
    ten = NINE + 13 * HOUR
    midnight = NINE + 15 * HOUR
    acts = [ask("receive", ten), ask("record-step", midnight, by="cm", step="look")]
    world = World.of(SHORT).run(acts, midnight)
    assert of(world, "clock.breached") == []
    assert [event.period for event in of(world, "duty.opened")] == ["2026-03-02", "2026-03-03"]


def test_a_duty_may_be_done_at_the_instant_at_which_it_opens_and_at_the_one_at_which_it_is_due() -> None:
    midnight = NINE + 15 * HOUR
    acts = [
        ask("receive", NINE),
        ask("record-duty", midnight, "desk", by="ma/md", owe="report"),
        ask("record-duty", midnight, "desk", by="lo/md", owe="report"),
    ]
    world = World.of(SHORT).run(acts, midnight + HOUR)
    assert [(event.period, event.in_time) for event in of(world, "duty.recorded")] == [
        ("2026-03-02", True),
        ("2026-03-03", True),
    ]
    assert of(world, "duty.breached") == []


def test_a_desk_takes_up_its_procedure_when_the_first_day_begins() -> None:
    world = World.of(SHORT).run([ask("receive", NINE)], NINE)
    assert [event.at for event in of(world, "duty.opened")] == [NINE - 9 * HOUR]


def test_what_is_missed_is_told_when_it_was_due() -> None:
    world = World.of(SHORT).run([ask("receive", NINE)], NINE + 2 * DAY)
    assert [(event.period, event.at) for event in of(world, "duty.breached")] == [
        ("2026-03-02", NINE + 15 * HOUR),
        ("2026-03-03", NINE + 39 * HOUR),
    ]


def test_commands_may_come_in_any_order_and_those_of_one_instant_stay_as_they_stand() -> None:
    late, early = ask("receive", NINE + HOUR, "B"), ask("receive", NINE, "A")
    twice = [ask("record-facts", NINE + HOUR, "B", facts={}), ask("record-facts", NINE + HOUR, "A", facts={})]
    world = World.of(SHORT).run([late, early, *twice], NINE + HOUR)
    assert next(entry.complaint for entry in world.entries if entry.complaint != "desk") == "A"
    assert told(world, "B")[0] == "complaint.received"


def test_time_does_not_run_backwards() -> None:
    world = World.of(SHORT)
    world.advance(NINE)
    with pytest.raises(ValueError, match="lies before"):
        world.send(ask("receive", NINE - HOUR))


def test_a_step_whose_wait_is_over_and_that_waits_for_more_holds_no_timer_back() -> None:
    procedure = pack("""\
facts: [{fact: ready, type: yes-no, clause: f}]
steps:
- part: p
  rows:
  - {do: look, clause: s1, by: cm}
  - {do: check, clause: s2, by: cm, after: look, wait: 1 h elapsed, when: ready}
  - {do: answer, clause: s3, by: cm, within: 8 h elapsed}
""")
    acts = [ask("receive", NINE), ask("record-step", NINE, by="cm", step="look")]
    world = World.of(procedure).run(acts, NINE + DAY)
    assert [event.clock for event in of(world, "clock.breached")] == ["answer"]


def test_a_case_without_timers_hears_of_the_time_by_its_next_command() -> None:
    acts = [ask("receive", NINE), ask("record-facts", NINE + 5 * HOUR, facts={})]
    late = World.of(SHORT, punctual=False)
    late.send(acts[0])
    late.advance(NINE + 3 * HOUR)
    assert of(late, "clock.breached") == []
    late.send(acts[1])
    assert [event.at for event in of(late, "clock.breached")] == [NINE + 2 * HOUR]


@given(cuts=st.lists(st.integers(0, 60 * 24 * 40), max_size=8), name=st.sampled_from(NAMES))
@settings(max_examples=60)
def test_it_makes_no_odds_in_how_many_pieces_time_passes(cuts: list[int], name: str) -> None:
    of_the_story = story(name)
    whole = of_the_story.world()
    first = min(command.at for command in of_the_story.scenario.commands)
    pieces = World.of(of_the_story.procedure)
    steps: list[tuple[datetime, Command | None]] = [(c.at, c) for c in of_the_story.scenario.commands]
    steps += [(first + timedelta(minutes=cut, seconds=30), None) for cut in cuts]
    for at, command in sorted(steps, key=lambda step: step[0]):
        if at > of_the_story.until:
            break
        if command is not None:
            pieces.send(command)
        else:
            pieces.advance(at)
    pieces.advance(of_the_story.until)
    assert lines(pieces) == lines(whole)


# --- what one case cannot see ---
DESK = pack("""\
facts:
- {fact: number, type: text, clause: f}
- {fact: call, type: text, clause: f}
- {fact: matter, type: text, clause: f}
forms: [{form: slip, title: slip, clause: n, fields: [number], number: number}]
other-cases:
- {unique: call_once, same: call, clause: u}
- {count: same, same: matter, of: complaints, clause: c}
- {link: again, when: closed, attaches: slip, clause: l}
steps:
- part: p
  rows:
  - {fill: slip_filled, form: slip, clause: s1, by: cm}
  - {close: end, clause: s2, by: cm}
""")


def refusals(world: World) -> list[tuple[str, Any, Any]]:
    return [
        (entry.rejected.code, entry.rejected.clause, entry.rejected.data.get("of"))
        for entry in world.entries
        if isinstance(entry, Refused)
    ]


def test_a_number_belongs_to_one_case_until_it_is_corrected() -> None:
    acts = [
        ask("receive", NINE, "A", facts={"number": "S-1"}),
        ask("receive", NINE, "B", facts={"number": "S-1"}),
        ask("receive", NINE, "C"),
        ask("record-facts", NINE, "C", facts={"number": "S-1"}),
        ask("record-facts", NINE + HOUR, "A", facts={"number": "S-2"}),
        ask("record-facts", NINE + 2 * HOUR, "C", facts={"number": "S-1"}),
    ]
    world = World.of(DESK).run(acts, NINE + DAY)
    assert refusals(world) == [("number-taken", "n", "A"), ("number-taken", "n", "A")]
    assert {name: case.facts["number"] for name, case in world.cases.items()} == {"A": "S-2", "C": "S-1"}


def test_one_call_is_one_complaint() -> None:
    acts = [ask("receive", NINE, name, facts={"call": "T-1"}) for name in "AB"]
    world = World.of(DESK).run(acts, NINE)
    assert refusals(world) == [("already-received", "u", "A")]
    assert world.cases.keys() == {"A"}


def test_an_old_case_is_taken_up_again_as_it_stands() -> None:
    again = {"complaint": "A", "relation": "again"}
    acts = [
        ask("receive", NINE, "A"),
        ask("receive", NINE, "B", again_of=again),
        ask("close", NINE + HOUR, "A", by="cm"),
        ask("receive", NINE + 2 * HOUR, "C", again_of=again),
        ask("receive", NINE + 2 * HOUR, "D"),
        ask("link", NINE + 2 * HOUR, "D", **again),
        ask("link", NINE + 2 * HOUR, "D", complaint="nobody's", relation="again"),
    ]
    world = World.of(DESK).run(acts, NINE + DAY)
    assert [event.to for event in of(world, "complaint.linked")] == ["A", "A"]
    assert [code for code, _, _ in refusals(world)] == ["link-not-allowed", "no-such-complaint"]


def test_counts_are_sent_to_every_open_case_of_the_matter_once() -> None:
    acts = [
        ask("receive", NINE, "A", facts={"matter": "M"}),
        ask("receive", NINE + HOUR, "B", facts={"matter": "M"}),
        ask("close", NINE + 2 * HOUR, "A", by="cm"),
        ask("receive", NINE + 3 * HOUR, "C", facts={"matter": "M"}),
    ]
    world = World.of(DESK).run(acts, NINE + DAY)
    counts = [(e.complaint, e.event.value) for e in happened(world) if isinstance(e.event, ComplaintCounted)]
    assert counts == [("A", 1), ("A", 2), ("B", 2), ("B", 3), ("C", 3)]


def test_a_command_to_a_case_that_there_is_not_is_refused() -> None:
    world = World.of(DESK).run([ask("record-facts", NINE, "A", facts={})], NINE)
    assert refusals(world) == [("no-such-complaint", None, None)]


def test_an_instant_that_lies_too_far_back_is_refused_as_it_would_be_at_the_door() -> None:
    world = World.of(DESK).run([ask("receive", NINE, "A", occurred_at=NINE - 400 * DAY)], NINE)
    assert [code for code, _, _ in refusals(world)] == ["too-old"]


# --- rounds and samples ---
ROUNDS = pack("""\
facts: [{fact: pending, type: yes-no, clause: f}]
steps:
- part: p
  rows:
  - {contact: remind, clause: s1, by: cm, round: reminders}
desk:
- {owe: reminders, every: month, day: 4, by: cm, cases: pending, each: remind, clause: d1}
- {owe: survey, every: not-stated, by: md, sample: {size: 2, include: pending}, clause: d2}
""")


def test_a_round_opens_its_step_in_the_cases_that_it_is_about_and_no_duty_of_the_desk() -> None:
    acts = [ask("receive", NINE, name, facts={"pending": value}) for name, value in (("A", True), ("B", False))]
    world = World.of(ROUNDS).run(acts, NINE + 40 * DAY)
    opened = [(e.complaint, e.event.period) for e in happened(world) if isinstance(e.event, StepOpened | DutyOpened)]
    assert ("A", "2026-04") in opened
    assert "B" not in {complaint for complaint, _ in opened}
    assert [event.owe for event in of(world, "duty.opened")] == ["survey"]
    assert [event.clock for event in of(world, "clock.breached")] == ["remind"]


def test_a_sample_includes_the_complainants_of_the_cases_that_it_is_about() -> None:
    acts = [
        ask("receive", NINE, "A", complainant="d", facts={"pending": True}),
        ask("draw-sample", NINE + HOUR, "desk", by="md", owe="survey", population=["a", "b", "c", "d"], seed=3),
    ]
    (drawn,) = of(World.of(ROUNDS).run(acts, NINE + DAY), "sample.drawn")
    assert drawn.included == ["d"]
    assert drawn.drawn[0] == "d"
    assert len(drawn.drawn) == 2


# --- people ---
def plain(*people: dict[str, Any], settings: Sequence[DeskChange] = ()) -> World:
    joined = [JoinPerson(**person) for person in people]
    return World(desk_of(find_pack("00"), DeskFile(people=joined, settings=list(settings))))


LIN, MO = {"person": "lin", "roles": ["agent"]}, {"person": "mo", "roles": ["agent"]}
SU, HE = {"person": "su", "roles": ["desk_lead"]}, {"person": "he", "roles": ["head"]}


def letter(name: str, at: datetime, by: str = "su/desk_lead") -> Command:
    return ask("receive", at, name, by=by, channel="letter", facts={"content": "c", "acknowledged_elsewhere": True})


def test_where_people_are_named_the_system_hands_over_and_names_who_acts() -> None:
    world = plain(LIN, SU).run([letter("A", NINE)], NINE)
    (assigned,) = of(world, "complaint.assigned")
    assert (assigned.person, assigned.to, assigned.at) == ("system", "agent", NINE)
    assert {event.role: event.person for event in of(world, "assignee.named")} == {"agent": "lin"}


def test_among_equals_the_work_is_shared() -> None:
    world = plain(LIN, MO, SU).run([letter(name, NINE + HOUR * n) for n, name in enumerate("ABCD")], NINE + DAY)
    assert [event.person for event in of(world, "assignee.named")] == ["lin", "mo", "lin", "mo"]


def test_work_that_is_done_weighs_no_more() -> None:
    acts = [
        letter("A", NINE),
        ask("resolve", NINE + HOUR, "A", by="lin/agent"),
        ask("close", NINE + HOUR, "A", by="lin/agent"),
        letter("B", NINE + 2 * HOUR),
        letter("C", NINE + 3 * HOUR),
    ]
    world = plain(LIN, MO, SU).run(acts, NINE + 4 * HOUR)
    assert [event.person for event in of(world, "assignee.named")] == ["lin", "mo", "lin"]


def test_without_people_nobody_is_named_and_whoever_sends_a_command_holds_its_role() -> None:
    world = plain().run([letter("A", NINE)], NINE)
    assert of(world, "assignee.named") == []
    assert of(world, "complaint.assigned") == []
    assert [entry for entry in world.entries if isinstance(entry, Refused)] == []


def test_a_case_that_nobody_can_be_named_for_waits_in_the_queue_and_says_why() -> None:
    manager = PersonJoined(at=NINE, person="ma", name="ma", roles=("md",))
    world = World.of(SHORT, settings=[manager]).run([ask("receive", NINE, by="ma/md")], NINE)
    (lacking,) = of(world, "assignee.lacking")
    assert lacking.role == "cm"
    assert lacking.because.startswith("nobody-holds-it")


@pytest.mark.parametrize(
    ("by", "code"), [("xu/agent", "no-such-person"), ("lin/desk_lead", "not-your-role")], ids=["unknown", "other role"]
)
def test_where_people_are_named_a_command_is_held_to_them(by: str, code: str) -> None:
    world = plain(LIN, SU).run([letter("A", NINE, by=by)], NINE)
    assert told(world, "A") == [code]


def test_when_somebody_goes_away_the_case_goes_to_somebody_else_at_that_instant() -> None:
    away = DeskChange(event="desk.person-absent", data={"person": "lin", "begins_at": (NINE + DAY).isoformat()})
    world = plain(LIN, MO, SU, settings=[away]).run([letter("A", NINE)], NINE + 2 * DAY)
    assert [(event.at, event.person, event.was) for event in of(world, "assignee.named")] == [
        (NINE, "lin", None),
        (NINE + DAY, "mo", "lin"),
    ]


def test_a_desk_is_warned_as_it_asked_to_be() -> None:
    warning = DeskChange(event="desk.warning-set", data={"clock": "answer", "minutes_before": [60]})
    world = plain(settings=[warning]).run([letter("A", NINE)], NINE + 20 * DAY)
    (warned,) = of(world, "clock.warned")
    assert warned.due_at - warned.at == HOUR
    assert warned.clause == ["desk:warnings.answer"]


def test_the_same_command_decides_nothing_twice() -> None:
    world = World.of(SHORT)
    command = ask("receive", NINE)
    assert world.send(command) != ()
    assert world.send(command) == ()
    assert [entry for entry in world.entries if isinstance(entry, Refused)] == []


def test_the_system_does_its_part_without_people_where_that_is_asked_for(tmp_path: Path) -> None:
    head = json.dumps({"pack": "00", "until": "2026-03-02T12:00:00+08:00"})
    scenario = written(tmp_path, "s.jsonl", head, line(by={"person": "su", "role": "desk_lead"}))
    by_itself, by_nobody = (
        [json.loads(one).get("event") for one in run(scenario, "--json", *options)] for options in (["--system"], [])
    )
    assert "complaint.assigned" in by_itself
    assert "assignee.named" not in by_itself
    assert "complaint.assigned" not in by_nobody


# --- messages ---
MAIL = {"email": "zhao@example.org"}
LIN_BY_MAIL, SU_BY_MAIL = {**LIN, "email": "lin@example.org"}, {**SU, "email": "su@example.org"}
WATCHED = DeskChange(event="desk.alerts-set", data={"roles": ["desk_lead"]})
QUIET = DeskChange(event="desk.quiet-hours-set", data={"begins": "17:00", "ends": "08:00"})


def call(name: str, at: datetime, **data: Any) -> Command:
    return ask("receive", at, name, by="lin/agent", channel="phone", facts={"content": "c"}, **data)


def messages(world: World, complaint: str = "A") -> list[tuple[str, str, datetime]]:
    return [
        (entry.message, entry.data["to"], entry.at)
        for entry in world.entries
        if isinstance(entry, Told) and entry.complaint == complaint
    ]


def test_a_notice_that_the_system_owes_is_given_when_its_letter_was_delivered() -> None:
    world = plain(LIN_BY_MAIL, SU).run([call("A", NINE, contact=MAIL)], NINE + 2 * HOUR)
    assert ("acknowledged", "customer", NINE) in messages(world)
    names = told(world, "A")
    assert names.index("notice.requested") < names.index("notice.delivered") < names.index("complaint.acknowledged")
    assert of(world, "clock.breached") == []


def test_a_letter_that_can_go_nowhere_is_told_to_the_desk_and_its_notice_stays_owed() -> None:
    world = plain(LIN_BY_MAIL, SU_BY_MAIL, settings=[WATCHED]).run([call("A", NINE)], NINE + 2 * HOUR)
    (failed,) = of(world, "notice.failed")
    assert (failed.step, failed.to, failed.alert) == ("acknowledge", "customer", None)
    assert ("undelivered", "su", NINE) in messages(world)
    assert [event.clock for event in of(world, "clock.breached")] == ["acknowledge"]


def test_telling_the_desks_own_people_of_a_breach_gives_no_notice_to_the_complainant() -> None:
    world = plain(LIN_BY_MAIL, SU_BY_MAIL, settings=[WATCHED]).run([call("A", NINE)], NINE + 2 * HOUR)
    assert ("breached", "su", NINE + HOUR) in messages(world)
    assert ("acknowledge", "su", "breached") in [(e.step, e.to, e.alert) for e in of(world, "notice.delivered")]
    assert world.cases["A"].step("acknowledge").state == "open"
    assert of(world, "complaint.acknowledged") == []


def test_an_alert_that_can_go_nowhere_is_not_taken_for_the_notice() -> None:
    world = plain(LIN, SU).run([call("A", NINE, contact=MAIL)], NINE)
    assert {event.alert for event in of(world, "notice.failed")} == {"assigned"}
    assert "undelivered" not in [kind for kind, _, _ in messages(world)]


def test_what_can_wait_waits_until_the_quiet_hours_have_ended() -> None:
    evening = NINE + 9 * HOUR
    desk = plain(LIN_BY_MAIL, SU_BY_MAIL, settings=[QUIET])
    world = desk.run([call("A", evening, contact=MAIL)], evening + DAY)
    sent = {kind: at for kind, _, at in messages(world)}
    assert sent["acknowledged"] == evening
    assert sent["assigned"] == evening + 14 * HOUR
    (delivered,) = (event for event in of(world, "notice.delivered") if event.alert == "assigned")
    assert delivered.at == evening + 14 * HOUR


def test_what_is_no_longer_true_when_the_quiet_hours_end_is_not_sent() -> None:
    evening = NINE + 9 * HOUR
    acts = [
        call("A", evening, contact=MAIL),
        ask("resolve", evening + HOUR, "A", by="lin/agent"),
        ask("close", evening + HOUR, "A", by="lin/agent"),
    ]
    world = plain(LIN_BY_MAIL, SU_BY_MAIL, settings=[QUIET]).run(acts, evening + DAY)
    assert [kind for kind, _, _ in messages(world)] == ["acknowledged"]


def test_nothing_is_sent_for_what_an_imported_case_brings_from_the_past() -> None:
    old = call("A", NINE, contact=MAIL, occurred_at=NINE - 90 * DAY, imported=True)
    world = plain(LIN_BY_MAIL, SU_BY_MAIL, settings=[WATCHED]).run([old], NINE)
    breaches = of(world, "clock.breached")
    assert breaches
    assert all(breach.at < NINE - DAY for breach in breaches)
    assert {"breached", "acknowledged"} & {kind for kind, _, _ in messages(world)} == set()


def test_where_nobody_is_named_a_letter_is_told_and_the_scenario_says_what_became_of_it() -> None:
    world = plain().run([call("A", NINE, contact=MAIL)], NINE)
    assert [kind for kind, _, _ in messages(world)] == ["acknowledged"]
    assert of(world, "notice.delivered") == []


def test_the_desks_duties_are_told_to_whoever_owes_them() -> None:
    first = datetime(2026, 4, 1, tzinfo=SHANGHAI)
    world = plain(SU_BY_MAIL, HE)
    world.advance(NINE)
    world.advance(first)
    assert ("duty", "su", first) in messages(world, "desk")


# --- files ---
def line(**changes: Any) -> str:
    whole = {
        "at": "2026-03-02T09:00:00+08:00",
        "complaint": "A",
        "command": "receive",
        "by": {"person": "wu", "role": "front"},
        "data": {"channel": "visit"},
    }
    return json.dumps({key: value for key, value in {**whole, **changes}.items() if value is not None})


def refused(text: str | bytes) -> ScenarioRefused:
    with pytest.raises(ScenarioRefused) as error:
        read_scenario(text.encode() if isinstance(text, str) else text, file="s.jsonl")
    return error.value


@pytest.mark.parametrize(
    ("bad", "field", "rule"),
    [
        ("{", "line", "must be JSON"),
        ("[]", "line", "Expected `object`"),
        (b"\xff\xfe", "line", "must be JSON"),
        (line(at=None), "at", "is missing"),
        (line(at="yesterday"), "at", "must be an instant with its offset"),
        (line(at="2026-03-02T09:00:00"), "at", "must be an instant with its offset"),
        (line(at="0999-03-02T09:00:00+08:00"), "at", "1900"),
        (line(at=5), "at", "Expected `str`"),
        (line(complaint=7), "complaint", "Expected `str`"),
        (line(complaint=""), "complaint", "length"),
        (line(complaint=None), "complaint", "must name the case that receive is for"),
        (line(command="recieve"), "command", "no such command: recieve"),
        (line(command=None), "command", "is missing"),
        (line(by=None), "by", "is missing"),
        (line(by={"person": "wu"}), "by.role", "is missing"),
        (line(by={"person": "wu", "role": "front", "since": 1}), "by.since", "is not a field here"),
        (line(note="x"), "note", "is not a field here"),
        (line(data={"channel": 5}), "data.channel", "Expected `str`"),
        (line(data={"chanel": "visit"}), "data", "chanel"),
        (line(data={"occurred_at": "2026-03-02"}), "data.occurred_at", "must be an instant with its offset"),
        (line(command="record-step", data={}), "data.step", "missing"),
        (line(data={"at": "2026-03-02T09:00:00+08:00"}), "data.at", "has no field at"),
    ],
)
def test_a_bad_line_is_named_with_its_field_and_the_rule_that_it_breaks(
    bad: str | bytes, field: str, rule: str
) -> None:
    good = f"{line()}\n\n".encode()
    error = refused(good + (bad.encode() if isinstance(bad, str) else bad))
    assert error.data["line"] == 3
    assert error.data["field"].startswith(field)
    assert rule in error.data["rule"]
    assert str(error).startswith("s.jsonl:3: ")


def test_every_bad_line_is_named_at_once() -> None:
    error = refused("\n".join([line(), "{", line(command="x")]))
    assert error.data["line"] == 2
    assert error.data["also"] == ["s.jsonl:3: command: no such command: x"]


def test_a_head_says_what_the_options_say() -> None:
    head = '{"pack": "19", "until": "2026-03-05T00:00+08:00", "desk": {"answers": {"tell_it.within": "30 min"}}}'
    scenario = read_scenario(f"{head}\n{line()}".encode())
    assert scenario.head.pack == "19"
    assert scenario.head.until == datetime(2026, 3, 5, tzinfo=SHANGHAI)
    assert scenario.head.desk == DeskFile(answers={"tell_it.within": "30 min"})
    assert [numbered.line for numbered in scenario.lines] == [2]
    assert refused('{"pack": "19", "untill": 5}').data["line"] == 1
    assert refused('{"pack": "19", "until": "soon"}').data["field"] == "until"


def test_a_time_of_day_may_leave_out_its_seconds() -> None:
    (numbered,) = read_scenario(
        line(at="2026-03-02T09:00+08:00", data={"occurred_at": "2026-03-02T08:30+08:00"}).encode()
    ).lines
    assert numbered.command.at == NINE


def desk_file(**fields: Any) -> DeskFile:
    return read_desk(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"people": [{"person": "lin", "roles": ["cook"]}]}, Malformed, "people[0].roles[0]"),
        ({"people": [{"person": "lin"}, {"person": "lin"}]}, Rejected, None),
        ({"calendar": {"id": "x", "timezone": "Asia/Nowhere", "weekly": {}}}, Malformed, "calendar.timezone"),
        ({"answers": {"nowhere": 1}}, PackRefused, None),
        ({"settings": [{"event": "desk.none"}]}, Malformed, "settings[0].event"),
        ({"settings": [{"event": "desk.warning-set", "data": {"clok": "x"}}]}, Malformed, "settings[0].data.clok"),
        ({"settings": [{"event": "desk.pack-adopted", "data": {"pack": "19"}}]}, Malformed, "settings[0].data"),
    ],
)
def test_a_desk_file_is_held_to_the_same_checks_as_a_desk(
    fields: dict[str, Any], error: type[Exception], field: str | None
) -> None:
    with pytest.raises(error) as caught:
        desk_of(find_pack("00"), desk_file(**fields))
    assert field is None or getattr(caught.value, "field", None) == field


def test_a_desk_file_that_cannot_be_read_names_the_field() -> None:
    with pytest.raises(ScenarioRefused, match="desk: peple: is not a field here"):
        desk_file(peple=[])


# --- the command ---
def run(*arguments: str, given: str | None = None) -> list[str]:
    result = RUNNER.invoke(app, list(arguments), input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def written(folder: Path, name: str, *text: str) -> str:
    file = folder / name
    file.write_text("\n".join(text), encoding="utf-8")
    return str(file)


def test_a_story_comes_out_of_the_command_as_it_comes_out_of_the_world() -> None:
    printed = run(str(STORIES / "04-monthly-figures.jsonl"), "--json")
    assert [json.loads(one) for one in printed] == lines(story("04-monthly-figures").world())


def test_a_line_says_when_what_under_which_clause_at_the_desks_wall_time(tmp_path: Path) -> None:
    scenario = written(tmp_path, "s.jsonl", line(), line(command="close", at="2026-03-02T01:30:00Z", data={}))
    calendar = {"id": "c", "timezone": "America/New_York", "weekly": {"mon": [["09:00", "17:00"]]}}
    desk = written(tmp_path, "desk.json", json.dumps({"calendar": calendar}))
    printed = [
        json.loads(one)
        for one in run(scenario, "--pack", "04", "--until", "2026-03-02T09:40+08:00", "--desk", desk, "--json")
    ]
    received = next(one for one in printed if one.get("event") == "complaint.received")
    assert list(received) == ["at", "complaint", "event", "clause", "data"]
    assert (received["at"], received["complaint"]) == ("2026-03-01T20:00:00-05:00", "A")
    assert received["clause"] == "(一)1/a"
    assert printed[-1].keys() == {"at", "complaint", "rejected", "clause", "data"}
    assert (printed[-1]["rejected"], printed[-1]["at"]) == ("nothing-to-record", "2026-03-01T20:30:00-05:00")
    assert printed[-1]["data"]["why"]


def test_without_json_it_prints_a_table(tmp_path: Path) -> None:
    scenario = written(tmp_path, "s.jsonl", line(), line(command="close", data={}))
    table = run(scenario, "--pack", "04-auto-repair-feedback-slip")
    assert table[0].split() == ["when", "case", "what", "which", "details", "clause"]
    received = next(row for row in table if "complaint.received" in row)
    assert received.startswith("2026-03-02 09:00:00  A ")
    assert received.endswith("[(一)1/a]")
    assert any("✗ nothing-to-record" in row for row in table)


def test_a_scenario_may_come_from_standard_input_and_end_with_its_last_command() -> None:
    printed = run("-", "--pack", "04", "--json", given=f"{line()}\n")
    assert json.loads(printed[-1])["at"] == "2026-03-02T09:00:00+08:00"


def test_an_empty_scenario_tells_nothing() -> None:
    assert run("-", "--pack", "04", "--json", given="") == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-"], ScenarioRefused),
        (["-", "--pack", "99"], Unknown),
        (["-", "--pack", "04", "--until", "soon"], Malformed),
        (["nowhere.jsonl", "--pack", "04"], ScenarioRefused),
    ],
    ids=["no pack", "no such pack", "no instant", "no such file"],
)
def test_what_cannot_be_run_says_why(arguments: list[str], error: type[Exception]) -> None:
    assert isinstance(RUNNER.invoke(app, arguments, input=line()).exception, error)


def test_an_instant_in_the_data_that_cannot_be_counted_is_named_by_its_line() -> None:
    told_later = line(data={"channel": "visit", "occurred_at": "0999-01-01T00:00:00+08:00"})
    assert refused(told_later).data["field"] == "data.occurred_at"


def test_commands_after_the_end_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    later = line(at="2026-04-02T09:00:00+08:00", complaint="B")
    scenario = written(tmp_path, "s.jsonl", line(), later)
    result = RUNNER.invoke(app, [scenario, "--pack", "04", "--until", "2026-03-03T00:00:00+08:00", "--json"])
    assert result.stderr == "1 commands lie after 2026-03-03T00:00:00+08:00 and were left out\n"
    assert '"B"' not in result.stdout


def test_the_process_ends_with_one_and_says_what_is_wrong_as_json(tmp_path: Path) -> None:
    scenario = written(tmp_path, "s.jsonl", line(), line(command="x"))
    arguments = ["simulate", "--pack", "04", scenario, "--until", "2026-03-05T00:00:00+08:00", "--json"]
    done = subprocess.run([sys.executable, "-m", "redress", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr)["error"] == "scenario-refused"
    assert json.loads(done.stderr)["line"] == 2


@pytest.mark.parametrize("name", ["04-a-reached", "15-34-chain", "19-main"])
def test_the_same_scenario_tells_the_same_twice(name: str) -> None:
    of_the_story = story(name)
    assert lines(of_the_story.world()) == lines(of_the_story.world())


def test_a_world_can_be_asked_how_a_case_stood() -> None:
    of_the_story = story("19-work-list")
    world = of_the_story.world()
    first = of_the_story.scenario.commands[0].at
    assert world.state("A", first - HOUR).version == 0
    assert 0 < world.state("A", first).version < world.state("A").version
    assert world.verdicts("A", first - HOUR) == []
