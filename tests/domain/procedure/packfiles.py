"""The pack files that these tests load, and how to damage them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from complaints.procedure.loading import load
from complaints.procedure.model import UNSET, Lookup, Procedure

HERE = Path(__file__).parent
WHOLE = HERE / "whole" / "whole.yaml"
PROBES = tuple(sorted((HERE / "probes").glob("*.yaml")))


def text_of(name: str) -> str:
    """A pack file of these tests, by name."""
    return next(p for p in (WHOLE, *PROBES) if p.name == name).read_text(encoding="utf-8")


def source_of(name: str) -> str:
    """The text that a pack file of these tests restates."""
    if name == WHOLE.name:
        return WHOLE.with_name("whole.zh.md").read_text(encoding="utf-8")
    return next((HERE / "probes" / "texts").glob(f"{name[:2]}-*.md")).read_text(encoding="utf-8")


def probe(number: str) -> Procedure:
    """A probe by its number."""
    name = next(p.name for p in PROBES if p.name.startswith(number))
    return load(text_of(name), file=name, source=source_of(name))


def whole(answers: Mapping[str, Any] | None = None, *changes: tuple[str, str]) -> Procedure:
    """The pack that uses every field, with some of its text replaced."""
    text = text_of(WHOLE.name)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load(text, file=WHOLE.name, answers=answers or {}, source=source_of(WHOLE.name))


def seeing(**known: Any) -> Lookup:
    """A lookup that knows these names; ``talk__done`` stands for ``talk.done``."""
    values = {name.replace("__", "."): value for name, value in known.items()}
    return lambda name: values.get(name, UNSET)
