"""CloudEvents 1.0 over HTTP: structured, binary and in batches; each asks for one command.

`type` is `redress.<command>`; `source` and `id` together are the idempotency key; `subject` names the complaint as in
bulk; the extension `desk` names the desk where the key does not. `time` is the sender's own note: an instant that
counts stands in the data, as `occurred_at` or `done_at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid5

from complaints.errors import Malformed
from complaints.identity import REDRESS_NS
from intake.reading import struct_of
from intake.schemas import BulkLine, CommandBody

PREFIX: Final = "redress."
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
DATA_TYPES: Final = (None, "application/json")
OBLIGATORY: Final = ("specversion", "id", "source", "type")
LONGEST: Final = 1000


def line_of(event: Any) -> BulkLine:
    """The command that a structured event asks for. Raises Malformed naming the attribute."""
    if not isinstance(event, dict):
        raise Malformed("event", "must be an object")
    attributes = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
    if "data_base64" in event:
        raise Malformed("data_base64", "is not taken: a command is JSON, in data")
    return _line(attributes, event.get("data"))


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request carries an event in binary mode."""
    return "ce-specversion" in headers


def line_of_binary(headers: Mapping[str, str], data: Any) -> BulkLine:
    """The command that a binary event asks for; attributes are headers, percent-encoded."""
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): _decoded(name, value) for name, value in headers.items() if name.startswith("ce-")
    }
    return _line(attributes, data)


def _line(attributes: Mapping[str, Any], data: Any) -> BulkLine:
    for name, value in attributes.items():
        if not (name.isascii() and name.isalnum() and name == name.lower()):
            raise Malformed("event", "has an attribute whose name is not of a-z and 0-9")
        if isinstance(value, str) and not 0 < len(value) <= LONGEST:
            raise Malformed(name, f"must be 1 to {LONGEST} characters")
    for name in OBLIGATORY:
        if not isinstance(attributes.get(name), str):
            raise Malformed(name, "is missing" if name not in attributes else "must be text")
    if attributes["specversion"] != "1.0":
        raise Malformed("specversion", "must be 1.0")
    if attributes.get("datacontenttype") not in DATA_TYPES:
        raise Malformed("datacontenttype", "must be application/json")
    kind = attributes["type"]
    if not kind.startswith(PREFIX):
        raise Malformed("type", f"must be {PREFIX}<command>, as redress.receive", code="no-such-command")
    body: CommandBody = struct_of(data, CommandBody, at="data", what="data")
    return BulkLine(
        complaint=_text(attributes, "subject"),
        command=kind.removeprefix(PREFIX),
        by=body.by,
        data=body.data,
        key=str(uuid5(REDRESS_NS, f"cloudevent:{attributes['source']}\n{attributes['id']}")),
        desk=_text(attributes, "desk"),
    )


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(name, "must be text")
    return value


def _decoded(name: str, value: str) -> str:
    """A header's text, which the HTTP binding writes percent-encoded."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Malformed(name, "must be percent-encoded UTF-8") from None
