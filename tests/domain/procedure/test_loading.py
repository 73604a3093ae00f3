"""What a pack says is what the engine gets: every section, every field, read into its value."""

from __future__ import annotations

import hashlib

import pytest

from complaints.errors import PackRefused
from complaints.procedure.limits import LimitKind
from complaints.procedure.loading import load
from complaints.procedure.model import UNSET
from tests.domain.procedure.packfiles import PROBES, WHOLE, probe, seeing, source_of, text_of, whole


def test_the_head_of_a_pack_says_which_procedure_it_is() -> None:
    pack = whole()
    assert (pack.id, pack.version, pack.title) == ("90-whole", 3, "试验用投诉办法")
    assert pack.en == "Rules on complaints, for trying"
    assert pack.source == "whole.zh.md"
    assert pack.digest == hashlib.sha256(WHOLE.read_bytes()).hexdigest()
    assert pack.milestones == {"acknowledged": "not-stated"}


def test_questions_are_answered_and_asked() -> None:
    pack = whole()
    assert pack.questions == {"hours": "elapsed", "first_day": "next_day", "count_gate": "counts"}
    assert pack.asks["first_day"].asks == "Is the day of the start the first?"


def test_roles_have_tiers_and_may_stand_outside() -> None:
    pack = whole()
    assert [(r.name, r.tier) for r in pack.roles.values() if r.tier] == [("manager", 1), ("head", 2), ("boss", 3)]
    assert [r.name for r in pack.roles.values() if r.outside] == ["lab"]
    assert pack.roles["service"].en == "Customer service"


def test_facts_are_of_their_kind() -> None:
    facts = whole().facts
    assert {name: fact.kind for name, fact in facts.items()} == {
        "content": "text",
        "kind": "choice",
        "detail": "choice",
        "severity": "choice",
        "harm": "yes-no",
        "households": "number",
        "named_dept": "text",
        "complex": "yes-no",
        "at_lab": "yes-no",
        "number": "text",
        "plan_text": "text",
        "posted_at": "time",
        "in_time": "span",
        "call_id": "text",
        "matter": "text",
        "cut_at": "time",
        "fix_by": "time",
        "fixable": "yes-no",
        "serious": "means",
    }
    assert whole().personal == {"content"}


def test_choices_may_be_a_list_a_tree_or_not_stated() -> None:
    facts = whole().facts
    assert facts["kind"].choices == ("goods", "manners", "building")
    assert facts["detail"].under == "kind"
    assert facts["detail"].tree == {"goods": ("broken", "late"), "building": ("leak", "lift")}
    assert facts["detail"].choices == ("broken", "late", "leak", "lift")
    assert facts["severity"].choices == ()


def test_yes_and_no_are_true_and_false_and_silence_starts_as_nothing() -> None:
    facts = whole().facts
    assert facts["harm"].starts_as is False
    assert facts["households"].starts_as == 0
    assert facts["named_dept"].starts_as == "none"
    assert facts["matter"].starts_as is UNSET
    assert whole({"harm.starts-as": "not-stated"}).facts["harm"].starts_as is UNSET


def test_two_instants_are_compared_by_a_limit() -> None:
    span = whole().facts["in_time"].span
    assert span is not None
    assert (span[0].text, span[1], span[2]) == ("10 days", "posted_at", "received")


def test_a_meaning_is_a_condition_with_a_name() -> None:
    means = whole().facts["serious"].means
    assert means is not None
    assert means.on(seeing(grade="b")) is True
    assert means.on(seeing(grade="c")) is False


def test_intake_rows_name_channels_receivers_and_questions() -> None:
    rows = whole().intake
    assert [row.channels for row in rows] == [("phone", "letter"), ("visit",), ("other",), (), (), ()]
    assert rows[1].by == ("gate", "service")
    assert rows[3].asks == ("content", "kind", "severity")
    assert rows[4].when is not None
    assert rows[4].when.refs == ("channel",)
    assert rows[5].case == "outage"


def test_a_table_takes_values_or_a_fact_and_knows_its_places() -> None:
    grade, owner, outage = whole().tables
    assert (grade.of, grade.falls, grade.judged_by) == (("a", "b", "c"), "not-stated", ("manager", "head"))
    assert [(row.set, row.place) for row in grade.rows] == [
        ("a", "grade.rows.1"),
        ("b", "grade.rows.2"),
        ("c", "grade.rows.3"),
    ]
    assert grade.rows[-1].when is None
    assert (owner.rows[1].set, owner.rows[1].fact, owner.of, owner.falls) == (None, "named_dept", (), "yes")
    assert (outage.case, outage.of) == ("outage", (1, 2))


def test_a_clock_has_a_start_and_what_ends_it() -> None:
    clocks = whole().clocks
    ageing, silence = clocks["ageing"], clocks["silence"]
    assert (ageing.from_, ageing.within.limit.text, ageing.within.place) == ("received", "1 month", "ageing.within")
    assert ageing.pause is not None
    assert ageing.stop is not None
    assert ageing.cancel is not None
    assert (silence.from_, silence.regrade) == (None, "keep")
    assert silence.start is not None
    assert silence.start.refs == ("revisit.done",)


def test_a_step_has_every_field_that_its_row_writes() -> None:
    step = whole().steps["finish"]
    assert (step.verb, step.duty, step.by, step.by_text) == ("do", "must", (("owner",),), "owner")
    assert step.after == (("consent",),)
    assert [(case.limit.text, case.clause, case.place) for case in step.within] == [
        ("3 working days", "8", "finish.within.1.is"),
        ("10 days", "8", "finish.within.2.is"),
    ]
    assert (step.from_, step.regrade, step.milestone) == ("hand_over", "carry", "resolved")
    assert step.part.name == "办理"
    assert step.part.when is not None
    assert (step.part.when.leans, step.part.when.refs) == (("count_gate",), ("channel",))


def test_steps_keep_the_order_of_the_file() -> None:
    steps = whole().steps
    assert [step.index for step in steps.values()] == list(range(len(steps)))
    assert list(steps)[:3] == ["register", "hand_over", "rise"]


def test_all_of_some_and_any_of_others_are_told_apart() -> None:
    steps = whole().steps
    assert steps["consent"].by == (("manager",), ("head",))
    assert steps["register"].by == (("receiver", "service"),)
    assert steps["call_back"].after == (("finish", "plan"),)
    assert steps["revisit"].after == (("call_back",),)
    assert steps["hand_over"].to == ("owner", "manager")


def test_more_time_is_a_limit_a_condition_and_a_clause() -> None:
    extend = whole().steps["call_back"].extend
    assert extend is not None
    assert (extend.to.text, extend.clause) == ("48 h", "10")
    assert extend.when.on(seeing(call_back__attempts=1, call_back__done=False)) is True


def test_the_other_fields_of_steps() -> None:
    steps = whole().steps
    register = steps["register"]
    assert (register.form, register.complete, register.records) == ("book", True, ("number",))
    assert steps["consent"].back == {"refused": "plan"}
    assert steps["revisit"].outcomes == ("happy", "unhappy")
    assert steps["inspect"].people == 2
    assert steps["result"].medium == ("written",)
    assert steps["remind"].round == "monthly_round"
    assert steps["given_up"].leaves == ("plan", "consent")
    assert steps["call_back"].wait is not None
    assert steps["rise"].repeats is not None
    assert steps["rise"].repeats.kind is LimitKind.NOT_STATED
    assert steps["rise"].within == ()


def test_an_interval_of_repetition_is_a_limit_of_its_own() -> None:
    step = whole(None, ("repeats: not-stated", "repeats: 1 week")).steps["rise"]
    assert [(case.limit.text, case.place) for case in step.within] == [("1 week", "rise.repeats")]


def test_a_wait_without_number_keeps_nothing_waiting() -> None:
    assert whole(None, ("wait: 1 week", "wait: soft 适时")).steps["call_back"].wait is None


def test_steps_of_items_stand_once_in_their_part() -> None:
    fix = whole().steps["fix"]
    assert (fix.part.for_each, fix.item, fix.name) == ("point", None, "fix")
    assert fix.within[0].limit.fact == "fix_by"
    assert whole().items["point"].by == ("dept",)


def test_cases_beside_complaints_have_steps_of_their_own() -> None:
    pack = whole()
    assert pack.kinds["outage"].by == ("service", "manager")
    assert pack.steps["cut_notice"].part.case == "outage"
    assert pack.steps["cut_notice"].within[0].limit.text == "3 days before fact cut_at"


def test_holds_and_bars() -> None:
    pack = whole()
    seal, points = pack.holds
    assert (seal.forbids, seal.until.refs) == (("inspect",), ("seal.done",))
    assert points.until.refs == ("point.open", "book.complete")
    blind, own, heads = pack.access
    assert (blind.hide, blind.from_, blind.only) == (("content", "complainant"), ("inspector",), None)
    assert own.when is not None
    assert own.when.refs == ("actor.person", "register.person")
    assert (heads.only, heads.never, heads.may) == (("manager", "head"), ("boss",), ("consent",))


def test_other_cases_are_counted_linked_and_kept_unique() -> None:
    pack = whole()
    count = pack.counts["same_month"]
    assert (count.same, count.of, count.starts_as) == ("matter", "complainants", 0)
    assert count.within is not None
    assert count.within.text == "1 month"
    assert (pack.links["once_more"].attaches, pack.links["once_more"].to) == ("book", "manager | head")
    assert pack.uniques["one_call"].same == "call_id"


def test_forms_have_fields_or_none_that_are_stated() -> None:
    forms = whole().forms
    assert (forms["book"].fields, forms["book"].number, forms["book"].register) == (
        ("number", "content", "kind"),
        "number",
        True,
    )
    assert forms["loose"].fields is None


def test_the_desk_owes_reports_rounds_and_samples() -> None:
    desk = whole().desk
    weekly = desk["weekly"]
    assert (weekly.every, weekly.day, weekly.time, weekly.holiday) == ("week", "Tuesday", "17:00", "after")
    assert (weekly.by, weekly.to, weekly.covers) == (("service",), ("manager", "head"), "previous week")
    assert [(m.kind, m.what, m.of, m.by, m.shows) for m in weekly.report] == [
        ("count", "received", None, "kind", ()),
        ("rate", "closed", "received", "grade", ()),
        ("on-time", "all", None, None, ()),
        ("on-time", "finish", None, None, ()),
        ("count", "received", None, None, ()),
        ("list", "open", None, None, ("number", "kind")),
    ]
    assert weekly.report[3].row == {"on-time": "finish"}
    assert [m.case for m in weekly.report] == [*["complaint"] * 4, "outage", "complaint"]
    assert (desk["monthly_round"].each, desk["monthly_round"].day) == ("remind", "4")
    assert desk["monthly_round"].cases is not None
    assert (desk["survey"].has_sample, desk["survey"].sample_size) == (True, None)
    assert desk["survey"].sample_include is not None
    assert (desk["posters"].duty, desk["posters"].report, desk["posters"].report_text) == ("should", (), "not-stated")


def test_what_is_kept_advised_and_noted() -> None:
    pack = whole()
    assert [(k.name, k.for_.text, k.by) for k in pack.retention] == [
        ("book", "2 years", "service"),
        ("samples", "not-stated", None),
        ("notices", "1 year", None),
    ]
    assert [(k.from_, k.case, k.when.text if k.when else None) for k in pack.retention][2:] == [
        ("received", "outage", "households > 0")
    ]
    assert pack.guidance == {"intake": ("接待投诉应当热情耐心",), "plan": ("热情耐心",)}
    assert pack.notes[1][0] == ["8", "10"]


def test_every_title_and_quotation_may_carry_our_translation() -> None:
    pack = whole()
    assert pack.english["试验用投诉办法"] == "Rules on complaints, for trying"
    assert pack.english["受理"] == "Receipt"
    assert pack.english["停水停电"] == "Cut of water or power"
    assert pack.english["停水停电的"] == "where water or power is cut"
    assert pack.english["三个工作日内办结"] == "within three working days"
    assert pack.english["接待投诉应当热情耐心"] == "receive people warmly and patiently"
    outage = pack.kinds["outage"]
    assert (outage.says, outage.en, outage.en_title) == (
        "停水停电的",
        "where water or power is cut",
        "Cut of water or power",
    )
    assert pack.steps["register"].part.en == "Receipt"


def test_every_clause_is_known_with_the_row_that_restates_it() -> None:
    cited = {(c.clause, c.section, c.rule) for c in whole().citations}
    assert {
        ("1", "pack", "pack.in-force"),
        ("4", "decisions", "grade.rows.1"),
        ("8", "steps", "finish.within.2"),
        ("8", "steps", "办理"),
        ("10", "steps", "call_back.extend"),
        ("8", "desk", "weekly.report.4"),
        ("21", "guidance", "guidance.1"),
        ("10", "notes", "notes.2"),
    } <= cited
    line = next(c.line for c in whole().citations if c.rule == "hand_over")
    assert text_of(WHOLE.name).splitlines()[line - 1] == "  - pass: hand_over"


def test_a_sentence_that_the_text_has_is_found_in_it() -> None:
    text = text_of(WHOLE.name)
    assert whole().quotations == text.count("says: ") - text.count("en: {title: ")


def test_without_the_text_quotations_are_taken_as_they_are() -> None:
    assert load(text_of(WHOLE.name).replace("说", "曰"), file=WHOLE.name).quotations == 0


@pytest.mark.parametrize("path", PROBES, ids=lambda path: path.stem)
def test_a_fragment_of_another_procedure_loads_with_its_quotations(path: object) -> None:
    name = str(getattr(path, "name", path))
    pack = load(text_of(name), file=name, source=source_of(name))
    assert pack.quotations > 0


def test_one_of_two_contradicting_rules_is_chosen_by_a_question() -> None:
    pack = probe("05")
    always, refused = pack.steps["order_always"].when, pack.steps["order_if_refused"].when
    assert always is not None
    assert refused is not None
    nothing = seeing()
    assert (always.on(nothing), refused.on(nothing)) == (True, False)
    assert (always.leans, always.refs) == (("work_order",), ())

    text = text_of("05-auto-close.yaml")
    other = load(text, file="05", answers={"work_order.answer": "if_refused"})
    chosen = other.steps["order_if_refused"].when
    assert chosen is not None
    assert chosen.on(nothing) is None
    assert chosen.on(seeing(explanation_accepted=False)) is True


def test_the_same_text_and_answers_give_an_equal_procedure() -> None:
    once, again = whole(), whole()
    assert once.digest == again.digest
    assert once.places == again.places
    assert once.citations == again.citations


NESTED = "a: " + "[" * 5000 + "]" * 5000


def test_a_file_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(PackRefused, match="nested too deeply"):
        load(NESTED, file="deep.yaml")


def test_a_file_that_is_longer_than_any_procedure_is_refused() -> None:
    with pytest.raises(PackRefused, match="enough for any procedure"):
        load(text_of(WHOLE.name) + "#" * 1_000_000, file="long.yaml")


NO_PACKS = ("", "- a\n", "a\n", "pack: {id: a", "\ufeff", "pack: {id: a, version: 1}\n---\nx: 1\n")


@pytest.mark.parametrize("text", NO_PACKS)
def test_a_file_that_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(PackRefused):
        load(text, file="broken.yaml")


def test_a_list_of_roles_in_a_step_that_all_must_record_shows_as_it_is_written() -> None:
    assert whole().steps["consent"].by_text == ["manager", "head"]
