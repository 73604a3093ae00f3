"""Lives made up by chance: numbers that become commands by what the case and its procedure offer at each moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from complaints.commands import CaseCommand
from complaints.complaint import INITIAL, Complaint, replay
from complaints.deciding import next_due
from complaints.deciding.decision import run_through
from complaints.deciding.run import Others, Run
from complaints.errors import Rejected
from complaints.events import CaseEvent
from complaints.procedure.model import Fact, Procedure
from complaints.sla import Warn, Warnings
from tests.spec import CALENDAR, MONDAY, command, pack

WARNINGS: Warnings = {"*": [Warn(share=0.5)]}
ROLES = ("front", "cm", "md")

EVERYTHING = pack("""
questions:
- {question: hours, clause: q, asks: which, answer: working}
- {question: first_day, clause: q, asks: which, answer: next_day}
items: [{item: point, title: point, added-by: anyone, clause: i}]
facts:
- {fact: grave, clause: f, type: yes-no, starts-as: no}
- {fact: theirs, clause: f, type: yes-no}
- {fact: heads, clause: f, type: number}
- {fact: promised_at, clause: f, type: time}
- {fact: fixable, of: point, clause: f, type: yes-no}
- {fact: pressing, clause: f, means: grave || heads > 2}
decisions:
- decide: grade
  of: [1, 2, 3]
  falls: never
  rows:
  - {set: 1, clause: 甲, when: grave}
  - {set: 2, clause: 乙, when: heads >= 2 || act.late}
  - {set: 3, clause: 丙}
- {decide: owner, rows: [{set: cm, clause: 丁, when: grade <= 2}, {set: md, clause: 戊}]}
clocks:
- {clock: ageing, clause: c, from: received, within: 5 days, pause: theirs, stop: carry_out.done}
- {clock: silence, clause: d, from: act, within: 8 h working, cancel: call.attempts > 1}
- {clock: heat, clause: e, from: received, start: pressing, within: 2 days}
steps:
- part: p
  rows:
  - {pass: hand, clause: 一, by: receiver, to: cm | md, milestone: assigned, within: 2 h elapsed, from: received}
  - do: act
    clause: 二
    by: owner
    after: hand
    from: received
    regrade: restart
    within:
    - {is: 6 h, when: grade == 1, clause: 二a}
    - {is: 2 working days, when: grade == 2, clause: 二b}
    - {is: fact promised_at, when: grade == 3, clause: 二c}
    pause: theirs
    extend: {to: 4 working days, when: "call.attempts > 0 && !call.done", clause: 二d}
  - {contact: call, clause: 三, by: cm | md, duty: if-necessary, after: hand}
  - {approve: agree, clause: 四, by: [cm, md], after: [act, call], back: {refused: act}, within: 5 h elapsed}
  - {do: carry_out, clause: 五, by: owner, after: agree, within: 1 week, from: act, regrade: keep}
  - revisit: ask
    clause: 六
    by: cm
    after: carry_out
    wait: 2 days
    outcomes: [satisfied, again]
    back: {again: carry_out}
  - {tell: news, clause: 七, by: anyone, to: md, repeats: 2 days, when: "!closed"}
  - {tell: letter, clause: 八, by: system, to: customer, when: pressing, within: 3 h elapsed}
  - {do: hurry, clause: 九, by: md, when: grade == 1 && theirs, within: 10 h elapsed, from: received, regrade: carry}
  - {do: best, clause: 十, by: cm, duty: should, within: 1 day}
- part: points
  for-each: point
  rows:
  - {do: fix, clause: 甲一, by: anyone, when: fixable, within: 4 h working}
  - {do: verify, clause: 甲二, by: md, after: fix, outcomes: [fine, bad], back: {bad: fix}}
- part: end
  rows:
  - {close: end, clause: 乙一, by: anyone, after: carry_out, leaves: [ask]}
  - {close: give_up, clause: 乙二, by: md, when: ageing.late}
  - {reopen: anew, clause: 乙三, by: anyone, after: end | give_up, duty: may, back: {reopened: act}}
  - {do: file, clause: 乙四, by: cm, after: end, within: 2 days}
holds:
- {hold: points_open, clause: h, forbids: [end], until: point.open == 0}
- {hold: letter_first, clause: j, when: grave, forbids: [act], until: letter.done}
- {hold: quiet, clause: k, when: theirs, forbids: [letter], until: call.done}
""")


@dataclass(frozen=True)
class Move:
    """Numbers from which a command is made."""

    kind: int
    one: int
    two: int
    minutes: int
    back: int


moves = st.lists(
    st.builds(
        Move,
        kind=st.integers(0, 20),
        one=st.integers(0, 40),
        two=st.integers(0, 40),
        minutes=st.sampled_from([0, 1, 30, 60, 90, 240, 600, 1440, 2880, 10_000]),
        back=st.sampled_from([0, 0, 0, 5, 60, 600, 3000]),
    ),
    min_size=3,
    max_size=25,
)


@dataclass
class Life:
    """A case, what was asked of it and what came of that."""

    procedure: Procedure
    thorough: bool = False
    state: Complaint = INITIAL
    events: list[CaseEvent] = field(default_factory=list)
    asked: list[CaseCommand] = field(default_factory=list)

    def ask(self, asked: CaseCommand) -> None:
        """Decides a command; a refused one changes nothing."""
        self.asked.append(asked)
        linked = {"old": Complaint(version=1)}
        run = Run(
            self.state,
            asked,
            self.procedure,
            CALENDAR,
            Others(linked=linked),
            warnings=WARNINGS,
            thorough=self.thorough,
        )
        try:
            decided = run_through(run)
        except Rejected:
            return
        self.events += decided
        self.state = replay(decided, self.state)
        assert run.state == self.state, "the state that a decision ends with is what its events make of the case"


def live(procedure: Procedure, made: Sequence[Move]) -> Life:
    """A life of these moves."""
    life, now = Life(procedure), MONDAY + timedelta(hours=9)
    for move in made:
        now += timedelta(minutes=move.minutes)
        if not life.state.version:
            life.ask(_received(life, move, now))
        else:
            life.ask(MOVES[move.kind % len(MOVES)](life, move, now))
    life.ask(command("fire-timer", at=now + timedelta(days=30)))
    return life


def again(life: Life, *, thorough: bool = False, before: Callable[[Life, CaseCommand], None] | None = None) -> Life:
    """The same commands asked of another case; ``before`` each of them something else may happen."""
    other = Life(life.procedure, thorough=thorough)
    for asked in life.asked:
        if before is not None:
            before(other, asked)
        other.ask(asked)
    return other


def punctually(life: Life, asked: CaseCommand) -> None:
    """Fires every timer that is due before the command."""
    fired: datetime | None = None
    while (due := next_due(life.state, after=fired)) is not None and due < asked.at:
        life.ask(command("fire-timer", at=due))
        fired = due


# --- what a move becomes ---
def _pick(some: Sequence[Any], number: int) -> Any:
    return some[number % len(some)]


def _value(fact: Fact, move: Move, now: datetime) -> Any:
    match fact.kind:
        case "yes-no":
            return move.two % 2 == 0
        case "number":
            return move.two % 12
        case "time":
            return (now + timedelta(hours=move.two - 10)).isoformat()
        case "choice" if fact.choices:
            return _pick(fact.choices, move.two)
        case _:
            return _pick(("none", "paint", "x"), move.two)


def _facts(life: Life, move: Move, now: datetime, of: str | None = None, *, role: str | None = None) -> dict[str, Any]:
    """One to three facts that the role may set; without a role those that anybody may."""
    said = [
        fact
        for fact in life.procedure.facts.values()
        if fact.kind not in ("means", "span") and fact.of == of and (not fact.by or role in fact.by)
    ]
    chosen = [_pick(said, move.one + 7 * n) for n in range(1 + move.two % 3)] if said else []
    return {fact.name: _value(fact, move, now) for fact in chosen}


def _received(life: Life, move: Move, now: datetime) -> CaseCommand:
    channels = [channel for row in life.procedure.intake for channel in row.channels]
    occurred = {"occurred_at": now - timedelta(minutes=move.back)} if move.back else {}
    channel = _pick(channels, move.two)
    roles = [role for row in life.procedure.intake if channel in row.channels for role in row.by]
    role = "front" if not roles or "anyone" in roles else roles[0]
    return command("receive", role, now, channel=channel, facts=_facts(life, move, now), **occurred)


def _by(life: Life, step: str) -> list[str]:
    row = life.procedure.steps[step.partition("#")[0]]
    built_in = {"receiver": life.state.receiver, "holder": life.state.holder, "anyone": "front"}
    built_in["owner"] = str(life.state.decided.get("owner", "front"))
    return [built_in.get(role, role) for alternatives in row.by for role in alternatives]


def _recorded(life: Life, move: Move, now: datetime) -> CaseCommand:
    opened = [name for name, step in life.state.steps.items() if step.state == "open"] or ["nothing"]
    step = _pick(opened, move.one)
    if step == "nothing":
        return command("fire-timer", at=now)
    name, _, number = step.partition("#")
    row, data = life.procedure.steps[name], dict[str, Any]()
    roles = _by(life, step)
    if number:
        data["item"] = number
    if move.two % 4 == 0:
        data["outcome"] = _pick(row.outcomes, move.two // 4)
    wanted = [*row.records, *((life.procedure.forms[row.form].fields or ()) if row.form else ())]
    of = row.part.for_each
    data["facts"] = {
        fact: _value(life.procedure.facts[fact], move, now)
        for fact in wanted
        if fact not in life.state.facts and life.procedure.facts[fact].of in (None, of)
    }
    if move.kind % 3 == 0:
        data["facts"] |= _facts(life, move, now)
    if len(row.to) > 1 and row.verb == "pass":
        data["to"] = _pick(row.to, move.two)
    if move.back:
        data["done_at"] = now - timedelta(minutes=move.back)
        data["already_happened"] = move.one % 3 == 0
    return command("record-step", _pick(roles, move.two), now, step=name, **data)


def _happened(life: Life, move: Move, now: datetime) -> CaseCommand:
    name = _pick(list(life.procedure.steps), move.one)
    return command("record-step", _pick(ROLES, move.two), now, step=name, already_happened=True)


def _said(life: Life, move: Move, now: datetime) -> CaseCommand:
    role = _pick([*ROLES, *life.procedure.roles], move.two)
    return command("record-facts", role, now, facts=_facts(life, move, now, role=role))


def _judged(life: Life, move: Move, now: datetime) -> CaseCommand:
    table = _pick(life.procedure.tables, move.one)
    to = _pick(table.of or [row.set or "paint" for row in table.rows], move.two)
    return command("judge", life.state.receiver, now, decide=table.decide, to=to, reason="r")


def _item(life: Life, move: Move, now: datetime) -> CaseCommand:
    kinds = list(life.procedure.items)
    if not kinds:
        return _said(life, move, now)
    kind = _pick(kinds, move.one)
    if life.state.items.get(kind) and move.two % 2:
        number = _pick(list(life.state.items[kind]), move.one)
        return command("record-facts", "front", now, item=f"{kind}#{number}", facts=_facts(life, move, now, kind))
    return command("add-item", "cm", now, item=kind, facts=_facts(life, move, now, kind))


def _counted(life: Life, move: Move, now: datetime) -> CaseCommand:
    counts = list(life.procedure.counts)
    if not counts:
        return _said(life, move, now)
    return command("record-count", at=now, count=_pick(counts, move.one), value=move.two % 6)


def _waived(life: Life, move: Move, now: datetime) -> CaseCommand:
    steps = [name for name, step in life.state.steps.items() if step.duty != "must" and step.state == "open"]
    if not steps:
        return _said(life, move, now)
    step = _pick(steps, move.one)
    return command("waive-step", _pick(_by(life, step), move.two), now, step=step, reason="r")


def _delivered(life: Life, move: Move, now: datetime) -> CaseCommand:
    steps = [name for name, step in life.state.steps.items() if step.requested]
    if not steps:
        return _recorded(life, move, now)
    return command("record-delivery", at=now, step=steps[0], channel="email", delivered=move.two % 3 > 0)


def _rounds(life: Life, move: Move, now: datetime) -> CaseCommand:
    steps = [step for step in life.procedure.steps.values() if step.round is not None]
    if not steps:
        return _recorded(life, move, now)
    due, period = now + timedelta(hours=move.two), str(move.one % 3)
    return command("open-round", at=now, step=steps[0].id, period=period, due_at=due, owe=steps[0].round)


MOVES: tuple[Callable[[Life, Move, datetime], CaseCommand], ...] = (
    _recorded, _recorded, _recorded, _recorded, _recorded, _recorded, _recorded, _recorded, _recorded,
    _said, _said, _said, _said, _judged, _item, _item, _counted, _waived, _delivered, _rounds, _happened,
)  # fmt: skip
