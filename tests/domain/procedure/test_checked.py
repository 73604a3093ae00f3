"""The checked expression is read as CEL serializes it."""

from __future__ import annotations

import pytest
from cel_expr_python import cel
from hypothesis import given
from hypothesis import strategies as st

from complaints.procedure.checked import Call, Const, Expr, Ident, ListOf, Other, parse, walk

T = cel.Type
ENVIRONMENT = cel.NewEnv(variables={"talk.done": T.BOOL, "n": T.INT, "x": T.STRING})


def read(text: str) -> Expr:
    return parse(ENVIRONMENT.compile(text).serialize()).root


def test_a_dotted_name_is_one_name() -> None:
    root = read("talk.done")
    assert isinstance(root, Ident)
    assert root.name == "talk.done"


def test_operators_are_calls_with_their_arguments_in_order() -> None:
    root = read('talk.done && x != "a"')
    assert isinstance(root, Call)
    assert root.function == "_&&_"
    left, right = root.args
    assert isinstance(left, Ident)
    assert isinstance(right, Call)
    assert [type(a) for a in right.args] == [Ident, Const]


def test_the_target_of_a_method_is_its_first_argument() -> None:
    root = read('x.contains("a")')
    assert isinstance(root, Call)
    assert root.function == "contains"
    assert [getattr(a, "name", getattr(a, "value", None)) for a in root.args] == ["x", "a"]


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_of_every_size_are_read(number: int) -> None:
    root = read(f"n == {number}")
    assert isinstance(root, Call)
    assert isinstance(root.args[1], Const)
    assert root.args[1].value == number


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
def test_texts_of_every_length_are_read(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    root = read(f'x == "{quoted}"')
    assert isinstance(root, Call)
    assert isinstance(root.args[1], Const)
    assert root.args[1].value == text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1.5 < 2.0", [1.5, 2.0]),
        ("b'a' == b'b'", [b"a", b"b"]),
        ("null == null", [None, None]),
        ("1u == 2u", [1, 2]),
        ("true == false", [True, False]),
    ],
)
def test_literals_of_every_type_are_read(text: str, values: list[object]) -> None:
    assert [e.value for e in walk(read(text)) if isinstance(e, Const)] == values


def test_whatever_else_cel_has_still_shows_the_names_inside() -> None:
    for text in ("[1, n].exists(y, y > n)", '{"a": n}.a == 1', "{x: 1}[x] == n", "[n, 2].map(y, y + n)[0] == 1"):
        found = {e.name for e in walk(read(text)) if isinstance(e, Ident)}
        assert "n" in found, text
    assert isinstance(read("[1, n].exists(y, y > n)"), Other)


def test_lists_keep_their_elements() -> None:
    root = read("n in [1, 2, 3]")
    assert isinstance(root, Call)
    assert isinstance(root.args[1], ListOf)
    assert [getattr(e, "value", None) for e in root.args[1].elements] == [1, 2, 3]


def test_columns_point_at_the_operator() -> None:
    text = 'talk.done && x == "a"'
    checked = parse(ENVIRONMENT.compile(text).serialize())
    equal = next(e for e in walk(checked.root) if isinstance(e, Call) and e.function == "_==_")
    assert text[checked.columns[equal.id] - 1 :].startswith("==")
