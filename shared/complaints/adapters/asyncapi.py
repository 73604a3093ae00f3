"""The AsyncAPI 3 document of everything on Kafka, from the same types that the records are made of.

``python -m complaints.adapters.asyncapi`` prints docs/asyncapi.json.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import msgspec

from complaints.adapters import cloudevents
from complaints.adapters.announcements import CheckpointRecord, NotificationRecord
from complaints.adapters.kafka import layout
from complaints.adapters.records import CommandRecord, EventPlace
from complaints.adapters.settings import Kafka
from complaints.codec import Envelope
from complaints.commands import COMMAND_TYPES, ENVELOPE, Command, Link
from complaints.escalations import Escalation
from complaints.registry import REGISTRY

Json = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_KAFKA_BINDING: Final = "0.5.0"
_STREAM_KEY: Final = {"type": "string", "description": "The id of the stream; what has the same key stays in order."}

_ABOUT: Final = """\
Redress on Apache Kafka. Records are CloudEvents 1.0 in binary mode: attributes are headers, the value is JSON.
Delivery is at least once: a consumer knows a record that comes again by `ce_sequence`, the position in the log, which
never goes down within a partition but in repeats. Personal values are sealed and never stand here in the clear."""

_WHAT: Final = {
    "events": ("send", "Every event of every case, desk and duty, in the order of the log within a stream."),
    "commands": ("receive", "What services ask of a case; intake decides. A repeated id is decided once."),
    "escalations": ("send", "What needs a person now, in the order of the log."),
    "notifications": ("send", "What became of each message to a complainant, to staff or to a webhook."),
    "checkpoints": ("send", "Signed checkpoints over the whole log, from which proofs start."),
}


def document() -> Json:
    """The whole document."""
    kafka = Kafka.model_construct()  # as it is without an environment
    schemas: Json = {}
    messages: Json = {}
    topics = {
        "events": _events(schemas, messages),
        "commands": _commands(schemas, messages),
        "escalations": [_message("escalation", Escalation, schemas, messages, key=_STREAM_KEY)],
        "notifications": [_message("notification", NotificationRecord, schemas, messages, key=_STREAM_KEY)],
        "checkpoints": [_message("checkpoint", CheckpointRecord, schemas, messages, key={"type": "string"})],
    }
    messages["dead-letter"] = _dead_letter()
    channels: Json = {}
    operations: Json = {}
    for topic in layout(kafka):
        dead = topic.name.endswith(".dead-letters")
        name = topic.name.split(".")[1]
        channel = f"{name}-dead-letters" if dead else name
        action, about = ("send", f"Records of `{name}` that a consumer could not handle.") if dead else _WHAT[name]
        carried = ["dead-letter"] if dead else topics[name]
        channels[channel] = {
            "address": topic.name,
            "description": about,
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in carried},
            "bindings": {
                "kafka": {
                    "partitions": topic.num_partitions,
                    "replicas": topic.replication_factor,
                    "topicConfiguration": {
                        "cleanup.policy": ["delete"],
                        "retention.ms": int(topic.topic_configs["retention.ms"]),
                        "max.message.bytes": int(topic.topic_configs["max.message.bytes"]),
                    },
                    "bindingVersion": _KAFKA_BINDING,
                }
            },
        }
        operations[f"{action}-{channel}"] = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Redress", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {"local": {"host": kafka.bootstrap_servers, "protocol": "kafka"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "messageTraits": {"cloudevent": _trait()}, "schemas": schemas},
    }


def text() -> str:
    """The document as it is kept in docs/asyncapi.json."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


# --- messages --------------------------------------------------------------------------------------------------------
def _events(schemas: Json, messages: Json) -> list[str]:
    """One message for each event of the registry, in its current version."""
    envelope = _schema_of(Envelope, schemas)
    place = _schema_of(EventPlace, schemas)
    place["properties"].pop("data")
    place["required"] = [name for name in place["required"] if name not in ("data", "event")]
    place["properties"].pop("event")
    schemas["EventRecord"] = {
        "description": "What every event's record says beside its data.",
        "type": "object",
        "properties": {**envelope["properties"], **place["properties"]},
        "required": [*envelope["required"], *place["required"]],
    }
    names = []
    for name in sorted({name for name, _ in REGISTRY.names()}):
        schema = REGISTRY.schema(name)
        for other, definition in schema.pop("$defs").items():
            schemas[other] = _draft7(definition)
        schemas[name] = _draft7({key: value for key, value in schema.items() if key not in ("$schema", "$id")})
        payload = {
            "allOf": [{"$ref": f"{_SCHEMAS}EventRecord"}],
            "type": "object",
            "properties": {"event": {"const": name}, "data": {"$ref": f"{_SCHEMAS}{name}"}},
            "required": ["event", "data"],
        }
        messages[name] = _described(name, schemas[name].get("description", ""), payload, key=_STREAM_KEY)
        names.append(name)
    return names


def _commands(schemas: Json, messages: Json) -> list[str]:
    names = []
    record = _schema_of(CommandRecord, schemas)
    for name, kind in sorted(COMMAND_TYPES.items()):
        schemas[f"{name}.data"] = _command_data(kind, schemas)
        payload = {
            **record,
            "properties": {
                **record["properties"],
                "command": {"const": name},
                "data": {"$ref": f"{_SCHEMAS}{name}.data"},
            },
        }
        messages[name] = _described(name, kind.__doc__ or "", payload, key=_STREAM_KEY)
        names.append(name)
    return names


def _command_data(kind: type[Command], schemas: Json) -> Json:
    """The schema of a command's data as ``data_of`` writes it."""
    schema = _schema_of(kind, schemas)
    renamed = {"other": "complaint"} if kind is Link else {}
    kept = {name: shape for name, shape in schema["properties"].items() if name not in (*ENVELOPE, "type")}
    return {
        "type": "object",
        "properties": {renamed.get(name, name): shape for name, shape in kept.items()},
        "required": [renamed.get(name, name) for name in schema["required"] if name in kept],
        "additionalProperties": False,
    }


def _message(name: str, kind: type[msgspec.Struct], schemas: Json, messages: Json, *, key: Json) -> str:
    """A message whose value is a struct."""
    schemas[name] = _schema_of(kind, schemas)
    messages[name] = _described(name, kind.__doc__ or "", {"$ref": f"{_SCHEMAS}{name}"}, key=key)
    return name


def _described(name: str, about: str, payload: Json, *, key: Json) -> Json:
    return {
        "name": name,
        "summary": " ".join(about.split()),
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": _KAFKA_BINDING}},
    }


def _trait() -> Json:
    """The headers of every record."""
    optional = {
        f"ce_{name}": {"type": "string", "description": about} for name, about in cloudevents.ATTRIBUTES.items()
    }
    always: Json = {
        "ce_specversion": {"const": cloudevents.SPEC_VERSION.decode()},
        cloudevents.CONTENT_TYPE: {"const": cloudevents.JSON.decode()},
    }
    trace = {cloudevents.TRACEPARENT: {"type": "string", "description": "W3C trace context."}}
    required = ["ce_specversion", "ce_id", "ce_source", "ce_type"]
    return {"headers": {"type": "object", "properties": {**always, **optional, **trace}, "required": required}}


def _dead_letter() -> Json:
    """A record as it came, with its own headers, and beside them why it is here."""
    why = {
        "redress_consumer": "Which consumer refused it.",
        "redress_reason": "Why, as a code; `parked`: only because one before it in its stream waits.",
        "redress_detail": "Why, in words.",
        "redress_topic": "Where it was.",
        "redress_partition": "Where it was.",
        "redress_offset": "Where it was.",
    }
    properties = {name: {"type": "string", "description": about} for name, about in why.items()}
    return {
        "name": "dead-letter",
        "summary": "A record that a consumer could not handle, its value byte for byte as it was.",
        "headers": {"type": "object", "properties": properties, "required": list(why)},
        "payload": {},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": _KAFKA_BINDING}},
    }


# --- schemas ---------------------------------------------------------------------------------------------------------
def _schema_of(kind: type[msgspec.Struct], schemas: Json) -> Json:
    """The schema of a struct; what it refers to goes into ``schemas``."""
    (reference,), definitions = msgspec.json.schema_components([kind], ref_template=_SCHEMAS + "{name}")
    own = definitions.pop(reference["$ref"].removeprefix(_SCHEMAS))
    schemas |= {name: _draft7(definition) for name, definition in definitions.items()}
    described: Json = _draft7(own)
    described.pop("title", None)
    described.setdefault("required", [])
    return described


def _draft7(schema: Any) -> Any:
    """A schema of 2020-12 as AsyncAPI reads it: draft 7, definitions among the document's components."""
    if isinstance(schema, list):
        return [_draft7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain: Json = {}
    for key, value in schema.items():
        if key == "prefixItems":
            plain["items"] = _draft7(value)
            plain["additionalItems"] = schema.get("items", True)
        elif key == "items" and "prefixItems" in schema:
            continue
        elif key == "$ref":
            plain[key] = value.replace("#/$defs/", _SCHEMAS)
        else:
            plain[key] = _draft7(value)
    return plain


if __name__ == "__main__":
    sys.stdout.write(text())
