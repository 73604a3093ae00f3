"""Every event of a case and of the desk's duties, and the union ``CaseEvent``: the vocabulary, read it first.

An event is an envelope (``at``, ``clause``, ``rule``, ``inputs``) and its data: all other fields. The stored name
is the struct's tag; it outlives the class. Cases that are no complaints read ``case.received`` for
``complaint.received`` and so on: ``stored_name`` and ``event_type`` know the rule. Facts keep their JSON shape (an
instant is ISO 8601 text); the procedure says which of them are instants. Fields named in ``personal`` are sealed
before they are stored, and so is every fact that the pack declares personal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, get_args

import msgspec

Clause = str | list[str] | None
"""A clause of the source, or several; an entry ``desk:<place>`` cites the desk's own answer. None: a person's act."""

FactValue = str | bool | int | float | None
Facts = dict[str, FactValue]

ENVELOPE = ("at", "clause", "rule", "inputs")


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a case. ``at`` is when it happened, however late that was noticed."""

    personal: ClassVar[tuple[str, ...]] = ()
    schema_version: ClassVar[int] = 1

    at: datetime
    clause: Clause = None
    rule: str | None = None  # the row of the pack that decided
    inputs: dict[str, Any] = {}  # what the row looked at, by name


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The earlier case that this one takes up again."""

    complaint: str
    relation: str


# --- receipt and what is known ---------------------------------------------------------------------------------------
class ComplaintReceived(Event, frozen=True, kw_only=True, tag="complaint.received"):
    """A case has come in. Pack, desk and calendar version are fixed here, so that later ones cannot move it."""

    personal: ClassVar[tuple[str, ...]] = ("complainant", "contact")

    channel: str
    receiver: str  # the role that received it
    person: str
    facts: Facts = {}
    complainant: str | None = None  # who complains, as the frontend names them
    subject: str | None = None  # pseudonym of the complainant within the desk; stays countable after erasure
    contact: dict[str, str] = {}  # email, phone, webhook, language
    arrived_closed: bool
    again_of: Origin | None = None
    case: str = "complaint"
    occurred_at: datetime | None = None
    guidance: list[str] = []
    pack: str
    pack_version: int
    desk_version: int = 0
    calendar: str = ""
    imported: bool = False  # back-dated through the bulk door: no letter or alert for what lies in the past


class FactsAsked(Event, frozen=True, kw_only=True, tag="facts.asked"):
    """Intake questions without an answer; they stay owed and block nothing."""

    facts: list[str]


class FactsRecorded(Event, frozen=True, kw_only=True, tag="facts.recorded"):
    """Somebody said something; a correction is another record."""

    facts: Facts
    person: str
    item: str | None = None
    since: datetime | None = None  # where they were said with an act that is recorded late


class Decision(Event, frozen=True, kw_only=True):
    """A table decided, or a person judged (then ``person`` and ``reason``)."""

    personal: ClassVar[tuple[str, ...]] = ("reason",)

    fact: str
    to: str | int
    was: str | int | None = None
    looked_at: dict[str, Any] = {}
    undecided: list[Clause] = []  # clauses of more serious rows that still wait for facts
    since: datetime | None = None
    person: str | None = None
    reason: str | None = None


class ComplaintGraded(Decision, frozen=True, kw_only=True, tag="complaint.graded"):
    """How serious the case is."""


class ComplaintRouted(Decision, frozen=True, kw_only=True, tag="complaint.routed"):
    """Whose case it is: the engine's own decision; the hand-over is ``complaint.assigned``."""


class ComplaintJudged(Decision, frozen=True, kw_only=True, tag="complaint.judged"):
    """Any other table of the pack."""


class ComplaintCounted(Event, frozen=True, kw_only=True, tag="complaint.counted"):
    """Evidence from other cases: how many are of the same matter."""

    count: str
    value: int


class ComplaintLinked(Event, frozen=True, kw_only=True, tag="complaint.linked"):
    """The case takes up an older one."""

    to: str
    relation: str
    attaches: str | None = None
    offered_to: str | None = None


class ItemAdded(Event, frozen=True, kw_only=True, tag="item.added"):
    """A thing inside the case that has steps of its own."""

    item: str
    number: str
    facts: Facts = {}
    person: str


# --- steps -----------------------------------------------------------------------------------------------------------
class StepScheduled(Event, frozen=True, kw_only=True, tag="step.scheduled"):
    """A step that waits for an instant."""

    step: str
    opens_at: datetime


class StepOpened(Event, frozen=True, kw_only=True, tag="step.opened"):
    """Somebody owes something from now on."""

    step: str
    by: str | list[str]
    round: int = 1
    duty: str = "must"
    since: datetime | None = None
    says: str | None = None
    guidance: list[str] = []
    period: str | None = None


class StepLapsed(Event, frozen=True, kw_only=True, tag="step.lapsed"):
    """What was owed is owed no more."""

    step: str
    because: str
    since: datetime | None = None


class StepWaived(Event, frozen=True, kw_only=True, tag="step.waived"):
    """A step that need not be done, with the reason."""

    personal: ClassVar[tuple[str, ...]] = ("reason",)

    step: str
    person: str
    reason: str


class StepsReopened(Event, frozen=True, kw_only=True, tag="steps.reopened"):
    """A loop: these steps wait again, one round later."""

    steps: list[str]
    clocks: list[str] = []
    first: str
    because: str
    since: datetime | None = None


class Record(Event, frozen=True, kw_only=True, rename={"as_": "as"}):
    """A step was recorded. ``over``: nothing more is owed on it in this round."""

    personal: ClassVar[tuple[str, ...]] = ("reason",)

    step: str
    verb: str
    outcome: str
    over: bool
    round: int = 1
    person: str
    as_: str  # the name in the step's `by` under which the person acted
    facts: Facts = {}
    medium: str | None = None
    reason: str | None = None
    done_at: datetime | None = None
    again: bool = False
    to: str | list[str] | None = None  # of a hand-over, or of what was told
    holder: str | None = None
    outside: bool = False
    tier: int | None = None


class WorkRecorded(Record, frozen=True, kw_only=True, tag="work.recorded"):
    """`do`."""


class ApprovalGranted(Record, frozen=True, kw_only=True, tag="approval.granted"):
    """`approve`, yes."""


class ApprovalRefused(Record, frozen=True, kw_only=True, tag="approval.refused"):
    """`approve`, no."""


class NoticeGiven(Record, frozen=True, kw_only=True, tag="notice.given"):
    """`tell`."""


class ContactMade(Record, frozen=True, kw_only=True, tag="contact.made"):
    """`contact`, reached."""


class ContactFailed(Record, frozen=True, kw_only=True, tag="contact.failed"):
    """`contact`, not reached: stays open, counted."""


class FormFilled(Record, frozen=True, kw_only=True, tag="form.filled"):
    """`fill`: a form or an entry of a register."""


class ComplaintPassed(Record, frozen=True, kw_only=True, tag="complaint.passed"):
    """`pass`: somebody else holds the case now."""


class ComplaintAcknowledged(Record, frozen=True, kw_only=True, tag="complaint.acknowledged"):
    """The milestone: the complainant knows that the complaint has come."""


class ComplaintAssigned(Record, frozen=True, kw_only=True, tag="complaint.assigned"):
    """The milestone: the case was handed to whoever handles it."""


class ComplaintResolved(Record, frozen=True, kw_only=True, tag="complaint.resolved"):
    """The milestone: the matter is dealt with."""


class ComplaintRevisited(Record, frozen=True, kw_only=True, tag="complaint.revisited"):
    """`revisit` 回访, whatever its outcome."""


class ComplaintEscalated(Record, frozen=True, kw_only=True, tag="complaint.escalated"):
    """The case has gone to a higher tier."""


class ComplaintClosed(Record, frozen=True, kw_only=True, tag="complaint.closed"):
    """`close`: the case has ended, in one of its ways."""


class ComplaintReopened(Record, frozen=True, kw_only=True, tag="complaint.reopened"):
    """`reopen`."""


# --- clocks ----------------------------------------------------------------------------------------------------------
Interval = tuple[datetime, datetime]


class ClockStarted(Event, frozen=True, kw_only=True, tag="clock.started", rename={"from_": "from"}):
    """A limit runs. Without ``due_at`` the text gives a ``word`` or nothing; the time taken is measured."""

    clock: str
    from_: datetime
    due_at: datetime | None = None
    word: str | None = None
    case: int | None = None
    regrade: str | None = None
    provisional: bool = False  # reaches days that no calendar has published yet
    intervals: list[Interval] = []  # the working intervals that led to due_at; empty for elapsed limits
    warn_at: list[datetime] = []  # asked for by the desk


class ClockRecomputed(Event, frozen=True, kw_only=True, tag="clock.recomputed", rename={"from_": "from"}):
    """The limit is another one, or its calendar is; the old due instant stays visible."""

    clock: str
    was: datetime | None = None
    due_at: datetime | None = None
    from_: datetime | None = None  # where it counts from another instant than before
    left_s: float | None = None  # of a clock that stands
    word: str | None = None  # as in clock.started, where there is no due_at
    case: int | None = None
    provisional: bool = False
    intervals: list[Interval] = []
    warn_at: list[datetime] = []


class ClockExtended(Event, frozen=True, kw_only=True, tag="clock.extended"):
    """The text gives more time in this case; asked once."""

    clock: str
    was: datetime | None = None
    due_at: datetime | None = None
    because: str
    provisional: bool = False
    intervals: list[Interval] = []
    warn_at: list[datetime] = []


class PauseBegun(Event, frozen=True, kw_only=True, tag="pause.begun"):
    """A pause of this limit began; kept whether or not the clock runs."""

    clock: str
    since: datetime | None = None


class PauseEnded(Event, frozen=True, kw_only=True, tag="pause.ended"):
    """The pause ended."""

    clock: str
    since: datetime | None = None


class ClockPaused(Event, frozen=True, kw_only=True, tag="clock.paused"):
    """The clock stands; ``left_s`` seconds of its own kind of time are left."""

    clock: str
    left_s: float


class ClockResumed(Event, frozen=True, kw_only=True, tag="clock.resumed"):
    """The clock runs on."""

    clock: str
    due_at: datetime | None = None
    provisional: bool = False
    intervals: list[Interval] = []
    warn_at: list[datetime] = []


class ClockStopped(Event, frozen=True, kw_only=True, tag="clock.stopped"):
    """What the limit was for has been done; ``in_time`` is None where there was no date."""

    clock: str
    in_time: bool | None = None
    since: datetime | None = None


class ClockCancelled(Event, frozen=True, kw_only=True, tag="clock.cancelled"):
    """The limit is owed no more."""

    clock: str
    because: str | None = None
    since: datetime | None = None


class ClockWarned(Event, frozen=True, kw_only=True, tag="clock.warned"):
    """The desk asked to be warned before this limit runs out; cites the desk."""

    clock: str
    due_at: datetime
    by: str | list[str] | None = None


class ClockBreached(Event, frozen=True, kw_only=True, tag="clock.breached"):
    """A must was not done in time. ``at`` is the due instant."""

    clock: str
    due_at: datetime
    by: str | list[str] | None = None  # who had to act
    answerable: str | None = None


class ClockExpired(Event, frozen=True, kw_only=True, tag="clock.expired"):
    """A limit ran out and nobody is in breach."""

    clock: str
    due_at: datetime
    by: str | list[str] | None = None


class BreachWithdrawn(Event, frozen=True, kw_only=True, tag="breach.withdrawn"):
    """It was done in time after all and recorded late."""

    clock: str | None = None
    done_at: datetime
    owe: str | None = None  # of a duty of the desk
    period: str | None = None


# --- holds, access, what happened anyway -----------------------------------------------------------------------------
class HoldPlaced(Event, frozen=True, kw_only=True, tag="hold.placed"):
    """These steps are refused until what the hold asks for has happened."""

    hold: str
    forbids: list[str]
    since: datetime | None = None


class HoldLifted(Event, frozen=True, kw_only=True, tag="hold.lifted"):
    """What the hold asked for has happened."""

    hold: str
    since: datetime | None = None


class HoldBroken(Event, frozen=True, kw_only=True, tag="hold.broken"):
    """Done although a hold forbade it."""

    step: str
    person: str
    role: str
    hold: str


class AccessBroken(Event, frozen=True, kw_only=True, tag="access.broken"):
    """Done by somebody whom a bar, or the step's own `by`, excludes."""

    step: str
    person: str
    role: str
    bar: str


class OrderBroken(Event, frozen=True, kw_only=True, tag="order.broken"):
    """Done before what it waits for."""

    step: str
    person: str
    role: str
    waits_for: list[str] = []
    not_before: datetime | None = None


# --- deliveries and people -------------------------------------------------------------------------------------------
class NoticeRequested(Event, frozen=True, kw_only=True, tag="notice.requested"):
    """A notice that the system itself has to send."""

    step: str
    to: str | list[str] | None = None
    channel: str | None = None
    reason: str | None = None


class NoticeDelivered(Event, frozen=True, kw_only=True, tag="notice.delivered"):
    """The channel took it."""

    personal: ClassVar[tuple[str, ...]] = ("to", "reason")

    step: str
    channel: str
    to: str | None = None
    reason: str | None = None
    alert: str | None = None  # what the desk's own people were told about the step; None: the step's notice itself


class NoticeFailed(Event, frozen=True, kw_only=True, tag="notice.failed"):
    """The channel refused it for good."""

    personal: ClassVar[tuple[str, ...]] = ("to", "reason")

    step: str
    channel: str | None = None
    to: str | None = None
    reason: str | None = None
    alert: str | None = None  # what the desk's own people were told about the step; None: the step's notice itself


class AssigneeNamed(Event, frozen=True, kw_only=True, tag="assignee.named"):
    """Routing names the person who acts in a role on this case."""

    role: str
    person: str
    department: str | None = None
    because: str  # only one, least loaded, on call, …
    was: str | None = None


class AssigneeLacking(Event, frozen=True, kw_only=True, tag="assignee.lacking"):
    """Nobody can be named; the case waits in the fallback queue."""

    role: str
    queue: str
    because: str


# --- the ground under a case changes ---------------------------------------------------------------------------------
class CalendarApplied(Event, frozen=True, kw_only=True, tag="calendar.applied"):
    """The case counts in another version of the desk's calendar from now on."""

    version: str
    was: str | None = None
    desk_version: int = 0


class PackChanged(Event, frozen=True, kw_only=True, tag="pack.changed"):
    """The case goes on under another version of the procedure."""

    personal: ClassVar[tuple[str, ...]] = ("reason",)

    pack: str
    pack_version: int
    was: str
    was_version: int
    desk_version: int = 0
    reason: str | None = None


class SubjectErased(Event, frozen=True, kw_only=True, tag="subject.erased"):
    """The key of a data subject was destroyed; sealed fields read as erased from now on."""

    subject: str
    reason: str


# --- the desk's duties: a stream of their own ------------------------------------------------------------------------
class DutyOpened(Event, frozen=True, kw_only=True, tag="duty.opened"):
    """The desk owes something for a period."""

    owe: str
    by: str
    to: list[str] = []
    period: str
    due_at: datetime | None = None
    duty: str = "must"


class DutyRecorded(Event, frozen=True, kw_only=True, tag="duty.recorded"):
    """It was done; a missed one made up says so with ``in_time`` false."""

    owe: str
    period: str | None = None
    person: str
    in_time: bool = True
    done_at: datetime | None = None


class DutyBreached(Event, frozen=True, kw_only=True, tag="duty.breached"):
    """It was not done by its date."""

    owe: str
    period: str
    by: str
    due_at: datetime | None = None


class DutyLapsed(Event, frozen=True, kw_only=True, tag="duty.lapsed"):
    """Best effort; its date has passed."""

    owe: str
    period: str
    by: str


class ReportProduced(Event, frozen=True, kw_only=True, tag="report.produced"):
    """The figures of a periodic report, computed by the read side as it stood."""

    owe: str
    period: str
    covers: list[str] | None = None  # two civil dates, half-open
    figures: Any = None


class SampleDrawn(Event, frozen=True, kw_only=True, tag="sample.drawn"):
    """Who was drawn for a survey, and by which seed."""

    owe: str
    size: int
    seed: int
    included: list[str] = []
    drawn: list[str] = []


RecordEvent = (
    WorkRecorded | ApprovalGranted | ApprovalRefused | NoticeGiven | ContactMade | ContactFailed | FormFilled
    | ComplaintPassed | ComplaintAcknowledged | ComplaintAssigned | ComplaintResolved | ComplaintRevisited
    | ComplaintEscalated | ComplaintClosed | ComplaintReopened
)  # fmt: skip
DecisionEvent = ComplaintGraded | ComplaintRouted | ComplaintJudged
ClockEvent = (
    ClockStarted | ClockRecomputed | ClockExtended | PauseBegun | PauseEnded | ClockPaused | ClockResumed | ClockStopped
    | ClockCancelled | ClockWarned | ClockBreached | ClockExpired | BreachWithdrawn
)  # fmt: skip
CaseEvent = (
    ComplaintReceived | FactsAsked | FactsRecorded | DecisionEvent | ComplaintCounted | ComplaintLinked | ItemAdded
    | StepScheduled | StepOpened | StepLapsed | StepWaived | StepsReopened | RecordEvent | ClockEvent | HoldPlaced
    | HoldLifted | HoldBroken | AccessBroken | OrderBroken | NoticeRequested | NoticeDelivered | NoticeFailed
    | AssigneeNamed | AssigneeLacking | CalendarApplied | PackChanged | SubjectErased
)  # fmt: skip
DutyEvent = DutyOpened | DutyRecorded | DutyBreached | DutyLapsed | BreachWithdrawn | ReportProduced | SampleDrawn

EVENT_TYPES: dict[str, type[Event]] = {
    str(cls.__struct_config__.tag): cls for cls in dict.fromkeys((*get_args(CaseEvent), *get_args(DutyEvent)))
}


def tag_of(event: Event | type[Event]) -> str:
    """The stable name of an event of a complaint, ``clock.breached``."""
    return str(event.__struct_config__.tag)


_NAMES = {cls: name for name, cls in EVENT_TYPES.items()}


def stored_name(event: Event, case: str) -> str:
    """The stored name: ``case.closed`` where the case is no complaint."""
    name = _NAMES.get(type(event)) or tag_of(event)
    return name if case == "complaint" else name.replace("complaint.", "case.", 1)


def event_type(name: str) -> type[Event] | None:
    """The struct behind a stored name, or None."""
    return EVENT_TYPES.get(name.replace("case.", "complaint.", 1) if name.startswith("case.") else name)
