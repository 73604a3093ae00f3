"""What a world has to tell, as a person reads it: one line each, in columns, Chinese text counted by its width."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from complaints.events import Clause

COLUMNS: Final = (("when", 19), ("case", 10), ("what", 22), ("which", 22))
"""Those before the details and the clause, with their widths in cells; what is longer pushes the rest along."""

NAMES: Final = ("step", "clock", "hold", "owe", "fact", "count", "item", "role")
"""What an event is about, by the first of these that it has."""

LEFT_OUT: Final = frozenset(
    ("says", "guidance", "looked_at", "undecided", "intervals", "warn_at", "receiver", "arrived_closed", "verb", "over")
)
"""Fields that the lines in JSON have and a table has no room for."""

USUAL: Final[Mapping[str, Any]] = {"round": 1, "duty": "must"}
"""Values that go without saying."""


def header() -> str:
    """The line above the table."""
    return _row([name for name, _ in COLUMNS], "details", "clause")


def row(line: Mapping[str, Any]) -> str:
    """A line of output as a row of the table."""
    data = dict(line["data"])
    about = next((name for name in NAMES if name in data), None)
    which = str(data.pop(about)) if about is not None else ""
    what = line.get("event") or _marked(line)
    details = (f"{name}={_short(value)}" for name, value in data.items() if _says(name, value))
    return _row([_when(line["at"]), line["complaint"], what, which], " ".join(details), _clause(line["clause"]))


def _marked(line: Mapping[str, Any]) -> str:
    return f"✗ {line['rejected']}" if "rejected" in line else f"✉ {line['message']}"


def _row(cells: Iterable[str], details: str, clause: str) -> str:
    fixed = (_padded(cell, width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))
    return "  ".join([*fixed, f"{details}  {clause}".strip()]).rstrip()


def _padded(text: str, width: int) -> str:
    return text if cell_len(text) > width else set_cell_size(text, width)


def _when(at: str) -> str:
    """The desk's wall time."""
    return at[:19].replace("T", " ")


def _says(name: str, value: Any) -> bool:
    """Whether a field tells more than that all is as usual."""
    if name == "in_time":
        return value is not None
    return name not in LEFT_OUT and value not in (None, False, "", [], {}) and USUAL.get(name) != value


def _short(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ",".join(value)
        case list() if any(isinstance(one, dict) for one in value):
            return json.dumps(value, ensure_ascii=False)
        case list():
            return ",".join(map(_short, value))
        case str() if value[10:11] == "T" and value[4:5] == "-":
            return _when(value)
        case _:
            return str(value)


def _clause(clause: Clause) -> str:
    return "" if clause is None else f"[{clause if isinstance(clause, str) else '; '.join(clause)}]"
