"""What the stream says about each row, what is owed now, what a role may see."""

from __future__ import annotations

from datetime import datetime, timedelta

from complaints.events import DutyBreached, DutyEvent, DutyLapsed, DutyOpened, DutyRecorded
from complaints.verdicts import Verdict, duty_verdicts, verdicts, visible, worst
from complaints.work import Case as Standing
from complaints.work import work
from tests.spec import CALENDAR, Case, at, command, fire, given, pack, receive, record, say

P = pack("""
facts:
- {fact: grave, clause: f, type: yes-no}
- {fact: secret, clause: f, type: text}
- {fact: tested, clause: f, type: text}
decisions:
- {decide: grade, of: [1, 2], rows: [{set: 1, clause: 甲, when: grave}, {set: 2, clause: 乙}]}
- {decide: answerable, rows: [{set: gm, clause: 丙}]}
clocks: [{clock: ageing, clause: c, from: received, within: 5 days}]
intake:
- {channels: [any], clause: door}
- {asks: [grave], clause: asked}
steps:
- part: p
  rows:
  - {do: look, clause: 一, by: cm, within: 2 h elapsed, from: received}
  - {do: act, clause: [二, 一], by: md, after: look, within: 4 h elapsed, from: received}
  - {do: some_day, clause: 三, by: cm, within: soft soon}
  - {do: then_this, clause: 四, by: cm}
  - {do: hurry, clause: 五, by: gm, when: grave}
  - {do: best, clause: 六, by: cm, duty: should}
  - {do: maybe, clause: 七, by: cm, duty: may}
  - {do: needless, clause: 八, by: cm}
  - {close: end, clause: 九, by: cm, leaves: [needless]}
- part: owners
  rows:
  - {do: kept, clause: 十, by: holder, within: soft 及时}
holds: [{hold: gate, clause: h, when: grave, forbids: [then_this], until: hurry.done}]
access:
- {bar: not_himself, clause: a, may: [some_day], when: actor.person == tested}
- {bar: unseen, clause: b, hide: [secret], from: [md], when: grave}
notes: [{clause: n, issue: unclear}]
""", doors="")  # fmt: skip


def of(case: Case, row: str, when: datetime, **refused: int) -> Verdict:
    return next(v for v in verdicts(P, CALENDAR, case.history, when, refused) if v.row == row)


def test_done_in_time_is_obeyed_and_done_late_is_breached_by_how_long_and_by_whom() -> None:
    case = given(P, receive(), record("look", "ann/cm", at(0, "10:00")), record("act", "bob/md", at(0, "15:00")))
    assert of(case, "look", at(1)).verdict == "obeyed"
    late = of(case, "act", at(1))
    assert (late.verdict, late.late_s, late.by, late.answerable) == ("breached", 7200.0, "bob", "gm")
    assert late.words == "late by 2:00:00, bob; gm answers"


def test_open_past_its_date_is_breached_by_the_role_or_by_the_step_that_it_waits_for() -> None:
    case = given(P, receive(), fire(at(0, "13:00")))
    assert of(case, "look", at(0, "13:30")).words == "open, late by 2:30:00, cm; gm answers"
    waits = of(case, "act", at(0, "13:30"))
    assert waits.waits_for == ["look"]
    assert waits.words.startswith("open, late by 0:30:00, waits for look (cm)")


def test_withdrawn_is_obeyed() -> None:
    case = given(P, receive(), fire(at(0, "12:00")), record("look", "cm", at(1), done_at=at(0, "10:00")))
    assert of(case, "look", at(0, "23:00")).verdict == "breached"
    assert of(case, "look", at(1)).verdict == "obeyed"


def test_not_yet_due_owed_without_a_date_and_not_applicable() -> None:
    case = given(P, receive())
    due = of(case, "look", at(0, "10:00"))
    assert (due.verdict, due.due_at) == ("not yet due", at(0, "11:00"))
    owed = of(case, "some_day", at(0, "10:00"))
    assert (owed.verdict, owed.words) == ("owed", "no limit stated (soon)")
    assert of(case, "maybe", at(0, "10:00")).verdict == "not applicable"
    said = given(P, receive(facts={"grave": False}))
    assert of(said, "hurry", at(0, "10:00")).verdict == "not applicable"


def test_undecided_names_the_facts_that_it_needs() -> None:
    case = given(P, receive())
    hurry = of(case, "hurry", at(0, "10:00"))
    assert (hurry.verdict, hurry.needs) == ("undecided", ["grave"])
    assert of(case, "grade", at(0, "10:00")).words == "needs grave"
    asked = of(case, "asks", at(0, "10:00"))
    assert (asked.verdict, asked.words) == ("owed", "missing grave")


def test_a_table_obeyed_the_row_that_decided() -> None:
    case = given(P, receive(facts={"grave": True}))
    rows = [v for v in verdicts(P, CALENDAR, case.history, at(1)) if v.row == "grade"]
    assert [(v.clause, v.verdict, v.words) for v in rows] == [
        ("甲", "obeyed", "decided 1"),
        ("乙", "not applicable", ""),
    ]


def test_closed_without_a_must_is_breached_unless_the_closing_leaves_it() -> None:
    case = given(P, receive(), record("end", "cm", at(0, "10:00")))
    assert of(case, "then_this", at(1)).words == "the case was closed without it; gm answers"
    assert of(case, "needless", at(1)).verdict == "not applicable"
    assert of(case, "best", at(1)).verdict == "not done"


def test_waived_is_not_done_by_whom() -> None:
    case = given(P, receive(), command("waive-step", "ann/cm", at(0, "10:00"), step="best", reason="r"))
    assert (of(case, "best", at(1)).verdict, of(case, "best", at(1)).words) == ("not done", "waived by ann")


def test_broken_names_who_broke_it() -> None:
    case = given(P, receive(facts={"grave": True, "tested": "ann"}))
    case.take(
        record("then_this", "ann/cm", at(0, "10:00"), already_happened=True),
        record("some_day", "ann/cm", at(0, "10:00"), already_happened=True),
        record("act", "bob/md", at(0, "10:00"), already_happened=True),
    )
    assert of(case, "gate", at(1)).words == "by ann (then_this)"
    assert of(case, "not_himself", at(1)).verdict == "broken"
    assert of(case, "act", at(1)).words == "out of order by bob (act); gm answers"


def test_a_hold_that_stood_or_refused_was_obeyed() -> None:
    case = given(P, receive())
    assert of(case, "gate", at(1)).verdict == "not applicable"
    refused = of(case, "gate", at(1), gate=2)
    assert (refused.verdict, refused.refused) == ("obeyed", 2)
    assert of(given(P, receive(facts={"grave": True})), "gate", at(1)).verdict == "obeyed"


def test_a_clock_without_a_step_ran_out_or_is_not_yet_due() -> None:
    case = given(P, receive(), fire(at(6, "00:00")))
    assert of(case, "ageing", at(1)).verdict == "not yet due"
    assert of(case, "ageing", at(7)).verdict == "ran out"


def test_a_clause_is_as_good_as_the_worst_of_its_rows() -> None:
    case = given(P, receive(), record("look", "cm", at(0, "10:00")), fire(at(0, "13:00")))
    found = worst(verdicts(P, CALENDAR, case.history, at(0, "14:00")))
    assert found["一"].row == "act"
    assert found["一"].verdict == "breached"
    assert found["n"].verdict == "note"


def test_before_receipt_there_is_nothing_to_say() -> None:
    assert verdicts(P, CALENDAR, given(P, receive()).history, at(-1)) == []


# --- the desk's duties ---
def test_one_verdict_a_duty_and_period() -> None:
    duties = pack("""
steps: [{part: p, rows: [{close: end, clause: 一, by: cm}]}]
desk:
- {owe: report_it, clause: d, every: month, day: 4, by: cm}
- {owe: sum_up, clause: e, every: week, day: Tuesday, by: cm, duty: should}
""")
    opened = {
        period: DutyOpened(at=at(day), owe="report_it", by="cm", period=period, due_at=at(day + 3))
        for period, day in (("2026-03", 0), ("2026-04", 30), ("2026-05", 60))
    }
    events: list[DutyEvent] = [
        opened["2026-03"],
        DutyRecorded(at=at(1), owe="report_it", period="2026-03", person="ann"),
        opened["2026-04"],
        DutyBreached(at=at(33), owe="report_it", period="2026-04", by="cm"),
        DutyRecorded(at=at(34), owe="report_it", period="2026-04", person="ann", in_time=False),
        opened["2026-05"],
        DutyOpened(at=at(0), owe="sum_up", by="cm", period="w"),
        DutyLapsed(at=at(2), owe="sum_up", period="w", by="cm"),
    ]
    found = {(v.row, v.period): v.verdict for v in duty_verdicts(duties, events, at(61))}
    assert found == {
        ("report_it", "2026-03"): "obeyed",
        ("report_it", "2026-04"): "breached",
        ("report_it", "2026-05"): "not yet due",
        ("sum_up", "w"): "not done",
    }
    assert duty_verdicts(duties, events, at(1))[0].clause == "d"


# --- work lists ---
def standing(case: Case) -> Standing:
    return Standing("A", case.state, P, CALENDAR)


def test_the_four_parts_of_a_work_list() -> None:
    case = given(P, receive(), record("then_this", "cm", at(0, "09:30")))
    found = work([standing(case)], at(0, "12:00"))
    assert [(owed.step, owed.late) for owed in found.dated] == [("look", True)]
    assert [(owed.step, owed.word) for owed in found.undated] == [
        ("best", "not-stated"),
        ("needless", "not-stated"),
        ("end", "not-stated"),
        ("kept", "及时"),
    ]
    assert [owed.step for owed in found.stale] == ["some_day"]
    assert [(table.decide, table.needs) for table in found.undecided] == [("grade", ["grave"])]


def test_a_role_sees_what_it_owes_also_as_holder() -> None:
    case = given(P, receive("front"))
    assert [owed.step for owed in work([standing(case)], at(0, "10:00"), "front").undated] == ["kept"]
    assert work([standing(case)], at(0, "10:00"), "gm").undated == []
    assert work([standing(case)], at(0, "10:00"), "front").undecided == []


def test_who_was_named_stands_beside_what_is_owed_and_a_paused_limit_says_so() -> None:
    paused = pack("""
facts: [{fact: theirs, clause: f, type: yes-no}]
steps:
- part: p
  rows: [{do: look, clause: 一, by: cm, within: 2 h elapsed, pause: theirs}, {close: end, clause: 二, by: md}]
""")
    case = given(paused, receive(), command("name-assignee", at=at(0, "09:10"), role="cm", person="ann", because="r"))
    case.take(say(at(0, "09:30"), theirs=True))
    [owed, _] = work([Standing("A", case.state, paused, CALENDAR)], at(0, "12:00")).undated
    assert (owed.step, owed.assignee, owed.paused) == ("look", "ann", True)


def test_several_cases_are_listed_by_date() -> None:
    first, second = given(P, receive(at=at(0, "10:00"))), given(P, receive(at=at(0, "09:00")))
    cases = [Standing("A", first.state, P, CALENDAR), Standing("B", second.state, P, CALENDAR)]
    assert [owed.complaint for owed in work(cases, at(0, "10:30"), "cm").dated] == ["B", "A"]


# --- what a role may see ---
def test_a_role_does_not_see_what_a_clause_hides_from_it() -> None:
    case = given(P, receive(facts={"secret": "s", "grave": True}))
    assert "secret" not in visible(P, CALENDAR, case.state, "md")
    assert visible(P, CALENDAR, case.state, "cm")["secret"] == "s"
    open_to_all = given(P, receive(facts={"secret": "s", "grave": False}))
    assert visible(P, CALENDAR, open_to_all.state, "md")["secret"] == "s"


def test_while_nobody_knows_whether_it_is_hidden_it_is() -> None:
    case = given(P, receive(facts={"secret": "s"}))
    assert "secret" not in visible(P, CALENDAR, case.state, "md")


def test_late_by_is_counted_to_the_instant_asked() -> None:
    case = given(P, receive(), fire(at(0, "11:00")))
    assert of(case, "look", at(0, "11:00") + timedelta(days=2)).late_s == timedelta(days=2).total_seconds()


LASTING = pack("""
facts:
- {fact: mended, clause: f, type: yes-no}
- {fact: grave, clause: f, type: yes-no}
- {fact: age, clause: f, type: number}
decisions:
- decide: grade
  of: [1, 2]
  rows: [{set: 1, clause: 甲, when: 'age > 30 && grave'}, {set: 2, clause: 乙, when: age >= 0}]
clocks:
- {clock: whole, clause: c, from: received, within: 5 days, stop: mended}
- {clock: told_off, clause: d, from: received, within: 5 days, cancel: mended}
intake:
- {channels: [phone], clause: 电, asks: [mended]}
- {channels: [any], clause: 其, asks: [age]}
- {clause: 急, asks: [grave], when: age > 30}
steps:
- part: p
  rows:
  - {do: watch, clause: 一, by: cm, repeats: not-stated, when: '!mended'}
  - {do: call, clause: 二, by: cm, repeats: 24 h elapsed, when: '!mended'}
  - {do: try, clause: 三, by: cm, duty: should, within: 2 h elapsed, from: received}
""", doors="")  # fmt: skip


def word(case: Case, row: str, when: datetime) -> str:
    return next(v for v in verdicts(LASTING, CALENDAR, case.history, when) if v.row == row).verdict


def test_what_was_done_again_and_again_is_obeyed_once_there_is_no_more_to_do() -> None:
    told = receive(facts={"mended": False})
    never = given(LASTING, told, say(at=at(0, "12:00"), mended=True))
    assert word(never, "watch", at(1)) == "not applicable"
    done = given(LASTING, told, record("watch", "cm", at(0, "10:00")), say(at=at(0, "12:00"), mended=True))
    assert word(done, "watch", at(1)) == "obeyed"


def test_an_interval_that_was_missed_stays_missed_when_there_is_no_more_to_do() -> None:
    told = receive(facts={"mended": False})
    late = given(LASTING, told, fire(at(1, "12:00")), record("call", "cm", at(1, "13:00")))
    late.take(say(at=at(1, "14:00"), mended=True))
    assert word(late, "call", at(2)) == "breached"


def test_best_effort_is_not_done_once_its_limit_is_over_and_obeyed_when_made_up() -> None:
    case = given(LASTING, receive(), fire(at(0, "12:00")))
    assert word(case, "try", at(0, "10:00")) == "not yet due"
    assert word(case, "try", at(0, "12:00")) == "not done"
    case.take(record("try", "cm", at(0, "13:00")))
    assert word(case, "try", at(0, "13:00")) == "obeyed"


def test_a_clock_that_was_stopped_in_time_is_obeyed_and_a_cancelled_one_asks_for_nothing() -> None:
    case = given(LASTING, receive(facts={"mended": False}), say(at=at(1), mended=True))
    assert word(case, "whole", at(0, "12:00")) == word(case, "told_off", at(0, "12:00")) == "not yet due"
    assert (word(case, "whole", at(1)), word(case, "told_off", at(1))) == ("obeyed", "not applicable")


def test_a_row_that_would_go_before_the_one_that_decided_is_undecided_while_nobody_can_tell() -> None:
    case = given(LASTING, receive(facts={"age": 40}))
    rows = [v for v in verdicts(LASTING, CALENDAR, case.history, at(0)) if v.row == "grade"]
    assert [(v.clause, v.verdict, v.needs) for v in rows] == [("甲", "undecided", ["grave"]), ("乙", "obeyed", [])]
    standing = Standing("C", case.state, LASTING, CALENDAR)
    assert [(one.decide, one.needs) for one in work([standing], at(0)).undecided] == [("grade", ["grave"])]
    young = given(LASTING, receive(facts={"age": 4}))
    assert [v.verdict for v in verdicts(LASTING, CALENDAR, young.history, at(0)) if v.row == "grade"] == [
        "not applicable",
        "obeyed",
    ]


def test_what_a_person_has_judged_waits_for_nothing() -> None:
    case = given(LASTING, receive(facts={"age": 40}), command("regrade", "front", at(0, "10:00"), grade=1, reason="r"))
    standing = Standing("C", case.state, LASTING, CALENDAR)
    assert work([standing], at(1)).undecided == []
    rows = [v for v in verdicts(LASTING, CALENDAR, case.history, at(1)) if v.row == "grade"]
    assert [v.verdict for v in rows] == ["not applicable", "obeyed"]


def test_a_question_of_another_channel_or_whose_condition_is_false_is_not_owed() -> None:
    def asks(case: Case) -> list[tuple[str, list[str]]]:
        rows = [v for v in verdicts(LASTING, CALENDAR, case.history, at(0)) if v.row == "asks"]
        return [(v.verdict, v.needs) for v in rows]

    phoned = given(LASTING, receive(channel="phone"))
    assert asks(phoned) == [("owed", ["mended"]), ("not applicable", []), ("undecided", ["age"])]
    wrote = given(LASTING, receive(channel="letter", facts={"age": 4}))
    assert asks(wrote) == [("not applicable", []), ("obeyed", []), ("not applicable", [])]
