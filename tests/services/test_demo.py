"""The demo desks: taken as they are, loaded once, their keys kept from others; what they say to try works."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from complaints.adapters.service import serving
from complaints.commands import Sender
from complaints.handling import Context
from complaints.procedure.library import packs
from local_stack.settings import StackSettings
from local_stack.supervisor import Running
from redress.demo import KEYS_FILE, DemoFailed, Keys, load, read_keys
from redress.demo_desks import DemoDesk, demo_desks
from tests.services.intake.deployment import Deployment

OPERATOR = Sender(person="operator", role="operator")
DESKS = demo_desks()


def slug(desk: DemoDesk) -> str:
    return desk.open.desk


@dataclass
class Stack:
    """Intake as a newcomer's machine runs it, in memory; what each data folder holds is real."""

    deployment: Deployment
    running: Running
    commands: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.running.settings.data_dir

    async def load(self) -> list[str]:
        self.commands = list(await load(self.running))
        return self.commands

    async def versions(self) -> dict[str, int]:
        return {view.desk: view.version for view in await self.deployment.desks.list()}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    deployment = Deployment()
    operator = await deployment.desks.issue_operator_key()
    async with serving(deployment.app, "127.0.0.1", 0) as port:
        settings = StackSettings(data_dir=tmp_path, intake_port=port)
        (tmp_path / KEYS_FILE).write_bytes(msgspec.json.encode(Keys(operator=operator)))
        yield Stack(deployment, Running(settings=settings, database_url="", kafka_bootstrap_servers=""))


# --- the desks ---
@pytest.mark.parametrize("desk", DESKS, ids=slug)
async def test_a_desk_takes_every_request_of_a_demo_desk(desk: DemoDesk) -> None:
    desks = Deployment().desks
    context = Context(frontend="demo")

    await desks.open(desk.open, by=OPERATOR, command_id=uuid4(), context=context)
    for change in desk.changes:
        await desks.change(slug(desk), change, by=OPERATOR, command_id=uuid4(), context=context)

    view = await desks.current(slug(desk))
    assert view.procedure.id == desk.open.pack
    assert view.calendar.is_open(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    assert not view.calendar.is_open(datetime(2026, 10, 1, 1, 0, tzinfo=UTC))  # the National Day of China
    assert view.warnings


@pytest.mark.parametrize("desk", DESKS, ids=slug)
async def test_somebody_works_in_every_role_of_the_desks_own_and_each_can_be_written_to(desk: DemoDesk) -> None:
    desks = Deployment().desks
    await desks.open(desk.open, by=OPERATOR, command_id=uuid4(), context=Context(frontend="demo"))
    view = await desks.current(slug(desk))

    at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    for name, role in view.procedure.roles.items():
        assert role.outside or view.directory.of_role(name, at=at) or view.directory.department(name, at=at), name
    addresses = [person.email or "" for person in view.directory.people.values()]
    assert len(set(addresses)) == len(addresses)
    assert all(address.endswith(f"@{slug(desk)}.example") for address in addresses)
    assert view.fallback is not None
    assert view.directory.of_role(view.fallback.queue, at=at)
    assert view.directory.on_call(at)


def test_each_demo_desk_has_a_procedure_of_its_own_that_is_shipped() -> None:
    adopted = [desk.open.pack for desk in DESKS]

    assert len(set(adopted)) == len(adopted)
    assert set(adopted) <= set(packs())


# --- loading them ---
async def test_every_desk_is_opened_and_each_gets_its_keys(stack: Stack) -> None:
    await stack.load()

    keys = read_keys(stack.folder)
    assert set(await stack.versions()) == set(keys.desks) == {slug(desk) for desk in DESKS}
    for name, issued in keys.desks.items():
        frontend = await stack.deployment.desks.authenticate(issued["frontend"])
        auditor = await stack.deployment.desks.authenticate(issued["auditor"])
        assert (frontend.desk, frontend.may("write"), auditor.desk, auditor.may("write")) == (name, True, name, False)


async def test_keys_are_for_their_owner_only(stack: Stack) -> None:
    await stack.load()

    assert stat.S_IMODE((stack.folder / KEYS_FILE).stat().st_mode) == 0o600
    assert [file.name for file in stack.folder.iterdir()] == [KEYS_FILE]


async def test_a_second_load_changes_nothing(stack: Stack) -> None:
    await stack.load()
    versions, keys = await stack.versions(), (stack.folder / KEYS_FILE).read_bytes()
    stored = len(await stack.deployment.store.read_all())

    await stack.load()

    assert await stack.versions() == versions
    assert (stack.folder / KEYS_FILE).read_bytes() == keys
    assert len(await stack.deployment.store.read_all()) == stored


async def test_what_was_changed_by_hand_stays_so(stack: Stack) -> None:
    await stack.load()
    change: dict[str, Any] = {"event": "desk.warning-set", "data": {"clock": "*"}}
    keys = read_keys(stack.folder)
    api = stack.deployment.api(None)
    answer = await api.post(
        "/v1/desks/garage/events", json=change, headers={"Authorization": f"Bearer {keys.operator}"}
    )
    assert answer.is_success

    await stack.load()

    assert not (await stack.deployment.desks.current("garage")).warnings


async def test_keys_that_were_lost_are_issued_anew_and_a_load_that_stopped_halfway_goes_on(stack: Stack) -> None:
    await stack.load()
    keys = read_keys(stack.folder)
    garage = keys.desks.pop("garage")
    (stack.folder / KEYS_FILE).write_bytes(msgspec.json.encode(keys))

    await stack.load()

    again = read_keys(stack.folder).desks
    assert again["garage"]["frontend"] != garage["frontend"]
    assert {name: again[name] for name in keys.desks} == keys.desks


async def test_a_key_that_opens_nothing_is_said(stack: Stack) -> None:
    (stack.folder / KEYS_FILE).write_bytes(msgspec.json.encode(Keys(operator="rk_no.such.key")))

    with pytest.raises(DemoFailed, match="answered 401"):
        await stack.load()


# --- what to try ---
async def test_the_commands_that_are_printed_are_accepted_as_they_stand(stack: Stack) -> None:
    receive, assign, history = await stack.load()

    ids = [await posted(stack, line) for line in (receive, assign)]

    assert ids[0] == ids[1]
    assert shlex.split(history)[1:] == ["history", ids[0]]
    assert shlex.split(history)[0].endswith("/redress")


async def posted(stack: Stack, line: str) -> str:
    """Sends what a line for the shell would send; the case that it is about."""
    words = shlex.split(line)
    assert words[:2] == ["curl", "-sS"]
    headers = dict(re.split(": ", words[at + 1], maxsplit=1) for at, word in enumerate(words) if word == "-H")
    url, body = words[2], words[words.index("-d") + 1]
    assert url.startswith(stack.running.intake_url)
    answer = await stack.deployment.api(None).post(
        url.removeprefix(stack.running.intake_url), content=body, headers=headers
    )
    assert answer.is_success, answer.text
    return str(answer.json()["id"])
