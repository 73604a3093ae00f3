"""Who may do what: without a key nothing but health answers, and each desk sees its own only."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from complaints.identity import desk_stream
from tests.services.intake.deployment import AGENT, LEAD, RECEIPT, Api, Deployment, ok, problem


def every_route(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for path, methods in deployment.app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path.format(complaint=uuid4(), desk="plain", pack="00-plain-desk")


async def test_without_a_key_nothing_but_health_answers(deployment: Deployment) -> None:
    nobody = deployment.api(None)
    routes = [*every_route(deployment), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nowhere"), ("PUT", "/v1")]
    assert len(routes) > 30
    for method, path in routes:
        answer = await nobody.request(method, path)
        assert problem(answer, 401, "no-key")["field"] == "Authorization"
        assert answer.headers["www-authenticate"].startswith(("Bearer", "Basic"))
    for path in ("/health/live", "/health/ready", "/metrics"):
        ok(await nobody.get(path))


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer nonsense",
        "Bearer rk_plain_00000000_" + "x" * 43,
        "Bearer rk_nowhere_00000000_" + "x" * 43,
        "Bearer rk_plain_',;--_x",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 5000,
    ],
)
async def test_a_key_that_there_is_not_is_refused(deployment: Deployment, authorization: str) -> None:
    answer = await deployment.api(None).get("/v1/desks", headers=[(b"Authorization", authorization.encode("latin-1"))])
    problem(answer, 401, "no-such-key")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic eDp5", "Digest x", "Token y"])
async def test_what_is_no_bearer_key_is_none(deployment: Deployment, authorization: str) -> None:
    answer = await deployment.api(None).get("/v1/desks", headers={"Authorization": authorization})
    problem(answer, 401, "no-key")


async def test_a_revoked_key_is_none(deployment: Deployment) -> None:
    key = deployment.keys["crm"]
    revoking = {"event": "desk.key-revoked", "data": {"key": key.split("_")[2]}}
    ok(await deployment.api("admin").post("/v1/desks/plain/events", json=revoking))
    problem(await deployment.api("crm").get("/v1/desks"), 401, "no-such-key")


async def test_what_belongs_to_another_desk_is_not_there(deployment: Deployment, api: Api) -> None:
    other = deployment.api("staff")
    case = await api.received()
    for part in ("", "/events", "/clocks", "/steps"):
        problem(await other.get(f"/v1/complaints/{case}{part}"), 404, "no-such-complaint")
    problem(await other.command(case, "resolve"), 404, "no-such-complaint")
    problem(await other.receive(), 404, "no-such-desk")
    for path in ("", "/duties"):
        problem(await other.get(f"/v1/desks/plain{path}"), 404, "no-such-desk")
    problem(await other.post("/v1/desks/plain/record-duty", json={"by": LEAD, "data": {}}), 404, "no-such-desk")
    assert [desk["desk"] for desk in ok(await other.get("/v1/desks")).json()["desks"]] == ["staffed"]
    assert (await api.get(f"/v1/complaints/{case}")).json()["version"] == 12


async def test_what_belongs_to_another_desk_looks_like_what_is_nowhere(deployment: Deployment, api: Api) -> None:
    other = deployment.api("staff")
    theirs, nowhere = await api.received(), str(uuid4())
    one, two = [(await other.get(f"/v1/complaints/{case}")).json() for case in (theirs, nowhere)]
    own = {"complaint", "detail", "instance", "correlation_id"}
    assert {k: v for k, v in one.items() if k not in own} == {k: v for k, v in two.items() if k not in own}


async def test_a_key_of_one_desk_takes_up_no_complaint_of_another(deployment: Deployment, api: Api) -> None:
    theirs = await api.received()
    body = {**RECEIPT, "data": {**RECEIPT["data"], "again_of": {"complaint": theirs, "relation": "again"}}}
    answer = await deployment.api("staff").receive(body, desk="staffed")
    assert answer.status_code in (404, 422)
    assert answer.json()["code"] in {"no-such-complaint", "no-such-link"}


async def test_each_scope_is_good_for_its_own_only(deployment: Deployment) -> None:
    reader, admin, web = deployment.api("reader"), deployment.api("admin"), deployment.api("web")
    case = await web.received()
    ok(await reader.get(f"/v1/complaints/{case}"))
    assert problem(await reader.receive(), 403, "scope-missing")["scope"] == "write"
    assert problem(await reader.command(case, "resolve"), 403, "scope-missing")["scope"] == "write"
    assert problem(await admin.receive(), 403, "scope-missing")["scope"] == "write"
    change = {"event": "desk.described", "data": {"title": "New"}}
    assert problem(await web.post("/v1/desks/plain/events", json=change), 403, "scope-missing")["scope"] == "desk"
    ok(await admin.post("/v1/desks/plain/events", json=change))
    for api in (reader, admin, web):
        assert problem(await api.post("/v1/desks", json={}), 403, "scope-missing")["scope"] == "operate"
    for path in ("/v1/bulk", "/v1/events"):
        answer = await reader.post(path, content=b"{}", headers={"Content-Type": "application/x-ndjson"})
        assert problem(answer, 403, "scope-missing")["scope"] == "write"


async def test_an_operator_sees_every_desk_and_acts_for_the_one_that_received_the_complaint(
    deployment: Deployment,
) -> None:
    operator = deployment.api("operator")
    assert [desk["desk"] for desk in ok(await operator.get("/v1/desks")).json()["desks"]] == ["plain", "staffed"]
    case = await deployment.api("staff").received(desk="staffed")
    assert ok(await operator.get(f"/v1/complaints/{case}")).json()["desk"] == "staffed"
    ok(await operator.command(case, "resolve", AGENT))
    problem(await operator.get(f"/v1/complaints/{uuid4()}"), 404, "no-such-complaint")


async def test_the_operators_own_desk_takes_no_complaints(deployment: Deployment) -> None:
    problem(await deployment.api("operator").receive(desk="operator"), 404, "no-such-desk")


async def test_the_stream_of_a_desk_is_no_complaint(deployment: Deployment) -> None:
    stream = desk_stream("plain")
    for key in ("operator", "web"):
        api = deployment.api(key)
        problem(await api.get(f"/v1/complaints/{stream}"), 404, "no-such-complaint")
        problem(await api.command(str(stream), "resolve"), 404, "no-such-complaint")


async def test_a_browser_reads_the_documentation_with_the_key_as_its_password(deployment: Deployment) -> None:
    nobody = deployment.api(None)
    assert (await nobody.get("/docs")).headers["www-authenticate"].startswith("Basic")
    password = base64.b64encode(f"me:{deployment.keys['reader']}".encode()).decode()
    for path in ("/docs", "/openapi.json"):
        ok(await nobody.get(path, headers={"Authorization": f"Basic {password}"}))
    page = (await nobody.get("/docs", headers={"Authorization": f"Basic {password}"})).text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) >= 3
    assert all(path.startswith("/assets/") for path in assets), "the page needs no other server"
    for path in assets:
        ok(await nobody.get(path, headers={"Authorization": f"Basic {password}"}))
        problem(await nobody.get(path), 401, "no-key")
        problem(
            await nobody.request("POST", path, headers={"Authorization": f"Basic {password}"}), 405, "no-such-method"
        )
    problem(await nobody.get("/v1/desks", headers={"Authorization": f"Basic {password}"}), 401, "no-key")
    for broken in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\xff").decode()):
        problem(await nobody.get("/docs", headers={"Authorization": broken}), 401, "no-key")


def test_every_route_is_one_that_the_document_knows(deployment: Deployment) -> None:
    paths = deployment.app.openapi()["paths"]
    pages = {"/docs", "/docs/oauth2-redirect"}
    hidden = {"/v1/complaints/{complaint}/{command}", "/v1/desks/{desk}/{command}"} | pages
    routes = {route.path for route in deployment.app.routes if isinstance(route, APIRoute)}
    assert routes - hidden <= set(paths)
