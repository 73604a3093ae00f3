"""``redress desk`` against the real app of intake, in memory, over HTTP on this machine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from complaints.adapters.service import serving
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.desk_view import DeskView
from complaints.procedure.library import packs
from redress.__main__ import main
from tests.services.intake.deployment import Deployment


@dataclass
class Shell:
    """Somebody at a terminal, with the operator's key in the environment."""

    deployment: Deployment
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    async def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints on either stream, after it has ended with this code."""
        self.monkeypatch.setattr(sys, "argv", ["redress", "desk", *arguments])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        told = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, told
        return told.out + told.err

    async def answer(self, *arguments: str) -> dict[str, Any]:
        """The JSON object that a command prints."""
        answer: dict[str, Any] = json.loads(await self.run(*arguments, "--json"))
        return answer

    async def view(self, desk: str = "garage") -> DeskView:
        """The desk as it is now."""
        return await self.deployment.desks.current(desk)

    def file(self, name: str, content: object) -> str:
        """A file with a text, or with a value in JSON."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    async def open(self, *more: str) -> dict[str, Any]:
        calendar = self.file("calendar.json", msgspec.to_builtins(DEFAULT_CALENDAR))
        return await self.answer("open", "garage", "--calendar", calendar, *(more or ("--pack", "00-plain-desk")))


@pytest.fixture
async def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Shell]:
    deployment = await Deployment().opened()
    async with serving(deployment.app, "127.0.0.1", 0) as port:
        monkeypatch.setenv("REDRESS_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("REDRESS_KEY", deployment.keys["operator"])
        yield Shell(deployment, capsys, monkeypatch, tmp_path)


async def test_a_desk_is_opened_and_shown(shell: Shell) -> None:
    answer = await shell.open()

    assert answer["desk"] == "garage"
    assert (await shell.view()).version == answer["version"]
    assert "garage" in await shell.run("list")
    assert (await shell.answer("show", "garage"))["desk"] == "garage"


async def test_a_desk_is_opened_from_one_file(shell: Shell) -> None:
    body = {
        "title": "汽修投诉台",
        "calendar": msgspec.to_builtins(DEFAULT_CALENDAR),
        "people": [{"person": "an", "name": "安", "roles": ["agent"]}],
        "fallback": "unassigned",
    }
    file = shell.file("desk.json", body)

    await shell.run("open", "garage", "--file", file, "--pack", "00-plain-desk")

    view = await shell.view()
    assert (view.title, list(view.directory.people)) == ("汽修投诉台", ["an"])


async def test_the_procedure_and_the_answers_to_it_are_set(shell: Shell) -> None:
    await shell.open("--pack", "04-auto-repair-feedback-slip")
    place, silent = "hours.answer", "write_slip.within"
    assert (await shell.view()).procedure.places[silent].kind != "reading"

    await shell.run("read", "garage", place, "working")
    await shell.run("set", "garage", silent, "2 h")
    assert (await shell.view()).answers == {place: "working", silent: "2 h"}
    await shell.run("unset", "garage", place)
    await shell.run("adopt-pack", "garage", "00-plain-desk", "--answers", shell.file("answers.json", {}))

    view = await shell.view()
    assert (view.procedure.id, view.answers) == ("00-plain-desk", {})


async def test_a_pack_is_adopted_from_a_file(shell: Shell) -> None:
    await shell.open()
    text = packs()["00-plain-desk"].text.replace("version: 1\n", "version: 9\n", 1)

    await shell.run("adopt-pack", "garage", "--pack-file", shell.file("pack.yaml", text))

    assert (await shell.view()).procedure.version == 9


async def test_people_come_change_are_away_and_leave(shell: Shell) -> None:
    await shell.open()
    await shell.run("department", "garage", "service", "--title", "客服部", "--role", "agent")
    await shell.run(
        "person", "join", "garage", "an", "--name", "安", "--role", "agent", "--department", "service", "--on-call", "1"
    )
    await shell.run("person", "join", "garage", "lei", "--role", "desk_lead")
    await shell.run("person", "change", "garage", "an", "--email", "an@example.org")
    await shell.run("person", "absent", "garage", "an", "2026-03-02T00:00:00+08:00", "--deputy", "lei")

    an = (await shell.view()).directory.people["an"]
    assert (an.name, an.email, an.department, an.on_call) == ("安", "an@example.org", "service", 1)
    assert an.absences[0].deputy == "lei"
    await shell.run("person", "return", "garage", "an")
    assert (await shell.view()).directory.people["an"].absences == ()
    await shell.run("person", "leave", "garage", "an")
    await shell.run("department", "garage", "service", "--remove")
    view = await shell.view()
    assert (list(view.directory.people), view.departments) == (["lei"], {})


async def test_a_key_is_shown_once_and_revoked(shell: Shell) -> None:
    await shell.open()

    answer = await shell.answer("key", "garage", "web", "--scope", "write")

    principal = await shell.deployment.desks.authenticate(answer["key"])
    assert (principal.frontend, sorted(principal.scopes)) == ("web", ["write"])
    await shell.run("revoke-key", "garage", principal.key)
    assert (await shell.view()).keys[principal.key].revoked
    assert answer["key"] not in await shell.run("show", "garage")


async def test_what_a_desk_asks_of_the_services_is_set(shell: Shell) -> None:
    await shell.open()
    calendar = {**msgspec.to_builtins(DEFAULT_CALENDAR), "version": "2027"}
    await shell.run("calendar", "garage", shell.file("2027.json", calendar))
    await shell.run("warn", "garage", "answer", "--share", "0.8", "--before", "60")
    await shell.run("alerts", "garage", "--role", "head", "--channel", "email")
    await shell.run("quiet-hours", "garage", "22:00", "07:00")
    await shell.run("fallback", "garage", "unassigned")
    await shell.run("limits", "garage", "--oldest-days", "30")
    secret = (await shell.answer("webhook", "garage", "crm", "https://crm.example/hook", "--event", "clock.*"))[
        "secret"
    ]
    await shell.run("change", "garage", "desk.described", '{"title": "新名"}')

    view = await shell.view()
    assert view.calendar_version == "2027"
    assert len(view.warnings_for("answer")) == 2
    assert view.alerts.roles == ("head",)
    assert view.quiet_hours is not None
    assert view.fallback is not None
    assert view.limits.oldest.days == 30
    assert (view.webhooks["crm"].events, secret[:6]) == (("clock.*",), "whsec_")
    assert view.title == "新名"
    await shell.run("webhook", "garage", "crm")
    await shell.run("quiet-hours", "garage")
    await shell.run("warn", "garage", "answer")
    view = await shell.view()
    assert (view.webhooks, view.quiet_hours, view.warnings_for("answer")) == ({}, None, ())


async def test_a_refusal_names_its_code_and_the_field(shell: Shell) -> None:
    await shell.open()

    told = json.loads(await shell.run("person", "join", "garage", "an", "--role", "king", "--json", code=1))

    assert (told["error"], told["field"]) == ("no-such-role", "data.roles[0]")
    assert "no-such-person" in await shell.run("person", "leave", "garage", "nobody", code=1)
    assert "no-such-desk" in await shell.run("show", "nowhere", code=1)


async def test_a_wrong_key_or_an_address_where_nobody_answers_is_told(shell: Shell) -> None:
    assert "no-such-key" in await shell.run("list", "--key", "rk_demo_0a1b2c3d_wrong", code=1)
    assert "unreachable" in await shell.run("list", "--url", "http://127.0.0.1:9", code=1)


async def test_a_file_that_holds_no_object_is_told(shell: Shell) -> None:
    assert "malformed" in await shell.run("calendar", "garage", shell.file("broken.json", "{"), code=1)
    assert "malformed" in await shell.run("calendar", "garage", shell.file("list.json", "[]"), code=1)
    assert "malformed" in await shell.run("open", "garage", code=1)
