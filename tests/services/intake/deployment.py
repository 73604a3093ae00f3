"""Intake in memory: the real app, handler and decider on a store in this process. Time is moved by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

from complaints.adapters.desks import Desks
from complaints.adapters.memory_store import MemoryEventStore
from complaints.adapters.sealing import Sealing
from complaints.adapters.telemetry import Health
from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.handling import Handler
from complaints.ports import EventStore
from intake.app import create_app
from intake.commands import Parts
from intake.reading import Limits

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
CUSTOMER = {"person": "zhang", "role": "customer"}
AGENT = {"person": "an", "role": "agent"}
LEAD = {"person": "lei", "role": "desk_lead"}
RECEIPT: dict[str, Any] = {
    "by": CUSTOMER,
    "data": {
        "channel": "web",
        "facts": {"content": "It leaks.", "subject": "repair"},
        "complainant": "Zhang San",
        "contact": {"email": "zhang@example.org"},
    },
}
CALENDAR = json.loads(msgspec.json.encode(DEFAULT_CALENDAR))
PEOPLE = [
    {"person": "an", "name": "An", "roles": ["agent"], "email": "an@example.org"},
    {"person": "lei", "name": "Lei", "roles": ["desk_lead"]},
]


class Deployment:
    """An app and its keys. ``keys``: by name, each good for one thing; made by ``opened``."""

    def __init__(self, *, store: EventStore | None = None, limits: Limits | None = None) -> None:
        self.now = MONDAY
        self.store = store or MemoryEventStore(now=lambda: self.now)
        self.sealing = Sealing.in_memory()
        self.desks = Desks.in_memory(store=self.store, sealing=self.sealing, now=lambda: self.now)
        self.parts = self.process(limits or Limits())
        self.health = Health()
        self.app: FastAPI = create_app(self.parts, self.health)
        self.keys: dict[str, str] = {}

    def process(self, limits: Limits) -> Parts:
        """The parts of one process of the deployment."""
        handler = Handler(store=self.store, desks=self.desks, sealer=self.sealing, now=lambda: self.now)
        return Parts(
            handler=handler,
            store=self.store,
            desks=self.desks,
            opener=self.sealing,
            now=lambda: self.now,
            limits=limits,
        )

    async def opened(self) -> Deployment:
        """With two desks: `plain`, where nobody is named, and `staffed`, where an and lei work."""
        self.keys["operator"] = await self.desks.issue_operator_key()
        api = self.api("operator")
        await api.open_desk("plain")
        await api.open_desk("staffed", people=PEOPLE)
        self.keys["web"] = await api.issue("plain", frontend="web")
        self.keys["crm"] = await api.issue("plain", frontend="crm")
        self.keys["reader"] = await api.issue("plain", frontend="reader", scopes=["read"])
        self.keys["importer"] = await api.issue("plain", frontend="importer", scopes=["read", "write", "import"])
        self.keys["admin"] = await api.issue("plain", frontend="admin", scopes=["read", "desk"])
        self.keys["portal"] = await api.issue("plain", frontend="portal", roles=["customer"])
        self.keys["staff"] = await api.issue("staffed", frontend="staff")
        return self

    def api(self, key: str | None = "web") -> Api:
        """A client with one of the keys; None: without any."""
        headers = {"Authorization": f"Bearer {self.keys[key]}"} if key is not None else {}
        return Api(transport=httpx.ASGITransport(self.app), base_url="http://intake.test", headers=headers)

    def pass_time(self, **time: float) -> None:
        """Moves the clock."""
        self.now += timedelta(**time)


class Api(httpx.AsyncClient):
    """What tests ask of the API."""

    async def open_desk(self, desk: str, **more: Any) -> httpx.Response:
        body = {"desk": desk, "title": desk, "pack": "00-plain-desk", "calendar": CALENDAR, **more}
        return ok(await self.post("/v1/desks", json=body))

    async def issue(self, desk: str, **data: Any) -> str:
        answer = await self.post(f"/v1/desks/{desk}/events", json={"event": "desk.key-issued", "data": data})
        return str(ok(answer).json()["key"])

    async def receive(
        self,
        body: Mapping[str, Any] = RECEIPT,
        *,
        desk: str = "plain",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return await self.post(f"/v1/desks/{desk}/complaints", json=body, headers=_headers(key, headers or {}))

    async def received(self, body: Mapping[str, Any] = RECEIPT, *, desk: str = "plain") -> str:
        return str(ok(await self.receive(body, desk=desk)).json()["id"])

    async def command(
        self,
        complaint: str,
        name: str,
        by: Mapping[str, str] = AGENT,
        /,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **data: Any,
    ) -> httpx.Response:
        return await self.post(
            f"/v1/complaints/{complaint}/{name}",
            json={"by": by, "data": data},
            headers=_headers(key, headers or {}),
        )

    async def bulk(self, *lines: Any, **params: str) -> list[Any]:
        """Lines as values, or as bytes that are sent as they are."""
        content = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
        answer = await self.post(
            "/v1/bulk", content=content, headers={"Content-Type": "application/x-ndjson"}, params=params
        )
        return [json.loads(line) for line in ok(answer).text.splitlines()]

    async def history(self, complaint: str) -> list[Any]:
        events: list[Any] = ok(await self.get(f"/v1/complaints/{complaint}/events?limit=1000")).json()["events"]
        return events

    async def names(self, complaint: str) -> list[str]:
        return [event["event"] for event in await self.history(complaint)]


def _headers(key: str | None, more: Mapping[str, str]) -> dict[str, str]:
    return {**({"Idempotency-Key": key} if key is not None else {}), **more}


def ok(answer: httpx.Response) -> httpx.Response:
    """The answer, which is no refusal."""
    assert answer.is_success, (answer.status_code, answer.text)
    return answer


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which is whole."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"https://redress.example/problems/{code}"
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.url.path
    assert document["correlation_id"] == answer.headers["x-correlation-id"]
    return document
