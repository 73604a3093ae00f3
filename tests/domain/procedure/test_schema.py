"""The published schema of a pack file is the one that the loader's tables give, and every pack fits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.procedure import document, schema
from complaints.procedure.library import packs
from complaints.procedure.limits import parse_limit
from complaints.procedure.places import plain
from complaints.procedure.shapes import LIMIT, is_silence
from tests.domain.procedure.packfiles import PROBES, WHOLE, text_of

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas" / "pack.schema.json"
VALIDATOR = jsonschema_rs.validator_for(schema.pack_schema())
SHIPPED = sorted(packs())


def data(text: str) -> Any:
    return plain(document.read(text, "pack.yaml"))


def test_the_published_schema_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema.document(), "redress packs schema --write " + PUBLISHED.name


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(json.loads(schema.document()))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_pack_fits_the_schema(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(data(packs()[name].text))] == []


@pytest.mark.parametrize("path", [WHOLE, *PROBES], ids=lambda path: path.stem)
def test_every_pack_of_these_tests_fits_the_schema(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(data(text_of(path.name)))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    within: 1 h\n", "    inside: 1 h\n"),
        ("    within: 1 h\n", "    within: an hour\n"),
        ("title: 门卫, clause: '2'", "title: 门卫, clause: 2"),
        ("title: 门卫, clause: '2'", "title: 门卫"),
        ("    people: 2", "    people: two"),
        ("    duty: may\n    repeats", "    duty: perhaps\n    repeats"),
        ("\nholds:\n", "\nbarriers:\n"),
        ("or: [not-stated], because: harm is said", "or: [not-stated]"),
        ("outside: true", "outside: yes"),
        ("  - do: inspect", "  - deed: inspect"),
        ("{on-time: all}", "{average: all}"),
        ("back: {refused: plan}", "back: plan"),
        ("every: month, day: 4", "every: fortnight, day: 4"),
        ("version: 3", "version: three"),
    ],
)
def test_a_pack_of_another_shape_does_not_fit_it(old: str, new: str) -> None:
    text = text_of(WHOLE.name)
    assert old in text
    assert not VALIDATOR.is_valid(data(text.replace(old, new, 1)))


lengths = st.builds(
    "{} {}{}".format,
    st.integers(0, 999),
    st.sampled_from(
        ("min", "h", "day", "week", "month", "year", "working day", "min working", "h elapsed", "hour", "")
    ),
    st.sampled_from(("", "s", " working", " elapsed")),
)
limits = (
    lengths
    | st.builds("{} before fact {}".format, lengths, st.sampled_from(("cut_at", "2x", "")))
    | st.builds(
        "{:02}:{:02}{}".format, st.integers(0, 30), st.integers(0, 70), st.sampled_from(("", " next day", " soon"))
    )
    | st.sampled_from(
        ("same day", "next opening", "end of next day", "end of next working day", "fact x", "fact", "soon")
    )
)


@given(limits)
def test_the_schema_takes_no_limit_that_the_loader_would_not_read(text: str) -> None:
    fits = jsonschema_rs.is_valid(dict(LIMIT.schema), text)
    reads = LIMIT.wrong(text) is None
    assert fits or not reads
    if fits and not reads:  # only how large a number may be is beyond a pattern
        with pytest.raises(ValueError, match="longer than nothing"):
            parse_limit(text)


@pytest.mark.parametrize("text", ["not-stated", "soft 立即"])
def test_silence_is_no_limit_by_itself(text: str) -> None:
    assert is_silence(text)
    assert LIMIT.wrong(text) is not None
