"""Tables as a workbook that spreadsheet programs open (Office Open XML), and a report as such tables. Pure.

Text stays text: nothing in a cell is taken for a formula or a link.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import xlsxwriter

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SUFFIX: Final = ".xlsx"
LONGEST: Final = 32_767
"""So many characters hold in a cell."""
MADE: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The same tables are the same file, whenever it is made."""
_FORBIDDEN: Final = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its name, what stands over its columns, its rows."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The file. Names of sheets are cut to what is allowed there, and told apart by a number."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": MADE.replace(tzinfo=None)})
        bold = book.add_format({"bold": True})
        taken = set[str]()
        for sheet in sheets:
            page = book.add_worksheet(_name(sheet.name, taken))
            page.write_row(0, 0, sheet.heads, bold)
            page.freeze_panes(1, 0)
            for n, row in enumerate(sheet.rows, 1):
                for column, value in enumerate(row):
                    _write(page, n, column, value)
            page.autofit()
    return out.getvalue()


def _name(wanted: str, taken: set[str]) -> str:
    plain = wanted.translate(_FORBIDDEN).strip()[:31] or "sheet"
    name, n = plain, 1
    while name.lower() in taken:
        n += 1
        name = f"{plain[: 31 - len(str(n)) - 1]} {n}"
    taken.add(name.lower())
    return name


def _write(page: Any, row: int, column: int, value: Any) -> None:
    match value:
        case None:
            pass
        case bool():
            page.write_boolean(row, column, value)
        case int() | float():
            page.write_number(row, column, value)
        case datetime():
            page.write_string(row, column, value.isoformat())
        case dict() | list() | tuple():
            page.write_string(row, column, json.dumps(value, ensure_ascii=False, default=str)[:LONGEST])
        case _:
            page.write_string(row, column, str(value)[:LONGEST])


def report_sheets(report: Mapping[str, Any]) -> Iterator[Sheet]:
    """A report, as the API gives it, as tables: what it is, then one for each measure."""
    data = report["data"]
    covers, clause, figures = data.get("covers") or [None, None], report.get("clause"), data.get("figures")
    about = [
        ("duty", data["owe"]),
        ("period", data["period"]),
        ("covers from", covers[0]),
        ("to before", covers[1]),
        ("produced at", report["at"]),
        ("clause", clause if isinstance(clause, str) else ", ".join(clause or ())),
    ]
    if not isinstance(figures, list):
        yield Sheet("report", ("what", "is"), [*about, ("figures", figures)])
        return
    yield Sheet("report", ("what", "is"), about)
    for measure in figures:
        yield _measured(measure)


def _measured(measure: Mapping[str, Any]) -> Sheet:
    kind = next(iter(measure))
    by = measure.get("by")
    title = f"{kind} {measure[kind]}" + (f" by {by}" if by else "")
    if kind == "list":
        heads = ["complaint", *measure.get("shows", ()), "late"]
        rows = [[*(row.get(head) for head in heads[:-1]), late] for row, late in _both(measure, by)]
        return Sheet(title, heads, rows)
    heads = [str(by or kind), *(("of all", "reached") if kind in ("rate", "on-time") else ("number",)), "late"]
    rows = [
        [name, *(reversed(value) if isinstance(value, list) else (value,)), late]
        for (name, value), late in _groups(measure, by)
    ]
    return Sheet(title, heads, rows)


def _both(measure: Mapping[str, Any], by: str | None) -> Iterator[tuple[Mapping[str, Any], bool]]:
    for key, late in (("is", False), ("late", True)):
        found = measure.get(key, {} if by else [])
        rows = [row for group in found.values() for row in group] if by else found
        yield from ((row, late) for row in rows)


def _groups(measure: Mapping[str, Any], by: str | None) -> Iterator[tuple[tuple[str, Any], bool]]:
    for key, late in (("is", False), ("late", True)):
        if key in measure:
            found = measure[key] if by else {"all": measure[key]}
            yield from ((group, late) for group in found.items())
