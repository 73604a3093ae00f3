"""Name-based ids of streams, complaints and commands, so that whoever repeats a request finds what it did."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

REDRESS_NS = uuid5(NAMESPACE_URL, "https://redress.example/ns")

OPERATOR = "operator"
"""The reserved desk that holds the keys of whoever runs the deployment; it takes no complaints."""

EVERY_DESK = "*"
"""The desk of an operator's key."""

_DESK = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")


def is_desk(slug: str) -> bool:
    """Whether a text can be the name of a desk: 2 to 40 of a-z, 0-9 and hyphen, not beginning with a hyphen."""
    return _DESK.fullmatch(slug) is not None


def desk_stream(desk: str) -> UUID:
    """The stream of a desk's configuration."""
    return uuid5(REDRESS_NS, f"desk:{desk}")


def duties_stream(desk: str) -> UUID:
    """The stream of what a desk owes without a case."""
    return uuid5(REDRESS_NS, f"duties:{desk}")


def complaint_id(desk: str, key: str) -> UUID:
    """The complaint that a request with this Idempotency-Key opens."""
    return uuid5(REDRESS_NS, f"complaint:{desk}:{key}")


def command_id(desk: str, frontend: str, key: str) -> UUID:
    """The command that a frontend sends under this Idempotency-Key."""
    return uuid5(REDRESS_NS, f"command:{desk}:{frontend}:{key}")


def service_command_id(stream: UUID, name: str, *parts: object) -> UUID:
    """The id of a command that a service derives from what it saw, ``fire-timer:<clock>:<due_at>``.

    An instant counts as the same whatever its zone.
    """
    return uuid5(stream, ":".join((name, *map(_text, parts))))


def _text(part: object) -> str:
    return part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part)
