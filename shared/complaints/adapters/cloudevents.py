"""CloudEvents 1.0 in Kafka's binary mode: attributes are headers named ``ce_…``, the value is the data as it is.

Header values are UTF-8 text (Kafka protocol binding, §3.2.3); escaping non-ASCII text belongs to the HTTP binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid5

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = "content-type"
JSON = b"application/json"
SPEC_VERSION = b"1.0"
TRACEPARENT = "traceparent"

ATTRIBUTES: Mapping[str, str] = {
    "id": "Unique within the source; a repeat of the record has the same.",
    "source": "`/desks/<desk>`, or `/services/<name>` of what a service says by itself.",
    "type": "The name of the event, command or message.",
    "subject": "The complaint, as the outside names it.",
    "time": "When it happened, in UTC.",
    "dataschema": "The schema of the value.",
    "sequence": "Position in the whole log.",
    "streamversion": "Version of the stream after this event.",
    "desk": "The desk that it belongs to.",
    "category": "complaint, desk or duties.",
    "clause": "The clause of the procedure that decided; several by `; `.",
    "commandid": "The command that caused it.",
    "causationid": "What the command answered.",
    "correlationid": "What all of it belongs to.",
}
"""What stands in ``ce_<name>`` headers, where it is known."""


def event_id(stream_id: UUID, version: int) -> UUID:
    """The id of an event: ``ce_id`` of its record, and the causation id of whatever it causes."""
    return uuid5(stream_id, f"event:{version}")


def encode(attributes: Mapping[str, str | int | UUID | datetime | None], *, traceparent: str | None = None) -> Headers:
    """Headers of these attributes; those that are None are left out."""
    headers: Headers = [("ce_specversion", SPEC_VERSION), (CONTENT_TYPE, JSON)]
    headers += [(f"ce_{name}", _text(value).encode()) for name, value in attributes.items() if value is not None]
    if traceparent:
        headers.append((TRACEPARENT, traceparent.encode()))
    return headers


def decode(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text, by name; of a name that comes twice the last counts."""
    return {text(name.encode()): text(value) for name, value in headers}


def text(value: bytes | None) -> str:
    """Bytes as text that PostgreSQL can hold; what is no UTF-8, and NUL, stays readable, escaped."""
    return (value or b"").decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def clause_text(clause: str | list[str] | None) -> str | None:
    """A clause, or several, as one header."""
    return "; ".join(clause) if isinstance(clause, list) else clause


def _text(value: str | int | UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
