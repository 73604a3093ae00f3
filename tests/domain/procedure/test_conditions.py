"""Conditions: what nobody has said is unknown, not false; and our evaluation is CEL's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given
from hypothesis import strategies as st

from complaints.procedure.conditions import Names, Wrong
from complaints.procedure.model import UNSET
from tests.domain.procedure.packfiles import seeing

NAMES = Names(
    types={
        "major": "yes-no",
        "special": "yes-no",
        "talk.done": "yes-no",
        "households": "number",
        "attempts": "number",
        "kind": "text",
        "matter": "text",
        "review.outcome": "text",
        "posted_at": "time",
        "received": "time",
    },
    constants={"goods", "manners", "approved", "refused", "always", "never"},
    answers={"work_order": "always"},
    values={"kind": ("goods", "manners"), "review.outcome": ("approved", "refused"), "work_order": ("always", "never")},
)
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("major", {}, None),
        ("!major", {}, None),
        ("!major", {"major": False}, True),
        ("major || special", {"special": True}, True),
        ("major || special", {"special": False}, None),
        ("major && special", {"major": False}, False),
        ("major && special", {"major": True}, None),
        ("!(major && special)", {"special": False}, True),
        ("major ? special : talk.done", {"special": True, "talk__done": True}, None),
        ("major ? special : talk.done", {"major": False, "talk__done": True}, True),
        ("households >= 3", {}, None),
        ("households >= 3", {"households": 3}, True),
        ("households > 3 || attempts > 0", {"attempts": 1}, True),
        ("kind == goods", {"kind": "manners"}, False),
        ("kind != goods", {}, None),
        ("kind in [goods, manners]", {"kind": "manners"}, True),
        ("kind in [goods, manners]", {}, None),
        ('matter != ""', {"matter": ""}, False),
        ("posted_at < received", {"posted_at": NINE, "received": NINE + timedelta(hours=1)}, True),
        ("posted_at < received", {"received": NINE}, None),
        ("major == special", {"major": True, "special": True}, True),
        ("false", {}, False),
        ("false && major", {}, False),
        ("work_order == always", {}, True),
        ("work_order == never && major", {}, False),
        ('matter.contains("leak")', {"matter": "a leak"}, True),
        ('matter.contains("leak")', {}, None),
        ('major || matter.startsWith("a")', {"major": True}, True),
        ("[goods, manners].exists(k, k == kind)", {"kind": "goods"}, True),
        ("attempts + 1 > households", {"attempts": 2, "households": 2}, True),
        ("households / attempts > 1", {"attempts": 0, "households": 2}, None),
    ],
)
def test_a_condition_is_true_false_or_undecided(text: str, known: dict[str, Any], expected: bool | None) -> None:
    assert NAMES.compile(text).on(seeing(**known)) is expected


@pytest.mark.parametrize(
    ("text", "refs", "leans"),
    [
        ("major", ("major",), ()),
        ("talk.done && !major || talk.done", ("talk.done", "major"), ()),
        ("kind == goods", ("kind",), ()),
        ("kind in [goods, manners] && review.outcome == refused", ("kind", "review.outcome"), ()),
        ('matter == "major"', ("matter",), ()),
        ("work_order == always", (), ("work_order",)),
        ("work_order == always && posted_at < received", ("posted_at", "received"), ("work_order",)),
        ("false", (), ()),
        ("[1, 2].exists(major, major > 1) && special", ("special",), ()),
    ],
)
def test_the_names_that_a_condition_reads_come_from_what_cel_checked(
    text: str, refs: tuple[str, ...], leans: tuple[str, ...]
) -> None:
    condition = NAMES.compile(text)
    assert set(condition.refs) - {"major"} == set(refs) - {"major"}
    assert condition.refs[: len(refs)] == refs or "exists" in text
    assert condition.leans == leans


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("major", set()),
        ("posted_at < received", set()),
        ("major && received >= posted_at || special", set()),
        ("received == received", {"received"}),
        ('received < timestamp("2026-03-02T00:00:00Z")', {"received"}),
        ('posted_at < received || received.getFullYear("Asia/Shanghai") == 2026', {"received"}),
        ('posted_at + duration("1h") < received', {"posted_at", "received"}),
    ],
)
def test_a_condition_says_of_which_instants_it_asks_more_than_how_they_stand_to_another(
    text: str, dates: set[str]
) -> None:
    assert NAMES.compile(text).dates == dates


def test_only_what_can_decide_is_looked_up() -> None:
    asked: list[str] = []

    def get(name: str) -> Any:
        asked.append(name)
        return {"major": True, "special": False}.get(name, UNSET)

    assert NAMES.compile("major || special || talk.done").on(get) is True
    assert NAMES.compile("special && talk.done").on(get) is False
    assert asked == ["major", "special"]


@pytest.mark.parametrize("value", [None, "yes", 1, 0, object(), UNSET])
def test_what_is_no_yes_or_no_is_not_known(value: object) -> None:
    assert NAMES.compile("major").on(seeing(major=value)) is None


@pytest.mark.parametrize("value", [None, 3, True, NINE])
def test_what_is_no_text_is_not_known(value: object) -> None:
    assert NAMES.compile("matter != 'x'").on(seeing(matter=value)) is None


@pytest.mark.parametrize("value", [None, "3", True])
def test_what_is_no_number_is_not_known(value: object) -> None:
    assert NAMES.compile("households > 2").on(seeing(households=value)) is None


def test_an_instant_in_writing_is_not_an_instant() -> None:
    assert NAMES.compile("posted_at < received").on(seeing(posted_at="2026-01-01", received=NINE)) is None


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("talk.done && review.outcome == refused", {"talk.done", "review.outcome"}),
        ("talk.done || major", set()),
        ("talk.done && (major || special && major)", {"talk.done", "major"}),
        ("!talk.done", set()),
        ("households > 3", set()),
    ],
)
def test_what_a_condition_cannot_do_without(text: str, needs: set[str]) -> None:
    assert NAMES.compile(text).needs == needs


def test_what_a_condition_holds_against_one_another() -> None:
    compared = NAMES.compile("kind in [goods, manners] || refused == review.outcome || households != 3").compares
    assert compared == {("kind", "goods"), ("kind", "manners"), ("review.outcome", "refused"), ("households", 3)}


@pytest.mark.parametrize(
    ("text", "why", "column"),
    [
        ("majr", "undeclared reference to 'majr'; did you mean major?", 1),
        ("major && talk.dne", "undeclared reference to 'talk.dne'; did you mean talk.done?", 14),
        ("major &&", "Syntax error", 9),
        ("households", "the condition gives int, not yes or no", None),
        ("kind == 3", "found no matching overload for '_==_'", 6),
        ("major || kind == approved", "kind is never approved; it is one of goods, manners", 15),
        ("kind in [goods, refused]", "kind is never refused", 17),
        ("kind == 'services'", "kind is never services", 6),
        ("work_order == goods", "work_order is never goods; it is one of always, never", 12),
        ("review.outcome == matter", "compare it with these", 16),
        ("goods == manners", None, None),
    ],
)
def test_what_cannot_stand_is_refused_with_its_column(text: str, why: str | None, column: int | None) -> None:
    if why is None:
        assert NAMES.compile(text).on(seeing()) is False
        return
    with pytest.raises(Wrong) as wrong:
        NAMES.compile(text)
    assert why in wrong.value.why
    assert wrong.value.column == column


# --- against CEL itself ---
YES_NO = ("major", "special", "talk.done")
NUMBERS = ("households", "attempts")
TEXTS = ("kind", "matter", "review.outcome")
TIMES = ("posted_at", "received")
WORDS = ("goods", "manners", '"other"', '""')

numbers = st.sampled_from(NUMBERS) | st.integers(-3, 12).map(str)
texts = st.sampled_from((*TEXTS, *WORDS, "work_order"))
comparisons = (
    st.builds("{} {} {}".format, numbers, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), numbers)
    | st.builds("{} {} {}".format, texts, st.sampled_from(("==", "!=", "<", ">=")), texts)
    | st.builds("{} {} {}".format, st.sampled_from(TIMES), st.sampled_from(("==", "<", ">=")), st.sampled_from(TIMES))
    | st.builds(lambda x, xs: f"{x} in [{', '.join(xs)}]", texts, st.lists(texts, min_size=1, max_size=3))
    | st.builds(lambda x, xs: f"{x} in [{', '.join(xs)}]", numbers, st.lists(numbers, min_size=1, max_size=3))
    | st.builds('{}.contains("o")'.format, st.sampled_from(TEXTS))
    | st.builds("{} + 1 > {}".format, st.sampled_from(NUMBERS), numbers)
)
leaves = st.sampled_from((*YES_NO, "true", "false")) | comparisons
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("!({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
        | st.builds("({}) == ({})".format, inner, inner)
    ),
    max_leaves=8,
)
instants = st.integers(0, 10**6).map(lambda minutes: NINE + timedelta(minutes=minutes))
known = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(YES_NO, st.booleans()),
        **dict.fromkeys(NUMBERS, st.integers(-3, 12)),
        **dict.fromkeys(TEXTS, st.sampled_from(("goods", "manners", "other", ""))),
        **dict.fromkeys(TIMES, instants),
    },
)
OPEN = Names(types=NAMES.types, constants=NAMES.constants, answers=NAMES.answers)  # nothing is impossible here
CEL_TYPES = {"yes-no": cel.Type.BOOL, "number": cel.Type.INT, "text": cel.Type.STRING, "time": cel.Type.TIMESTAMP}
ENVIRONMENT = cel.NewEnv(
    variables={
        **{name: CEL_TYPES[kind] for name, kind in OPEN.types.items()},
        **dict.fromkeys((*OPEN.constants, *OPEN.answers), cel.Type.STRING),
    }
)


@given(text=expressions, values=known)
def test_our_evaluation_is_cels_own_unknown_names_included(text: str, values: dict[str, Any]) -> None:
    result = ENVIRONMENT.compile(text).eval(data={**{c: c for c in OPEN.constants}, **OPEN.answers, **values})
    expected = None if result.type() == cel.Type.ERROR else result.value()

    assert OPEN.compile(text).on(lambda name: values.get(name, UNSET)) is expected


@given(text=expressions, values=known)
def test_a_condition_depends_on_the_names_that_it_says_it_reads_alone(text: str, values: dict[str, Any]) -> None:
    condition = OPEN.compile(text)
    narrowed = {name: value for name, value in values.items() if name in condition.refs}

    def get(name: str) -> Any:
        return values.get(name, UNSET)

    assert condition.on(get) is condition.on(lambda name: narrowed.get(name, UNSET))


@given(text=expressions, values=known, name=st.sampled_from(sorted(OPEN.types)))
def test_to_learn_more_never_turns_a_decided_condition(text: str, values: dict[str, Any], name: str) -> None:
    condition = OPEN.compile(text)
    fewer = {n: v for n, v in values.items() if n != name}
    before = condition.on(lambda n: fewer.get(n, UNSET))

    if before is not None:
        assert condition.on(lambda n: values.get(n, UNSET)) is before


@given(text=expressions, values=known)
def test_what_a_condition_needs_is_true_or_known_whenever_it_is_true(text: str, values: dict[str, Any]) -> None:
    condition = OPEN.compile(text)
    if condition.on(lambda name: values.get(name, UNSET)) is True:
        for name in condition.needs:
            assert values.get(name) not in (False, None)
