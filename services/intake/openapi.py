"""The OpenAPI document: routes from the app, bodies from the structs that read and write them, examples for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from complaints.adapters.problems import MEDIA_TYPE, TITLES
from complaints.commands import COMMAND_TYPES, ENVELOPE, Link
from complaints.desk_requests import REQUESTS, Changed, DeskChange, OpenDesk
from intake.bulk_routes import NDJSON
from intake.cloud_events import BATCH, PREFIX, STRUCTURED
from intake.commands import CASE_COMMANDS, DESK_COMMANDS, RECEIVE
from intake.examples import EXAMPLES, OPENING, PERSON_JOINS
from intake.schemas import (
    BulkLine,
    By,
    CaseOut,
    ClocksOut,
    DesksOut,
    Done,
    DutiesOut,
    HistoryOut,
    Instant,
    LineDone,
    LineRefused,
    StepsOut,
)

Schema = dict[str, Any]

REF: Final = "#/components/schemas/{name}"
JSON: Final = "application/json"
KEY: Final = "key"

WRITE_REFUSALS: Final = (400, 401, 403, 404, 409, 412, 413, 415, 422, 503)
READ_REFUSALS: Final = (401, 403, 404, 422, 503)

ANSWERS: Final[Mapping[str, type]] = {
    "get-complaint": CaseOut,
    "get-events": HistoryOut,
    "get-clocks": ClocksOut,
    "get-steps": StepsOut,
    "list-desks": DesksOut,
    "get-duties": DutiesOut,
    "open-desk": Changed,
    "change-desk": Changed,
}
LOOSE: Final = ("get-desk", "list-packs", "get-pack")
_INSTANTS: Final[Mapping[Any, Any]] = {datetime: Instant, datetime | None: Instant | None}
"""Commands and events hold instants as they come; on the wire they have an offset."""

CONDITIONAL: Final = ("get-complaint", "get-desk")
"""Reads that say so when nothing has changed."""

PROBLEM: Final[Schema] = {
    "title": "Problem",
    "description": "What is wrong (RFC 9457). Other members depend on the code.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "correlation_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable."},
        "instance": {"type": "string"},
        "correlation_id": {"type": "string"},
        "field": {"type": "string", "description": "A dotted path into the body, or the name of a header."},
        "rule": {"type": "string", "description": "The rule that the field breaks."},
        "clause": {
            "description": "The clause of the procedure that says no.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
    },
}

WRITE_HEADERS: Final[list[Schema]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Names the request: a repeat gets the first answer, whatever has happened since.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The entity tag of the version that the sender has seen; refused with 412 where it is another.",
        "schema": {"type": "string", "pattern": '^(\\*|"[0-9]{1,9}")$'},
    },
]
READ_HEADER: Final[Schema] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The entity tag of what the reader has; 304 where nothing has changed.",
    "schema": {"type": "string", "pattern": '^(\\*|"[0-9]{1,9}")$'},
}
CORRELATION: Final[Schema] = {
    "name": "X-Correlation-ID",
    "in": "header",
    "required": False,
    "description": "What the request belongs to: a UUID, or a text that one is made of. The answer carries it.",
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[ -~]*$"},
}

ANSWER_HEADERS: Final[Schema] = {
    "ETag": {"description": "The stream's version.", "schema": {"type": "string"}},
    "Location": {"description": "Where to read it.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "`true`: this answers a repeat.", "schema": {"type": "string"}},
    "X-Correlation-ID": {"schema": {"type": "string"}},
}


def describe(app: FastAPI) -> None:
    """Makes the app's document say what its bodies hold."""

    def document() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    setattr(app, "openapi", document)  # noqa: B010 - how FastAPI is given a document


def _document(app: FastAPI) -> Schema:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
    )
    bodies = {name: _body_type(name) for name in (RECEIVE, *CASE_COMMANDS, *DESK_COMMANDS)}
    kinds = [*bodies.values(), *ANSWERS.values(), Done, By, BulkLine, LineDone, LineRefused, OpenDesk, DeskChange]
    _, schemas = msgspec.json.schema_components(kinds, schema_hook=_anything, ref_template=REF)
    components = document.setdefault("components", {})
    components["schemas"] = {**schemas, "Problem": PROBLEM, "DeskChange": _desk_change(schemas)}
    components["securitySchemes"] = {KEY: {"type": "http", "scheme": "bearer"}}
    components["responses"] = {
        f"Refused{status}": {"description": title, "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
        for status, title in TITLES.items()
    }
    document["security"] = [{KEY: []}]
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(operation, method, bodies)
    return document


def _complete(operation: Schema, method: str, bodies: Mapping[str, type]) -> None:
    name = operation["operationId"]
    write = method == "post"
    operation["responses"] = _refusals(WRITE_REFUSALS if write else READ_REFUSALS)
    parameters = operation.setdefault("parameters", [])
    parameters.append(CORRELATION)
    if name in bodies:
        parameters += WRITE_HEADERS
        kind = COMMAND_TYPES[name]
        operation["summary"] = _first_line(kind.__doc__)
        operation["requestBody"] = _json_body(bodies[name], EXAMPLES[name])
        operation["responses"]["201" if name == RECEIVE else "200"] = _answer(Done, headers=True)
    elif name in ("open-desk", "change-desk"):
        parameters += WRITE_HEADERS if name == "change-desk" else WRITE_HEADERS[:1]
        body, example = (OpenDesk, OPENING) if name == "open-desk" else (DeskChange, PERSON_JOINS)
        operation["requestBody"] = _json_body(body, example)
        operation["responses"]["201" if name == "open-desk" else "200"] = _answer(Changed, headers=True)
    elif name == "bulk":
        _complete_bulk(operation)
    elif name == "send-events":
        _complete_events(operation)
    else:
        answer = _answer(ANSWERS[name]) if name in ANSWERS else _loose()
        operation["responses"]["200"] = answer
        if name in CONDITIONAL:
            parameters.append(READ_HEADER)
            operation["responses"]["304"] = {"description": "Nothing has changed."}


def _complete_bulk(operation: Schema) -> None:
    lines = {"anyOf": [_ref("LineDone"), _ref("LineRefused")]}
    operation["requestBody"] = {
        "required": True,
        "description": "One `BulkLine` a line, JSON without line ends inside.",
        "content": {NDJSON: {"schema": {"type": "string"}, "x-line-schema": _ref("BulkLine")}},
    }
    operation["responses"] = {
        **_refusals((401, 403, 415, 422, 429)),
        "200": {
            "description": "One result a line, in the order of the lines, while they come in.",
            "content": {NDJSON: {"schema": {"type": "string"}, "x-line-schema": lines}},
        },
    }


def _complete_events(operation: Schema) -> None:
    event = {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1, "maxLength": 1000},
            "source": {"type": "string", "minLength": 1, "maxLength": 1000},
            "type": {"enum": [f"{PREFIX}{name}" for name in (RECEIVE, *CASE_COMMANDS, *DESK_COMMANDS)]},
            "subject": {"type": "string", "minLength": 1, "maxLength": 255, "description": "The complaint."},
            "time": {"type": "string", "format": "date-time"},
            "desk": {"type": "string", "minLength": 1, "maxLength": 40},
            "datacontenttype": {"const": JSON},
            "data": {
                "type": "object",
                "required": ["by"],
                "properties": {"by": _ref("By"), "data": {"type": "object"}},
                "additionalProperties": False,
            },
        },
    }
    results = {"type": "array", "items": {"anyOf": [_ref("LineDone"), _ref("LineRefused")]}}
    example = {
        "specversion": "1.0",
        "id": "1001",
        "source": "/crm",
        "type": "redress.receive",
        "data": EXAMPLES[RECEIVE],
    }
    operation["requestBody"] = {
        "required": True,
        "content": {
            STRUCTURED: {"schema": event, "example": example},
            BATCH: {"schema": {"type": "array", "items": event}, "example": [example]},
        },
    }
    operation["responses"]["200"] = _answer(Done, headers=True)
    operation["responses"]["200"]["content"][JSON]["schema"] = {"anyOf": [_ref("Done"), results]}
    operation["responses"]["201"] = _answer(Done, headers=True)


# --- schemas ---
def _body_type(name: str) -> type:
    """The struct of a command's body: who sends it, and its data without what the URL and the server say."""
    kind = COMMAND_TYPES[name]
    title = kind.__name__
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.name in ENVELOPE:
            continue
        said = _INSTANTS.get(field.type, field.type)
        if field.required:
            fields.append((field.name, said))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, said, field.default))
        else:
            fields.append((field.name, said, msgspec.field(default_factory=field.default_factory)))
    data = msgspec.defstruct(
        f"{title}Data",
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
        rename={"other": "complaint"} if kind is Link else None,
        namespace={"__doc__": kind.__doc__},
    )
    needed = any(field.required for field in msgspec.structs.fields(data))
    own: Any = ("data", data) if needed else ("data", data, msgspec.field(default_factory=data))
    return msgspec.defstruct(
        f"{title}Body",
        [("by", By), own],
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={"__doc__": _first_line(kind.__doc__)},
    )


def _anything(kind: type) -> Schema:
    """The schema of a value that may be any."""
    if kind is not object:
        raise TypeError(f"no schema says what a {kind.__name__} is")
    return {"description": "Any value."}


def _desk_change(schemas: Mapping[str, Schema]) -> Schema:
    """The change of a desk: the names of its events are known."""
    schema = dict(schemas["DeskChange"])
    schema["properties"] = {**schema["properties"], "event": {"enum": sorted(REQUESTS)}}
    return schema


def _ref(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}


def _json_body(kind: type, example: Any) -> Schema:
    return {"required": True, "content": {JSON: {"schema": _ref(kind.__name__), "example": example}}}


def _answer(kind: type, *, headers: bool = False) -> Schema:
    answer: Schema = {
        "description": _first_line(kind.__doc__),
        "content": {JSON: {"schema": _ref(kind.__name__)}},
    }
    return {**answer, "headers": ANSWER_HEADERS} if headers else answer


def _loose() -> Schema:
    return {"description": "As it stands.", "content": {JSON: {"schema": {"type": "object"}}}}


def _refusals(statuses: Iterable[int]) -> Schema:
    return {str(status): {"$ref": f"#/components/responses/Refused{status}"} for status in statuses}


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
