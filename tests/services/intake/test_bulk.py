"""POST /v1/bulk: a result for each line, in order; what happens to one line happens to no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from complaints.errors import StoreBusy
from complaints.identity import complaint_id
from complaints.ports import Append, Appended
from intake import bulk
from intake.bulk import lines
from intake.bulk_routes import MOST_STREAMS
from intake.commands import Asking, Commands
from intake.reading import Limits
from intake.schemas import BulkLine, By
from intake.wanted import understood
from tests.services.intake.deployment import AGENT, CUSTOMER, LEAD, Api, Deployment, ok, problem

NDJSON = {"Content-Type": "application/x-ndjson"}


def receipt(label: str | None, **more: Any) -> dict[str, Any]:
    line = {"command": "receive", "by": CUSTOMER, "data": {"facts": {"content": f"of {label}"}}, **more}
    return line if label is None else {"complaint": label, **line}


def command(label: str, name: str, by: dict[str, str] = AGENT, **more: Any) -> dict[str, Any]:
    return {"complaint": label, "command": name, "by": by, **more}


async def test_every_line_has_its_result_in_the_order_of_the_lines(api: Api) -> None:
    results = await api.bulk(
        receipt("a"), command("a", "assign", LEAD), receipt("b"), command("b", "resolve"), command("a", "resolve")
    )
    assert [(result["line"], result["status"]) for result in results] == [
        (1, 201),
        (2, 200),
        (3, 201),
        (4, 200),
        (5, 200),
    ]
    assert [result["id"] for result in results] == [
        str(complaint_id("plain", label)) for label in ("a", "a", "b", "b", "a")
    ]
    assert results[1]["events"][0] == "complaint.assigned"
    case = ok(await api.get(f"/v1/complaints/{results[0]['id']}")).json()
    assert case["version"] == results[4]["version"]
    assert results[4]["last_position"] - results[4]["first_position"] + 1 == len(results[4]["events"])


async def test_hundreds_of_lives_at_once_keep_their_order(api: Api) -> None:
    life = ("assign", "resolve", "close", "reopen")
    sent = [receipt(f"case {n}") for n in range(60)]
    sent += [command(f"case {n}", name, LEAD if name == "assign" else AGENT) for name in life for n in range(60)]
    results = await api.bulk(*sent)
    assert [result["line"] for result in results] == list(range(1, len(sent) + 1))
    assert {result["status"] for result in results} == {200, 201}
    names = await api.names(str(complaint_id("plain", "case 7")))
    order = [names.index(f"complaint.{name}") for name in ("received", "assigned", "resolved", "closed", "reopened")]
    assert order == sorted(order)


async def test_a_broken_line_takes_no_other_with_it(api: Api) -> None:
    results = await api.bulk(
        receipt("a"),
        b"{broken",
        b"\xff\xfe",
        '{"投诉": 1}'.encode("gb18030"),
        b"[]",
        b"null",
        b'{"command": "receive"}',
        {**receipt("x"), "colour": "red"},
        receipt("b"),
        command("nowhere", "resolve"),
        command("a", "explode"),
        command("a", "fire-timer"),
        command("a", "close"),
        {"command": "resolve", "by": AGENT},
        receipt(str(uuid4())),
        command("a", "resolve", if_version=3),
        command("a", "resolve", key="\u0000"),
        command("a\u0000", "resolve"),
        receipt("c" * 256),
        receipt("c", data={"facts": {"content": "\u0000"}}),
        receipt("c", data={"occurred_at": "2999-01-01T00:00:00Z"}),
        receipt("c", desk="staffed"),
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        receipt("d"),
    )
    said = [(result["status"], result.get("problem", {}).get("code")) for result in results]
    assert said == [
        (201, None),
        (400, "not-json"),
        (400, "not-utf-8"),
        (400, "not-utf-8"),
        (422, "malformed"),
        (422, "malformed"),
        (422, "malformed"),
        (422, "malformed"),
        (201, None),
        (404, "no-such-complaint"),
        (404, "no-such-command"),
        (403, "services-only"),
        (409, "nothing-to-record"),
        (422, "malformed"),
        (422, "malformed"),
        (412, "version-conflict"),
        (422, "text-refused"),
        (422, "text-refused"),
        (422, "malformed"),
        (422, "text-refused"),
        (422, "in-the-future"),
        (404, "no-such-desk"),
        (422, "malformed"),
        (422, "malformed"),
        (201, None),
    ]
    assert [result["line"] for result in results] == list(range(1, 26))
    assert results[7]["problem"]["field"] == "colour"
    assert results[12]["id"] == str(complaint_id("plain", "a"))


async def test_a_second_run_adds_nothing_and_says_the_same(api: Api, deployment: Deployment) -> None:
    sent = [receipt("a"), command("a", "assign", LEAD, key="a/assign"), receipt("b", key="b/receive")]
    first = await api.bulk(*sent)
    head = await deployment.store.head()
    again = await api.bulk(*sent)
    assert await deployment.store.head() == head
    assert [result.pop("duplicate") for result in again] == [True] * 3
    assert again == first


async def test_a_second_complaint_under_one_label_is_refused_and_the_first_named(api: Api) -> None:
    first, again, resolved = await api.bulk(
        receipt("a", key="k-1"), receipt("a", key="k-2"), command("a", "assign", LEAD, key="k-3")
    )
    refused = again["problem"]
    assert (again["status"], refused["code"], refused["of"]) == (409, "already-received", first["id"])
    assert resolved["status"] == 200


async def test_lines_without_an_end_with_windows_ends_and_blank_ones_are_taken_and_counted(api: Api) -> None:
    content = b"\xef\xbb\xbf" + b"\r\n".join(
        [json.dumps(receipt("a")).encode(), b"", b"   ", json.dumps(receipt("b")).encode()]
    )
    answer = ok(await api.post("/v1/bulk", content=content, headers=NDJSON))
    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [(result["line"], result["status"]) for result in results] == [(1, 201), (4, 201)]


async def test_a_digest_is_a_label_and_no_id(api: Api) -> None:
    label = "0cc175b9c0f1b6a831c399e269772661"
    results = await api.bulk(receipt(label), command(label, "resolve"))
    assert [result["status"] for result in results] == [201, 200]
    assert {result["id"] for result in results} == {str(complaint_id("plain", label))}


async def test_nothing_in_nothing_out(api: Api) -> None:
    assert await api.bulk() == []


async def test_a_line_that_is_too_long_is_passed_over(deployment: Deployment) -> None:
    small = await Deployment(limits=Limits(body=1000)).opened()
    api = small.api("web")
    results = await api.bulk(receipt("a"), b"x" * 5000, receipt("b"), b"y" * 1001, receipt("c"))
    assert [result["status"] for result in results] == [201, 413, 201, 413, 201]


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("receive", {"again_of": {"complaint": "old", "relation": "again"}}, "again_of"),
        ("link", {"complaint": "old", "relation": "again"}, None),
    ],
)
async def test_another_complaint_is_named_by_its_label_too_and_waited_for(
    deployment: Deployment, name: str, data: dict[str, Any], place: str | None
) -> None:
    who = await deployment.desks.authenticate(deployment.keys["web"])
    line = BulkLine(complaint="new", command=name, by=By(**AGENT), data=data)
    wanted = understood(who, line, None)
    old, new = [str(complaint_id("plain", label)) for label in ("old", "new")]
    assert (wanted.complaint, wanted.order, wanted.others) == (new, new, (old,))
    named = wanted.asked.body.data[place] if place is not None else wanted.asked.body.data
    assert named == {"complaint": old, "relation": "again"}


async def test_an_operator_names_the_desk_on_the_line_or_for_all_lines(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    results = await operator.bulk(receipt("a"), receipt("a", desk="plain"), receipt("a", desk="staffed"))
    assert [(r["status"], r.get("desk")) for r in results] == [(422, None), (201, "plain"), (201, "staffed")]
    assert results[0]["problem"]["code"] == "which-desk"
    results = await operator.bulk(command("a", "resolve"), desk="plain")
    assert [(result["status"], result["desk"]) for result in results] == [(200, "plain")]
    results = await operator.bulk(command(str(complaint_id("staffed", "a")), "resolve"))
    assert [(result["status"], result["desk"]) for result in results] == [(200, "staffed")]


async def test_duties_are_recorded_by_lines_as_well(api: Api) -> None:
    line = {"command": "record-duty", "by": LEAD, "data": {"owe": "monthly_report", "period": "2030-01"}}
    (result,) = await api.bulk(line)
    assert result["problem"]["code"] == "nothing-to-record"


async def test_another_kind_of_content_is_refused(api: Api) -> None:
    answer = await api.post("/v1/bulk", content=b"{}\n", headers={"Content-Type": "application/json"})
    problem(answer, 415, "wrong-content-type")


# --- lives that are over ---
async def test_a_life_that_is_sent_back_dated_happens_at_its_own_instants(deployment: Deployment) -> None:
    api = deployment.api("importer")
    results = await api.bulk(
        receipt("old", at="2024-05-06T09:00:00+08:00"),
        command("old", "resolve", at="2024-05-30T10:00:00+08:00"),
        command("old", "close", at="2024-05-31T10:00:00+08:00"),
    )
    assert [result["status"] for result in results] == [201, 200, 200]
    case = results[0]["id"]
    shown = ok(await api.get(f"/v1/complaints/{case}")).json()
    assert shown["imported"] is True
    assert shown["received_at"] == "2024-05-06T01:00:00Z"
    assert shown["closed_at"] == "2024-05-31T02:00:00Z"
    history = await api.history(case)
    breaches = {e["data"]["clock"]: e["at"] for e in history if e["event"] == "clock.breached"}
    assert breaches == {
        "acknowledge": "2024-05-06T02:00:00Z",
        "answer": "2024-05-20T10:00:00Z",
        "directions": "2024-05-22T10:00:00Z",
    }
    instants = [event["at"] for event in history]
    assert instants == sorted(instants)
    assert instants[-1] == "2024-05-31T02:00:00Z"


async def test_a_past_occurred_at_under_an_importing_key_makes_the_case_an_imported_one(
    deployment: Deployment,
) -> None:
    api = deployment.api("importer")
    line = receipt("old", data={"occurred_at": "2015-05-06T09:00:00+08:00"})
    (result,) = await api.bulk(line)
    shown = ok(await api.get(f"/v1/complaints/{result['id']}")).json()
    assert (shown["imported"], shown["received_at"]) == (True, "2015-05-06T01:00:00Z")
    assert (await api.history(result["id"]))[0]["at"] == "2015-05-06T01:00:00Z"
    assert (await api.bulk(line))[0]["duplicate"] is True


async def test_a_key_that_does_not_import_sends_no_instants_of_its_own(api: Api) -> None:
    results = await api.bulk(
        receipt("a", at="2024-05-06T09:00:00+08:00"),
        receipt("b", data={"occurred_at": "2026-03-01T09:00:00+08:00"}),
        receipt("c", data={"occurred_at": "2015-03-01T09:00:00+08:00"}),
        command("b", "resolve", at="2026-03-01T10:00:00+08:00"),
    )
    assert [(r["status"], r.get("problem", {}).get("code")) for r in results] == [
        (403, "scope-missing"),
        (201, None),
        (422, "too-old"),
        (403, "scope-missing"),
    ]
    assert ok(await api.get(f"/v1/complaints/{results[1]['id']}")).json()["imported"] is False


async def test_a_case_that_was_not_imported_is_told_of_no_past(deployment: Deployment, api: Api) -> None:
    case = await api.received()
    (result,) = await deployment.api("importer").bulk(command(case, "resolve", at="2026-02-01T09:00:00+08:00"))
    assert result["problem"]["code"] == "too-old"


@pytest.mark.parametrize(
    ("at", "code", "field"),
    [
        ("2024-05-06T09:00:00", "malformed", "at"),
        ("2026-03-02T10:00:00+08:00", "in-the-future", "at"),
        ("1900-01-01T00:00:00Z", "too-old", "at"),
        ("yesterday", "malformed", "at"),
        (7, "malformed", "at"),
    ],
)
async def test_an_instant_that_cannot_be_is_refused(deployment: Deployment, at: Any, code: str, field: str) -> None:
    (result,) = await deployment.api("importer").bulk(receipt("old", at=at))
    assert (result["problem"]["code"], result["problem"]["field"]) == (code, field)


# --- streaming ---
async def feed(deployment: Deployment, chunks: AsyncIterator[bytes], *, window: int = 64) -> AsyncIterator[bytes]:
    who = await deployment.desks.authenticate(deployment.keys["web"])
    work = bulk.Bulk(deployment.parts, Commands(deployment.parts), window=window)
    return work.results(Asking(who=who, correlation_id=uuid4()), chunks, None)


def encoded(line: Any) -> bytes:
    return json.dumps(line).encode() + b"\n"


async def test_a_result_comes_while_the_sender_is_still_thinking_about_the_next_line(deployment: Deployment) -> None:
    answered = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield encoded(receipt("a"))
        await answered.wait()
        yield encoded(receipt("b"))

    results = await feed(deployment, chunks())
    first = json.loads(await anext(results))
    assert first["status"] == 201
    answered.set()
    assert [json.loads(block)["line"] async for block in results] == [2]


async def test_a_line_may_come_in_pieces_and_many_lines_in_one(deployment: Deployment) -> None:
    whole = b"".join(encoded(receipt(f"case {n}")) for n in range(20))

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    for size in (1, 7, 100, len(whole)):
        results = [
            json.loads(line) async for block in await feed(deployment, pieces(size)) for line in block.splitlines()
        ]
        assert [result["line"] for result in results] == list(range(1, 21))
        assert {result["status"] for result in results} == {201}


async def test_no_more_is_read_than_a_slow_reader_takes(deployment: Deployment) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield encoded(receipt(f"case {read}"))

    results = await feed(deployment, endless(), window=4)
    for taken in range(1, 20):
        block = await anext(results)
        for _ in range(200):
            await asyncio.sleep(0)
        lines_taken = json.loads(block.splitlines()[-1])["line"]
        assert lines_taken >= taken
        assert read <= lines_taken + 4 + 2  # the window, the one that waits for room, the one that is looked at
    await results.aclose()  # type: ignore[attr-defined]  # an async generator in truth


async def test_a_sender_that_is_gone_leaves_done_what_was_under_way(deployment: Deployment, api: Api) -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield encoded(receipt("a"))
        yield encoded(receipt("b"))[:20]
        raise ConnectionResetError

    results = await feed(deployment, cut_off())
    assert json.loads(await anext(results))["status"] == 201
    with pytest.raises(ConnectionResetError):
        await anext(results)
    assert len(await api.history(str(complaint_id("plain", "a")))) == 12
    problem(await api.get(f"/v1/complaints/{complaint_id('plain', 'b')}"), 404, "no-such-complaint")


async def test_a_store_that_is_busy_is_waited_for(
    deployment: Deployment, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = deployment.store.append
    refusals = iter([True, True, False, True, False])

    async def busy(wanted: Append) -> Appended:
        if next(refusals, False):
            raise StoreBusy("full")
        return await append(wanted)

    monkeypatch.setattr(deployment.store, "append", busy)
    results = await api.bulk(receipt("a"), command("a", "resolve"))
    assert [result["status"] for result in results] == [201, 200]


async def test_a_store_that_stays_busy_is_said_to_be(
    deployment: Deployment, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(_: Append) -> Appended:
        raise StoreBusy("full")

    monkeypatch.setattr(bulk, "PATIENCE", 0.1)
    monkeypatch.setattr(deployment.store, "append", busy)
    (result,) = await api.bulk(receipt("a"))
    assert (result["status"], result["problem"]["code"]) == (503, "store-busy")
    answer = await api.receive()
    assert problem(answer, 503, "store-busy")
    assert answer.headers["retry-after"] == "1"


async def test_a_fault_of_ours_in_one_line_is_told_and_the_others_go_on(
    deployment: Deployment, api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = deployment.store.append

    async def faulty(wanted: Append) -> Appended:
        if wanted.stream_id == complaint_id("plain", "b"):
            raise ZeroDivisionError("with a secret")
        return await append(wanted)

    monkeypatch.setattr(deployment.store, "append", faulty)
    results = await api.bulk(receipt("a"), receipt("b"), receipt("c"))
    assert [result["status"] for result in results] == [201, 500, 201]
    assert "secret" not in json.dumps(results)
    assert [record.message for record in caplog.records] == ["bulk.line-failed"]


async def test_one_key_has_only_so_many_streams_at_once(deployment: Deployment, api: Api) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield encoded(receipt("a"))
        await go_on.wait()

    streams = [asyncio.create_task(api.post("/v1/bulk", content=slow(), headers=NDJSON)) for _ in range(MOST_STREAMS)]
    await asyncio.sleep(0.2)
    problem(await api.post("/v1/bulk", content=b"", headers=NDJSON), 429, "too-many-streams")
    ok(await deployment.api("crm").post("/v1/bulk", content=b"", headers=NDJSON))
    go_on.set()
    for stream in streams:
        ok(await stream)
    ok(await api.post("/v1/bulk", content=b"", headers=NDJSON))


async def test_lines_are_cut_at_their_ends_and_nowhere_else() -> None:
    async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def cut(*parts: bytes, most: int = 5) -> list[bytes | None]:
        return [line async for line in lines(chunks(*parts), most)]

    assert await cut() == []
    assert await cut(b"") == []
    assert await cut(b"\n") == [b""]
    assert await cut(b"a\nb") == [b"a", b"b"]
    assert await cut(b"a", b"b\n", b"\nc\n") == [b"ab", b"", b"c"]
    assert await cut(b"12345\n123456\n1") == [b"12345", None, b"1"]
    assert await cut(b"123", b"456", b"789", b"0\nx\n") == [None, b"x"]
    assert await cut(b"1234567") == [None]
    assert await cut("漏\u2028油\x0b\x0c".encode(), most=20) == ["漏\u2028油\x0b\x0c".encode()]
