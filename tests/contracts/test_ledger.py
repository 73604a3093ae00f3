"""The ledger on a real log and a real broker: what it shows is what was recorded, to whom it may be shown."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from complaints.adapters import database
from complaints.adapters.checkpoints import Checkpointer
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.kafka import CommandSender, Topics, open_producer
from complaints.adapters.signed_notes import load_signer, open_note
from complaints.chain import Checkpoint, leaf
from complaints.codec import Envelope, encode
from complaints.commands import OpenDuty, Sender
from complaints.events import ComplaintReceived
from complaints.identity import duties_stream
from complaints.merkle import verify_inclusion
from complaints.ports import Append
from ledger import models
from ledger.exports import verify_file
from ledger.files import Files
from ledger.projections.model import Model
from ledger.rebuild import rebuild
from ledger.sheets import MEDIA_TYPE
from tests.contracts.ledger_world import LEAD, World, world
from tests.workbooks import read


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


async def test_the_documentation_is_for_those_with_a_key_and_needs_no_other_server(deployed: World) -> None:
    for path in ("/docs", "/openapi.json"):
        nobody = await deployed.read(path, key=None)
        assert (nobody.status_code, nobody.headers["location"].partition("?")[0]) == (303, "/login")
    page = (await deployed.read("/docs")).text
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (await deployed.read(asset)).status_code == 200, asset


async def test_listeners_get_each_escalation_once_and_go_on_where_they_were(deployed: World) -> None:
    before = (await deployed.got("/v1/desks/plain/escalations"))["position"]
    first, second = [await escalated(deployed) for _ in range(2)]
    seen = await heard(deployed, before, 2)
    assert [one["complaint"] for one in seen] == [first, second]
    assert [one["event"] for one in seen] == ["complaint.escalated"] * 2
    assert await heard(deployed, seen[0]["position"], 1) == seen[1:]
    for other in await asyncio.gather(heard(deployed, before, 2), heard(deployed, before, 2)):
        assert other == seen


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


# --- the past ---
async def test_a_case_is_told_as_it_was_and_as_it_was_known(deployed: World) -> None:
    """Handed over ten minutes after receipt, typed in two hours later."""
    case = await deployed.receive()
    path = f"/v1/complaints/{case}/case-file"
    received = datetime.fromisoformat((await deployed.got(path))["received_at"])
    known_before = await deployed.database_now()
    deployed.ahead += timedelta(hours=2)
    done_at = received + timedelta(minutes=10)
    await deployed.command(case, "assign", by=LEAD, done_at=done_at.isoformat())
    then, early = done_at + timedelta(minutes=20), done_at - timedelta(minutes=5)

    async def asked(**past: datetime) -> tuple[str, str]:
        file = await deployed.got(path, **{name: at.isoformat() for name, at in past.items()})
        return file["holder"], next(one["verdict"] for one in file["verdicts"] if one["row"] == "assign")

    assert await asked() == ("agent", "obeyed")
    assert await asked(as_of=then) == ("agent", "obeyed")
    assert await asked(as_of=early) == ("customer", "not yet due")
    assert await asked(known_at=known_before) == ("customer", "not yet due")
    assert await asked(as_of=then, known_at=known_before) == ("customer", "not yet due")
    never = await deployed.read(path, as_of=(received - timedelta(days=1)).isoformat())
    assert (never.status_code, never.json()["code"]) == (404, "not-yet")


async def test_an_instant_without_offset_is_refused(deployed: World) -> None:
    case = await deployed.receive()
    answer = await deployed.read(f"/v1/complaints/{case}/case-file", as_of="2026-03-02T09:00:00")
    assert (answer.status_code, answer.json()["field"]) == (422, "as_of")


# --- lists ---
async def test_pages_have_no_gap_and_no_double_while_cases_come_in(deployed: World) -> None:
    await deployed.open_desk("paging")
    there = {await deployed.receive("paging") for _ in range(7)}
    await deployed.settled()
    for order in ("newest", "oldest"):
        seen: list[str] = []
        path = f"/v1/desks/paging/register?limit=3&order={order}"
        while path:
            page = await deployed.got(path, key="paging")
            seen += [entry["complaint"] for entry in page["entries"]]
            path = page["next"]
            if order == "newest" or len(seen) < 7:
                await deployed.receive("paging")
                await deployed.settled()
        assert len(seen) == len(set(seen))
        assert there <= set(seen)
        there |= set(seen)


async def test_the_register_answers_by_filter_and_refuses_what_is_none(deployed: World) -> None:
    await deployed.open_desk("filters")
    product = await deployed.receive("filters", facts={"content": "=cmd", "subject": "product"})
    repair = await deployed.receive("filters")
    await deployed.command(repair, "assign", by=LEAD, key="filters")
    await deployed.settled()

    async def found(**asked: str) -> set[str]:
        page = await deployed.got("/v1/desks/filters/register", key="filters", **asked)
        return {entry["complaint"] for entry in page["entries"]}

    assert await found() == {product, repair}
    assert await found(**{"fact.subject": "repair"}) == {repair}
    assert await found(holder="agent") == {repair}
    assert await found(status="closed") == set()
    assert await found(text="produ") == {product}
    assert await found(text="%") == set()
    assert await found(text="leaks") == set()  # personal, so not in the register
    assert await found(overdue="true") == set()
    deployed.ahead += timedelta(days=2)
    assert await found(overdue="true") == {product, repair}
    assert await found(due_before=(deployed.now() - timedelta(days=40)).isoformat()) == set()
    assert await found(received_to=(deployed.now() - timedelta(days=40)).isoformat()) == set()
    answer = await deployed.read("/v1/desks/filters/register", key="filters", colour="red")
    assert (answer.status_code, answer.json()["field"]) == (422, "colour")


async def test_the_register_as_csv_is_all_of_it(deployed: World) -> None:
    text = (await deployed.read("/v1/desks/filters/register", key="filters", format="csv", limit="1")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2
    assert {json.loads(row["facts"])["subject"] for row in rows} == {"product", "repair"}


async def test_the_work_list_is_by_role(deployed: World) -> None:
    await deployed.open_desk("works")
    case = await deployed.receive("works")
    await deployed.settled()
    work = await deployed.got("/v1/desks/works/work", key="works", role="desk_lead", limit="1")
    assert [(one["complaint"], one["step"]) for one in work["dated"]] == [(case, "assign")]
    more = await deployed.got(work["next"]["dated"], key="works")
    assert [one["step"] for one in more["dated"]] == ["answer"]
    assert more["next"]["dated"] is None
    assert (await deployed.got("/v1/desks/works/work", key="works", role="head"))["dated"][0]["step"] == "answer"


async def test_a_verdict_tells_how_often_a_hold_has_refused_an_act(deployed: World) -> None:
    await deployed.open_desk("held", pack="19-dongwu-futures")
    facts = {"customer_name": "li", "content": "c", "course": "x", "category": "work_error", "in_scope": True}
    said = {"channel": "phone", "facts": {**facts, "media": True}}
    received = {"by": {"person": "sc", "role": "service_centre"}, "data": said}
    case = str((await deployed.write("/v1/desks/held/complaints", received, key="held"))["id"])
    before = await deployed.database_now()
    body = {"by": {"person": "ga", "role": "general_affairs"}, "data": {"step": "comment"}}
    async with httpx.AsyncClient(base_url=deployed.intake.url, headers=deployed.bearer("held"), timeout=60) as client:
        for key in ("once", "once", "again"):
            answer = await client.post(
                f"/v1/complaints/{case}/record-step", json=body, headers={"Idempotency-Key": key}
            )
            assert (answer.status_code, answer.json()["code"]) == (409, "held"), answer.text

    async def told(**past: str) -> tuple[str, int]:
        file = await deployed.got(f"/v1/complaints/{case}/case-file", key="held", **past)
        verdict = next(one for one in file["verdicts"] if one["row"] == answer.json()["hold"])
        return verdict["verdict"], verdict.get("refused", 0)

    assert await told() == ("obeyed", 2)
    earlier = await told(known_at=before.isoformat(), as_of=deployed.now().isoformat())  # the desk's clock is ahead
    assert earlier[1] == 0


async def test_an_escalation_is_settled_once_the_matter_is_resolved(deployed: World) -> None:
    await deployed.open_desk("board")
    case = await deployed.receive("board")
    await deployed.command(case, "assign", by=LEAD, key="board")
    await deployed.command(case, "escalate", key="board")
    await deployed.settled()
    path = "/v1/desks/board/escalations"
    (one,) = (await deployed.got(path, key="board", open="true"))["escalations"]
    assert (one["event"], one["complaint"], one["settled_at"]) == ("complaint.escalated", case, None)
    assert one["clause"] == "第十四条"
    await deployed.command(case, "resolve", by=LEAD, key="board")
    await deployed.settled()
    assert (await deployed.got(path, key="board", open="true"))["escalations"] == []
    (one,) = (await deployed.got(path, key="board", open="false"))["escalations"]
    assert one["settled_by"] == "complaint.resolved"


# --- who may see what ---
async def test_a_key_that_speaks_for_nobody_sees_the_record_and_no_names(deployed: World) -> None:
    case = await deployed.receive()
    deployed.keys["nobody"] = await deployed.key("plain", frontend="audit", roles=[], scopes=["read"])
    deployed.keys["writer"] = await deployed.key("plain", frontend="form", scopes=["write"])
    await deployed.settled()
    answer = await deployed.read(f"/v1/complaints/{case}/case-file", key="nobody")
    file = answer.json()
    assert file["personal"] == "sealed"
    assert "$sealed" in answer.text
    assert "Zhang" not in answer.text
    assert "leaks" not in answer.text
    refused = await deployed.read(f"/v1/complaints/{case}/case-file", key="writer")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")


# --- proof, rebuild, reports ---
async def test_every_event_of_a_case_is_proven_to_lie_under_a_signed_checkpoint(deployed: World) -> None:
    case = await deployed.receive()
    signer = load_signer(deployed.settings.files.checkpoint_key)  # the relay has made it
    await Checkpointer(deployed.pool, signer, now=deployed.now, longest=timedelta()).issue_due()
    proof = await deployed.got(f"/v1/complaints/{case}/proof")
    note = proof["checkpoint"]["note"]
    checkpoint = Checkpoint.parse(open_note(note, [signer.verifier]))
    assert proof["not_covered"] == []
    for one in proof["events"]:
        leaf_hash = leaf(one["position"], datetime.fromisoformat(one["recorded_at"]), bytes.fromhex(one["hash"]))
        path = [bytes.fromhex(node) for node in one["path"]]
        assert verify_inclusion(leaf_hash, one["position"] - 1, checkpoint.size, path, checkpoint.root)
    assert (await deployed.read("/v1/checkpoints/latest")).text == note


async def test_a_rebuild_while_events_flow_gives_the_same_rows(deployed: World) -> None:
    await deployed.open_desk("rebuilt")
    for _ in range(10):
        await deployed.receive("rebuilt")
    engine = database.engine(deployed.settings.database.url)
    views, store = deployed.views(), PostgresEventStore(deployed.pool)

    async def flow() -> None:
        for _ in range(10):
            case = await deployed.receive("rebuilt")
            await deployed.command(case, "assign", by=LEAD, key="rebuilt")

    try:
        for model in models.models(views):
            before = await schema_of(engine, model.name)
            flowing = asyncio.create_task(flow())
            target = await rebuild(model, engine=engine, pool=deployed.pool, files=Files(store, deployed.sealing()))
            page = await deployed.got("/v1/desks/rebuilt/register", key="rebuilt")
            assert page["entries"]
            await flowing
            await deployed.settled()
            assert await schema_of(engine, model.name) == target.schema != before
        for model in models.models(views):
            schema = await schema_of(engine, model.name)
            live = await rows_of(engine, model, schema)
            again = await rebuild(model, engine=engine, pool=deployed.pool, files=Files(store, deployed.sealing()))
            assert await rows_of(engine, model, again.schema) == live
            assert live or model.name != "register"
    finally:
        await engine.dispose()


async def schema_of(engine: AsyncEngine, name: str) -> str:
    async with engine.connect() as connection:
        return await models.live(connection, name)


async def rows_of(engine: AsyncEngine, model: Model, schema: str) -> list[Any]:
    async with engine.connect() as connection:
        return [
            dict(row._mapping)
            for table in model.tables(schema).sorted_tables
            for row in await connection.execute(select(table).order_by(*table.primary_key))
        ]


async def test_a_duty_that_opens_gets_its_report_over_the_cases_as_they_stood(deployed: World, tmp_path: Path) -> None:
    await deployed.open_desk("reporting")
    await deployed.receive("reporting")
    case = await deployed.receive("reporting")
    await deployed.command(case, "assign", by=LEAD, key="reporting")
    await deployed.command(case, "escalate", key="reporting")
    local = deployed.now() + timedelta(hours=8)
    period = f"{local.year + local.month // 12}-{local.month % 12 + 1:02}"
    stream = duties_stream("reporting")
    command = OpenDuty(
        id=uuid4(),
        complaint=str(stream),
        at=deployed.now(),
        by=Sender(person="system", role="system"),
        owe="monthly_report",
        period=period,
        opens_at=deployed.now(),
    )
    kafka = deployed.settings.kafka
    async with open_producer(kafka, client="test") as producer:
        await CommandSender(producer, Topics(kafka.topic_prefix), source="test").send("reporting", command)
    await deployed.settled()
    (duty,) = (await deployed.got("/v1/desks/reporting/duties", key="reporting"))["duties"]
    assert (duty["owe"], duty["period"], duty["state"]) == ("monthly_report", period, "open")
    (listed,) = (await deployed.got("/v1/desks/reporting/reports", key="reporting"))["reports"]
    report = await deployed.got(listed["link"], key="reporting")
    assert report["clause"] == "第二十一条"
    figures = report["data"]["figures"]
    assert figures[0] == {"count": "received", "by": "category", "is": {"unknown": 2}}
    assert figures[-1]["is"] == [{"complaint": case, "subject": "repair"}]

    book = await deployed.read(f"{listed['link']}.xlsx", key="reporting")
    assert book.headers["content-type"] == MEDIA_TYPE
    assert read(book.content)["count received by category"][1] == ["unknown", 2, False]
    asked = await deployed.read(listed["link"], key="reporting", format="xlsx")
    assert asked.content == book.content
    async with deployed.reader("reporting") as reader:
        negotiated = await reader.get(listed["link"], headers={"Accept": MEDIA_TYPE})
    assert negotiated.content == book.content
    assert (await deployed.read(listed["link"], key="reporting", format="pdf")).status_code == 422
    code, _ = await redress(
        deployed, "report", "reporting", "monthly_report", period, "--xlsx", str(tmp_path / "report.xlsx"),
        "--url", deployed.ledger.url, key="reporting",
    )  # fmt: skip
    assert code == 0
    assert read((tmp_path / "report.xlsx").read_bytes()) == read(book.content)


async def test_a_form_shows_its_number_its_fields_and_who_filled_it(deployed: World, tmp_path: Path) -> None:
    await deployed.open_desk("slips", pack="04-auto-repair-feedback-slip")
    asked = dict.fromkeys(("time", "place", "persons", "course", "result", "nature"), "x")
    body = {
        "by": {"person": "wu", "role": "front"},
        "data": {"channel": "visit", "facts": {**asked, "content": "The brakes squeal."}},
    }
    case = str((await deployed.write("/v1/desks/slips/complaints", body, key="slips"))["id"])
    front, manager, centre = body["by"], {"person": "li", "role": "cm"}, {"person": "lin", "role": "csc"}
    numbers = {"slip_number": "S-1", "plate": "A 1", "filler": "li", "summary": "brakes"}
    await deployed.command(case, "record-step", by=front, key="slips", step="report_up", to="cm")
    await deployed.command(case, "record-step", by=manager, key="slips", step="write_slip")
    await deployed.command(case, "record-step", by=centre, key="slips", step="number", facts=numbers)
    await deployed.settled()

    forms = {row["form"]: row for row in (await deployed.got("/v1/desks/slips/forms", key="slips"))["forms"]}
    assert (forms["slip"]["number"], forms["slip"]["fields"]["plate"]) == ("slip_number", "车牌号")
    assert (forms["pending_cm"]["register"], forms["pending_cm"]["stated"]) == (True, False)
    page = await deployed.got("/v1/desks/slips/forms/slip", key="slips")
    (entry,) = page["entries"]
    assert (entry["number"], entry["complaint"], entry["complete"], page["next"]) == ("S-1", case, False, None)
    assert (entry["fields"]["plate"], entry["fields"]["liability"]) == ("A 1", None)
    assert [filling["step"] for filling in entry["filled"]] == ["write_slip", "number"]
    assert (await deployed.got(f"/v1/complaints/{case}/forms", key="slips"))["forms"] == [entry]

    deployed.keys["figures"] = await deployed.key("slips", frontend="figures", roles=[])
    await deployed.settled()
    (without_names,) = (await deployed.got("/v1/desks/slips/forms/slip", key="figures"))["entries"]
    assert "A 1" not in str(without_names)
    assert without_names["number"] == "S-1"

    book = await deployed.read("/v1/desks/slips/forms/slip.xlsx", key="slips")
    heads, row = read(book.content)["《客户信息反馈处理单》"]
    assert dict(zip(heads, row, strict=False))["车牌号"] == "A 1"
    code, text = await redress(deployed, "forms", "slips", "slip", "--url", deployed.ledger.url, "--json", key="slips")
    assert (code, json.loads(text)) == (0, entry)
    assert (await deployed.read("/v1/desks/slips/forms/none", key="slips")).status_code == 404
    assert (await deployed.read("/v1/desks/slips/forms", key="other")).status_code == 404


# --- the command line ---
async def redress(deployed: World, *arguments: str, key: str = "plain") -> tuple[int, str]:
    """What the command ends with, and what it prints."""
    files = deployed.settings.files
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "redress",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "REDRESS_DATA_DIR": str(files.data_dir), "REDRESS_KEY": deployed.keys[key]},
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_history_on_the_command_line_shows_each_step_with_its_clause(deployed: World) -> None:
    case = await deployed.receive()
    code, text = await redress(deployed, "history", case, "--url", deployed.ledger.url)
    assert code == 0
    assert "step.opened" in text
    assert "[第六条]" in text
    assert "系统应当在收到投诉后一小时内告知投诉人投诉已经收到" in text
    code, text = await redress(deployed, "history", case, "--url", deployed.ledger.url, "--json")
    assert json.loads(text)["id"] == case
    code, _ = await redress(deployed, "history", str(uuid4()), "--url", deployed.ledger.url)
    assert code == 1


async def test_the_log_is_verified_exported_and_rebuilt_on_the_command_line(deployed: World, tmp_path: Path) -> None:
    url = deployed.settings.database.url
    code, text = await redress(deployed, "verify", "--database", url, "--json")
    assert (code, json.loads(text)["findings"]) == (0, [])
    file = str(tmp_path / "plain.zip")
    code, text = await redress(deployed, "export", file, "--desk", "plain", "--database", url)
    assert (code, "desk:plain" in text) == (0, True)
    code, text = await redress(deployed, "verify", "--export", file)
    assert (code, text.splitlines()[-1]) == (0, "everything holds")
    code, text = await redress(deployed, "rebuild", "duties", "--database", url, "--json")
    assert (code, json.loads(text)["model"]) == (0, "duties")


async def test_an_export_over_http_is_for_those_who_may_read_it(deployed: World, tmp_path: Path) -> None:
    case = await deployed.receive()
    file = tmp_path / "case.jsonl"
    file.write_bytes((await deployed.read("/v1/export", case=case)).content)
    header, result = verify_file(file)
    assert (header.scope, result.holds, result.streams) == (f"case:{case}", True, 1)
    assert "Zhang" not in file.read_text()
    assert (await deployed.read("/v1/export", case=case, key="other")).status_code == 404
    assert (await deployed.read("/v1/export", desk="plain", key="other")).status_code == 404
    assert (await deployed.read("/v1/export")).json()["code"] == "scope-missing"
    code, text = await redress(
        deployed, "verify", "--url", deployed.ledger.url, "--key", deployed.keys["operator"], "--json"
    )
    assert (code, json.loads(text)["scope"]) == (0, "log")


async def test_what_was_erased_reads_as_erased_and_the_rest_stands(deployed: World) -> None:
    await deployed.open_desk("erasing")
    case = await deployed.receive("erasing", complainant="Li Si")
    file = await deployed.got(f"/v1/complaints/{case}/case-file", key="erasing")
    assert (file["complainant"], file["facts"]["content"]) == ("Li Si", "It leaks.")
    await deployed.command(case, "assign", by=LEAD, key="erasing")
    await deployed.command(case, "resolve", key="erasing")
    await deployed.command(case, "close", key="erasing")
    deployed.ahead += timedelta(days=4 * 366)
    protection = {"person": "da", "role": "data_protection"}
    await deployed.command(case, "erase-subject", by=protection, key="erasing", subject="Li Si", reason="asked for")
    deployed.ahead -= timedelta(days=4 * 366)
    await deployed.settled()
    answer = await deployed.read(f"/v1/complaints/{case}/case-file", key="erasing")
    assert "Li Si" not in answer.text
    assert answer.json()["facts"] == {"content": {"$erased": True}, "subject": "repair"}
    assert answer.json()["history"][0]["hash"] == file["history"][0]["hash"]


HIDING = """
pack: {id: 90-hiding, version: 1, title: 保密办法}
milestones: {acknowledged: not-stated, assigned: not-stated, resolved: not-stated}
roles:
- {role: agent, title: 经办人, clause: 第一条}
- {role: reviewer, title: 复核人, clause: 第一条}
facts:
- {fact: content, type: text, personal: true, clause: 第二条}
- {fact: witness, type: text, clause: 第二条}
intake:
- {channels: [any], by: anyone, clause: 第二条}
steps:
- part: 办理
  rows:
  - {do: look, by: agent, clause: 第三条, when: 'witness != "nobody"'}
  - {close: ended, by: agent, clause: 第三条}
access:
- {bar: no_names, clause: 第四条, hide: [witness, complainant], from: [reviewer]}
"""


async def test_what_a_clause_hides_from_a_role_is_in_no_answer_to_its_key(deployed: World) -> None:
    await deployed.open_desk("hiding", pack=None, text=HIDING)
    deployed.keys["review"] = await deployed.key("hiding", frontend="review", roles=["reviewer"], scopes=["read"])
    case = await deployed.receive("hiding", facts={"content": "x", "witness": "li si"}, complainant="zhang")
    await deployed.settled()
    paths = (f"/v1/complaints/{case}/case-file", "/v1/desks/hiding/register", "/v1/desks/hiding/register?format=csv",
             "/v1/desks/hiding/work")  # fmt: skip
    for path in paths:
        seen = (await deployed.read(path, key="review")).text
        assert case in seen
        assert "li si" not in seen
        assert "zhang" not in seen
    found = await deployed.got("/v1/desks/hiding/register", key="review", **{"fact.witness": "li si"})
    assert found["entries"] == []
    assert (await deployed.got("/v1/desks/hiding/register", key="review", text="li si"))["entries"] == []
    assert "li si" in (await deployed.read(paths[0], key="hiding")).text
    assert "li si" not in (await deployed.read(paths[0] + "?role=reviewer", key="hiding")).text
    console = {"Cookie": f"redress_key={deployed.keys['review']}"}
    async with deployed.reader(None) as client:
        page = await client.get(f"/complaints/{case}", headers=console)
        assert (page.status_code, "li si" in page.text) == (200, False)


async def test_a_case_that_no_row_can_be_made_of_holds_nobody_up(deployed: World) -> None:
    """Of a desk that nobody has opened: it goes to the dead letters, and a rebuild leaves it out."""
    stream, command = uuid4(), uuid4()
    event = ComplaintReceived(
        at=deployed.now(), channel="web", receiver="agent", person="an", arrived_closed=False, pack="x", pack_version=1
    )
    by = Sender(person="an", role="agent")
    meta = Envelope(desk="nowhere", complaint=str(stream), at=event.at, by=by, command_id=command)
    async with PostgresEventStore(deployed.pool) as store:
        await store.append(
            Append(
                stream_id=stream,
                category="complaint",
                desk="nowhere",
                expected_version=0,
                command_id=command,
                events=(encode(event, meta),),
            )
        )
    cases = {await deployed.receive() for _ in range(5)}
    await deployed.settled()
    page = await deployed.got("/v1/desks/plain/register")
    assert cases <= {entry["complaint"] for entry in page["entries"]}
    assert (await deployed.read("/health/ready", key=None)).status_code == 200
    letters = await deployed.pool.fetch("SELECT key, reason FROM ledger.dead_letter")
    assert [letter["key"] for letter in letters] == [str(stream)]
    code, text = await redress(deployed, "rebuild", "register", "--database", deployed.settings.database.url, "--json")
    assert (code, json.loads(text)["model"]) == (0, "register")
    assert (await deployed.got("/v1/desks/plain/register"))["entries"][:5] == page["entries"][:5]
