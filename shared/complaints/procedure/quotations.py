"""``says`` is verbatim: each piece between … stands in the procedure's own text, in that order.

White space counts for nothing, since the texts were cleaned from copies with broken lines.
"""

from __future__ import annotations

import re
from typing import Final

from complaints.procedure.naming import Rows
from complaints.procedure.places import Refusals

_SPACE: Final = re.compile(r"\s+")
ELLIPSIS: Final = "…"


def closed_up(text: str) -> str:
    """The text without white space."""
    return _SPACE.sub("", text)


def lacking(says: str, source: str) -> str | None:
    """The first piece of a quotation that the source (closed up) does not hold in that order, None where it does."""
    at = 0
    for piece in closed_up(says).split(ELLIPSIS):
        found = source.find(piece, at)
        if found < 0:
            return piece
        at = found + len(piece)
    return None


def check(rows: Rows, source: str, name: str, refusals: Refusals) -> int:
    """Looks up every quotation; how many there are. Refusals are collected."""
    text, found = closed_up(source), 0
    for row, table in rows:
        if "says" in row and table.field("says") is not None:
            with refusals.collect():
                if (piece := lacking(row["says"], text)) is not None:
                    raise row.refusal("says", f"not in {name}: {piece}")
            found += 1
    return found
