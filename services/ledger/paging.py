"""Pages by key: what follows a row stays what follows it, however many rows come in meanwhile."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from complaints.business_time import as_utc
from complaints.errors import Malformed

MOST: Final = 1000
USUAL: Final = 100


TEXT: Final = {"type": "string"}
INSTANT: Final = {"type": "string", "format": "date-time"}
YES_NO: Final = {"type": "boolean"}
LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}


def documented(**parameters: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """What OpenAPI says of the parameters of a query, given as schema and description."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
            for name, (schema, description) in parameters.items()
        ]
    }


def cursor_of(*key: Any) -> str:
    """The key of the last row of a page, as a client hands it back."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The key that a cursor holds. Raises Malformed."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key: tuple[Any, ...] = msgspec.json.decode(raw, type=tuple[kinds])  # type: ignore[valid-type]  # the types are given
    except (ValueError, msgspec.MsgspecError):
        raise Malformed("after", "must be taken from a `next` link as it stands") from None
    return key


def next_link(path: str, asked: list[tuple[str, str]], after: str) -> str:
    """The same question for the next page."""
    kept = [(name, value) for name, value in asked if name != "after"]
    return f"{path}?{urlencode([*kept, ('after', after)])}"


def instant(value: str | None, field: str) -> datetime | None:
    """An instant of a query, with its offset; a plus sign that became a blank is taken for what it was.

    Raises: Malformed.
    """
    if value is None or value == "":
        return None
    text = value.strip().replace(" ", "+") if "T" in value else value.strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(field, "must be an instant, ISO 8601 with its offset: 2026-03-02T09:00:00+08:00") from None
    if found.tzinfo is None:
        raise Malformed(field, "must have an offset, as in 2026-03-02T09:00:00+08:00")
    return as_utc(found)


def whole(value: str | None, field: str, usual: int, most: int, least: int = 1) -> int:
    """A whole number of a query. Raises Malformed."""
    if value is None or value == "":
        return usual
    if not (value.isascii() and value.isdecimal()) or not least <= int(value[:12]) <= most:
        raise Malformed(field, f"must be a whole number from {least} to {most}")
    return int(value)


def yes_no(value: str | None, field: str) -> bool | None:
    """A yes or no of a query. Raises Malformed."""
    match value:
        case None | "":
            return None
        case "true" | "yes" | "1":
            return True
        case "false" | "no" | "0":
            return False
        case _:
            raise Malformed(field, "must be true or false")
