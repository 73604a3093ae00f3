"""Receipt: a case comes in through a channel of the procedure.

Rows that name the channel beat ``any`` and add up: whoever one of them names may receive, all their questions are
asked. A missing answer never blocks; it stays owed.

Source: the pack language, sections 2 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence

from complaints.commands import Receive
from complaints.complaint import INITIAL
from complaints.deciding.run import Run
from complaints.deciding.saying import check_facts, link
from complaints.errors import Rejected
from complaints.events import Clause, ComplaintReceived, FactsAsked
from complaints.procedure.model import IntakeRow


def receive(run: Run, command: Receive) -> None:
    """Opens the case. A case that is there already has been received: nothing happens."""
    if run.state.version:
        return
    if command.occurred_at is not None and command.occurred_at > command.at:
        raise Rejected("not-a-time", None, "occurred_at lies after now")
    if command.occurred_at is not None:
        run.effective = command.occurred_at
        if command.imported:
            run.now = run.seen = command.occurred_at
    run.state = INITIAL
    procedure, kind = run.procedure, command.case
    rows = [row for row in procedure.intake if row.case == kind]
    named, clause = _door(run, command, rows) if kind == "complaint" else ([], _opened_by(run, kind))
    check_facts(run, command.facts)
    occurred = command.occurred_at if command.occurred_at != run.now else None
    run.emit(
        ComplaintReceived(
            at=run.now,
            clause=clause,
            channel=command.channel,
            receiver=run.by.role,
            person=run.by.person,
            facts=command.facts,
            complainant=command.complainant,
            contact=command.contact,
            arrived_closed=not run.calendar.is_open(run.effective),
            again_of=command.again_of,
            case=kind,
            occurred_at=occurred,
            guidance=list(procedure.guidance.get("intake", ())),
            pack=procedure.id,
            pack_version=procedure.version,
            desk_version=run.others.desk_version,
            calendar=run.others.calendar_version or run.calendar.spec.version or run.calendar.spec.id,
            subject=run.others.subject,
            imported=command.imported,
        )
    )
    _ask(run, command, rows, named)
    if command.again_of is not None:
        link(run, command.again_of.complaint, command.again_of.relation)


def of_channel(rows: Sequence[IntakeRow], channel: str) -> list[IntakeRow]:
    """The rows of a channel: those that name it, else those of any `other`, else of `any`."""
    for name in (channel, "other", "any"):
        if some := [row for row in rows if name in row.channels]:
            return some
    return []


def _door(run: Run, command: Receive, rows: list[IntakeRow]) -> tuple[list[IntakeRow], Clause]:
    """The rows of the channel; may the sender receive on it?"""
    named = of_channel(rows, command.channel)
    if not named:
        ways = [row for row in rows if row.channels]
        choices = list(dict.fromkeys(channel for row in ways for channel in row.channels))
        clause = ways[0].clause if ways else None
        why = f"{command.channel} is not a channel of this procedure"
        raise Rejected("no-such-channel", clause, why, choices=choices)
    restricted = [row for row in named if row.by]
    if restricted and not any(run.plays(row.by) for row in restricted):
        roles = list(dict.fromkeys(role for row in restricted for role in row.by))
        why = f"{command.channel} is received by {' or '.join(roles)}"
        raise Rejected("not-allowed", restricted[0].clause, why, roles=roles)
    let_in = [row for row in named if not row.by or run.plays(row.by)]
    fields = [f"intake.{place}" for place, row in enumerate(run.procedure.intake, 1) if row in let_in]
    if len(let_in) == 1:
        return named, run.cite(let_in[0].clause, fields)
    clauses = [c for row in let_in for c in ([row.clause] if isinstance(row.clause, str) else row.clause or [])]
    return named, run.cite(list(dict.fromkeys(clauses)), fields)


def _opened_by(run: Run, kind: str) -> Clause:
    spec = run.procedure.kinds.get(kind)
    if spec is None:
        raise Rejected("no-such-case", None, kind, choices=["complaint", *run.procedure.kinds])
    if not run.plays(spec.by):
        raise Rejected("not-allowed", spec.clause, f"a {kind} is opened by {' or '.join(spec.by)}", roles=list(spec.by))
    return run.cite(spec.clause, [f"{kind}.opened-by"])


def _ask(run: Run, command: Receive, rows: list[IntakeRow], named: list[IntakeRow]) -> None:
    """The questions of the channel that have no answer yet."""
    for place, row in enumerate(run.procedure.intake, 1):
        if row not in rows or (row.channels and row not in named):
            continue
        lack = [fact for fact in row.asks if fact not in command.facts]
        check = run.frame.names().maybe(row.when)
        if lack and (check is None or check.on(run) is True):
            run.emit(
                FactsAsked(
                    at=run.now,
                    clause=run.cite(row.clause, [f"intake.{place}"], [check]),
                    rule=f"intake.{place}",
                    inputs=run.looked_at([check]),
                    facts=lack,
                )
            )
