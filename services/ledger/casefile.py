"""The case file: everything there is to say of a case at an instant, as one document. Pure.

Every step of its history stands with the clause that asked for it, in the text's own words (``says``) and in English
(``en``). The words are the procedure's; the English is ours, and the document says so wherever it shows any.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from complaints.codec import Recorded, builtins, wire
from complaints.complaint import Complaint
from complaints.events import Clause, Event
from complaints.explanations import explanations
from complaints.personal import CUSTOMER
from complaints.ports import StoredEvent
from complaints.procedure.model import Procedure
from complaints.verdicts import Verdict, verdicts, worst
from complaints.work import Case as WorkCase
from complaints.work import work
from ledger.casebook import Case
from ledger.viewing import COMPLAINANT, Viewer, cut

TRANSLATION: Final = "`says` is the procedure's own text; `en` is a translation made by Redress and binds nobody"
WITHHELD: Final = "‹withheld›"
_NAMES: Final = ("step", "clock", "hold", "bar", "owe", "count", "item", "fact")
"""The fields by which an event names the row that it is about."""


def case_file(case: Case, viewer: Viewer) -> dict[str, Any]:
    """The document, as this viewer may see it."""
    hidden = viewer.hidden(case.procedure, case.calendar, case.state)
    texts = Texts(case.procedure)
    nameless = COMPLAINANT in hidden or not viewer.sees_names
    secrets = personal_texts(case) if nameless else frozenset[str]()
    found = [
        _plain(one, secrets) for one in verdicts(case.procedure, case.calendar, case.events, case.at, case.refused)
    ]
    kept_back = hidden if viewer.sees_names else hidden | case.procedure.personal
    clocks = explanations(case.procedure, case.calendar, case.state, case.at, ended=True)
    return {
        "id": str(case.id),
        "desk": case.desk,
        "at": case.at,
        "as_of": case.past.as_of,
        "known_at": case.past.known_at,
        "version": case.version,
        "latest_version": case.latest,
        "translation": TRANSLATION,
        "procedure": _procedure(case),
        "calendar": case.state.calendar,
        "timezone": case.view.timezone,
        **_standing(case.state if viewer.sees_names else case.sealed_state, hidden),
        "history": history(case, viewer, hidden, texts),
        "verdicts": [_verdict(one, texts) for one in found],
        "clauses": {clause: builtins(one) for clause, one in worst(found).items()},
        "work": _work(case, texts),
        "clocks": [
            {**builtins(replace(one, inputs=cut(one.inputs, kept_back))), **texts.of(one.clock)} for one in clocks
        ],
        "hidden": sorted(hidden),
        "personal": "opened" if viewer.sees_names else "sealed",
    }


def history(case: Case, viewer: Viewer, hidden: frozenset[str], texts: Texts | None = None) -> list[dict[str, Any]]:
    """The events of the case in the shape in which everybody sees them, each with the words of its clause."""
    texts = texts or Texts(case.procedure)
    records = case.records if viewer.sees_names else case.sealed
    return [
        {**shown_event(row, record, hidden), **texts.behind(record.event)}
        for row, record in zip(case.stored, records, strict=True)
    ]


def shown_event(row: StoredEvent, record: Recorded, hidden: frozenset[str]) -> dict[str, Any]:
    """An event of the log without what is hidden."""
    event = {**wire(record), "previous_hash": row.previous_hash.hex()}
    if not hidden:
        return event
    data = event["data"]
    for field in ("facts", "looked_at"):
        if isinstance(data.get(field), dict):
            data = {**data, field: cut(data[field], hidden)}
    if COMPLAINANT in hidden:
        customers = (
            ("person",) if record.meta.by.role == CUSTOMER else ()
        )  # whoever acts as customer is the complainant
        data = {name: value for name, value in data.items() if name not in (COMPLAINANT, "contact", *customers)}
        event = {
            **event,
            "by": {"person": WITHHELD if customers else record.meta.by.person, "role": record.meta.by.role},
        }
    if {data.get("fact"), data.get("count")} & hidden:
        data = {name: value for name, value in data.items() if name not in ("to", "was", "value")}
    return {**event, "data": data, "inputs": cut(event["inputs"], hidden)}


class Texts:
    """The words of a procedure's rows, by the row's name and by its clause."""

    def __init__(self, procedure: Procedure) -> None:
        self._rows: dict[str, tuple[str | None, str | None]] = {}
        self._clauses: dict[str, tuple[str | None, str | None]] = {}
        rules: tuple[Any, ...] = (*procedure.holds, *procedure.access)
        tables = ((f"{table.decide}.{n}", row) for table in procedure.tables for n, row in enumerate(table.rows))
        named: list[tuple[str, Any]] = [
            *(("intake", row) for row in procedure.intake),
            *procedure.steps.items(),
            *procedure.clocks.items(),
            *((row.name, row) for row in rules),
            *procedure.desk.items(),
            *tables,
        ]
        for name, row in named:
            if row.says is None and row.en is None:
                continue
            self._rows.setdefault(name, (row.says, row.en))
            for clause in _clauses(row.clause):
                self._clauses.setdefault(clause, (row.says, row.en))

    def of(self, row: str | None, clause: Clause = None) -> dict[str, Any]:
        """The words of a row, else those that stand under the clause; nothing where there are none."""
        found = self._rows.get((row or "").partition("#")[0])
        if found is None:
            found = next((self._clauses[c] for c in _clauses(clause) if c in self._clauses), None)
        if found is None:
            return {}
        says, en = found
        return {
            **({"says": says} if says is not None else {}),
            **({"en": en, "en_is": "our translation"} if en is not None else {}),
        }

    def behind(self, event: Event) -> dict[str, Any]:
        """The words behind an event: of the row that decided, else of the row that it is about."""
        if event.clause is None:
            return {}
        by_clause = self.of(None, event.clause)
        about = next((str(name) for field in _NAMES if (name := getattr(event, field, None))), None)
        return self.of(event.rule) or (self.of(about) if about in self._rows else {}) or by_clause


def personal_texts(case: Case) -> frozenset[str]:
    """The personal texts in the events of a case, which may stand in words made of them."""
    found: set[str] = set()
    for record in case.records:
        found |= {person for person in (getattr(record.event, "person", None),) if person}
    sealed = {getattr(record.event, "person", None) for record in case.sealed}
    return frozenset(found - {str(person) for person in sealed if person})


# --- parts of the document ---
def _procedure(case: Case) -> dict[str, Any]:
    procedure = case.procedure
    return {
        "id": procedure.id,
        "version": procedure.version,
        "title": procedure.title,
        "en": procedure.en,
        "digest": procedure.digest,
        "desk_version": case.view.version,
    }


def _standing(state: Complaint, hidden: frozenset[str]) -> dict[str, Any]:
    nameless = COMPLAINANT in hidden
    return {
        "case": state.case,
        "status": "closed" if state.closed else "open",
        "imported": state.imported,
        "received_at": state.received_at,
        "last_at": state.last_at,
        "closed_at": state.closed_at,
        "reopened_at": state.reopened_at,
        "channel": state.channel,
        "receiver": state.receiver,
        "holder": state.holder,
        "grade": state.decided.get("grade"),
        "owner": state.decided.get("owner"),
        "complainant": None if nameless else state.complainant,
        "contact": {} if nameless else dict(state.contact),
        "subject": state.subject,
        "facts": cut(state.facts, hidden),
        "decided": cut(state.decided, hidden),
        "counts": cut(state.counts, hidden),
        "items": {
            kind: {number: cut(facts, hidden) for number, facts in some.items()} for kind, some in state.items.items()
        },
        "milestones": dict(state.milestones),
        "breaches": [builtins(breach) for breach in state.breaches],
        "holds": dict(state.holds),
        "assignees": dict(state.assignees),
        "lacking": dict(state.lacking),
        "links": [builtins(link) for link in state.links],
        "again_of": builtins(state.again_of),
        "asked": [name for name in state.asked if name not in hidden],
        "erased": list(state.erased),
    }


def _verdict(verdict: Verdict, texts: Texts) -> dict[str, Any]:
    return {**builtins(verdict), **texts.of(verdict.row, verdict.clause)}


def _work(case: Case, texts: Texts) -> dict[str, Any]:
    owed = work([WorkCase(str(case.id), case.state, case.procedure, case.calendar)], case.at)
    return {
        "dated": [{**builtins(one), **texts.of(one.step, one.clause)} for one in owed.dated],
        "undated": [{**builtins(one), **texts.of(one.step, one.clause)} for one in owed.undated],
        "stale": [{**builtins(one), **texts.of(one.step, one.clause)} for one in owed.stale],
        "undecided": [builtins(one) for one in owed.undecided],
    }


def _plain(verdict: Verdict, secrets: Iterable[str]) -> Verdict:
    """The verdict without the names of those who are no staff."""
    for secret in secrets:
        by = WITHHELD if verdict.by == secret else verdict.by
        verdict = replace(verdict, words=verdict.words.replace(secret, WITHHELD), by=by)
    return verdict


def _clauses(clause: Clause) -> list[str]:
    return [] if clause is None else [clause] if isinstance(clause, str) else clause
