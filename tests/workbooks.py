"""Reads a workbook back, by the format alone."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.etree import ElementTree as ET

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(book: bytes) -> dict[str, list[list[Any]]]:
    """The sheets of a workbook, each with its rows; an empty cell is None."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        texts = [
            "".join(t.text or "" for t in item.iter(f"{MAIN}t"))
            for item in ET.fromstring(archive.read("xl/sharedStrings.xml"))  # noqa: S314 - made by ourselves
        ]
        names = [
            sheet.attrib["name"]
            for sheet in ET.fromstring(archive.read("xl/workbook.xml")).iter(f"{MAIN}sheet")  # noqa: S314
        ]
        return {name: _rows(archive.read(f"xl/worksheets/sheet{n}.xml"), texts) for n, name in enumerate(names, 1)}


def _rows(xml: bytes, texts: list[str]) -> list[list[Any]]:
    found = []
    for row in ET.fromstring(xml).iter(f"{MAIN}row"):  # noqa: S314 - made by ourselves
        cells: dict[int, Any] = {}
        for cell in row:
            column = ord(cell.attrib["r"][0]) - ord("A")
            said = cell.findtext(f"{MAIN}v") or ""
            kind = cell.attrib.get("t", "n")
            cells[column] = texts[int(said)] if kind == "s" else said == "1" if kind == "b" else float(said)
        found.append([cells.get(n) for n in range(max(cells, default=-1) + 1)])
    return found
