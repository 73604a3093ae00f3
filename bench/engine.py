"""How long a decision takes: ``python -m bench engine`` prints a JSON line a question.

The commands are those of the stories of pack 19, with the timers that fall due between them; each is timed by itself,
the decision, row by row, and ``evolve`` of all that it decided together. ``us_p50`` and ``us_p99`` are medians over the
rounds, in microseconds of the processor: what else runs on the machine is not counted. ``engine.first`` is the first
decision under a procedure, when its rows are indexed; ``engine.receive`` and ``engine.receive_alike`` are the receipts
alone, row by row and where the like has come in before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from time import thread_time_ns
from typing import Any, cast
from uuid import UUID

import msgspec

from bench.figures import is_quick, report
from complaints.business_time import BusinessCalendar
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.commands import SYSTEM, CaseCommand, FireTimer, Receive, Sender, from_wire
from complaints.complaint import INITIAL, Complaint, replay
from complaints.deciding import Others, decide, next_due
from complaints.deciding.decision import run_through
from complaints.deciding.run import Run
from complaints.errors import Rejected
from complaints.events import CaseEvent
from complaints.procedure.library import packs
from complaints.procedure.model import Procedure

STORIES = Path(__file__).parent.parent / "tests" / "stories"
PACK = "19-dongwu-futures"
ROUNDS = 7
DUTY_COMMANDS = ("record-duty", "draw-sample")
EVENTS = 50


@dataclass(frozen=True)
class Asked:
    """A command and the case that it finds."""

    state: Complaint
    command: CaseCommand
    others: Others


def main(argv: Sequence[str] = ()) -> None:
    """Plays the stories once to know what each command finds, then times every command again and again."""
    rounds = 3 if is_quick(argv) else ROUNDS
    procedure, calendar = packs()[PACK].load(), BusinessCalendar.compile(DEFAULT_CALENDAR)
    asked: list[Asked] = []
    longest: list[CaseEvent] = []
    for path in sorted(STORIES.glob("19-*.jsonl")):
        for mine in play(path, procedure, calendar, asked):
            longest = max(longest, mine, key=len)
    taken = [[timed(one, procedure, calendar) for one in asked] for _ in range(rounds)]
    tell("engine.decide_and_evolve", taken)
    received = [one for one in asked if isinstance(one.command, Receive)]
    tell("engine.receive", [[timed(one, procedure, calendar) for one in received] for _ in range(rounds)])
    tell("engine.receive_alike", [[alike(one, procedure, calendar) for one in received] for _ in range(rounds)])
    case = longest[:EVENTS]
    tell("engine.replay", [[took(lambda: replay(case)) for _ in range(200)] for _ in range(rounds)], events=len(case))
    tell("engine.first", [[first(asked[0], calendar)] for _ in range(rounds)])


def play(path: Path, procedure: Procedure, calendar: BusinessCalendar, asked: list[Asked]) -> Iterator[list[CaseEvent]]:
    """Plays a story; notes what each command found, refused ones too. Gives the events of each case."""
    _, *lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    states: dict[str, Complaint] = {}
    events: dict[str, list[CaseEvent]] = {}

    def send(command: CaseCommand) -> None:
        state = states.get(command.complaint, INITIAL)
        others = Others(linked=dict(states))
        asked.append(Asked(state, command, others))
        try:
            decided = decide(state, command, procedure, calendar, others)
        except Rejected:
            return
        states[command.complaint] = replay(decided, state)
        events.setdefault(command.complaint, []).extend(decided)

    for line in lines:
        if line["command"] in DUTY_COMMANDS:
            continue
        at = datetime.fromisoformat(line["at"])
        for complaint, state in list(states.items()):
            while (due := next_due(states[complaint])) is not None and due < at and due > (state.last_at or due):
                send(FireTimer(id=UUID(int=0), complaint=complaint, at=due, by=SYSTEM))
                if next_due(states[complaint]) == due:
                    break
        send(command_of(line, at))
    yield from events.values()


def command_of(line: dict[str, Any], at: datetime) -> CaseCommand:
    """A command of a story."""
    by = msgspec.convert(line["by"], Sender) if "by" in line else SYSTEM
    data, complaint = line.get("data", {}), line["complaint"]
    return cast(CaseCommand, from_wire(line["command"], data, id=UUID(int=0), complaint=complaint, at=at, by=by))


def timed(one: Asked, procedure: Procedure, calendar: BusinessCalendar) -> float:
    """Microseconds for one decision, row by row, and the state after it."""

    def both() -> None:
        with suppress(Rejected):
            replay(run_through(Run(one.state, one.command, procedure, calendar, one.others)), one.state)

    return took(both)


def alike(one: Asked, procedure: Procedure, calendar: BusinessCalendar) -> float:
    """Microseconds for a receipt like an earlier one, and the state after it."""

    def both() -> None:
        with suppress(Rejected):
            replay(decide(one.state, one.command, procedure, calendar, one.others), one.state)

    for _ in range(2):  # the second of a kind is remembered
        both()
    return took(both)


def first(one: Asked, calendar: BusinessCalendar) -> float:
    """Microseconds for a decision under a procedure that has not decided anything yet."""
    procedure = packs()[PACK].load()
    procedure.cache.clear()
    return timed(one, procedure, calendar)


def took(what: Callable[[], object]) -> float:
    """Microseconds of the processor for one call."""
    begun = thread_time_ns()
    what()
    return (thread_time_ns() - begun) / 1_000


def tell(question: str, rounds: list[list[float]], **more: object) -> None:
    """One line."""
    spread = [quantiles(r, n=100, method="inclusive") if len(r) > 1 else [r[0]] * 99 for r in rounds]
    figures = {
        "us_p50": round(median(s[49] for s in spread), 1),
        "us_p99": round(median(s[98] for s in spread), 1),
        "calls": sum(map(len, rounds)),
    }
    report(question, pack=PACK, rounds=len(rounds), **figures, **more)


if __name__ == "__main__":
    main(sys.argv[1:])
