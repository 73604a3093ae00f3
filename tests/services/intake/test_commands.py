"""POST /v1/complaints/{id}/{command}, and the same to a desk's own duties."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from complaints.adapters.records import CommandRecord
from complaints.commands import SERVICE_COMMANDS, SYSTEM, Sender
from complaints.duties import periods
from complaints.errors import Rejected, Unknown
from intake.commands import consume
from tests.services.intake.deployment import AGENT, CUSTOMER, LEAD, MONDAY, RECEIPT, Api, Deployment, ok, problem


async def test_a_command_answers_with_its_events_and_the_new_version(api: Api) -> None:
    case = await api.received()
    answer = ok(await api.command(case, "assign", LEAD))
    assert answer.status_code == 200
    body = answer.json()
    assert body["events"][0]["event"] == "complaint.assigned"
    assert body["events"][0]["clause"] == ["第八条", "第二十条"]
    assert answer.headers["etag"] == f'"{body["version"]}"'
    assert answer.headers["location"] == f"/v1/complaints/{case}"


async def test_a_whole_life_goes_by_its_commands(api: Api, deployment: Deployment) -> None:
    case = await api.received()
    life: list[tuple[str, dict[str, str], dict[str, Any]]] = [
        ("acknowledge", AGENT, {}),
        ("assign", LEAD, {}),
        ("record-facts", AGENT, {"facts": {"priority": "high"}}),
        ("resolve", AGENT, {"facts": {"answer_text": "done"}}),
        ("close", AGENT, {}),
        ("reopen", CUSTOMER, {}),
    ]
    for name, by, data in life:
        deployment.pass_time(minutes=10)
        answer = await api.command(case, name, by, **data)
        if name == "acknowledge":
            problem(answer, 403, "not-your-step")
        else:
            ok(answer)
    milestones = {"complaint.assigned", "complaint.resolved", "complaint.closed", "complaint.reopened"}
    assert milestones <= set(await api.names(case))


async def test_a_stale_version_is_refused_with_the_versions(api: Api) -> None:
    case = await api.received()
    ok(await api.command(case, "assign", LEAD))
    refused = problem(await api.command(case, "resolve", headers={"If-Match": '"12"'}), 412, "version-conflict")
    assert (refused["expected"], refused["actual"]) == (12, 15)


async def test_the_present_version_and_any_version_are_taken(api: Api) -> None:
    case = await api.received()
    etag = (await api.get(f"/v1/complaints/{case}")).headers["etag"]
    ok(await api.command(case, "assign", LEAD, headers={"If-Match": etag}))
    ok(await api.command(case, "resolve", headers={"If-Match": "*"}))


@pytest.mark.parametrize("tag", ['"abc"', '"99999999999999999999"', '"1.5"'])
async def test_a_tag_that_is_none_of_ours_matches_nothing(api: Api, tag: str) -> None:
    case = await api.received()
    problem(await api.command(case, "assign", LEAD, headers={"If-Match": tag}), 412, "version-conflict")


@pytest.mark.parametrize("tag", ["12", 'W/"12"', '"11", "12"', ""])
async def test_what_is_no_single_strong_tag_is_refused(api: Api, tag: str) -> None:
    case = await api.received()
    refused = problem(await api.command(case, "assign", LEAD, headers={"If-Match": tag}), 400, "bad-header")
    assert refused["field"] == "If-Match"


async def test_a_repeated_command_answers_as_the_first_time_whatever_has_happened_since(api: Api) -> None:
    case = await api.received()
    first = ok(await api.command(case, "assign", LEAD, key="a-1", headers={"If-Match": '"12"'}))
    ok(await api.command(case, "resolve"))
    again = ok(await api.command(case, "assign", LEAD, key="a-1", headers={"If-Match": '"12"'}))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["events"] == first.json()["events"]
    assert again.headers["etag"] == first.headers["etag"]


async def test_a_key_that_named_another_command_is_refused(api: Api) -> None:
    case = await api.received()
    ok(await api.command(case, "assign", LEAD, key="a-1"))
    problem(await api.command(case, "resolve", key="a-1"), 422, "idempotency-key-reused")
    problem(await api.command(await api.received(), "assign", LEAD, key="a-1"), 422, "idempotency-key-reused")


async def test_two_who_write_at_once_with_the_same_version_one_is_told_that_it_changed(api: Api) -> None:
    case = await api.received()
    answers = await asyncio.gather(
        *(api.command(case, "record-facts", facts={"subject": text}, headers={"If-Match": '"12"'}) for text in "ab")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await api.names(case)).count("facts.recorded") == 1


async def test_many_who_write_at_once_without_a_version_are_all_recorded(api: Api) -> None:
    case = await api.received()
    answers = await asyncio.gather(*(api.command(case, "record-facts", facts={"subject": str(n)}) for n in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await api.names(case)).count("facts.recorded") == 20
    assert len({answer.headers["etag"] for answer in answers}) == 20


async def test_the_same_request_sent_many_times_at_once_is_done_once(api: Api) -> None:
    case = await api.received()
    answers = await asyncio.gather(*(api.command(case, "assign", LEAD, key="once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert (await api.names(case)).count("complaint.assigned") == 1


async def test_a_command_that_there_is_not_is_named(api: Api) -> None:
    refused = problem(await api.command(await api.received(), "explode"), 404, "no-such-command")
    assert refused["field"] == "command"
    problem(await api.command(await api.received(), "receive"), 404, "no-such-command")
    problem(await api.command(await api.received(), "record-duty"), 404, "no-such-command")


@pytest.mark.parametrize("name", sorted(SERVICE_COMMANDS))
async def test_what_only_services_send_is_refused_at_the_public_door(deployment: Deployment, name: str) -> None:
    operator = deployment.api("operator")
    case = await operator.received()
    answer = await operator.command(case, name)
    if name in {"open-duty", "miss-duty", "produce-report"}:
        problem(answer, 404, "no-such-command")
        answer = await operator.post(f"/v1/desks/plain/{name}", json={"by": AGENT, "data": {}})
    problem(answer, 403, "services-only")


@pytest.mark.parametrize("by", [{"person": "system", "role": "system"}, {"person": "an", "role": "system"}])
async def test_nobody_outside_speaks_for_the_system(deployment: Deployment, by: dict[str, str]) -> None:
    operator = deployment.api("operator")
    problem(await operator.command(await operator.received(), "acknowledge", by), 403, "role-not-of-key")


@pytest.mark.parametrize(
    "complaint", ["5f0c1a52-7d0b-4f4e-9a51-1f6f0a3f5a11", "7", "not-a-uuid", "%00", "漏油", "a" * 500]
)
async def test_a_complaint_that_there_is_not_is_not_found(api: Api, complaint: str) -> None:
    problem(await api.command(complaint, "resolve"), 404, "no-such-complaint")
    for part in ("", "/events", "/clocks", "/steps"):
        problem(await api.get(f"/v1/complaints/{complaint}{part}"), 404, "no-such-complaint")


@pytest.mark.parametrize(
    ("name", "by", "data", "status", "code", "clause"),
    [
        ("record-step", AGENT, {"step": "directions"}, 409, "step-not-open", "第十三条"),
        ("close", AGENT, {}, 409, "nothing-to-record", None),
        ("waive-step", LEAD, {"step": "assign", "reason": "no"}, 409, "cannot-be-waived", ["第八条", "第二十条"]),
        ("record-step", AGENT, {"step": "assign"}, 403, "not-your-step", ["第八条", "第二十条"]),
        ("record-step", AGENT, {"step": "nowhere"}, 422, "no-such-step", None),
        ("record-step", AGENT, {"step": "answer", "outcome": "maybe"}, 422, "no-such-outcome", "第十条"),
        ("record-step", AGENT, {"step": "answer", "done_at": "2026-03-01T09:00:00+08:00"}, 422, "not-a-time", "第十条"),
        ("record-facts", AGENT, {"facts": {"priority": "urgent"}}, 422, "not-a-choice", "第七条"),
        ("record-facts", AGENT, {"facts": {"colour": "red"}}, 422, "no-such-fact", None),
        ("add-item", AGENT, {"item": "point"}, 422, "no-such-item", None),
        ("judge", AGENT, {"decide": "weather", "to": "x", "reason": "y"}, 422, "no-such-decision", None),
        ("link", AGENT, {"complaint": str(UUID(int=7)), "relation": "twin"}, 422, "no-such-link", None),
    ],
)
async def test_a_rule_that_says_no_is_named_by_its_code_and_its_clause(  # noqa: PLR0917 - one row of the table
    api: Api, name: str, by: dict[str, str], data: dict[str, Any], status: int, code: str, clause: object
) -> None:
    case = await api.received()
    refused = problem(await api.command(case, name, by, **data), status, code)
    assert refused.get("clause") == clause
    assert (await api.get(f"/v1/complaints/{case}")).json()["version"] == 12


async def test_a_number_that_is_unique_in_the_desk_names_the_complaint_that_has_it(api: Api) -> None:
    body = {"by": CUSTOMER, "data": {"facts": {"source_id": "S-1"}}}
    first = await api.received(body)
    refused = problem(await api.receive(body), 409, "already-received")
    assert refused["of"] == first
    assert refused["clause"] == "第五条"


async def test_a_person_whom_the_desk_does_not_know_and_a_role_that_is_not_theirs_are_refused(
    deployment: Deployment,
) -> None:
    api = deployment.api("staff")
    case = await api.received(desk="staffed")
    refused = problem(await api.command(case, "resolve", {"person": "ghost", "role": "agent"}), 422, "no-such-person")
    assert refused["person"] == "ghost"
    refused = problem(await api.command(case, "assign", {"person": "an", "role": "desk_lead"}), 403, "not-your-role")
    assert refused["roles"] == ["agent"]
    ok(await api.command(case, "assign", LEAD))


async def test_a_key_speaks_only_for_its_roles(deployment: Deployment) -> None:
    portal = deployment.api("portal")
    case = await portal.received()
    refused = problem(await portal.command(case, "resolve", AGENT), 403, "role-not-of-key")
    assert refused["field"] == "by.role"
    problem(await portal.receive({**RECEIPT, "by": AGENT}), 403, "role-not-of-key")


# --- duties ---
async def opened_duty(deployment: Deployment) -> str:
    """The report of March, owed on the 6th of April."""
    view = await deployment.desks.current("plain")
    found = periods(view.procedure, view.calendar, MONDAY, MONDAY + timedelta(days=32))
    period = next(period for period in found if period.row.owe == "monthly_report")
    deployment.now = period.opens_at
    record = CommandRecord(
        id=uuid4(),
        desk="plain",
        complaint="desk",
        command="open-duty",
        by=Sender(person="system", role="system"),
        data={
            "owe": "monthly_report",
            "period": period.period,
            "opens_at": period.opens_at.isoformat(),
            "due_at": period.due_at.isoformat() if period.due_at else None,
        },
    )
    await consume(deployment.parts, record)
    return period.period


async def test_a_duty_of_the_desk_is_listed_and_recorded(deployment: Deployment, api: Api) -> None:
    period = await opened_duty(deployment)
    shown = ok(await api.get("/v1/desks/plain/duties")).json()
    assert [(row["owe"], row["every"], row["day"]) for row in shown["duties"]] == [
        ("monthly_report", "month", "5"),
        ("monthly_review", "month", "10"),
    ]
    assert [(one["owe"], one["period"], one["state"]) for one in shown["periods"]] == [
        ("monthly_report", period, "open")
    ]
    body = {"by": LEAD, "data": {"owe": "monthly_report"}}
    answer = ok(await api.post("/v1/desks/plain/record-duty", json=body, headers={"If-Match": '"1"'}))
    assert [event["event"] for event in answer.json()["events"]] == ["duty.recorded"]
    assert answer.json()["id"] == "desk"
    shown = ok(await api.get("/v1/desks/plain/duties")).json()
    assert [one["state"] for one in shown["periods"]] == ["done"]
    assert shown["version"] == 2


async def test_a_duty_that_is_not_owed_is_refused_with_its_clause(deployment: Deployment, api: Api) -> None:
    body: dict[str, Any] = {"by": LEAD, "data": {"owe": "monthly_report", "period": "2031-01"}}
    refused = problem(await api.post("/v1/desks/plain/record-duty", json=body), 409, "nothing-to-record")
    assert refused["clause"] == "第二十一条"
    body = {"by": LEAD, "data": {"owe": "sing"}}
    problem(await api.post("/v1/desks/plain/record-duty", json=body), 422, "no-such-duty")
    body = {"by": LEAD, "data": {"owe": "monthly_report", "population": [], "seed": 1}}
    problem(await api.post("/v1/desks/plain/draw-sample", json=body), 409, "nothing-to-record")
    problem(await api.post("/v1/desks/plain/dance", json=body), 404, "no-such-command")


# --- from the topic ---
async def test_a_command_of_a_service_is_decided_at_the_instant_of_its_arrival(
    deployment: Deployment, api: Api
) -> None:
    case = await api.received()
    deployment.pass_time(hours=2)
    cause, matter = uuid4(), uuid4()
    record = CommandRecord(
        id=uuid4(),
        desk="plain",
        complaint=case,
        command="fire-timer",
        by=SYSTEM,
        data={},
        causation_id=cause,
        correlation_id=matter,
    )
    await consume(deployment.parts, record)
    await consume(deployment.parts, record)
    breach = [event for event in await api.history(case) if event["event"] == "clock.breached"]
    assert [(event["data"]["clock"], event["at"]) for event in breach] == [("acknowledge", "2026-03-02T02:00:00Z")]
    assert (breach[0]["causation_id"], breach[0]["correlation_id"]) == (str(cause), str(matter))


async def test_a_command_of_a_service_for_another_desks_complaint_is_refused(deployment: Deployment, api: Api) -> None:
    case = await api.received()
    record = CommandRecord(id=uuid4(), desk="staffed", complaint=case, command="fire-timer", by=SYSTEM, data={})
    with pytest.raises(Unknown):
        await consume(deployment.parts, record)


async def test_a_command_that_comes_too_late_for_the_state_is_rejected(deployment: Deployment, api: Api) -> None:
    case = await api.received()
    record = CommandRecord(
        id=uuid4(), desk="plain", complaint=case, command="record-step", by=SYSTEM, data={"step": "closed_by_silence"}
    )
    with pytest.raises(Rejected):
        await consume(deployment.parts, record)
