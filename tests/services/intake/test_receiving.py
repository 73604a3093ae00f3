"""POST /v1/desks/{desk}/complaints."""

from __future__ import annotations

from uuid import UUID

from complaints.codec import decode
from complaints.identity import complaint_id
from tests.services.intake.deployment import AGENT, CUSTOMER, RECEIPT, Api, Deployment, ok, problem


async def test_a_complaint_is_received_and_the_answer_says_where_it_stands_and_what_followed(api: Api) -> None:
    answer = await api.receive(key="form-1")
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/complaints/{body['id']}"
    assert answer.headers["etag"] == f'"{body["version"]}"'
    assert body["id"] == str(complaint_id("plain", "form-1"))
    assert body["last_position"] - body["first_position"] + 1 == len(body["events"]) == body["version"]
    assert [event["version"] for event in body["events"]] == list(range(1, body["version"] + 1))
    first = body["events"][0]
    assert (first["event"], first["position"], first["complaint"]) == (
        "complaint.received",
        body["first_position"],
        body["id"],
    )
    assert first["data"]["facts"] == RECEIPT["data"]["facts"]
    assert {"complaint.graded", "complaint.routed", "clock.started", "notice.requested"} <= {
        event["event"] for event in body["events"]
    }
    assert next(e for e in body["events"] if e["event"] == "complaint.graded")["clause"] == "第七条"


async def test_complaints_that_come_in_alike_are_answered_and_stored_alike_but_for_what_is_their_own(api: Api) -> None:
    facts = RECEIPT["data"]["facts"]
    told = {**RECEIPT, "data": {**RECEIPT["data"], "facts": {**facts, "content": "又一件"}}}
    one, other = (await api.receive()).json(), (await api.receive(told)).json()
    fields = ("event", "at", "clause", "rule", "inputs", "data", "version", "position")
    for answer in (one, other):
        stored = (await api.get(f"/v1/complaints/{answer['id']}/events")).json()["events"]
        assert [[event[f] for f in fields] for event in answer["events"]] == [[e[f] for f in fields] for e in stored]
    assert other["events"][0]["data"]["facts"] == {**facts, "content": "又一件"}
    changing = ("complaint.received", "clock.started")
    assert [event["data"] for event in other["events"] if event["event"] not in changing] == [
        event["data"] for event in one["events"] if event["event"] not in changing
    ]


async def test_a_repeat_under_the_same_key_answers_what_the_first_did_and_adds_nothing(
    deployment: Deployment, api: Api
) -> None:
    first = await api.receive(key="form-1")
    head = await deployment.store.head()
    deployment.pass_time(hours=30)
    again = await api.receive(key="form-1")
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["etag"] == first.headers["etag"]
    differs = {"duplicate", "correlation_id"}
    assert {k: v for k, v in again.json().items() if k not in differs} == {
        k: v for k, v in first.json().items() if k not in differs
    }
    assert again.json()["duplicate"] is True
    assert await deployment.store.head() == head


async def test_another_body_under_the_same_key_is_refused(api: Api) -> None:
    ok(await api.receive(key="form-1"))
    refused = problem(
        await api.receive({**RECEIPT, "by": {**CUSTOMER, "person": "li"}}, key="form-1"),
        422,
        "idempotency-key-reused",
    )
    assert refused["field"] == "Idempotency-Key"


async def test_a_key_that_another_frontend_of_the_desk_has_used_opens_nothing_and_says_so(
    deployment: Deployment, api: Api
) -> None:
    first = ok(await api.receive(key="1")).json()
    refused = problem(await deployment.api("crm").receive(key="1"), 409, "already-received")
    assert refused["of"] == first["id"]
    assert len(await api.history(first["id"])) == first["version"]


async def test_without_a_key_every_request_is_a_complaint_of_its_own(api: Api) -> None:
    assert UUID(await api.received()) != UUID(await api.received())


async def test_the_same_key_at_another_desk_is_another_complaint(deployment: Deployment) -> None:
    here = ok(await deployment.api("web").receive(key="1")).json()
    there = ok(await deployment.api("staff").receive(key="1", desk="staffed")).json()
    assert here["id"] != there["id"]


async def test_a_complaint_that_came_earlier_counts_from_then(api: Api, deployment: Deployment) -> None:
    came = "2026-02-27T10:00:00+08:00"
    body = {"by": AGENT, "data": {**RECEIPT["data"], "channel": "phone", "occurred_at": came}}
    answer = ok(await api.receive(body)).json()
    case = ok(await api.get(f"/v1/complaints/{answer['id']}")).json()
    assert case["received_at"] == "2026-02-27T02:00:00Z"
    assert case["imported"] is False
    assert [breach["clock"] for breach in case["breaches"]] == ["acknowledge", "assign"]
    assert answer["events"][0]["at"] == deployment.now.isoformat().replace("+00:00", "Z")


async def test_what_lies_ahead_or_absurdly_far_back_is_refused_with_the_field(api: Api) -> None:
    for at, code in (
        ("2026-03-02T09:10:00+08:00", "in-the-future"),
        ("2999-01-01T00:00:00Z", "in-the-future"),
        ("2024-01-01T00:00:00Z", "too-old"),
        ("0001-01-01T00:00:00Z", "too-old"),
    ):
        refused = problem(await api.receive({"by": AGENT, "data": {"occurred_at": at}}), 422, code)
        assert refused["field"] == "occurred_at"


async def test_only_an_import_may_say_that_it_is_one(api: Api, deployment: Deployment) -> None:
    body = {"by": AGENT, "data": {"imported": True, "occurred_at": "2025-03-02T09:10:00+08:00"}}
    problem(await api.receive(body), 403, "scope-missing")
    ok(await deployment.api("importer").receive(body))


async def test_a_correlation_id_comes_back_and_stays_with_the_events(api: Api) -> None:
    mine = "0b0c7f0e-0f0d-4f6a-9d4c-0d6d1b2c3d4e"
    answer = await api.receive(headers={"X-Correlation-ID": mine})
    assert answer.headers["x-correlation-id"] == mine
    assert {event["correlation_id"] for event in await api.history(answer.json()["id"])} == {mine}


async def test_a_correlation_id_that_is_no_uuid_becomes_always_the_same_one(api: Api) -> None:
    one, two = [
        (await api.receive(headers={"X-Correlation-ID": "ticket 7"})).headers["x-correlation-id"] for _ in range(2)
    ]
    assert UUID(one) == UUID(two)


async def test_a_traceparent_is_kept_with_the_events_and_a_broken_one_is_not(api: Api, deployment: Deployment) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for given, kept in ((parent, parent), ("00-zz", None)):
        case = (await api.receive(headers={"traceparent": given})).json()["id"]
        stored = await deployment.store.read(UUID(case))
        assert {decode(row).meta.traceparent for row in stored} == {kept}
