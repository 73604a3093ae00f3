"""How long it takes to load and check every shipped pack: ``python -m bench packs`` prints a JSON line.

A round is a process of its own, since what is parsed and compiled once is kept. Milliseconds are the processor's, from
the text of the files to compiled procedures: shapes, names, conditions, contradictions, every quotation looked up in
its text, and the warnings. ``ratio`` is to the two seconds that it may take.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from time import thread_time_ns

from bench.figures import is_quick, report
from complaints.procedure.library import packs

ROUNDS = 7
LIMIT_MS = 2_000
ONCE = "--once"


def main(argv: Sequence[str] = ()) -> None:
    """Loads all packs again and again, each time in a new process; ``--quick``: twice."""
    if ONCE in argv:
        sys.stdout.write(json.dumps(loaded()) + "\n")
        return
    rounds = [_in_a_process() for _ in range(2 if is_quick(argv) else ROUNDS)]
    whole = median(sum(taken.values()) for taken in rounds)
    slowest = max(rounds[0], key=lambda pack: median(taken[pack] for taken in rounds))
    report(
        "packs.load",
        packs=len(rounds[0]),
        ms=round(whole, 1),
        ratio=round(whole / LIMIT_MS, 3),
        slowest=slowest,
        slowest_ms=round(median(taken[slowest] for taken in rounds), 1),
        rounds=len(rounds),
    )


def loaded() -> dict[str, float]:
    """Milliseconds for each pack, the files read already."""
    taken = {}
    for pack in packs().values():
        begun = thread_time_ns()
        pack.load()
        taken[pack.id] = (thread_time_ns() - begun) / 1_000_000
    return taken


def _in_a_process() -> dict[str, float]:
    command = [sys.executable, "-m", "bench.packs", ONCE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


if __name__ == "__main__":
    main(sys.argv[1:])
