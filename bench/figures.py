"""How a figure is told: one JSON line on stdout, and nothing else there."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

QUICK = "--quick"


def report(figure: str, **values: object) -> None:
    """One line."""
    sys.stdout.write(json.dumps({"figure": figure, **values}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def is_quick(argv: Sequence[str]) -> bool:
    """Whether smaller sizes will do: to see that everything runs, not to be quoted."""
    return QUICK in argv
