"""The JSON Schema of a pack file, built from the tables that the loader reads, so that the two cannot drift apart.

It knows shapes and fields; what only the loader can know (names that exist, conditions that compile, quotations) it
leaves to the loader. YAML is read as JSON data: ``no`` is a word here, not false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from complaints.procedure.fields import Field, Table
from complaints.procedure.sections import ONE_ROW, SECTIONS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ID: Final = "https://redress.example/schemas/pack.schema.json"
Schema = dict[str, Any]


def pack_schema() -> Schema:
    """The schema, as JSON data."""
    build = _Build()
    properties = {name: build.row(table) for name, table in ONE_ROW.items()}
    properties |= {name: {"type": "array", "items": build.rows(tables)} for name, tables in SECTIONS.items()}
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "A procedure pack",
        "description": "A written complaint procedure, restated row by row, each row with its clause.",
        "type": "object",
        "required": ["pack"],
        "properties": properties,
        "additionalProperties": False,
        "$defs": dict(sorted(build.definitions.items())),
    }


def document() -> str:
    """The schema as it is published."""
    return json.dumps(pack_schema(), ensure_ascii=False, indent=2) + "\n"


class _Build:
    """What is used in several places stands once, under ``$defs``."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def define(self, name: str, schema: Schema) -> Schema:
        """A reference to the definition; another one of the same name gets a number."""
        slug, n = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), 1
        candidate = slug
        while self.definitions.setdefault(candidate, schema) != schema:
            n += 1
            candidate = f"{slug}-{n}"
        return {"$ref": f"#/$defs/{candidate}"}

    def rows(self, tables: Sequence[Table]) -> Schema:
        """Any row of these tables. Where they differ in the field that names the row alone, it is one schema."""
        first = tables[0]
        if len(tables) == 1:
            return self.row(first)
        common = [field for field in first.fields if field.name not in first.keys]
        if all([f for f in table.fields if f.name not in table.keys] == common for table in tables):
            keys = [field for table in tables for field in table.fields if field.name in table.keys]
            merged = self.object(f"a row of {first.name}", [*keys, *common], [f.name for f in common if f.required])
            return self.define(first.name, merged | {"oneOf": [{"required": [key.name]} for key in keys]})
        return {"oneOf": [self.row(table) for table in tables]}

    def row(self, table: Table) -> Schema:
        """A row of one table."""
        required = [field.name for field in table.fields if field.required]
        return self.define(
            table.keys[0] if table.keys else table.name, self.object(table.about, table.fields, required)
        )

    def object(self, title: str, fields: Sequence[Field], required: Sequence[str]) -> Schema:
        """The fields of a row."""
        return {
            "title": title,
            "type": "object",
            "required": list(required),
            "properties": {field.name: {"description": field.about, **self.field(field)} for field in fields},
            "additionalProperties": False,
        }

    def field(self, field: Field) -> Schema:
        """A field's value: plain, silent, or a reading."""
        plain = self.plain(field)
        if field.fixed:
            return plain
        reading = {
            "type": "object",
            "required": ["reading", "or", "because"],
            "properties": {
                "reading": plain,
                "or": {"type": "array", "minItems": 1, "items": plain},
                "because": {"type": "string", "minLength": 1},
            },
            "additionalProperties": False,
        }
        return {"anyOf": [plain, self.define(f"reading-of-{field.name}", reading)]}

    def plain(self, field: Field) -> Schema:
        """A field's value without readings."""
        shapes: list[Schema] = []
        if field.shape is not None:
            shapes.append(self.define(field.shape.words, dict(field.shape.schema)))
        if field.rows:
            shapes.append({"type": "array", "minItems": 1, "items": self.rows(field.rows)})
        if field.row is not None:
            shapes.append(self.row(field.row))
        shapes += [
            {"type": "string", "pattern": "^soft ."} if silence == "soft" else {"const": silence}
            for silence in field.silent
        ]
        return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
