"""Whatever a pack file holds, it loads or it is refused with its place; nothing else ever comes out of the loader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.errors import PackRefused
from complaints.procedure import document
from complaints.procedure.loading import load
from complaints.procedure.places import plain
from tests.domain.procedure.packfiles import PROBES, WHOLE, text_of

Path = tuple[str | int, ...]

DATA = {name: plain(document.read(text_of(name), name)) for name in (WHOLE.name, *(p.name for p in PROBES))}


def paths(node: Any, here: Path = ()) -> Iterator[Path]:
    yield here
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield from paths(value, (*here, key))


PATHS = {name: list(paths(data)) for name, data in DATA.items()}
WORDS = sorted({str(key) for ps in PATHS.values() for path in ps for key in path if isinstance(key, str)})
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.sampled_from(
        ("", " ", "not-stated", "soft 立即", "soft ", "fact x", "24 h", "!a", "a | b", "a |", "(", "1 && true")
    ),
    st.sampled_from(WORDS),
    st.text(max_size=12),
)
values = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=3)
        | st.fixed_dictionaries({"reading": inner, "or": st.lists(inner, max_size=2), "because": odd})
    ),
    max_leaves=6,
)


def put(root: Any, path: Path, value: Any) -> Any:
    """The data with another value at the path."""
    if not path:
        return value
    made = copy.deepcopy(root)
    node = made
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return made


def without(root: Any, path: Path) -> Any:
    """The data without what stands at the path."""
    made = copy.deepcopy(root)
    node = made
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return made


def refusal(text: str, answers: dict[str, Any] | None = None) -> PackRefused | None:
    try:
        load(text, file="any.yaml", answers=answers or {}, source="办法")
    except PackRefused as refused:
        return refused
    return None


def loads_or_is_refused(data: Any, answers: dict[str, Any] | None = None) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1)
    if refused := refusal(text, answers):
        lines = text.split("\n")  # YAML knows no other end of a line
        assert 1 <= refused.line <= len(lines), refused
        assert 1 <= refused.column <= len(lines[refused.line - 1]) + 1, refused
        assert refused.reason


@given(st.data())
@settings(max_examples=100)
def test_any_value_anywhere_loads_or_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DATA)))
    path = data.draw(st.sampled_from(PATHS[name]))
    loads_or_is_refused(put(DATA[name], path, data.draw(values)))


@given(st.data())
@settings(max_examples=40)
def test_anything_left_out_loads_or_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DATA)))
    path = data.draw(st.sampled_from([path for path in PATHS[name] if path]))
    loads_or_is_refused(without(DATA[name], path))


@given(st.data())
@settings(max_examples=40)
def test_a_value_from_elsewhere_loads_or_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DATA)))
    path, other = data.draw(st.sampled_from(PATHS[name])), data.draw(st.sampled_from(PATHS[name]))
    value = DATA[name]
    for key in other:
        value = value[key]
    loads_or_is_refused(put(DATA[name], path, value))


PLACES = sorted(load(text_of(WHOLE.name), file=WHOLE.name).places)


@given(st.dictionaries(st.sampled_from(PLACES) | st.text(max_size=8), values, max_size=3))
@settings(max_examples=40)
def test_any_answers_of_a_desk_load_or_are_refused(answers: dict[str, Any]) -> None:
    loads_or_is_refused(DATA[WHOLE.name], answers)


@given(st.text(max_size=200) | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_refused_or_is_a_pack(text: str) -> None:
    if refused := refusal(text):
        assert refused.line >= 1
        assert refused.column >= 1
