"""What routing asks of intake about a case, as commands whose ids say what they are about. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from complaints.commands import NameAssignee, RecordCount, RecordStep
from complaints.identity import service_command_id
from routing.cases import Case, lacks, named
from routing.choosing import Naming, Situation
from routing.rules import Act, acts, namings

Response = RecordStep | NameAssignee


def respond(complaint: str, situation: Situation) -> tuple[list[Response], Case]:
    """What a case calls for, and the case once that has been asked: asking again of that one asks for nothing.

    ``complaint`` is a stream's id.
    """
    stream, case = UUID(complaint), situation.case
    commands: list[Response] = []
    for act in acts(case, situation.procedure):
        if not case.steps[act.step].asked:
            commands.append(_record(stream, case, act, situation.at))
            case = replace(case, steps={**case.steps, act.step: replace(case.steps[act.step], asked=True)})
    for naming in namings(situation):
        case = replace(case, namings=case.namings + 1)
        commands.append(_name(stream, case, naming, situation.at))
        if naming.person is not None:
            case = named(case, naming.role, naming.person)
        else:
            case = lacks(case, naming.role, naming.queue or "")
    return commands, case


def _record(stream: UUID, case: Case, act: Act, at: datetime) -> RecordStep:
    command = service_command_id(stream, "record-step", act.step, case.steps[act.step].number)
    return RecordStep(id=command, complaint=str(stream), at=at, step=act.step, medium=act.medium)


def _name(stream: UUID, case: Case, naming: Naming, at: datetime) -> NameAssignee:
    who = f"person={naming.person}" if naming.person is not None else f"queue={naming.queue}"
    command = service_command_id(stream, "name-assignee", naming.role, who, case.namings)
    return NameAssignee(
        id=command,
        complaint=str(stream),
        at=at,
        role=naming.role,
        person=naming.person,
        department=naming.department,
        queue=naming.queue,
        because=naming.because,
    )


def record_count(complaint: str, count: str, value: int, cause: int, at: datetime) -> RecordCount:
    """Evidence from other cases; ``cause`` is the position of the event that changed it."""
    command = service_command_id(UUID(complaint), "record-count", count, value, cause)
    return RecordCount(id=command, complaint=complaint, at=at, count=count, value=value)
