"""What cases call for now: the rules asked of each, the answers kept beside the case and put into the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from prometheus_client import Counter

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.inbox import Poison
from complaints.adapters.kafka import CommandRequest
from complaints.commands import Command, NameAssignee
from complaints.desk_view import DeskView
from complaints.errors import PackRefused, Rejected, Unknown
from complaints.procedure.model import Procedure
from routing import tables
from routing.cases import Case
from routing.choosing import FREE, Load, Situation
from routing.commands import respond
from routing.outbox import put
from routing.rules import look_again, owing
from routing.tables import File

NAMED: Final = Counter("redress_routing_named", "Roles for which somebody was named, or nobody, by why.", ("because",))


class Grounds:
    """What the rules stand on: the desk in force, and the procedure that a case goes by. For one transaction."""

    def __init__(self, views: LoggedViews) -> None:
        self._views = views
        self._desks: dict[str, DeskView] = {}

    async def desk(self, desk: str) -> DeskView:
        """The desk as the log had it when it was first asked for. Raises: Poison, Transient."""
        if desk not in self._desks:
            view = await self._views.latest(desk)
            if view is None:
                raise Poison(f"no desk is called {desk}")
            self._desks[desk] = view
        return self._desks[desk]

    async def procedure(self, desk: str, version: int) -> Procedure:
        """The procedure of the desk's version. Raises: Poison where there is none that can be read; Transient."""
        try:
            return (await self._views.at(desk, version)).procedure
        except (Unknown, Rejected, PackRefused) as error:
            raise Poison(f"desk {desk} version {version}: {error.code}") from error


async def answer(connection: asyncpg.Connection, grounds: Grounds, files: Sequence[File], at: datetime) -> None:
    """Asks the rules about each of these cases at ``at``, keeps the cases, and puts what is asked into the outbox.

    A case whose ``look_at`` lies ahead is only kept: its time will come. Raises: Poison, Transient.
    """
    for desk in dict.fromkeys(file.desk for file in files):
        mine = [file for file in files if file.desk == desk]
        view = await grounds.desk(desk)
        loads = await tables.loads(connection, desk)
        for file in mine:
            procedure = await grounds.procedure(desk, file.case.desk_version)
            if file.look_at is None:
                situation = Situation(case=file.case, procedure=procedure, desk=view, at=at, loads=loads)
                await _answer_one(connection, file, situation, loads)
            file.owes = owes(file.case, procedure)
    await tables.assign(connection, [file for file in files if file.reassigned], at)
    await tables.save(connection, files)


async def _answer_one(connection: asyncpg.Connection, file: File, situation: Situation, loads: dict[str, Load]) -> None:
    commands, file.case = respond(str(file.complaint), situation)
    for command in commands:
        if isinstance(command, NameAssignee):
            NAMED.labels(command.because.partition(":")[0]).inc()
            if command.person is not None:
                loads[command.person] = loads.get(command.person, FREE).with_one_more(situation.at)
    await put(connection, [request(file, command) for command in commands])
    file.look_at = look_again(
        Situation(case=file.case, procedure=situation.procedure, desk=situation.desk, at=situation.at)
    )


def owes(case: Case, procedure: Procedure) -> Mapping[str, str]:
    """The roles that owe something now and have somebody: role to person."""
    found: dict[str, str] = {}
    for _, roles in owing(case, procedure):
        role = next((role for role in roles if role in case.assignees), None)
        if role is not None:
            found[role] = case.assignees[role]
    return found


def request(file: File, command: Command) -> CommandRequest:
    """A command about a case, and what led to it."""
    return CommandRequest(
        desk=file.desk,
        command=command,
        correlation_id=file.correlation_id,
        causation_id=file.causation_id,
        traceparent=file.traceparent,
    )
