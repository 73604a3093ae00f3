"""What every request goes through: faults of ours, metrics, health."""

from __future__ import annotations

import logging

import pytest

from complaints.errors import StoreUnavailable
from complaints.ports import Append, Appended
from tests.services.intake.deployment import Api, Deployment, ok, problem


async def test_a_fault_of_ours_is_noted_and_says_nothing_of_what_was_sent(
    deployment: Deployment, api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty(_: Append) -> Appended:
        raise ZeroDivisionError("It leaks.")

    monkeypatch.setattr(deployment.store, "append", faulty)
    answer = await api.receive()
    problem(answer, 500, "internal")
    assert "leaks" not in answer.text
    assert [(record.message, record.levelno) for record in caplog.records] == [("request.failed", logging.ERROR)]


async def test_a_database_that_does_not_answer_is_said_so_and_when_to_come_again(
    deployment: Deployment, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the store did not answer")

    case = await api.received()
    monkeypatch.setattr(deployment.store, "read", away)
    answer = await api.get(f"/v1/complaints/{case}")
    problem(answer, 503, "store-unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_requests_are_counted_by_their_route_and_not_by_their_path(api: Api) -> None:
    case = await api.received()
    ok(await api.get(f"/v1/complaints/{case}"))
    metrics = ok(await api.get("/metrics")).text
    assert 'redress_intake_requests_total{method="GET",route="/v1/complaints/{complaint}",status="200"}' in metrics
    assert case not in metrics


async def test_readiness_says_what_is_in_the_way(deployment: Deployment) -> None:
    nobody = deployment.api(None)
    assert ok(await nobody.get("/health/ready")).json() == {"ready": True, "failing": {}}
    deployment.health.add("database", lambda: "TimeoutError")
    answer = await nobody.get("/health/ready")
    assert (answer.status_code, answer.json()["failing"]) == (503, {"database": "TimeoutError"})
    ok(await nobody.get("/health/live"))
