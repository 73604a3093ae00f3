"""What comes in over the wire, as Python values: bounded, UTF-8, and JSON that means the same to every reader.

PostgreSQL can hold neither U+0000 nor half a surrogate pair, and a doubled name or a number without an exact meaning is
read differently by different readers: all of these are refused, and the field is named. Everything else that a text
may hold, SQL and script included, is kept as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from complaints.adapters.problems import Refused
from complaints.errors import Malformed
from complaints.wire_errors import field_and_rule

MOST_DIGITS: Final = 17
EXACT: Final = 2**53 - 1
"""Beyond it, readers that keep numbers as IEEE doubles lose digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a request may hold: bytes of a body or of a line, characters of a text and of a name, levels."""

    body: int = 2 * 2**20
    text: int = 100_000
    name: int = 200
    depth: int = 16


@dataclass(frozen=True, slots=True)
class Flaw:
    """Stands in a parsed value where something cannot be taken."""

    rule: str


class _Parser:
    """Parses one text. ``flawed``: a ``Flaw`` stands somewhere in the result."""

    def __init__(self) -> None:
        self.flawed = False
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=self._int, parse_float=self._float, parse_constant=self._constant
        )

    def parse(self, text: str) -> Any:
        self.flawed = False
        return self._decoder.decode(text)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.flawed = True
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    found[name] = Flaw("stands here twice")
                seen.add(name)
        return found

    def _int(self, digits: str) -> Any:
        if len(digits) <= MOST_DIGITS and -EXACT <= (number := int(digits)) <= EXACT:
            return number
        return self._flaw("must lie between -(2^53-1) and 2^53-1, as not every reader keeps more digits")

    def _float(self, digits: str) -> Any:
        number = float(digits)
        return number if math.isfinite(number) else self._flaw("is too large a number")

    def _constant(self, name: str) -> Flaw:
        return self._flaw(f"must be JSON, in which {name} is no number")

    def _flaw(self, rule: str) -> Flaw:
        self.flawed = True
        return Flaw(rule)


_parser: Final = _Parser()  # parsing never awaits, so one is enough


def json_of(raw: bytes, limits: Limits, *, what: str = "body") -> Any:
    """JSON as Python values.

    Raises:
        Refused: 400, these bytes are no UTF-8, or no JSON.
        Malformed: a value cannot be taken; names the field and the rule.
    """
    text = text_of(raw, what)
    try:
        value = _parser.parse(text)
    except RecursionError:
        raise Malformed(what, f"must not be nested deeper than {limits.depth} levels") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise Refused(400, "not-json", f"{what} is no JSON: {error.msg} at {where}", field=what) from None
    suspect = _parser.flawed or "\\u" in text or len(text) > limits.text or _brackets(text) > limits.depth
    if suspect:
        _check(value, "", limits, 1, what)
    return value


def text_of(raw: bytes, what: str) -> str:
    """Bytes as text, without a byte order mark. Raises Refused: 400, they are no UTF-8."""
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        why = f"{what} must be UTF-8: byte {error.start + 1} begins no character of it"
        raise Refused(400, "not-utf-8", why, field=what) from None


def _brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def _check(value: Any, path: str, limits: Limits, level: int, what: str) -> None:
    match value:
        case str():
            if rule := text_rule(value, limits.text):
                raise Malformed(path or what, rule, code="text-refused")
        case dict() | list() if level > limits.depth:
            raise Malformed(path or what, f"must not be nested deeper than {limits.depth} levels")
        case dict():
            for name, inner in value.items():
                if rule := text_rule(name, limits.name):
                    raise Malformed(path or what, f"has a name that {rule}", code="text-refused")
                _check(inner, f"{path}.{name}" if path else name, limits, level + 1, what)
        case list():
            for place, inner in enumerate(value):
                _check(inner, f"{path}[{place}]", limits, level + 1, what)
        case Flaw(rule=rule):
            raise Malformed(path or what, rule)
        case _:
            pass


def text_rule(text: str, most: int) -> str | None:
    """The rule that a text breaks: too long, U+0000, or half a surrogate pair."""
    if len(text) > most:
        return f"must be at most {most} characters, not {len(text)}"
    if "\0" in text:
        return "must not hold the character U+0000"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must not hold half of a surrogate pair"
    return None


def struct_of(value: Any, kind: type[Any], *, at: str = "", what: str = "body") -> Any:
    """Python values as a struct. Raises Malformed naming the field, below ``at``."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        name, rule = field_and_rule(str(error))
        raise Malformed(".".join(part for part in (at, name) if part) or what, rule) from None


async def body_of(headers: Mapping[str, str], chunks: AsyncIterable[bytes], most: int) -> bytes:
    """The body, of ``most`` bytes; a longer one is refused before it is read, where it says how long it is.

    Raises: Refused: 413.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large("body", most)
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise too_large("body", most)
        parts.append(chunk)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def too_large(what: str, most: int) -> Refused:
    """The refusal of what is longer than it may be."""
    return Refused(413, "too-large", f"{what} must be at most {most} bytes", field=what, most=most)


def check_type(given: str | None, *known: str) -> str:
    """The media type of a body, if it is one of these.

    Raises: Refused: 415, it is another, or says another character set than UTF-8.
    """
    if given in known:
        return str(given)
    kind, _, parameters = (given or "").partition(";")
    kind = kind.strip().lower()
    if kind not in known:
        why = f"Content-Type must be {' or '.join(known)}"
        raise Refused(415, "wrong-content-type", why, field="Content-Type", known=list(known))
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise Refused(415, "wrong-charset", "bodies are UTF-8", field="Content-Type")
    return kind
