"""What deserves an argument: outcomes without consequence, facts used nowhere, what can wait for ever."""

from __future__ import annotations

from complaints.procedure.loading import load
from complaints.procedure.model import Procedure
from tests.domain.procedure.packfiles import WHOLE, probe, text_of, whole

HEAD = """\
pack: {id: small, version: 1, title: 办法}
milestones: {acknowledged: not-stated, assigned: not-stated, resolved: not-stated}
questions: [{question: hours, clause: '1', asks: Which?, answer: elapsed}]
roles: [{role: clerk, title: 文员, clause: '1'}]
"""
CHANNEL = "intake: [{channels: [any], clause: '1'}]\n"


def small(*sections: str) -> Procedure:
    return load(HEAD + "".join(sections), file="small.yaml")


def whys(pack: Procedure, kind: str) -> list[str]:
    return [finding.why for finding in pack.findings if finding.kind == kind]


def steps(*rows: str, head: str = "") -> str:
    return f"steps:\n- part: 办理\n{head}  rows:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


def test_an_outcome_that_nobody_asks_for_and_that_leads_nowhere_has_no_consequence() -> None:
    pack = small(CHANNEL, steps("approve: ok, clause: '1', by: clerk", "do: x, clause: '1', by: clerk, after: ok"))
    assert whys(pack, "outcome") == ["outcome refused of ok has no consequence"]


def test_an_outcome_that_leads_back_or_is_asked_for_has_a_consequence() -> None:
    loop = small(CHANNEL, steps("approve: ok, clause: '1', by: clerk, back: {refused: ok}"))
    asked = small(
        CHANNEL,
        steps("approve: ok, clause: '1', by: clerk", 'do: x, clause: "1", by: clerk, when: ok.outcome == refused'),
    )
    otherwise = small(
        CHANNEL,
        steps("approve: ok, clause: '1', by: clerk", 'do: x, clause: "1", by: clerk, when: ok.outcome != approved'),
    )
    assert [whys(p, "outcome") for p in (loop, asked, otherwise)] == [[], [], []]


def test_not_to_reach_somebody_is_counted_and_needs_no_consequence() -> None:
    assert whys(small(CHANNEL, steps("contact: call, clause: '1', by: clerk")), "outcome") == []


def test_a_fact_that_no_row_uses_is_found() -> None:
    facts = "facts: [{fact: idle, clause: '1'}, {fact: busy, clause: '1'}]\n"
    pack = small(CHANNEL, facts, steps("do: x, clause: '1', by: clerk, records: [busy]"))
    assert whys(pack, "fact") == ["fact idle is used nowhere"]


def test_a_fact_is_used_by_a_limit_a_span_a_table_a_form_or_a_report() -> None:
    assert whys(whole(), "fact") == ["fact detail is used nowhere", "fact in_time is used nowhere"]
    assert whys(probe("13"), "fact") == []


def test_without_a_channel_no_complaint_can_be_received() -> None:
    assert whys(small(steps("do: x, clause: '1', by: clerk")), "channel") == [
        "no channel is named: no complaint can be received"
    ]


GRADE = """\
decisions:
- decide: grade
  of: [high, low]
  rows:
  - {set: high, when: harm, clause: '2'}
  - {set: low, clause: '2'}
"""


def test_a_table_that_waits_for_what_nobody_need_mention_is_found_with_the_limit_that_hangs_on_it() -> None:
    facts = "facts: [{fact: harm, clause: '2'}]\n"
    limit = "do: x, clause: '3', by: clerk, when: grade == high, within: 1 h, from: received, regrade: carry"
    pack = small(CHANNEL, facts, GRADE, steps(limit))

    assert whys(pack, "undecided") == ["grade can wait for harm, which nobody need have mentioned"]
    assert whys(pack, "hangs") == [
        "the limit of x can hang on grade; grade can wait for harm, which nobody need have mentioned"
    ]
    (found,) = (f for f in pack.findings if f.kind == "hangs")
    assert (found.place, found.clause) == ("x.within", "3")
    assert (
        "within: 1 h"
        in (HEAD + CHANNEL + facts + GRADE + steps(limit)).splitlines()[found.line - 1][found.column - 9 :]
    )


def test_a_starting_value_a_question_at_intake_or_an_owed_record_makes_a_circumstance_certain() -> None:
    limit = "do: x, clause: '3', by: clerk, when: grade == high, within: 1 h, from: received, regrade: carry"
    started = small(CHANNEL, "facts: [{fact: harm, clause: '2', starts-as: no}]\n", GRADE, steps(limit))
    asked = small(
        "intake: [{channels: [any], clause: '1'}, {asks: [harm], clause: '1'}]\n",
        "facts: [{fact: harm, clause: '2'}]\n",
        GRADE,
        steps(limit),
    )
    recorded = small(
        CHANNEL,
        "facts: [{fact: harm, clause: '2'}]\n",
        GRADE,
        steps("do: look, clause: '2', by: clerk, records: [harm]", limit),
    )
    assert [p.findings for p in (started, asked, recorded)] == [(), (), ()]


def test_what_only_a_voluntary_step_records_stays_uncertain() -> None:
    facts = "facts: [{fact: harm, clause: '2'}]\n"
    look = "do: look, clause: '2', by: clerk, duty: may, records: [harm]"
    assert len(whys(small(CHANNEL, facts, GRADE, steps(look)), "undecided")) == 1


def test_a_limit_directly_under_a_circumstance_that_nobody_need_mention_can_hang() -> None:
    pack = small(
        CHANNEL,
        "facts: [{fact: harm, clause: '2'}]\n",
        steps("do: x, clause: '3', by: clerk, when: harm, within: 1 h", "do: y, clause: '3', by: clerk, when: harm"),
    )
    assert whys(pack, "hangs") == ["the limit of x can hang on harm; nobody need have mentioned harm"]


def test_a_soft_limit_has_no_date_to_lose() -> None:
    facts = "facts: [{fact: harm, clause: '2'}]\n"
    pack = small(CHANNEL, facts, steps("do: x, clause: '3', by: clerk, when: harm, within: soft 立即"))
    assert pack.findings == ()


def test_the_condition_of_a_part_counts_for_its_steps() -> None:
    pack = small(
        CHANNEL,
        "facts: [{fact: harm, clause: '2'}]\n",
        steps("do: x, clause: '3', by: clerk, within: 1 h", head="  when: harm\n"),
    )
    assert len(whys(pack, "hangs")) == 1


def test_what_is_false_from_the_beginning_keeps_no_table_waiting() -> None:
    table = """\
clocks: [{clock: ageing, clause: '4', from: received, within: 1 month}]
decisions:
- decide: grade
  of: [high, low]
  rows:
  - {set: high, when: ageing.late && ours, clause: '2'}
  - {set: low, clause: '2'}
"""
    pack = small(CHANNEL, "facts: [{fact: ours, clause: '2'}]\n", table)
    assert pack.findings == ()


def test_a_case_of_a_limit_that_something_else_always_covers_does_not_hang() -> None:
    facts = "facts: [{fact: wish, clause: '2'}, {fact: size, type: [big, small], clause: '2', starts-as: small}]\n"
    covered = "[{is: 1 h, when: wish}, {is: 2 h, when: size == big}, {is: 3 h, when: size == small}]"
    remainder = "[{is: 1 h, when: wish}, {is: 2 h}]"
    bare = "[{is: 1 h, when: wish}, {is: 2 h, when: size == big}]"
    found = [
        whys(small(CHANNEL, facts, steps(f"do: x, clause: '3', by: clerk, within: {within}")), "hangs")
        for within in (covered, remainder, bare)
    ]
    assert found == [[], [], ["the limit of x can hang on wish; nobody need have mentioned wish"]]


def test_a_combination_that_no_row_covers_is_named() -> None:
    facts = """\
facts:
- {fact: cause, type: [ours, theirs], clause: '2', starts-as: ours}
- {fact: clear, clause: '2', starts-as: no}
"""
    table = """\
decisions:
- decide: path
  rows:
  - {set: first, when: cause == ours && clear, clause: '2'}
  - {set: second, when: cause == theirs, clause: '2'}
"""
    limit = "do: x, clause: '3', by: clerk, when: path == first, within: 1 h"
    pack = small(CHANNEL, facts, table, steps(limit))
    assert whys(pack, "undecided") == ["path stays undecided when cause is ours and clear is no: no row covers it"]
    assert whys(pack, "hangs") == [
        "the limit of x can hang on path; path stays undecided when cause is ours and clear is no: no row covers it"
    ]


def test_numbers_are_tried_on_both_sides_of_what_they_are_compared_with() -> None:
    facts = "facts: [{fact: cost, type: number, clause: '2', starts-as: 0}]\n"
    table = """\
decisions:
- decide: size
  rows:
  - {set: big, when: cost > 100, clause: '2'}
  - {set: small, when: cost < 100, clause: '2'}
"""
    pack = small(CHANNEL, facts, table)
    assert whys(pack, "undecided") == ["size stays undecided when cost is 100: no row covers it"]


def test_circumstances_behind_a_meaning_or_another_table_are_named_themselves() -> None:
    facts = "facts: [{fact: a, clause: '2'}, {fact: both, clause: '2', means: a && closed}]\n"
    table = """\
decisions:
- decide: first
  rows: [{set: one, when: both, clause: '2'}, {set: two, clause: '2'}]
- decide: second
  rows: [{set: three, when: first == one, clause: '2'}, {set: four, clause: '2'}]
"""
    pack = small(CHANNEL, facts, table, steps("do: x, clause: '3', by: clerk, when: a"))
    assert whys(pack, "undecided") == []
    loud = small(CHANNEL, facts.replace("&& closed", "&& !closed"), table)
    assert whys(loud, "undecided") == [
        "first can wait for a, which nobody need have mentioned",
        "second can wait for a, which nobody need have mentioned",
    ]


def test_warnings_are_the_findings_in_words_with_their_lines() -> None:
    pack = whole()
    assert pack.warnings == tuple(f"{f.line}:{f.column}: {f.why}" for f in pack.findings)
    assert list(pack.findings) == sorted(pack.findings, key=lambda f: (f.line, f.column))
    lines = text_of(WHOLE.name).splitlines()
    assert all(f.place.partition(".")[0] in lines[f.line - 1] for f in pack.findings)


def test_limits_of_items_are_looked_at_too() -> None:
    assert whys(whole(), "hangs") == ["the limit of fix can hang on fixable; nobody need have mentioned fixable"]


def test_a_table_none_of_whose_rows_can_ever_be_true_stays_undecided_whatever_is_known() -> None:
    never = "decisions: [{decide: level, rows: [{set: high, clause: '1', when: 'false'}]}]\n"
    found = whys(small(CHANNEL, never), "undecided")
    assert found == ["level stays undecided when anything is known: no row covers it"]
