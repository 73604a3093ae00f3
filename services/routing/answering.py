"""What cases call for now: the rules asked of each, the answers kept beside the case and put into the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from prometheus_client import Counter

from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.inbox import Poison
from complaints.adapters.records import CommandRecord
from complaints.commands import Command, NameAssignee, data_of, name_of
from complaints.desk_view import DeskView
from complaints.errors import PackRefused, Rejected, Unknown
from complaints.procedure.model import Procedure
from routing import tables
from routing.cases import Case
from routing.choosing import FREE, Load, Situation
from routing.commands import respond
from routing.rules import look_again, owing
from routing.tables import File, Outgoing

NAMED: Final = Counter("redress_routing_named", "Roles for which somebody was named, or nobody, by why.", ("because",))


class Grounds:
    """What the rules stand on: the desk in force, everybody's load, and the procedures that cases go by.

    For one transaction: all of it sees each desk under one version, that which the log had when it was made.
    """

    def __init__(self, views: LoggedViews, now: tables.Now) -> None:
        self._views, self._now = views, now

    @classmethod
    async def of(cls, connection: asyncpg.Connection, views: LoggedViews, files: Iterable[File]) -> Grounds:
        """For these cases."""
        cases = {file.complaint: file.desk for file in files}
        return cls(views, await tables.now(connection, dict.fromkeys(cases.values()), cases))

    def has_come(self, file: File) -> bool:
        """Has everything come that has happened to the case? Else what it calls for now may be past."""
        return self._now.streams.get(file.complaint, 0) <= file.seen

    def loads(self, desk: str) -> dict[str, Load]:
        """Everybody's load at a desk; to be changed by whoever names somebody."""
        return self._now.loads[desk]

    async def desk(self, desk: str) -> DeskView:
        """The desk in force. Raises: Poison, Transient."""
        version = self._now.desks[desk]
        try:
            return await self._views.at(desk, version)
        except Unknown as error:
            raise Poison(f"desk {desk} version {version}: {error.code}") from error

    async def procedure(self, desk: str, version: int) -> Procedure:
        """The procedure of the desk's version. Raises: Poison where there is none that can be read; Transient."""
        try:
            return (await self._views.at(desk, version)).procedure
        except (Unknown, Rejected, PackRefused) as error:
            raise Poison(f"desk {desk} version {version}: {error.code}") from error


async def answer(
    connection: asyncpg.Connection,
    grounds: Grounds,
    files: Sequence[File],
    at: datetime,
    more: Sequence[CommandRecord] = (),
) -> Outgoing:
    """Asks the rules about each of these cases at ``at``; keeps the cases, and what is asked of intake, with ``more``.

    A case that has yet to settle is only kept, and looked at when it has; one that waits for events that have happened
    is looked at when they come. Raises: Poison, Transient.
    """
    asked: list[CommandRecord] = []
    for file in files:
        if file.waits:
            file.look_at = None
            continue
        procedure = await grounds.procedure(file.desk, file.case.desk_version)
        if file.settles_at is not None and file.settles_at > at:
            file.look_at = file.settles_at
        else:
            loads = grounds.loads(file.desk)
            view = await grounds.desk(file.desk)
            situation = Situation(case=file.case, procedure=procedure, desk=view, at=at, loads=loads)
            asked += _answer_one(file, situation, loads)
        file.owes = owes(file.case, procedure)
    records = [msgspec.json.encode(each) for each in (*asked, *more)]
    return await tables.keep(connection, [file for file in files if file.changed], records, at)


def _answer_one(file: File, situation: Situation, loads: dict[str, Load]) -> list[CommandRecord]:
    commands, file.case = respond(str(file.complaint), situation)
    for command in commands:
        if isinstance(command, NameAssignee):
            NAMED.labels(command.because.partition(":")[0]).inc()
            if command.person is not None:
                loads[command.person] = loads.get(command.person, FREE).with_one_more(situation.at)
    file.look_at = look_again(
        Situation(case=file.case, procedure=situation.procedure, desk=situation.desk, at=situation.at)
    )
    return [_outgoing(file, command) for command in commands]


def owes(case: Case, procedure: Procedure) -> Mapping[str, str]:
    """The roles that owe something now and have somebody: role to person."""
    found: dict[str, str] = {}
    for _, roles in owing(case, procedure):
        role = next((role for role in roles if role in case.assignees), None)
        if role is not None:
            found[role] = case.assignees[role]
    return found


def _outgoing(file: File, command: Command) -> CommandRecord:
    """A command about a case, and what led to it."""
    return CommandRecord(
        id=command.id,
        desk=file.desk,
        complaint=command.complaint,
        command=name_of(command),
        by=command.by,
        data=data_of(command),
        correlation_id=file.correlation_id,
        causation_id=file.causation_id,
        traceparent=file.traceparent,
    )
