"""The forms and registers of a procedure, as the cases of a desk fill them. Pure.

A form is filled by the steps that name it, often by several, one after the other. An entry is the form of one case (of
one item, where its steps belong to items) as it stands: its number where the procedure numbers it, each of its fields
with what is known, and who filled it when. Where the text names no fields, they are the facts that its steps record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from complaints.codec import builtins
from complaints.complaint import Complaint
from complaints.events import Record
from complaints.procedure.model import Form, Procedure, Step
from ledger.casebook import Case
from ledger.viewing import Viewer, cut

FIXED: Final = ("number", "complaint", "item", "filled_at", "filled_by", "complete")
"""What every entry has beside its fields."""


def listed(procedure: Procedure) -> list[dict[str, Any]]:
    """The forms and registers of a procedure, each with its fields and their titles."""
    return [
        {
            "form": form.name,
            "title": form.title,
            "en": form.en_title or form.en,
            "clause": form.clause,
            "register": form.register,
            "number": form.number,
            "fields": {name: procedure.facts[name].title or name for name in columns(form, procedure)},
            "stated": form.fields is not None,
            "filled_by": [step.id for step in _fills(form, procedure)],
        }
        for form in procedure.forms.values()
    ]


def columns(form: Form, procedure: Procedure) -> tuple[str, ...]:
    """The fields of a form; where the text names none, the facts that the steps record which fill it."""
    if form.fields is not None:
        return form.fields
    return tuple(dict.fromkeys(fact for step in _fills(form, procedure) for fact in step.records))


def entries(case: Case, name: str, viewer: Viewer) -> Iterator[dict[str, Any]]:
    """The entries of one form in a case, as this viewer may see them; none where nobody has filled it."""
    form = case.procedure.forms.get(name)
    if form is None:
        return
    hidden = viewer.hidden(case.procedure, case.calendar, case.state)
    state = case.state if viewer.sees_names else case.sealed_state
    fills = {step.id: step for step in _fills(form, case.procedure)}
    by_item: dict[str | None, list[Record]] = {}
    for event in case.events:
        if isinstance(event, Record) and event.step.partition("#")[0] in fills:
            by_item.setdefault(event.step.partition("#")[2] or None, []).append(event)
    kind = next((step.part.for_each for step in fills.values()), None)
    for item, records in by_item.items():
        known = _known(state, kind, item)
        values = {field: known.get(field) for field in columns(form, case.procedure)}
        yield {
            "form": name,
            "number": builtins(cut(known, hidden).get(form.number)) if form.number else None,
            "complaint": str(case.id),
            "item": item,
            "filled_at": records[-1].done_at or records[-1].at,
            "filled_by": records[-1].as_,
            "complete": None if form.fields is None else all(values[field] is not None for field in form.fields),
            "fields": builtins(cut(values, hidden)),
            "filled": [{"step": r.step, "at": r.done_at or r.at, "as": r.as_} for r in records],
        }


def _fills(form: Form, procedure: Procedure) -> list[Step]:
    return [step for step in procedure.steps.values() if step.form == form.name]


def _known(state: Complaint, kind: str | None, item: str | None) -> Mapping[str, Any]:
    """What is known of the case, and of the item where the form is one's."""
    if kind is None or item is None:
        return state.facts
    return {**state.facts, **state.items.get(kind, {}).get(item, {})}


def table(form: Form, procedure: Procedure, found: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Entries as a table: what stands over its columns, and its rows."""
    fields = columns(form, procedure)
    heads = [*FIXED, *(procedure.facts[field].title or field for field in fields)]
    rows = [[*(entry[name] for name in FIXED), *(entry["fields"].get(field) for field in fields)] for entry in found]
    return heads, rows
