"""The ledger on a real log and a real broker: what it shows is what was recorded, to whom it may be shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contracts.ledger_world import LEAD, World, world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("ledger")
    async with world(database_url, kafka_bootstrap_servers, topic_prefix, data) as found:
        yield found


async def test_a_complaint_stands_in_the_register_once_it_was_received(deployed: World) -> None:
    case = await deployed.receive()
    await deployed.settled()
    page = await deployed.got("/v1/desks/plain/register")
    row = next(entry for entry in page["entries"] if entry["complaint"] == case)
    assert (row["status"], row["channel"], row["holder"]) == ("open", "web", "customer")
    assert row["facts"] == {"subject": "repair"}
    assert "Zhang" not in str(row)


async def test_a_case_file_says_what_happened_with_the_clause_and_its_words_in_two_languages(deployed: World) -> None:
    case = await deployed.receive()
    file = await deployed.got(f"/v1/complaints/{case}/case-file")
    opened = next(event for event in file["history"] if event["event"] == "step.opened")
    assert opened["clause"] == "第六条"
    assert opened["says"] == "系统应当在收到投诉后一小时内告知投诉人投诉已经收到"
    assert opened["en_is"] == "our translation"
    assert {one["step"] for one in file["work"]["dated"]} == {"acknowledge", "assign", "answer"}
    assert next(one for one in file["verdicts"] if one["row"] == "acknowledge")["verdict"] == "not yet due"
    assert file["complainant"] == "Zhang San"


async def test_another_desk_and_nobody_see_nothing_of_a_case(deployed: World) -> None:
    case = await deployed.receive()
    await deployed.settled()
    for path in (f"/v1/complaints/{case}/case-file", f"/v1/complaints/{case}/proof", "/v1/desks/plain/register",
                 "/v1/desks/plain/work", "/v1/desks/plain/escalations", "/v1/desks/plain/escalations/stream",
                 "/v1/desks/plain/duties", "/v1/desks/plain/reports", "/v1/desks/plain/reports/a/b"):  # fmt: skip
        foreign = await deployed.read(path, key="other")
        assert (foreign.status_code, foreign.json()["code"]) in {(404, "no-such-complaint"), (404, "no-such-desk")}
        nobody = await deployed.read(path, key=None)
        assert (nobody.status_code, nobody.json()["code"]) == (401, "no-key")
    assert (await deployed.got("/v1/desks/other/register", key="other"))["entries"] == []


async def test_listeners_get_each_escalation_once_and_go_on_where_they_were(deployed: World) -> None:
    before = (await deployed.got("/v1/desks/plain/escalations"))["position"]
    first, second = [await escalated(deployed) for _ in range(2)]
    seen = await heard(deployed, before, 2)
    assert [one["complaint"] for one in seen] == [first, second]
    assert [one["event"] for one in seen] == ["complaint.escalated"] * 2
    assert await heard(deployed, seen[0]["position"], 1) == seen[1:]
    both = await asyncio.gather(heard(deployed, before, 2), heard(deployed, before, 2))
    assert both == [seen, seen]


async def escalated(deployed: World) -> str:
    case = await deployed.receive()
    await deployed.command(case, "assign", by=LEAD)
    await deployed.command(case, "escalate", reason="wants the head")
    return case


async def heard(deployed: World, after: int, count: int) -> list[Any]:
    """The first escalations that a listener gets."""
    found: list[Any] = []
    path, headers = "/v1/desks/plain/escalations/stream", {"Last-Event-ID": str(after)}
    async with deployed.reader() as client, client.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        position = ""
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                position = line.removeprefix("id: ")
            elif line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                assert position == str(found[-1]["position"])
            if len(found) == count:
                break
    return found
