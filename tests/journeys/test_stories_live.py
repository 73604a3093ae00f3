"""Complete stories of every shipped pack through the live services: the history is the one that is simulated.

`chosen.py` says which they are. All of them run side by side, each at a desk of its own, under one time that is moved
by hand. A story's desk opens at the midnight before its first command, with the story's answers, the usual calendar,
and nobody in the directory.

A story as it is written says also what the system does. Live, the system does that itself: such lines are left out, and
`redress simulate --system` is what the live history is held to. Complainants have an address, so that the system can
give its notices.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import zip_longest
from operator import attrgetter
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.codec import DESK, builtins, to_json, wire, wire_event
from complaints.commands import Command, Receive
from complaints.desks import simulated as simulated_desk
from complaints.identity import duties_stream
from complaints.procedure.library import packs
from redress.simulation import Happened, World
from redress.simulation import Refused as Rejection
from tests.expectations import STORIES, Story, story
from tests.journeys.chosen import chosen, named
from tests.journeys.live import Live, Refused, running

LIVE: Final = chosen()

SYSTEM: Final = "system"

REPORT: Final = "report.produced"
"""Live, its figures travel through Kafka, where nothing personal does: its rows are without personal facts."""

OF_ANOTHER_SERVICE: Final = frozenset(("notice.delivered", "notice.failed", REPORT))
"""Where there are such, two services answer at one instant: which of them is first is open, live. See `_compared`."""

CONTACT: Final = {"email": "customer@somewhere.example"}

OF_THE_RECORD: Final = dict.fromkeys(("complaint.received", "case.received"), ("calendar", "desk_version", "subject"))
"""What only a log knows: which version of the desk it was, and a pseudonym that needs a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A line of a story."""

    at: datetime
    line: int
    complaint: str
    command: str
    by: Mapping[str, str]
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A story while it is told live."""

    story: Story
    acts: Sequence[Act]
    ids: dict[str, UUID] = field(default_factory=dict)  # of its cases, by label
    refused: list[tuple[datetime, str, str, str]] = field(default_factory=list)  # at, case, code, clause
    happened: dict[str, list[Fact]] = field(default_factory=dict)  # by label; the desk's own under ``desk``

    @property
    def opens_at(self) -> datetime:
        """The midnight before its first command."""
        zone = ZoneInfo(DEFAULT_CALENDAR.timezone)
        return datetime.combine(self.acts[0].at.astimezone(zone).date(), time(), zone)


Fact = Mapping[str, Any]
"""An event without what only a log gives it: at, event, clause, rule, inputs, data."""


def telling(name: str) -> Telling:
    """A story by its name, its commands in the order of their instants."""
    told = story(name)
    text = (STORIES / f"{name}.jsonl").read_text(encoding="utf-8")
    acts = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and "command" in (raw := json.loads(line)):
            acts.append(_act_of(number, raw))
    people = (act for act in acts if act.by["role"] != SYSTEM and act.at <= told.until)
    return Telling(story=told, acts=sorted(people, key=attrgetter("at")))


def _act_of(number: int, raw: Mapping[str, Any]) -> Act:
    data = raw.get("data", {})
    return Act(
        at=datetime.fromisoformat(raw["at"]).astimezone(UTC),
        line=number,
        complaint=raw.get("complaint", DESK),
        command=raw["command"],
        by=raw["by"],
        data={"contact": CONTACT, **data} if raw["command"] == "receive" else data,
    )


# --- live ---
@pytest.fixture(scope="module")
async def told(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Telling]:
    """Every story, told."""
    tellings = [telling(name) for name in LIVE]
    async with running(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        topic_prefix=topic_prefix,
        data_dir=tmp_path_factory.mktemp("journeys"),
        start=min(one.opens_at for one in tellings),
    ) as live:
        openings = {at: [one for one in tellings if one.opens_at == at] for at in {one.opens_at for one in tellings}}
        ends = {at: [one for one in tellings if one.story.until == at] for at in {one.story.until for one in tellings}}
        acting = {at: [one for one in tellings if any(act.at == at for act in one.acts)] for at in _instants(tellings)}
        for at in sorted({*openings, *ends, *acting}):
            async with live.instant(at):
                await asyncio.gather(*(_open(live, one) for one in openings.get(at, ())))
                await live.settled()
                await _act(live, acting.get(at, ()), at)
            await asyncio.gather(*(_read(live, one) for one in ends.get(at, ())))
    return {one.story.name: one for one in tellings}


def _instants(tellings: Iterable[Telling]) -> set[datetime]:
    return {act.at for one in tellings for act in one.acts}


async def _open(live: Live, one: Telling) -> None:
    head = one.story.scenario.head
    await live.done(
        "/v1/desks",
        {
            "desk": one.story.name,
            "title": one.story.name,
            "pack": one.story.procedure.id,
            "answers": head.desk.answers if head.desk is not None else {},
            "calendar": builtins(DEFAULT_CALENDAR),
        },
    )


async def _act(live: Live, tellings: Iterable[Telling], at: datetime) -> None:
    """What people do at an instant: stories at the same time, each one's acts in order, with all that they cause."""
    rounds = zip_longest(*([act for act in one.acts if act.at == at] for one in tellings))
    for acts in rounds:
        await asyncio.gather(*(_send(live, one, act) for one, act in zip(tellings, acts, strict=True) if act))
        await live.settled()


async def _send(live: Live, one: Telling, act: Act) -> None:
    desk, label = one.story.name, act.complaint
    if label == DESK:
        path = f"/v1/desks/{desk}/{act.command}"
    elif act.command == "receive" and label not in one.ids:
        path = f"/v1/desks/{desk}/complaints"
    else:
        path = f"/v1/complaints/{one.ids[label]}/{act.command}"
    body = {"by": act.by, "data": _with_ids(act.data, one.ids)}
    answer = await live.post(path, body, once=f"{desk}:{act.line}")
    if isinstance(answer, Refused):
        one.refused.append((act.at, label, answer.code, str(answer.clause)))
    elif label != DESK:
        one.ids[label] = UUID(answer["id"])


async def _read(live: Live, one: Telling) -> None:
    labels = {str(case): label for label, case in one.ids.items()}
    for label, case in one.ids.items():
        one.happened[label] = [_fact(_with_labels(line, labels)) for line in await live.history(case)]
    of_the_desk = [wire(recorded) for recorded in await live.stream(duties_stream(one.story.name))]
    one.happened[DESK] = [_fact(_with_labels(json.loads(to_json(line)), labels)) for line in of_the_desk]


def _with_ids(data: Mapping[str, Any], ids: Mapping[str, UUID]) -> Mapping[str, Any]:
    """The data of a command with the id of a case where the story has its label."""
    match data:
        case {"again_of": {"complaint": str(label)} as again}:
            return {**data, "again_of": {**again, "complaint": str(ids.get(label, label))}}
        case {"complaint": str(label)}:
            return {**data, "complaint": str(ids.get(label, label))}
        case _:
            return data


def _with_labels(value: Any, labels: Mapping[str, str]) -> Any:
    match value:
        case str():
            return labels.get(value, value)
        case dict():
            return {labels.get(key, key): _with_labels(one, labels) for key, one in value.items()}
        case list():
            return [_with_labels(one, labels) for one in value]
        case _:
            return value


# --- simulated ---
def simulated(one: Telling) -> World:
    """The same story in virtual time, where the system does what it does live."""
    commands = [_addressed(command) for command in one.story.scenario.commands if command.by.role != SYSTEM]
    return World(simulated_desk(one.story.procedure, DEFAULT_CALENDAR), acts=True).run(commands, one.story.until)


def _addressed(command: Command) -> Command:
    if isinstance(command, Receive) and not command.contact:
        return msgspec.structs.replace(command, contact=CONTACT)
    return command


def expected(world: World, label: str) -> list[Fact]:
    """What a world tells of a case."""
    told = (entry for entry in world.entries if isinstance(entry, Happened) and entry.complaint == label)
    return [_without_personal(_fact(json.loads(to_json(_line(entry)))), world.procedure.personal) for entry in told]


def _without_personal(fact: Fact, personal: Collection[str]) -> Fact:
    if fact["event"] != REPORT or not isinstance(fact["data"]["figures"], list):
        return fact
    return {**fact, "data": {**fact["data"], "figures": [_row_of(row, personal) for row in fact["data"]["figures"]]}}


def _row_of(figure: Mapping[str, Any], personal: Collection[str]) -> Mapping[str, Any]:
    if "list" not in figure:
        return figure
    return {**figure, "is": [{k: v for k, v in row.items() if k not in personal} for row in figure["is"]]}


def _line(entry: Happened) -> Fact:
    event = entry.event
    line = wire_event(event, complaint=entry.complaint, case=entry.case)
    return line | {"rule": event.rule, "inputs": event.inputs}


def _fact(line: Mapping[str, Any]) -> Fact:
    left_out = OF_THE_RECORD.get(line["event"], ())
    data = {name: value for name, value in line["data"].items() if name not in left_out}
    return {name: line[name] for name in ("event", "at", "clause", "rule", "inputs")} | {"data": data}


# --- the tests ---
def test_every_shipped_pack_is_told_live_and_every_story_that_is_named_runs_one() -> None:
    told = {story(name).procedure.id for name in LIVE}
    assert told == set(packs())
    assert {story(name).procedure.id for name in named()} <= set(packs())


@pytest.mark.parametrize("name", LIVE)
def test_a_story_has_the_same_history_live_as_simulated(name: str, told: Mapping[str, Telling]) -> None:
    one = told[name]
    world = simulated(one)
    assert sorted(one.ids) == sorted(world.cases)
    for label in world.cases:
        assert _compared(one.happened[label]) == _compared(expected(world, label))


@pytest.mark.parametrize("name", LIVE)
def test_a_desk_owes_the_same_live_as_simulated(name: str, told: Mapping[str, Telling]) -> None:
    one = told[name]
    assert _compared(one.happened[DESK]) == _compared(expected(simulated(one), DESK))


@pytest.mark.parametrize("name", LIVE)
def test_what_is_refused_simulated_is_refused_live_for_the_same_reason(name: str, told: Mapping[str, Telling]) -> None:
    one = told[name]
    entries = [entry for entry in simulated(one).entries if isinstance(entry, Rejection)]
    wanted = [(entry.at, entry.complaint, entry.rejected.code, str(entry.rejected.clause)) for entry in entries]
    assert one.refused == wanted


def _compared(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in their order; where two services answered, those of one instant in an order of ours."""
    told = list(facts)
    if any(fact["event"] in OF_ANOTHER_SERVICE for fact in told):
        return sorted(told, key=lambda fact: (fact["at"], json.dumps(fact, sort_keys=True)))
    return told
