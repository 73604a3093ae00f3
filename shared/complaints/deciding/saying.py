"""What is said of a case beside its steps: facts, things inside it, judgments, counts, links.

Source: the pack language, sections 2 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from complaints.commands import AddItem, Judge, RecordCount, RecordFacts, Regrade
from complaints.deciding.frame import frame_of
from complaints.deciding.run import Run
from complaints.deciding.settling import DECISION_EVENTS
from complaints.deciding.sight import Glance
from complaints.errors import Rejected
from complaints.events import (
    ComplaintCounted,
    ComplaintJudged,
    ComplaintLinked,
    FactsRecorded,
    FactValue,
    ItemAdded,
)
from complaints.procedure.model import Fact, Table

YEARS: Final = range(1900, 2200)
"""The years that a calendar can count in."""


# --- facts ---


def check_facts(run: Run, facts: Mapping[str, FactValue], item: str | None = None) -> None:
    """Are these facts of the case (or of that kind of item), set by who may, with values that they can have?"""
    kind = item.partition("#")[0] if item is not None else None
    for name, value in facts.items():
        fact = run.procedure.facts.get(name)
        if fact is None or fact.means is not None or fact.span is not None or fact.of != kind:
            raise Rejected("no-such-fact", None, name, fact=name)
        if fact.by and run.plays(fact.by) is None:
            raise Rejected("not-your-fact", fact.clause, f"{name} is set by {' or '.join(fact.by)}", fact=name)
        _check_value(run, fact, value, facts)


def _check_value(run: Run, fact: Fact, value: FactValue, facts: Mapping[str, FactValue]) -> None:
    choices: Iterable[object] = fact.choices
    match fact.kind:
        case "yes-no":
            fits, choices = isinstance(value, bool), (True, False)
        case "number":
            fits = isinstance(value, int) and not isinstance(value, bool)
        case "time":
            fits = isinstance(value, str) and _is_instant(value)
        case "choice" if fact.under is not None and fact.tree:
            choices = fact.tree.get(str(facts.get(fact.under, run.state.facts.get(fact.under))), ())
            fits = value in choices
        case "choice" if fact.choices:
            fits = value in fact.choices
        case _:
            fits = isinstance(value, str)
    if not fits:
        why = f"{fact.name} is never {value!r}" if not fact.personal else f"{fact.name} is never that"
        data = {"choices": list(choices)} if choices else {"type": fact.kind}
        raise Rejected("not-a-choice", fact.clause, why, fact=fact.name, **data)


def _is_instant(text: str) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    return at.tzinfo is not None and at.year in YEARS


def record_facts(run: Run, command: RecordFacts) -> None:
    """Somebody says something, of the case or of an item of it."""
    if command.item is not None:
        kind, _, number = command.item.partition("#")
        if number not in run.state.items.get(kind, {}):
            raise Rejected("no-such-item", None, command.item)
    check_facts(run, command.facts, command.item)
    run.emit(FactsRecorded(at=run.now, facts=command.facts, person=run.by.person, item=command.item))


# --- items ---
def add_item(run: Run, command: AddItem) -> None:
    """A thing inside the case, with steps of its own, numbered from 1."""
    kind = run.procedure.items.get(command.item)
    if kind is None:
        raise Rejected("no-such-item", None, command.item, choices=list(run.procedure.items))
    if not run.plays(kind.by):
        why = f"{command.item} is added by {' or '.join(kind.by)}"
        raise Rejected("not-allowed", kind.clause, why, roles=list(kind.by))
    check_facts(run, command.facts, f"{command.item}#new")
    number = str(len(run.state.items.get(command.item, {})) + 1)
    run.emit(
        ItemAdded(
            at=run.now,
            clause=run.cite(kind.clause, [f"{kind.name}.added-by"]),
            rule=kind.name,
            item=command.item,
            number=number,
            facts=command.facts,
            person=run.by.person,
        )
    )


# --- judgments ---
def judge(run: Run, command: Judge | Regrade) -> None:
    """A person decides a table; it stands until the table gives a new result."""
    decide, to = ("grade", command.grade) if isinstance(command, Regrade) else (command.decide, command.to)
    table = next((table for table in run.procedure.tables if table.decide == decide), None)
    if table is None:
        choices = [table.decide for table in run.procedure.tables]
        raise Rejected("no-such-decision", None, decide, choices=choices)
    clause = table.rows[0].clause
    judges = table.judged_by
    if not run.plays(judges):
        why = f"{decide} is judged by {' or '.join(judges) or 'nobody'}"
        raise Rejected("not-allowed", clause, why, roles=list(judges))
    _check_result(table, to)
    run.emit(
        DECISION_EVENTS.get(decide, ComplaintJudged)(
            at=run.now,
            clause=run.cite(None, [f"{decide}.judged-by"]),
            rule=decide,
            fact=decide,
            to=to,
            was=run.state.decided.get(decide),
            person=run.by.person,
            reason=command.reason,
        )
    )


def _check_result(table: Table, to: str | int) -> None:
    offers = list(table.of) or [row.set for row in table.rows if row.set is not None]
    if to not in offers and all(row.fact is None for row in table.rows):
        raise Rejected("not-a-choice", table.rows[0].clause, f"{table.decide} is never {to}", choices=offers)


# --- other cases ---
def record_count(run: Run, command: RecordCount) -> None:
    """Evidence from other cases; the same number again is no news."""
    count = run.procedure.counts.get(command.count)
    if count is None:
        raise Rejected("no-such-fact", None, command.count, fact=command.count)
    if run.state.counts.get(count.name) == command.value:
        return
    fields = [f"{count.name}.{field}" for field in ("within", "of", "same")]
    run.emit(
        ComplaintCounted(
            at=run.now, clause=run.cite(count.clause, fields), rule=count.name, count=count.name, value=command.value
        )
    )


def link(run: Run, other: str, relation: str) -> None:
    """The case takes up an older one, where the procedure lets it."""
    rule = run.procedure.links.get(relation)
    if rule is None:
        raise Rejected("no-such-link", None, relation, choices=list(run.procedure.links))
    old = run.others.linked.get(other)
    if old is None:
        raise Rejected("no-such-complaint", rule.clause, other, of=other)
    seen, checks = Glance(old, run.calendar), []
    if rule.when is not None:
        check = frame_of(run.procedure, old).names().check(rule.when)
        if check.on(seen) is not True:
            raise Rejected("link-not-allowed", rule.clause, f"{other}: {rule.when.text}", of=other)
        checks = [check]
    run.emit(
        ComplaintLinked(
            at=run.now,
            clause=run.cite(rule.clause, [f"{rule.name}.{field}" for field in ("when", "to", "attaches")]),
            rule=rule.name,
            inputs={name: value for check in checks for name, value in check.looked_at(seen).items()},
            to=other,
            relation=relation,
            attaches=rule.attaches,
            offered_to=rule.to,
        )
    )
