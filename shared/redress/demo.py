"""Puts the demo desks into a running system, through its public API, once: what is there already stays as it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from complaints.adapters.database import pool
from complaints.adapters.desks import Desks
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.master_key import load_master
from complaints.adapters.sealing import Sealing
from complaints.errors import RedressError
from complaints.identity import complaint_id
from redress.demo_desks import DemoDesk, demo_desks

if TYPE_CHECKING:
    from local_stack.supervisor import Running

KEYS_FILE = "keys.json"
"""In the data folder, for its owner only: the operator's key and the keys of the demo desks."""

SECONDS = 60.0


class Keys(msgspec.Struct, kw_only=True):
    """Keys as they were shown: nobody can look them up again. ``desks``: frontend and auditor of each desk."""

    operator: str | None = None
    desks: dict[str, dict[str, str]] = {}


class DemoFailed(RedressError):
    """The running system did not take a demo desk."""

    code = "demo-failed"


def read_keys(data_dir: Path) -> Keys:
    """The keys of this data folder; none before the first start."""
    file = data_dir / KEYS_FILE
    return msgspec.json.decode(file.read_bytes(), type=Keys) if file.exists() else Keys()


def _write_keys(data_dir: Path, keys: Keys) -> None:
    file = data_dir / KEYS_FILE
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(keys)))
    fresh.replace(file)


async def load(running: Running) -> Sequence[str]:
    """Opens the desks that are not there yet; answers with three commands to try."""
    data_dir = running.settings.data_dir
    keys = read_keys(data_dir)
    if keys.operator is None:
        keys.operator = await _operator_key(running)
        _write_keys(data_dir, keys)
    headers = {"Authorization": f"Bearer {keys.operator}"}
    async with httpx.AsyncClient(
        base_url=running.intake_url, headers=headers, timeout=SECONDS, trust_env=False
    ) as http:
        for desk in demo_desks():
            await _open(http, desk)
            slug = desk.open.desk
            if slug not in keys.desks:
                keys.desks[slug] = {
                    "frontend": await _issue(http, slug, "demo-frontend", ["read", "write"]),
                    "auditor": await _issue(http, slug, "demo-auditor", ["read"]),
                }
                _write_keys(data_dir, keys)
    return _to_try(running, keys)


async def _operator_key(running: Running) -> str:
    """The first key cannot come through the API, which asks for one."""
    connections = await pool(running.database_url, application="redress-demo", max_size=4)
    try:
        async with PostgresEventStore(connections) as store:
            seal = os.environ.get("REDRESS_SEAL_KEY_FILE")
            master = load_master(Path(seal) if seal else running.settings.data_dir / "seal.key", create=True)
            desks = await Desks.start(
                store=store,
                database_url=running.database_url,
                pool=connections,
                sealing=Sealing.on(connections, master),
                now=lambda: datetime.now(UTC),
            )
            try:
                return await desks.issue_operator_key()
            finally:
                await desks.stop()
    finally:
        await connections.close()


async def _open(http: httpx.AsyncClient, desk: DemoDesk) -> None:
    slug = desk.open.desk
    known = await http.get(f"/v1/desks/{slug}")
    if known.is_success:
        return
    await _post(http, "/v1/desks", desk.open, key=f"demo-{slug}")
    for number, change in enumerate(desk.changes):
        await _post(http, f"/v1/desks/{slug}/events", change, key=f"demo-{slug}-{number}")


async def _issue(http: httpx.AsyncClient, slug: str, frontend: str, scopes: list[str]) -> str:
    data = {"frontend": frontend, "roles": ["*"], "scopes": scopes}
    answer = await _post(http, f"/v1/desks/{slug}/events", {"event": "desk.key-issued", "data": data}, key=None)
    return str(answer["key"])


async def _post(http: httpx.AsyncClient, path: str, body: Any, *, key: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    response = await http.post(path, content=msgspec.json.encode(body), headers=headers)
    if not response.is_success:
        raise DemoFailed(f"POST {path} answered {response.status_code}: {response.text[:2000]}")
    answer: dict[str, Any] = response.json()
    return answer


def _to_try(running: Running, keys: Keys) -> list[str]:
    """A complaint at the garage, its hand-over, and its history: to be pasted as they stand."""
    key = keys.desks["garage"]["frontend"]
    name = f"try-{datetime.now(UTC):%Y%m%d%H%M%S}"
    case = complaint_id("garage", name)
    facts = {
        "content": "刹车修好后第二天又响",
        "time": "昨天下午",
        "place": "一号工位",
        "persons": "接待员",
        "course": "取车后第二天异响",
        "result": "要求返修",
        "nature": "质量",
        "cause": "quality",
    }
    received = {
        "by": {"person": "wu", "role": "front"},
        "data": {
            "channel": "visit",
            "complainant": "car owner 7",
            "contact": {"email": "owner7@customers.example"},
            "facts": facts,
        },
    }
    handed = {"by": {"person": "wu", "role": "front"}, "data": {"to": "cm"}}
    return [
        _curl(f"{running.intake_url}/v1/desks/garage/complaints", key, received, name=name),
        _curl(f"{running.intake_url}/v1/complaints/{case}/assign", key, handed, name=f"{name}-assign"),
        f"{quote(str(Path(sys.executable).with_name('redress')))} history {case}",
    ]


def _curl(url: str, key: str, body: Any, *, name: str) -> str:
    data = quote(msgspec.json.encode(body).decode())
    return (
        f"curl -sS {url} -H 'Authorization: Bearer {key}' -H 'Idempotency-Key: {name}' "
        f"-H 'Content-Type: application/json' -d {data}"
    )
