"""What a text leaves open, and what a desk may answer there."""

from __future__ import annotations

from typing import Any

import pytest

from complaints.errors import PackRefused
from complaints.procedure.model import UNSET
from tests.domain.procedure.packfiles import WHOLE, text_of, whole


def test_every_reading_and_silence_is_a_place_named_by_where_it_stands() -> None:
    assert {name: place.kind for name, place in whole().places.items()} == {
        "milestones.acknowledged": "not-stated",
        "hours.answer": "reading",
        "count_gate.answer": "reading",
        "severity.type": "not-stated",
        "harm.starts-as": "reading",
        "grade.falls": "not-stated",
        "grade.rows.2.when": "reading",
        "hand_over.within": "soft",
        "rise.repeats": "not-stated",
        "finish.by": "reading",
        "finish.from": "reading",
        "finish.regrade": "reading",
        "call_back.extend.to": "reading",
        "result.within": "reading",
        "same_month.starts-as": "reading",
        "loose.fields": "not-stated",
        "weekly.holiday": "reading",
        "monthly_round.holiday": "not-stated",
        "survey.every": "not-stated",
        "survey.sample.size": "not-stated",
        "posters.report": "not-stated",
        "posters.covers": "not-stated",
        "samples.for": "not-stated",
    }


def test_a_place_tells_what_is_in_force_what_else_the_words_allow_and_why() -> None:
    place = whole().places["call_back.extend.to"]
    assert (place.value, place.offers) == ("48 h", ("48 h", "72 h"))
    assert (place.because, place.clause) == ("in all or more", "10")
    assert "reading: 48 h" in text_of(WHOLE.name).splitlines()[place.line - 1]
    soft = whole().places["hand_over.within"]
    assert (soft.word, soft.value, soft.answered) == ("及时", "soft 及时", False)


def test_nothing_is_answered_until_a_desk_answers() -> None:
    assert whole().answered == frozenset()


@pytest.mark.parametrize(
    ("place", "answer"),
    [
        ("hours.answer", "working"),
        ("harm.starts-as", "not-stated"),
        ("harm.starts-as", "no"),
        ("harm.starts-as", False),
        ("finish.by", "owner | manager"),
        ("result.within", "not-stated"),
        ("severity.type", ["light", "heavy"]),
        ("grade.falls", "never"),
        ("hand_over.within", "2 working days"),
        ("rise.repeats", "1 month"),
        ("loose.fields", ["number"]),
        ("survey.every", "month"),
        ("survey.sample.size", 30),
        ("posters.report", [{"count": "received"}]),
        ("samples.for", "3 years"),
        ("same_month.starts-as", "not-stated"),
    ],
)
def test_a_desk_may_choose_what_is_offered_and_fill_a_silence_as_the_field_allows(place: str, answer: Any) -> None:
    pack = whole({place: answer})
    assert pack.answered == {place}
    assert pack.places[place].answered


def test_answers_are_what_the_engine_gets() -> None:
    answers: dict[str, Any] = {
        "hours.answer": "working",
        "severity.type": ["light", "heavy"],
        "hand_over.within": "2 working days",
        "loose.fields": ["number"],
        "survey.sample.size": 30,
        "posters.report": [{"count": "received", "by": "kind"}],
        "harm.starts-as": "not-stated",
        "grade.rows.2.when": "households > 3",
        "finish.regrade": "not-stated",
    }
    pack = whole(answers)
    assert pack.questions["hours"] == "working"
    assert pack.facts["severity"].choices == ("light", "heavy")
    assert pack.steps["hand_over"].within[0].limit.text == "2 working days"
    assert pack.forms["loose"].fields == ("number",)
    assert pack.desk["survey"].sample_size == 30
    assert [(m.kind, m.by) for m in pack.desk["posters"].report] == [("count", "kind")]
    assert pack.facts["harm"].starts_as is UNSET
    assert pack.steps["finish"].regrade == "not-stated"
    raised = pack.tables[0].rows[1].when
    assert raised is not None
    assert raised.text == "households > 3"
    assert pack.answered == answers.keys()


@pytest.mark.parametrize(
    ("place", "answer", "says"),
    [
        ("hours.answer", "lunar", "desk: hours.answer is 'lunar'; the pack offers 'elapsed', 'working'"),
        ("harm.starts-as", True, "the pack offers 'no', 'not-stated'"),
        ("call_back.extend.to", "60 h", "the pack offers '48 h', '72 h'"),
        ("same_month.starts-as", False, "the pack offers 0, 'not-stated'"),
        ("register.within", "2 h", "the pack leaves nothing open at register.within"),
        ("hand_over.withing", "2 h", "did you mean hand_over.within?"),
        ("grade.rows.2", "x", "the pack leaves nothing open at grade.rows.2"),
        ("hand_over.within", "soon", "desk: hand_over.within: not a time limit: 'soon'"),
        ("hand_over.within", 3, "desk: hand_over.within: not a time limit: the number 3"),
        ("hand_over.within", "fact number", "desk: hand_over.within: number is not a fact of type time"),
        ("severity.type", "number or so", "desk: severity.type: no type 'number or so'"),
        ("severity.type", ["light", "complex"], "desk: severity.type: 'complex' is a value here"),
        ("loose.fields", ["nothing"], "desk: loose.fields: no such fact: nothing"),
        ("survey.sample.size", 0, "desk: survey.sample.size: a whole number from 1"),
        ("survey.sample.size", "many", "desk: survey.sample.size"),
        ("posters.report", [{"count": "everything"}], "count: one of received"),
        ("grade.falls", "sometimes", "desk: grade.falls: one of yes, never"),
        ("milestones.acknowledged", "yes", "desk: milestones.acknowledged"),
    ],
)
def test_any_other_answer_is_refused_and_says_that_it_was_the_desk(place: str, answer: Any, says: str) -> None:
    with pytest.raises(PackRefused) as refused:
        whole({place: answer})
    assert says in str(refused.value)
    assert "desk: " in str(refused.value)


def test_a_question_that_the_pack_does_not_answer_must_be_answered_by_the_desk() -> None:
    silent = ("answer: next_day}", "answer: not-stated}")
    with pytest.raises(PackRefused, match=r"first_day\.answer is needed"):
        whole(None, silent)
    pack = whole({"first_day.answer": "same_day"}, silent)
    assert pack.questions["first_day"] == "same_day"
    assert pack.answered == {"first_day.answer"}


def test_every_offered_value_can_be_chosen() -> None:
    for place in whole().places.values():
        for offer in place.offers:
            assert whole({place.name: offer}).places[place.name].value == offer
