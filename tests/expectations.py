"""The stories: how they are read and run, and what their expectations ask of what came out.

An expectation names some fields of a line (those of ``data`` stand beside the others); a line of the story must have
them. Events, rejections and messages are asked for in their order; ``never``, ``verdict``, ``desk-verdict``, ``work``,
``hidden`` and ``seen`` stand anywhere. A clause is met where it is among those cited; instants are compared as
instants.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.codec import to_json
from complaints.desks import simulated
from complaints.procedure.library import find_pack
from complaints.procedure.model import Procedure
from complaints.verdicts import Verdict, hidden_from
from complaints.work import Work
from redress.simulation import Scenario, World, read_scenario

STORIES = Path(__file__).parent / "stories"
NAMES = sorted(path.stem for path in STORIES.glob("*.jsonl"))

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """A story as it is written."""

    name: str
    scenario: Scenario
    procedure: Procedure
    until: datetime
    expectations: Sequence[Line]

    def world(self, *, punctual: bool = True, acts: bool | None = None) -> World:
        """The world at the end of the story; ``acts``: whether the system hands over and gives notice by itself."""
        world = World(simulated(self.procedure, DEFAULT_CALENDAR), punctual=punctual, acts=acts)
        return world.run(self.scenario.commands, self.until)


def pack_of(name: str) -> str | None:
    """The shipped pack that a story runs, None where it runs a probe."""
    with (STORIES / f"{name}.jsonl").open(encoding="utf-8") as file:
        pack: str = json.loads(next(file))["pack"]
    return None if (STORIES / "probes" / pack).exists() else pack.removesuffix(".yaml")


def story(name: str) -> Story:
    """A story by its name, with the pack and the desk that its head names."""
    file = STORIES / f"{name}.jsonl"
    scenario = read_scenario(file.read_bytes(), file=file.name)
    head = scenario.head
    assert head.pack is not None
    assert head.until is not None
    probe = STORIES / "probes" / head.pack
    pack = find_pack(probe if probe.exists() else head.pack.removesuffix(".yaml"))
    procedure = pack.load(head.desk.answers if head.desk is not None else {})
    wanted = file.with_suffix(".expect").read_text(encoding="utf-8").splitlines()
    return Story(name, scenario, procedure, head.until, [json.loads(line) for line in wanted if line.strip()])


def lines(world: World) -> list[Line]:
    """What a world has to tell, as it is printed."""
    return [json.loads(to_json(entry.wire(world.view.zone))) for entry in world.entries]


def fits(want: Line, line: Line) -> bool:
    """Whether a line has what is asked for."""
    flat = {**line.get("data", {}), **{key: value for key, value in line.items() if key != "data"}}
    return all(_same(key, value, flat.get(key)) for key, value in want.items())


def _same(key: str, want: Any, got: Any) -> bool:
    if key == "clause" and want is not None:
        return set(_listed(want)) <= set(_listed(got))
    if want == got:
        return True
    a, b = _instant(want), _instant(got)
    return a is not None and a == b


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _instant(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def unmet(expectations: Iterable[Line], told: Sequence[Line], world: World, until: datetime) -> Iterator[str]:
    """The expectations that a world does not meet, each with what is there instead."""
    place = 0
    for want in expectations:
        kind, asked = next(iter(want.items()))
        match kind:
            case "never":
                yield from (f"{want}: {line}" for line in told if fits(asked, line))
            case "verdict" | "desk-verdict" | "work" | "hidden" | "seen":
                if (instead := _unlike(kind, asked, world, until)) is not None:
                    yield f"{want}: {instead}"
            case _:
                found = next((n for n in range(place, len(told)) if fits(want, told[n])), None)
                if found is None:
                    yield f"{want}: not in what follows line {place}"
                else:
                    place = found + 1


def _unlike(kind: str, asked: Line, world: World, until: datetime) -> object:
    """What a world says of what is asked, None where that is what is expected."""
    at = datetime.fromisoformat(asked["at"]) if "at" in asked else until
    match kind:
        case "verdict":
            return _unlike_verdict(asked, world.verdicts(asked["complaint"], at))
        case "desk-verdict":
            return _unlike_verdict(asked, world.duty_verdicts(at))
        case "work":
            got = _names(world.work(at, asked.get("role")))
            return None if all(got[part] == asked[part] for part in got if part in asked) else got
        case "seen":
            seen = world.visible(asked["complaint"], asked["seen-by"])
            return None if asked["fact"] in seen else seen
        case _:
            sees, others = (_sees(world, asked["complaint"], asked[who]) for who in ("role", "seen-by"))
            return None if asked["fact"] in others - sees else (sees, others)


def _sees(world: World, complaint: str, role: str) -> set[str]:
    """What a role sees of a case: facts, who complains and how he is reached, where that is known."""
    state = world.state(complaint)
    named = {name for name in ("complainant", "contact") if getattr(state, name)}
    return {*world.visible(complaint, role), *named - hidden_from(world.procedure, world.calendar, state, role)}


def _unlike_verdict(asked: Line, verdicts: Iterable[Verdict]) -> object:
    mine = [
        verdict
        for verdict in verdicts
        if verdict.row == asked["row"]
        and asked.get("clause", verdict.clause) == verdict.clause
        and asked.get("period", verdict.period) == verdict.period
    ]
    met = mine and mine[0].verdict == asked["is"] and asked.get("words", "") in mine[0].words
    return None if met else mine


def _names(work: Work) -> dict[str, list[str]]:
    return {
        "dated": [owed.step for owed in work.dated],
        "undated": [owed.step for owed in work.undated],
        "stale": [owed.step for owed in work.stale],
        "undecided": [table.decide for table in work.undecided],
    }
