"""JSON read strictly: what is wrong is named by file, line, field and rule."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from complaints.errors import Malformed, RedressError
from complaints.wire_errors import field_and_rule

Read = TypeVar("Read")


class ScenarioRefused(RedressError):
    """A scenario or a desk file that cannot be read. ``line`` is None where the whole file is at fault."""

    code = "scenario-refused"

    def __init__(self, file: str, line: int | None, at: str, rule: str) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {at}: {rule}", file=file, line=line, field=at, rule=rule)


def convert(text: bytes, kind: type[Read]) -> Read:
    """One JSON value as a struct. Raises Malformed."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        at, rule = field_and_rule(str(error))
        raise Malformed(at or "line", rule) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("line", f"must be JSON: {error}") from error
