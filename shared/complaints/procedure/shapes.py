"""What a value of a pack may look like: one ``Shape`` for each kind of value, with its check and its JSON Schema.

The loader and the published schema use the same shapes, so they cannot drift apart. A shape looks at one value alone;
whether a name that it holds is declared anywhere (``refers``) is asked once all names are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from complaints.procedure.limits import parse_limit

NOT_STATED: Final = "not-stated"
SOFT: Final = "soft "
Kind = Literal["role", "judge", "declared-role", "step", "fact", "form", "item", "case", "name", "hidden"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of value.

    ``wrong`` says what is wrong with a value, or None; ``names`` gives the names that it refers to, with the index of
    the element in which each stands.
    """

    words: str
    schema: Mapping[str, Any]
    wrong: Callable[[Any], str | None]
    refers: Kind | None = None
    names: Callable[[Any], Iterator[tuple[str, int | None]]] = lambda _: iter(())


def is_silence(value: object) -> bool:
    """Whether a value says that the text says nothing, or only a word."""
    return isinstance(value, str) and (value in {NOT_STATED, f"choices {NOT_STATED}"} or value.startswith(SOFT))


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value)
        case dict():
            return "a row"
        case _:
            return "a list"


def _text(words: str, pattern: str | None = None, *, refers: Kind | None = None) -> Shape:
    compiled = re.compile(pattern) if pattern is not None else None

    def wrong(value: Any) -> str | None:
        if isinstance(value, str) and value and (compiled is None or compiled.fullmatch(value)):
            return None
        if isinstance(value, str) and words == "a name":
            return f"{value!r} is not a name"
        hint = "; quote it" if isinstance(value, int | float) else ""
        return f"{words} stands here, not {_kind(value)}{hint}"

    schema = (
        {"type": "string", "minLength": 1} if pattern is None else {"type": "string", "pattern": f"^(?:{pattern})$"}
    )
    return Shape(words, schema, wrong, refers, _one)


def _one(value: Any) -> Iterator[tuple[str, int | None]]:
    if isinstance(value, str):
        yield value, None


def _each(value: Any) -> Iterator[tuple[str, int | None]]:
    if isinstance(value, str):
        for name in value.split(" | "):
            yield name, None
    elif isinstance(value, list):
        for n, alternatives in enumerate(value):
            for name in str(alternatives).split(" | "):
                yield name, n


def _list(words: str, one: Shape, *, refers: Kind | None = None, alone: bool = False) -> Shape:
    """A list of ``one``, not empty; ``alone``: a single value may stand without the list."""

    def wrong(value: Any) -> str | None:
        if alone and not isinstance(value, list | dict):
            return one.wrong(value)
        if not isinstance(value, list) or not value:
            return f"{words} stands here, not {_kind(value)}" if value != [] else "an empty list says nothing"
        return next((why for v in value if (why := one.wrong(v))), None)

    many: dict[str, Any] = {"type": "array", "minItems": 1, "items": one.schema}
    return Shape(words, {"anyOf": [one.schema, many]} if alone else many, wrong, refers, _each)


def _whole(words: str, least: int | None = None) -> Shape:
    def wrong(value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least):
            return None
        return f"{words} stands here, not {_kind(value)}"

    return Shape(words, {"type": "integer"} | ({} if least is None else {"minimum": least}), wrong)


def choice(*values: str) -> Shape:
    """One of these words."""
    words = f"one of {', '.join(values)}" if len(values) > 1 else values[0]

    def wrong(value: Any) -> str | None:
        return None if value in values else f"{words} stands here, not {_kind(value)}"

    return Shape(words, {"enum": list(values)}, wrong)


def _wrong_limit(value: Any) -> str | None:
    if not isinstance(value, str) or is_silence(value):
        return f"not a time limit: {_kind(value)}"
    try:
        parse_limit(value)
    except ValueError as error:
        return f"not a time limit: {str(error).removeprefix('not a limit: ')}"
    return None


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"true or false stands here, not {_kind(value)}"


def _scalar(value: Any) -> str | None:
    fits = isinstance(value, bool | int) or (isinstance(value, str) and value)
    return None if fits else f"one value stands here, not {_kind(value)}"


NAME_PATTERN: Final = "[a-z][a-z0-9_]*"
ALTERNATIVES_PATTERN: Final = f"{NAME_PATTERN}( \\| {NAME_PATTERN})*"

TEXT: Final = _text("a text")
NAME: Final = _text("a name", NAME_PATTERN)
PACK_ID: Final = _text("a pack's id, like 19-dongwu-futures,", "[a-z0-9][a-z0-9-]*")
CLAUSE: Final = _list("a clause, or a list of them,", TEXT, alone=True)
FLAG: Final = Shape("true or false", {"type": "boolean"}, _flag)
COUNT: Final = _whole("a whole number from 1", 1)
WHOLE: Final = _whole("a whole number")
TIER: Final = _whole("a tier, 1 for the lowest,", 1)
SCALAR: Final = Shape("one value", {"type": ["string", "integer", "boolean"], "minLength": 1}, _scalar)
CONDITION: Final = _text("a condition")
_LENGTH: Final = "[0-9]{1,9} (min( working)?|h( elapsed| working)?|(working )?days?|weeks?|months?|years?)"
LIMIT_PATTERN: Final = (
    f"({_LENGTH} before )?fact [A-Za-z_][A-Za-z0-9_]*|{_LENGTH}|same day|next opening|end of next( working)? day"
    "|([01][0-9]|2[0-3]):[0-5][0-9]( next( working)? day)?"
)
LIMIT: Final = Shape("a time limit", {"type": "string", "pattern": f"^(?:{LIMIT_PATTERN})$"}, _wrong_limit)
TIME_OF_DAY: Final = _text("a time of the day, like 14:00,", "([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
DATE: Final = _text("a date, like 2027-07-01,", "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
FROM: Final = _text(
    "received, a step, a step with .over, or fact and a fact", f"{NAME_PATTERN}(\\.over)?|fact {NAME_PATTERN}"
)
CHOICES: Final = _list("a list of choices", TEXT)
VALUES: Final = _list("a list of values", SCALAR)
MEDIA: Final = _list("a list of media", TEXT)
OUTCOMES: Final = _list("a list of outcomes", NAME)
PLACES: Final = _list("a list of places", TEXT)
CHANNELS: Final = _list("a list of channels", TEXT)


def name_of(kind: Kind) -> Shape:
    """One declared name."""
    return _text("a name", NAME_PATTERN, refers=kind)


def names_of(kind: Kind, *, alone: bool = False) -> Shape:
    """A list of declared names; ``alone``: one may stand without the list."""
    return _list("a list of names", NAME, refers=kind, alone=alone)


def either_of(kind: Kind) -> Shape:
    """``a | b``: one of these will do."""
    return replace(_text("a name, or several with ' | ' between them,", ALTERNATIVES_PATTERN), refers=kind, names=_each)


def all_of(kind: Kind) -> Shape:
    """``[a, b | c]``: each is needed, of alternatives one."""
    one = _text("a name, or several with ' | ' between them,", ALTERNATIVES_PATTERN)
    return _list("names, with ' | ' between alternatives,", one, refers=kind, alone=True)


def _wrong_type(value: Any) -> str | None:
    if isinstance(value, dict):
        ok = value and all(CHOICES.wrong(v) is None for v in value.values())
        return None if ok else "choices by parent are {parent value: [children]}"
    if isinstance(value, list):
        return CHOICES.wrong(value)
    return None if value in ("text", "yes-no", "number", "time") else f"no type {_kind(value)}"


TYPE: Final = Shape(
    "text, yes-no, number, time, a list of choices, or choices by parent",
    {
        "anyOf": [
            {"enum": ["text", "yes-no", "number", "time"]},
            CHOICES.schema,
            {"type": "object", "minProperties": 1, "additionalProperties": CHOICES.schema},
        ]
    },
    _wrong_type,
)


def _wrong_back(value: Any) -> str | None:
    ok = isinstance(value, dict) and value and all(NAME.wrong(v) is None for v in value.values())
    return None if ok else f"back is {{outcome: step}}, not {_kind(value)}"


BACK: Final = Shape(
    "{outcome: step}",
    {"type": "object", "minProperties": 1, "additionalProperties": NAME.schema},
    _wrong_back,
    "step",
    lambda value: ((str(step), None) for step in value.values()),
)


def _wrong_english(value: Any) -> str | None:
    if isinstance(value, dict):
        ok = value.keys() == {"title", "says"} and all(TEXT.wrong(v) is None for v in value.values())
        return None if ok else "en is one text, or {title, says} where the row has both"
    return TEXT.wrong(value)


ENGLISH: Final = Shape(
    "our translation of says, or of title where there is no says",
    {
        "anyOf": [
            TEXT.schema,
            {
                "type": "object",
                "required": ["title", "says"],
                "properties": {"title": TEXT.schema, "says": TEXT.schema},
                "additionalProperties": False,
            },
        ]
    },
    _wrong_english,
)

DAYS_OF_WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _wrong_day(value: Any) -> str | None:
    ok = value in DAYS_OF_WEEK or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 31)
    return None if ok else f"a weekday or a day of the month stands here, not {_kind(value)}"


DAY: Final = Shape(
    "a weekday or a day of the month",
    {"anyOf": [{"enum": list(DAYS_OF_WEEK)}, {"type": "integer", "minimum": 1, "maximum": 31}]},
    _wrong_day,
)
