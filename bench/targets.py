"""What the figures should be. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Figure = Mapping[str, Any]
"""A line that a bench has printed."""

Bound = Literal["at_least", "at_most"]

HOLDS: Final[Mapping[Bound, Callable[[float, float], bool]]] = {"at_least": operator.ge, "at_most": operator.le}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A value of a bench's figure and the bound that it should keep.

    Where the figure comes more than once (each story, each calendar), every one of them should keep it.
    """

    bench: str
    figure: str
    value: str
    bound: Bound
    limit: float

    def verdict(self, figures: Iterable[Figure]) -> dict[str, Any]:
        """Whether it is met; a target that nothing was measured for is not."""
        found = [float(each[self.value]) for each in figures if each.get("figure") == self.figure]
        worst = min if self.bound == "at_least" else max
        measured = worst(found) if found else None
        return {
            "target": f"{self.figure}.{self.value}",
            self.bound: self.limit,
            "measured": measured,
            "met": measured is not None and HOLDS[self.bound](measured, self.limit),
        }


def _at_least(bench: str, figure: str, value: str, limit: float) -> Target:
    return Target(bench=bench, figure=figure, value=value, bound="at_least", limit=limit)


def _at_most(bench: str, figure: str, value: str, limit: float) -> Target:
    return Target(bench=bench, figure=figure, value=value, bound="at_most", limit=limit)


TARGETS: Final = (
    _at_most("engine", "engine.decide_and_evolve", "us_p50", 300),
    _at_most("engine", "engine.decide_and_evolve", "us_p99", 1_500),
    _at_most("packs", "packs.load", "ms", 2_000),
    _at_most("simulate", "simulate.life", "ms_per_40_events", 10),
    _at_least("append", "append", "ratio_to_library", 8),
    _at_least("append", "append", "ratio_to_bare", 0.3),
    _at_least("accept", "accept", "ratio", 0.35),
    _at_most("routing", "routing.assigned", "p99_ms", 250),
    _at_most("timers", "timers.escalation", "p99_ms", 1_000),
    _at_most("timers", "timers.burst", "twice", 0),
)


def verdicts(bench: str, figures: Iterable[Figure]) -> Iterator[dict[str, Any]]:
    """The verdict on each target of a bench, after what it has printed."""
    printed = list(figures)
    return (target.verdict(printed) for target in TARGETS if target.bench == bench)
