"""Which struct, schema and upcasters stand behind every stored event name and version."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec

from complaints import events
from complaints.desk_events import DESK_EVENT_TYPES
from complaints.errors import Undecodable
from complaints.events import EVENT_TYPES, Event
from complaints.personal import ERASED_MARK, SEALED

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]
"""Makes the data of one schema version that of the next; may change its argument."""

OBLIGATORY: Final[Mapping[type[Event], tuple[str, ...]]] = {
    events.ComplaintReceived: ("facts",),
    events.Decision: ("was", "looked_at", "undecided"),
    events.ItemAdded: ("facts",),
    events.StepOpened: ("round", "duty"),
    events.StepsReopened: ("clocks",),
    events.Record: ("round",),
    events.ComplaintEscalated: ("to", "holder", "tier"),
    events.ClockStarted: ("due_at", "case"),
    events.ClockRecomputed: ("was", "due_at"),
    events.ClockExtended: ("was", "due_at"),
    events.ClockResumed: ("due_at",),
    events.ClockStopped: ("in_time",),
    events.ClockWarned: ("by",),
    events.ClockBreached: ("by",),
    events.ClockExpired: ("by",),
    events.OrderBroken: ("waits_for",),
    events.DutyOpened: ("to", "due_at"),
    events.DutyRecorded: ("period", "in_time"),
    events.ReportProduced: ("covers", "figures"),
    events.SampleDrawn: ("included", "drawn"),
}
"""Fields that the vocabulary always shows, even where the value is the usual one."""

_SEALABLE: Final = ("facts", "looked_at", "figures", "person", "included", "drawn")
_SEALED_SCHEMA: Final[Data] = {
    "title": "Sealed",
    "description": "A personal value, sealed under its data subject's key; or what is left once the key is destroyed.",
    "oneOf": [
        {
            "type": "object",
            "properties": {
                SEALED: {"type": "string", "contentEncoding": "base64"},
                "subject": {"type": "string", "format": "uuid"},
                "generation": {"type": "integer", "minimum": 2},
            },
            "required": [SEALED, "subject"],
            "additionalProperties": False,
        },
        {"type": "object", "properties": {ERASED_MARK: {"const": True}}, "required": [ERASED_MARK]},
    ],
}


class Registry:
    """Event types by stored name, with what makes older versions of them readable."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        self._types: dict[str, type[Event]] = {}
        self._upcasters: dict[tuple[str, int], Upcaster] = {}
        self._always: dict[type[Event], tuple[str, ...]] = {}
        self._shown: dict[type[Event], Callable[[Event], msgspec.Struct]] = {}
        for kind in types:
            name = events.tag_of(kind)
            self._types[name] = kind
            if name.startswith("complaint."):  # the same of a case that is no complaint
                self._types[name.replace("complaint.", "case.", 1)] = kind
            self._always[kind] = tuple(_always(kind))
            self._shown[kind] = _shown(kind, self._always[kind])

    def upcast(self, name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
        """Registers, as a decorator, how data of ``from_version`` becomes that of the next. Each exactly once."""

        def register(upcaster: Upcaster) -> Upcaster:
            if name not in self._types or not 0 < from_version < self._types[name].schema_version:
                raise ValueError(f"{name} has no version {from_version} to come from")
            if self._upcasters.setdefault((name, from_version), upcaster) is not upcaster:
                raise ValueError(f"{name} {from_version} has two upcasters")
            return upcaster

        return register

    def names(self) -> list[tuple[str, int]]:
        """Every name with every version that must load, in order."""
        return [(name, v) for name, kind in sorted(self._types.items()) for v in range(1, kind.schema_version + 1)]

    def type_of(self, name: str) -> type[Event] | None:
        """The struct behind a stored name."""
        return self._types.get(name)

    def current(self, name: str, version: int, data: Data) -> tuple[type[Event], Data]:
        """The struct, and the data as its current version has it.

        Raises:
            Undecodable: the name, the version, or the way from it to the current one is not known.
        """
        kind = self._types.get(name)
        if kind is None:
            raise Undecodable(f"no event is called {name}", type=name, schema_version=version)
        if not 0 < version <= kind.schema_version:
            raise Undecodable(f"{name} has no version {version}", type=name, schema_version=version)
        for older in range(version, kind.schema_version):
            upcaster = self._upcasters.get((name, older))
            if upcaster is None:
                raise Undecodable(f"nothing makes {name} {older} readable", type=name, schema_version=version)
            data = upcaster(data)
        return kind, data

    def data(self, event: Event) -> msgspec.Struct:
        """What an event says beside its envelope, with whatever the vocabulary always shows; to be written as JSON."""
        return self._shown[type(event)](event)

    def schema(self, name: str) -> Data:
        """The JSON Schema (2020-12) of the stored data of a name's current version. Raises KeyError."""
        kind = self._types[name]
        (reference,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        own: Data = definitions.pop(reference["$ref"].rpartition("/")[2])
        properties = {
            field: _sealable(field, kind, shape)
            for field, shape in own["properties"].items()
            if field != "type" and field not in events.ENVELOPE
        }
        required = [f for f in own["required"] if f in properties]
        required += [field for field in self._always[kind] if field not in required]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"https://redress.example/schemas/events/{name}.v{kind.schema_version}.json",
            "title": name,
            "description": own.get("description", ""),
            "type": "object",
            "properties": properties,
            "required": required,
            "$defs": {**definitions, "Sealed": _SEALED_SCHEMA},
        }

    def documents(self) -> dict[str, str]:
        """The schema of every current version as a file: its name, its text."""
        return {
            f"{name}.v{kind.schema_version}.json": json.dumps(self.schema(name), ensure_ascii=False, indent=2) + "\n"
            for name, kind in sorted(self._types.items())
        }


def _always(kind: type[Event]) -> Iterable[str]:
    wanted = {name for base, names in OBLIGATORY.items() if issubclass(kind, base) for name in names}
    return (field.encode_name for field in msgspec.structs.fields(kind) if field.name in wanted)


def _shown(kind: type[Event], always: Collection[str]) -> Callable[[Event], msgspec.Struct]:
    """What makes of an event its data as the vocabulary shows it: a struct that has no usual value where one is shown.

    It takes the event's values as they are, so that nothing is copied before it is written.
    """
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in events.ENVELOPE]
    fields.sort(key=lambda field: not (field.required or field.encode_name in always))  # as a signature demands
    form = msgspec.defstruct(
        kind.__name__,
        [
            (field.name, Any) if field.required or field.encode_name in always else (field.name, Any, _usual(field))
            for field in fields
        ],
        frozen=True,
        omit_defaults=True,
        rename={field.name: field.encode_name for field in fields},
    )
    if len(fields) == 1:
        (name,) = (field.name for field in fields)
        return lambda event: form(getattr(event, name))
    values = attrgetter(*(field.name for field in fields))
    return lambda event: form(*values(event))


def _usual(field: Any) -> Any:
    if field.default is msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


def _sealable(field: str, kind: type[Event], shape: Data) -> Data:
    """The schema of a field that may hold a personal value: as it is, or sealed, at any depth that it has values."""
    if field not in kind.personal and (field not in _SEALABLE or kind in DESK_EVENT_TYPES.values()):
        return shape
    sealed = {"$ref": "#/$defs/Sealed"}
    inner = shape.get("additionalProperties")
    if isinstance(inner, dict):
        return {**shape, "additionalProperties": {"anyOf": [inner, sealed]} if inner else {}}
    if isinstance(items := shape.get("items"), dict):
        return {**shape, "items": {"anyOf": [items, sealed]}}
    return {"anyOf": [shape, sealed]} if shape else shape


REGISTRY: Final = Registry((*EVENT_TYPES.values(), *DESK_EVENT_TYPES.values()))
