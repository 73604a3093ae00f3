"""POST /v1/events: CloudEvents 1.0, structured, binary and in batches."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from complaints.identity import complaint_id
from tests.services.intake.deployment import AGENT, LEAD, RECEIPT, Api, Deployment, ok, problem

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}


def event(name: str = "receive", data: Any = RECEIPT, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/crm", "type": f"redress.{name}", "data": data, **more}


async def sent(api: Api, value: Any, headers: dict[str, str] = STRUCTURED) -> httpx.Response:
    return await api.post("/v1/events", content=json.dumps(value), headers=headers)


async def test_a_structured_event_receives_a_complaint(api: Api) -> None:
    answer = ok(await sent(api, event()))
    assert answer.status_code == 201
    assert answer.json()["events"][0]["event"] == "complaint.received"
    assert answer.headers["location"] == f"/v1/complaints/{answer.json()['id']}"


async def test_source_and_id_name_an_event_once_and_for_all(api: Api, deployment: Deployment) -> None:
    first = ok(await sent(api, event()))
    head = await deployment.store.head()
    again = ok(await sent(api, event(time="2026-03-02T09:00:00+08:00")))
    assert (again.headers["idempotent-replayed"], again.json()["id"]) == ("true", first.json()["id"])
    assert await deployment.store.head() == head
    problem(await sent(api, event(data={**RECEIPT, "by": AGENT})), 422, "idempotency-key-reused")
    other = ok(await sent(api, event(source="/other")))
    assert other.json()["id"] != first.json()["id"]


async def test_the_subject_names_the_complaint_by_its_id_or_a_label(api: Api) -> None:
    ok(await sent(api, event(subject="case 7")))
    case = str(complaint_id("plain", "case 7"))
    answer = ok(await sent(api, event("assign", {"by": LEAD}, id="2", subject="case 7")))
    assert (answer.status_code, answer.json()["id"]) == (200, case)
    answer = ok(await sent(api, event("resolve", {"by": AGENT}, id="3", subject=case)))
    assert answer.json()["events"][0]["event"] == "complaint.resolved"
    problem(await sent(api, event("assign", {"by": LEAD}, id="9", subject="case 8")), 404, "no-such-complaint")


async def test_a_binary_event_has_its_attributes_in_headers(api: Api) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/crm",
        "ce-type": "redress.receive",
        "ce-subject": quote("案件 7"),
    }
    answer = ok(await api.post("/v1/events", json=RECEIPT, headers=headers))
    assert answer.json()["id"] == str(complaint_id("plain", "案件 7"))
    same = ok(await sent(api, event(subject="案件 7")))
    assert same.headers["idempotent-replayed"] == "true"
    broken = {**headers, "ce-subject": "%ff"}
    assert (
        problem(await api.post("/v1/events", json=RECEIPT, headers=broken), 422, "malformed")["field"] == "ce-subject"
    )
    del headers["ce-type"]
    assert problem(await api.post("/v1/events", json=RECEIPT, headers=headers), 422, "malformed")["field"] == "type"


async def test_a_batch_has_a_result_for_each_event_in_order(api: Api) -> None:
    answer = ok(
        await sent(
            api,
            [
                event(subject="a", id="1"),
                event("assign", {"by": LEAD}, subject="a", id="2"),
                event("explode", {"by": LEAD}, subject="a", id="3"),
                "no event",
                event("resolve", {"by": AGENT}, subject="a", id="4"),
                {**event(subject="b", id="5"), "specversion": "0.3"},
            ],
            BATCH,
        )
    )
    results = answer.json()
    assert [(r["line"], r["status"]) for r in results] == [(1, 201), (2, 200), (3, 404), (4, 422), (5, 200), (6, 422)]
    assert results[2]["problem"]["code"] == "no-such-command"
    assert results[5]["problem"]["field"] == "specversion"
    assert ok(await sent(api, [], BATCH)).json() == []
    assert problem(await sent(api, {}, BATCH), 422, "malformed")["field"] == "body"


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"type": "com.example.weather"}, 404, "no-such-command", "type"),
        ({"type": "redress.explode"}, 404, "no-such-command", "command"),
        ({"type": "redress.fire-timer", "subject": "x"}, 403, "services-only", "command"),
        ({"type": ""}, 422, "malformed", "type"),
        ({"type": 7}, 422, "malformed", "type"),
        ({"type": None}, 422, "malformed", "type"),
        ({"specversion": "0.3"}, 422, "malformed", "specversion"),
        ({"id": ""}, 422, "malformed", "id"),
        ({"id": 7}, 422, "malformed", "id"),
        ({"source": "x" * 1001}, 422, "malformed", "source"),
        ({"subject": 7}, 422, "malformed", "subject"),
        ({"data": None}, 422, "malformed", "data"),
        ({"data": []}, 422, "malformed", "data"),
        ({"data": {"data": {}}}, 422, "malformed", "data.by"),
        ({"data": {"by": AGENT, "data": {"channel": 7}}}, 422, "malformed", "data.channel"),
        ({"data_base64": "e30="}, 422, "malformed", "data_base64"),
        ({"datacontenttype": "application/xml"}, 422, "malformed", "datacontenttype"),
        ({"desk": "staffed"}, 404, "no-such-desk", None),
        ({"desk": 7}, 422, "malformed", "desk"),
        ({"Bad-Name": "x"}, 422, "malformed", "event"),
    ],
)
async def test_an_event_that_cannot_be_taken_is_refused(
    api: Api, changes: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    refused = problem(await sent(api, {**event(), **changes}), status, code)
    assert refused.get("field") == field


async def test_an_event_without_its_attributes_says_which_is_missing(api: Api) -> None:
    for name in ("specversion", "id", "source", "type"):
        lacking = {key: value for key, value in event().items() if key != name}
        assert problem(await sent(api, lacking), 422, "malformed")["field"] == name


async def test_what_says_nothing_of_cloudevents_is_another_kind_of_content(api: Api) -> None:
    problem(await sent(api, event(), {"Content-Type": "application/json"}), 415, "wrong-content-type")


async def test_an_operator_names_the_desk(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    problem(await sent(operator, event()), 422, "which-desk")
    assert ok(await sent(operator, event(desk="staffed"))).json()["desk"] == "staffed"
