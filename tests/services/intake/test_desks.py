"""Desks and packs over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.intake.deployment import CALENDAR, PEOPLE, Api, Deployment, ok, problem

GARAGE: dict[str, Any] = {"desk": "garage", "title": "Garage", "pack": "00-plain-desk", "calendar": CALENDAR}


async def test_a_desk_is_opened_shown_and_listed(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    answer = ok(await operator.post("/v1/desks", json={**GARAGE, "people": PEOPLE, "fallback": "queue"}))
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/desks/garage")
    shown = ok(await operator.get("/v1/desks/garage"))
    assert shown.headers["etag"] == answer.headers["etag"] == f'"{answer.json()["version"]}"'
    desk = shown.json()
    assert (desk["title"], desk["pack"], desk["pack_version"]) == ("Garage", "00-plain-desk", 1)
    assert desk["calendar"]["weekly"] == CALENDAR["weekly"]
    assert [(one["person"], one["roles"]) for one in desk["people"]] == [("an", ["agent"]), ("lei", ["desk_lead"])]
    assert desk["fallback"] == {"queue": "queue", "person": None}
    again = await operator.get("/v1/desks/garage", headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304
    listed = ok(await operator.get("/v1/desks")).json()["desks"]
    assert [one["desk"] for one in listed] == ["garage", "plain", "staffed"]


async def test_addresses_keys_and_webhooks_are_for_those_who_run_the_desk(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    hook = {"event": "desk.webhook-added", "data": {"name": "crm", "url": "https://crm.example/hook"}}
    added = ok(await operator.post("/v1/desks/staffed/events", json=hook)).json()
    assert added["secret"].startswith("whsec_")
    inner = ok(await operator.get("/v1/desks/staffed")).json()
    assert inner["people"][0]["email"] == "an@example.org"
    assert [key["frontend"] for key in inner["keys"]] == ["staff"]
    assert [one["url"] for one in inner["webhooks"]] == ["https://crm.example/hook"]
    shown = ok(await deployment.api("staff").get("/v1/desks/staffed"))
    assert "an@example.org" not in shown.text
    assert {"keys", "webhooks"}.isdisjoint(shown.json())
    for answer in (inner, shown.json()):
        assert "whsec" not in str(answer)
        assert "rk_" not in str(answer)


async def test_a_change_is_checked_recorded_and_seen_at_once(deployment: Deployment) -> None:
    admin = deployment.api("admin")
    before = ok(await admin.get("/v1/desks/plain")).json()["version"]
    change = {"event": "desk.described", "data": {"title": "New title"}}
    answer = ok(await admin.post("/v1/desks/plain/events", json=change, headers={"Idempotency-Key": "t-1"}))
    assert (answer.json()["version"], answer.headers["etag"]) == (before + 1, f'"{before + 1}"')
    assert ok(await admin.get("/v1/desks/plain")).json()["title"] == "New title"
    again = ok(await admin.post("/v1/desks/plain/events", json=change, headers={"Idempotency-Key": "t-1"}))
    assert (again.json()["version"], again.headers["idempotent-replayed"]) == (before + 1, "true")
    other = {"event": "desk.described", "data": {"title": "Another"}}
    answer = await admin.post("/v1/desks/plain/events", json=other, headers={"Idempotency-Key": "t-1"})
    problem(answer, 422, "idempotency-key-reused")
    answer = await admin.post("/v1/desks/plain/events", json=other, headers={"If-Match": f'"{before}"'})
    refused = problem(answer, 412, "version-conflict")
    assert (refused["expected"], refused["actual"]) == (before, before + 1)


async def test_a_new_key_works_and_a_change_of_people_counts_at_once(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    deployment.keys["new"] = await operator.issue("staffed", frontend="new", roles=["agent"])
    api = deployment.api("new")
    by = {"person": "newcomer", "role": "agent"}
    case = await deployment.api("staff").received(desk="staffed")
    problem(await api.command(case, "resolve", by), 422, "no-such-person")
    joins = {"event": "desk.person-joined", "data": {"person": "newcomer", "roles": ["agent"]}}
    ok(await operator.post("/v1/desks/staffed/events", json=joins))
    ok(await api.command(case, "resolve", by))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"desk": "UPPER"}, "malformed", "desk"),
        ({"desk": "operator"}, "desk-exists", None),
        ({"desk": "a"}, "malformed", "desk"),
        ({"timezone": "Mars/Olympus"}, "malformed", "timezone"),
        ({"timezone": "../../etc/passwd"}, "malformed", "timezone"),
        ({"pack": "no-such-pack"}, "no-such-pack", None),
        ({"pack": None, "text": "{"}, "pack-refused", None),
        ({"calendar": {}}, None, None),
        ({"calendar": {**CALENDAR, "weekly": {}}}, "calendar-refused", "calendar.weekly"),
        ({"calendar": None}, "malformed", "calendar"),
        ({"colour": "red"}, "malformed", "colour"),
        ({"people": [{"person": "an", "roles": ["pilot"]}]}, "no-such-role", "people[0].roles[0]"),
        ({"people": [{"roles": []}]}, "malformed", "people[0].person"),
        ({"title": ""}, "malformed", "title"),
    ],
)
async def test_a_desk_that_cannot_be_is_not_opened(
    deployment: Deployment, changes: dict[str, Any], code: str | None, field: str | None
) -> None:
    operator = deployment.api("operator")
    answer = await operator.post("/v1/desks", json={**GARAGE, **changes})
    assert answer.status_code == (409 if code == "desk-exists" else 422), answer.text
    refused = problem(answer, answer.status_code, code or answer.json()["code"])
    if field is not None:
        assert refused["field"] == field
    assert "garage" not in (await operator.get("/v1/desks")).text


async def test_a_desk_is_opened_once(deployment: Deployment) -> None:
    operator = deployment.api("operator")
    headers = {"Idempotency-Key": "open-garage"}
    first = ok(await operator.post("/v1/desks", json=GARAGE, headers=headers))
    again = ok(await operator.post("/v1/desks", json=GARAGE, headers=headers))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json()["version"] == first.json()["version"]
    problem(await operator.post("/v1/desks", json=GARAGE), 409, "desk-exists")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event": "desk.exploded", "data": {}}, "no-such-event"),
        ({"event": "desk.described", "data": {"colour": 1}}, "malformed"),
        ({"event": "desk.person-left", "data": {"person": "ghost"}}, "no-such-person"),
        ({"event": "desk.key-issued", "data": {"frontend": "x", "scopes": ["operate"]}}, "not-a-choice"),
        ({"event": "desk.key-issued", "data": {"frontend": "x", "scopes": []}}, "malformed"),
        ({"data": {}}, "malformed"),
        ([], "malformed"),
        ({"event": "desk.limits-set", "data": {"oldest_days": -1}}, "malformed"),
    ],
)
async def test_a_change_that_cannot_be_is_refused(deployment: Deployment, change: Any, code: str) -> None:
    answer = await deployment.api("admin").post("/v1/desks/plain/events", json=change)
    problem(answer, 422, code)


async def test_the_packs_that_are_shipped_are_listed_and_shown(api: Api) -> None:
    listed = ok(await api.get("/v1/packs")).json()["packs"]
    assert {"00-plain-desk", "04-auto-repair-feedback-slip", "15-developer-group-crisis", "19-dongwu-futures"} <= {
        pack["pack"] for pack in listed
    }
    assert all(pack["title"] and pack["digest"] for pack in listed)
    assert all(pack["en"] if pack["lang"] == "zh" else pack["en"] is None for pack in listed)
    shown = ok(await api.get("/v1/packs/00-plain-desk")).json()
    assert shown["text"].startswith("#")
    assert [role["name"] for role in shown["roles"]] == ["agent", "desk_lead", "head"]
    assert {"acknowledge", "assign", "answer"} <= {step["name"] for step in shown["steps"]}
    problem(await api.get("/v1/packs/nothing"), 404, "no-such-pack")
    problem(await api.get("/v1/packs/..%2f..%2fetc%2fpasswd"), 404, "no-such-route")
