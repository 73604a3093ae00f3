"""Frontends that go on whatever happens: each command under a key of its own, sent again until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import msgspec

from complaints.identity import command_id, complaint_id
from redress.demo_desks import demo_desks
from tests.failures.processes import System

DESK: Final = "plain"
FRONTENDS: Final = 3
PAUSE: Final = 0.5
"""Seconds between two commands of a frontend: enough that all processes have work, and two cores keep up."""
DUE_AFTER: Final = timedelta(seconds=4)
"""When the answer to every other complaint is due, on time or not."""
LATE: Final = 3
"""Of so many complaints one is not answered in time."""
CUSTOMER: Final = "customer@home.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A command that was acknowledged, and where its events are said to be."""

    command_id: UUID
    complaint: UUID
    version: int
    first_position: int
    last_position: int


@dataclass(kw_only=True)
class Load:
    """What has been asked for, and what of it was acknowledged."""

    system: System
    key: str
    name: str
    asked: int = 0
    acknowledged: list[Acknowledged] = field(default_factory=list)

    async def reached(self, more: int) -> None:
        """Returns when so many more commands have been acknowledged."""
        wanted = len(self.acknowledged) + more
        async with asyncio.timeout(120):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - frontends go on beside us
                await asyncio.sleep(0.05)

    # --- a frontend ---
    async def work(self, number: int, ending: asyncio.Event) -> None:
        """Receives and answers complaints, one after the other, until it is told to end."""
        async with httpx.AsyncClient(base_url=self.system.url, timeout=10, trust_env=False) as http:
            count = 0
            while not ending.is_set():
                label = f"{self.name}-{number}-{count}"
                case = complaint_id(DESK, label)
                is_late = count % LATE == 0
                await self._send(http, f"/v1/desks/{DESK}/complaints", label, _receive(is_late=is_late), case)
                await asyncio.sleep(PAUSE)
                if not is_late:
                    await self._send(http, f"/v1/complaints/{case}/record-step", f"{label}-answer", _ANSWER, case)
                    await asyncio.sleep(PAUSE)
                count += 1

    async def _send(
        self, http: httpx.AsyncClient, path: str, once: str, body: Mapping[str, Any], complaint: UUID
    ) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": once}
        self.asked += 1
        while True:
            try:
                answer = await http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                await asyncio.sleep(0.2)
                continue
            assert answer.is_success, answer.text
            said = answer.json()
            self.acknowledged.append(
                Acknowledged(
                    command_id=UUID(said["command_id"]),
                    complaint=complaint,
                    version=said["version"],
                    first_position=said["first_position"],
                    last_position=said["last_position"],
                )
            )
            assert UUID(said["command_id"]) == command_id(DESK, "load", once)
            return


_BY: Final = {"person": "ann", "role": "agent"}
_ANSWER: Final = {"by": _BY, "data": {"step": "answer", "facts": {"answer_text": "done"}}}


def _receive(*, is_late: bool) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"content": "the lamp is out", "subject": "lamp", "category": "street"}
    if is_late:
        facts["due_by"] = (datetime.now(UTC) + DUE_AFTER).isoformat()
    data = {"channel": "web", "complainant": "zhao", "contact": {"email": CUSTOMER}, "facts": facts}
    return {"by": _BY, "data": data}


async def open_desk(system: System) -> str:
    """The desk with its people; the key of the load."""
    (demo,) = (demo for demo in demo_desks() if demo.open.desk == DESK)
    headers = {"Authorization": f"Bearer {system.key}"}
    async with httpx.AsyncClient(base_url=system.url, headers=headers, timeout=30, trust_env=False) as http:
        opened = await http.post("/v1/desks", json=msgspec.to_builtins(demo.open))
        assert opened.is_success, opened.text
        issue = {"event": "desk.key-issued", "data": {"frontend": "load", "roles": ["*"], "scopes": ["write", "read"]}}
        issued = await http.post(f"/v1/desks/{DESK}/events", json=issue)
        assert issued.is_success, issued.text
        return str(issued.json()["key"])


@asynccontextmanager
async def under_load(system: System, key: str, name: str) -> AsyncIterator[Load]:
    """Frontends work while the context is open; afterwards all that they have asked for is acknowledged."""
    load, ending = Load(system=system, key=key, name=name), asyncio.Event()
    frontends = [asyncio.create_task(load.work(number, ending)) for number in range(FRONTENDS)]
    try:
        await load.reached(FRONTENDS * 2)
        yield load
        await load.reached(FRONTENDS * 2)
        ending.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*frontends)
    finally:
        for task in frontends:
            task.cancel()
        await asyncio.gather(*frontends, return_exceptions=True)
