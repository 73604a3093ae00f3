"""The aggregate: one case folded from its events. ``evolve`` needs no procedure: events say everything.

Instants in the state are *effective*: an act counts from its ``done_at``, however late it was recorded. Nothing is
mutated; a change copies only the mapping that it changes. (Structs of msgspec rather than dataclasses: they are copied
in C, and a case is copied once an event.)

``history`` and the marks of a step keep what held before, so that ``past.as_of`` can say how it stood at an instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, assert_never

import msgspec
from msgspec.structs import replace

from complaints.events import (
    AccessBroken,
    AssigneeLacking,
    AssigneeNamed,
    BreachWithdrawn,
    CalendarApplied,
    CaseEvent,
    ClockBreached,
    ClockCancelled,
    ClockExpired,
    ClockExtended,
    ClockPaused,
    ClockRecomputed,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ClockWarned,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintCounted,
    ComplaintEscalated,
    ComplaintGraded,
    ComplaintJudged,
    ComplaintLinked,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintRevisited,
    ComplaintRouted,
    Decision,
    Event,
    FactsAsked,
    FactsRecorded,
    FactValue,
    HoldBroken,
    HoldLifted,
    HoldPlaced,
    ItemAdded,
    NoticeDelivered,
    NoticeFailed,
    NoticeRequested,
    OrderBroken,
    Origin,
    PackChanged,
    PauseBegun,
    PauseEnded,
    Record,
    StepLapsed,
    StepOpened,
    StepScheduled,
    StepsReopened,
    StepWaived,
    SubjectErased,
)
from complaints.sla import ClockMoved, Pause, SlaClock, moved, started

StepPhase = Literal["waiting", "open", "over"]
Said = tuple[datetime, Any]
"""From when on a value has held, and the value."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a step, at its effective instant."""

    at: datetime
    what: Literal["opened", "recorded", "waived", "lapsed", "reopened"]
    outcome: str = ""
    over: bool = False
    person: str = ""


class StepState(msgspec.Struct, frozen=True, kw_only=True):
    """How a step stands. A step of an item is called ``name#number``."""

    state: StepPhase = "waiting"
    outcome: str = ""
    round: int = 1
    attempts: int = 0  # records in this round, good or bad
    signed: tuple[tuple[str, str], ...] = ()  # (as whom, person) of each record in this round
    at: datetime | None = None  # when it was over
    tried_at: datetime | None = None  # the last record in this round
    opens_at: datetime | None = None  # while it waits for an instant
    opened: datetime | None = None
    person: str = ""
    period: str | None = None  # of the desk round that opened it
    requested: bool = False  # a notice of the system: asked of the notifier
    by: str | list[str] = ""  # who owes it, as the pack writes it
    duty: str = "must"
    marks: tuple[Mark, ...] = ()


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that ran out and has not been withdrawn."""

    clock: str
    due_at: datetime
    by: str | list[str] | None = None
    answerable: str | None = None


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """A case: a complaint, or what the procedure calls another kind of case. ``version`` counts its events."""

    version: int = 0
    case: str = "complaint"
    pack: str = ""
    pack_version: int = 0
    desk_version: int = 0
    calendar: str = ""
    channel: str = ""
    receiver: str = ""
    holder: str = ""
    complainant: str | None = None
    subject: str | None = None
    contact: Mapping[str, str] = {}
    arrived_closed: bool = False
    again_of: Origin | None = None
    imported: bool = False
    received_at: datetime | None = None
    last_at: datetime | None = None  # of the last event
    closed_at: datetime | None = None
    reopened_at: datetime | None = None
    asked: tuple[str, ...] = ()  # intake questions that are owed
    facts: Mapping[str, FactValue] = {}
    decided: Mapping[str, str | int] = {}
    table: Mapping[str, str | int] = {}  # what the tables said last, so that a person's decision stands
    counts: Mapping[str, int] = {}
    history: Mapping[str, tuple[Said, ...]] = {}  # of facts, decisions, counts, ``holder``, ``closed``, items
    steps: Mapping[str, StepState] = {}
    clocks: Mapping[str, SlaClock] = {}
    pauses: Mapping[str, tuple[Pause, ...]] = {}
    holds: Mapping[str, datetime] = {}  # placed, since
    items: Mapping[str, Mapping[str, Mapping[str, FactValue]]] = {}  # kind: number: facts
    milestones: Mapping[str, datetime] = {}  # the last of each
    breaches: tuple[Breach, ...] = ()
    assignees: Mapping[str, str] = {}  # role: person
    lacking: Mapping[str, str] = {}  # role: the queue in which the case waits for somebody
    links: tuple[Origin, ...] = ()
    erased: tuple[str, ...] = ()  # data subjects whose key was destroyed

    @property
    def closed(self) -> bool:
        """Has the case ended?"""
        return self.closed_at is not None

    def step(self, name: str) -> StepState:
        """How a step stands; one that nothing has happened to waits."""
        return self.steps.get(name, FRESH)

    def learned_at(self, name: str) -> datetime | None:
        """Since when the present value of a fact, decision or count has held."""
        said = self.history.get(name)
        return said[-1][0] if said else None

    def changed_at(self, name: str) -> datetime | None:
        """When a fact or decision last went from one known value to another; None while it never did."""
        said = self.history.get(name)
        return said[-1][0] if said and len(said) > 1 else None


INITIAL: Final = Complaint()
FRESH: Final = StepState()

MILESTONE_OF: Final[Mapping[type[Event], str]] = {
    ComplaintAcknowledged: "acknowledged",
    ComplaintAssigned: "assigned",
    ComplaintResolved: "resolved",
    ComplaintRevisited: "revisited",
    ComplaintEscalated: "escalated",
    ComplaintClosed: "closed",
}


def replay(events: Iterable[CaseEvent], state: Complaint = INITIAL) -> Complaint:
    """The case after these events."""
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: Complaint, event: CaseEvent) -> Complaint:
    """The case after one more event."""
    return replace(_changed(state, event), version=state.version + 1, last_at=event.at)


def _changed(state: Complaint, event: CaseEvent) -> Complaint:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    match event:
        case ComplaintReceived():
            return _received(state, event)
        case FactsAsked():
            return replace(state, asked=(*state.asked, *(fact for fact in event.facts if fact not in state.asked)))
        case FactsRecorded():
            return _told(state, event.facts, event.since or event.at, event.item)
        case ComplaintGraded() | ComplaintRouted() | ComplaintJudged():
            return _decided(state, event)
        case ComplaintCounted():
            history = _known(state, {event.count: event.value}, state.counts, event.at)
            return replace(state, counts={**state.counts, event.count: event.value}, history=history)
        case ComplaintLinked():
            return replace(state, links=(*state.links, Origin(complaint=event.to, relation=event.relation)))
        case ItemAdded():
            return _item_added(state, event)
        case StepScheduled() | StepOpened() | StepLapsed() | StepWaived():
            return replace(state, steps={**state.steps, event.step: _stepped(state.step(event.step), event)})
        case StepsReopened():
            return _reopened(state, event)
        case (
            ClockStarted() | ClockRecomputed() | ClockExtended() | ClockPaused() | ClockResumed() | ClockStopped()
            | ClockCancelled() | ClockWarned() | ClockBreached() | ClockExpired() | BreachWithdrawn()
        ):  # fmt: skip
            return _clocked(state, event)
        case PauseBegun():
            begun = Pause(begun=event.since or event.at)
            return replace(state, pauses={**state.pauses, event.clock: (*state.pauses.get(event.clock, ()), begun)})
        case PauseEnded():
            *before, last = state.pauses[event.clock]
            ended = replace(last, ended=event.since or event.at)
            return replace(state, pauses={**state.pauses, event.clock: (*before, ended)})
        case HoldPlaced():
            return replace(state, holds={**state.holds, event.hold: event.since or event.at})
        case HoldLifted():
            return replace(state, holds={hold: at for hold, at in state.holds.items() if hold != event.hold})
        case AssigneeNamed():
            lacking = {role: queue for role, queue in state.lacking.items() if role != event.role}
            return replace(state, assignees={**state.assignees, event.role: event.person}, lacking=lacking)
        case AssigneeLacking():
            assignees = {role: person for role, person in state.assignees.items() if role != event.role}
            return replace(state, assignees=assignees, lacking={**state.lacking, event.role: event.queue})
        case CalendarApplied():
            return replace(state, calendar=event.version)  # under its procedure as before, whatever the desk's is now
        case PackChanged():
            desk_version = event.desk_version or state.desk_version
            return replace(state, pack=event.pack, pack_version=event.pack_version, desk_version=desk_version)
        case SubjectErased():
            return replace(state, erased=(*state.erased, event.subject))
        case NoticeRequested():
            return replace(state, steps={**state.steps, event.step: replace(state.step(event.step), requested=True)})
        case HoldBroken() | AccessBroken() | OrderBroken() | NoticeDelivered() | NoticeFailed():
            return state  # told to whoever reads the stream; nothing later depends on it
        case Record():
            return _recorded(state, event)
        case _:
            assert_never(event)


# --- what is known ---
def _received(state: Complaint, event: ComplaintReceived) -> Complaint:
    at = event.occurred_at or event.at
    return replace(
        state,
        case=event.case,
        pack=event.pack,
        pack_version=event.pack_version,
        desk_version=event.desk_version,
        calendar=event.calendar,
        channel=event.channel,
        receiver=event.receiver,
        holder=event.receiver,
        complainant=event.complainant,
        subject=event.subject,
        contact=event.contact,
        arrived_closed=event.arrived_closed,
        again_of=event.again_of,
        imported=event.imported,
        received_at=at,
        facts=event.facts,
        history={**{fact: ((at, value),) for fact, value in event.facts.items()}, "holder": ((at, event.receiver),)},
    )


def _known(
    state: Complaint, new: Mapping[str, Any], old: Mapping[str, Any], since: datetime
) -> Mapping[str, tuple[Said, ...]]:
    """The history with what is new; saying the same again is no news."""
    news = {
        name: (*state.history.get(name, ()), (since, value))
        for name, value in new.items()
        if name not in old or old[name] != value
    }
    return {**state.history, **news} if news else state.history


def _told(state: Complaint, facts: Mapping[str, FactValue], since: datetime, item: str | None = None) -> Complaint:
    if not facts:
        return state
    if item is None:
        asked = tuple(fact for fact in state.asked if fact not in facts) if state.asked else ()
        return replace(
            state, facts={**state.facts, **facts}, history=_known(state, facts, state.facts, since), asked=asked
        )
    kind, _, number = item.partition("#")
    old = state.items[kind][number]
    named = {item_fact(fact, item): value for fact, value in facts.items()}
    history = _known(state, named, {item_fact(fact, item): value for fact, value in old.items()}, since)
    items = {**state.items, kind: {**state.items[kind], number: {**old, **facts}}}
    return replace(state, items=items, history=history)


def item_fact(fact: str, item: str) -> str:
    """The name under which an item's fact stands in ``history``."""
    return f"{fact}@{item}"


def _decided(state: Complaint, event: Decision) -> Complaint:
    history = _known(state, {event.fact: event.to}, state.decided, event.since or event.at)
    table = state.table if event.person is not None else {**state.table, event.fact: event.to}
    return replace(state, decided={**state.decided, event.fact: event.to}, table=table, history=history)


def _item_added(state: Complaint, event: ItemAdded) -> Complaint:
    mine = {**state.items.get(event.item, {}), event.number: event.facts}
    item = f"{event.item}#{event.number}"
    history = {
        **state.history,
        event.item: (*state.history.get(event.item, ()), (event.at, len(mine))),
        **{item_fact(fact, item): ((event.at, value),) for fact, value in event.facts.items()},
    }
    return replace(state, items={**state.items, event.item: mine}, history=history)


# --- steps ---
def _stepped(step: StepState, event: StepScheduled | StepOpened | StepLapsed | StepWaived) -> StepState:
    match event:
        case StepScheduled():
            return replace(step, opens_at=event.opens_at)
        case StepOpened():
            since = event.since or event.at
            marks = (*step.marks, Mark(at=since, what="opened"))
            if event.period is None:
                return replace(
                    step, state="open", opened=since, by=event.by, duty=event.duty, requested=False, marks=marks
                )
            return StepState(
                state="open",
                opened=since,
                round=event.round,
                period=event.period,
                by=event.by,
                duty=event.duty,
                marks=marks,
            )
        case StepLapsed():
            marks = (*step.marks, Mark(at=event.since or event.at, what="lapsed"))
            return replace(step, state="waiting", opens_at=None, marks=marks)
        case StepWaived():
            mark = Mark(at=event.at, what="waived", outcome="waived", over=True, person=event.person)
            return replace(step, state="over", outcome="waived", at=event.at, marks=(*step.marks, mark))
        case _:
            assert_never(event)


def _recorded(state: Complaint, event: Record) -> Complaint:
    at = event.done_at or event.at
    old = state.step(event.step)
    over: dict[str, Any] = {"state": "over", "outcome": event.outcome, "at": at} if event.over else {}
    if event.again and old.state == "open":
        over["opened"] = at
    step = replace(
        old,
        attempts=old.attempts + 1,
        signed=(*old.signed, (event.as_, event.person)),
        tried_at=at,
        person=event.person,
        marks=(*old.marks, Mark(at=at, what="recorded", outcome=event.outcome, over=event.over, person=event.person)),
        **over,
    )
    state = _told(replace(state, steps={**state.steps, event.step: step}), event.facts, at)
    if event.holder is not None:
        history = _known(state, {"holder": event.holder}, {"holder": state.holder}, at)
        state = replace(state, holder=event.holder, history=history)
    if milestone := MILESTONE_OF.get(type(event)):
        state = replace(state, milestones={**state.milestones, milestone: at})
    if isinstance(event, ComplaintClosed):
        return replace(state, closed_at=at, history={**state.history, "closed": _closings(state, at, ended=True)})
    if isinstance(event, ComplaintReopened):
        closings = _closings(state, at, ended=False)
        return replace(state, closed_at=None, reopened_at=at, history={**state.history, "closed": closings})
    return state


def _closings(state: Complaint, at: datetime, *, ended: bool) -> tuple[Said, ...]:
    return (*state.history.get("closed", ()), (at, at if ended else None))


def _reopened(state: Complaint, event: StepsReopened) -> Complaint:
    mark = Mark(at=event.since or event.at, what="reopened")
    steps = dict(state.steps)
    for name in event.steps:
        old = state.step(name)
        steps[name] = StepState(round=old.round + 1, marks=(*old.marks, mark))
    return replace(
        state, steps=steps, clocks={name: clock for name, clock in state.clocks.items() if name not in event.clocks}
    )


# --- clocks ---
def _clocked(state: Complaint, event: ClockStarted | ClockMoved) -> Complaint:
    name = event.clock
    if name is None:  # a duty of the desk, in a stream of its own
        return state
    if isinstance(event, ClockStarted):
        return replace(state, clocks={**state.clocks, name: started(event)})
    clock = state.clocks[name]
    state = replace(state, clocks={**state.clocks, name: moved(clock, event)})
    if isinstance(event, ClockBreached):
        breach = Breach(clock=name, due_at=event.due_at, by=event.by, answerable=event.answerable)
        return replace(state, breaches=(*state.breaches, breach))
    if isinstance(event, BreachWithdrawn):
        left = tuple(breach for breach in state.breaches if (breach.clock, breach.due_at) != (name, clock.due_at))
        return replace(state, breaches=left)
    return state
