"""Every field of the pack language as a page shows it, from the tables that the loader reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from complaints.procedure.fields import Field, Table
from complaints.procedure.sections import ONE_ROW, SECTIONS

MARK: Final = re.compile(r"<!-- fields -->\n.*?<!-- /fields -->\n", re.DOTALL)


def renewed(page: str) -> str:
    """The page with the list of fields as the code has it now."""
    return MARK.sub(lambda _: f"<!-- fields -->\n{markdown()}<!-- /fields -->\n", page)


def rows() -> list[dict[str, Any]]:
    """Every field as data, section by section."""
    return [
        {
            "section": section,
            "field": field.name,
            "about": field.about,
            "value": field.shape.words.rstrip(",") if field.shape is not None else None,
            "required": field.required,
            "reading": not field.fixed,
            "silence": list(field.silent),
        }
        for section, table in _tables()
        for field in table.fields
    ]


def _tables() -> Iterator[tuple[str, Table]]:
    """Every table of the language once, with the sections and fields that lead to it; the verbs share one."""
    for section, tables in (*((name, (table,)) for name, table in ONE_ROW.items()), *SECTIONS.items()):
        yield from _inside(section, tables)


def _inside(path: str, tables: tuple[Table, ...]) -> Iterator[tuple[str, Table]]:
    verbs = len(tables) > 1 and tables[0].keys == ("do",)
    for table in tables[:1] if verbs else tables:
        named = f"{path}: {table.keys[0]}" if len(tables) > 1 and not verbs else path
        yield named, table
        for field in table.fields:
            if field.row is not None:
                yield from _inside(f"{path}.{field.name}", (field.row,))
            if field.rows:
                yield from _inside(f"{path}.{field.name}", field.rows)


def markdown() -> str:
    """The list as tables, one a section."""
    parts = []
    for section, table in _tables():
        lines = [f"**`{section}`** – {table.about}", "", "| field | value | what it says |", "|---|---|---|"]
        lines += [_line(field, table) for field in table.fields]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(field: Field, table: Table) -> str:
    name = "the verb" if table.keys == ("do",) and field.name == "do" else f"`{field.name}`"
    values = [field.shape.words.rstrip(",")] if field.shape is not None else []
    values += ["a row"] if field.row is not None else ["rows"] if field.rows else []
    values += [f"`{'soft <word>' if s == 'soft' else s}`" for s in field.silent if [s] != values]
    cells = (name + (" **needed**" if field.required else ""), ", or ".join(values), field.about)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
