"""How long a life takes in virtual time: ``python -m bench simulate`` prints a JSON line a story.

Milliseconds are the processor's: what else runs on the machine is not counted. ``ms_per_40_events`` is the median over
the rounds of one whole run, commands, timers, duties and the lines of output included, for 40 lines of output, and
``ratio`` that to the ten milliseconds that it may take;
``first_ms`` is a run under a procedure that has not decided anything yet.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import thread_time_ns

from bench.figures import is_quick, report
from complaints.codec import to_json
from complaints.procedure.library import find_pack
from redress.simulation import DeskFile, Scenario, World, desk_of, read_scenario

STORIES = Path(__file__).parent.parent / "tests" / "stories"
LIVES = ("00-usual-life", "04-monthly-figures", "15-34-chain", "19-main")
ROUNDS = 21
LIMIT_MS = 10


def main(argv: Sequence[str] = ()) -> None:
    """Runs each life again and again; ``--quick``: three times."""
    rounds = 3 if is_quick(argv) else ROUNDS
    for name in LIVES:
        scenario = read_scenario((STORIES / f"{name}.jsonl").read_bytes())
        first, _ = run(scenario, fresh=True)
        taken = [run(scenario, fresh=False) for _ in range(rounds)]
        lines = taken[0][1]
        whole = median(ms for ms, _ in taken)
        each = whole / lines * 40
        figures = {"ms": whole, "ms_per_40_events": each, "ratio": each / LIMIT_MS, "first_ms": first}
        rounded = {key: round(value, 3) for key, value in figures.items()}
        report("simulate.life", story=name, lines=lines, **rounded, rounds=rounds)


def run(scenario: Scenario, *, fresh: bool) -> tuple[float, int]:
    """Milliseconds for a run, and its lines of output."""
    head = scenario.head
    if head.pack is None or head.until is None:
        raise ValueError("a life names its pack and its end")
    desk = desk_of(find_pack(head.pack.removesuffix(".yaml")), head.desk or DeskFile())
    if fresh:
        desk.procedure.cache.clear()
    begun = thread_time_ns()
    world = World(desk).run(scenario.commands, head.until)
    lines = [to_json(entry.wire(world.view.zone)) for entry in world.entries]
    return (thread_time_ns() - begun) / 1_000_000, len(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
