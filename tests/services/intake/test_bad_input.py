"""Whatever comes in is stored as it is or refused with the field and the rule; nothing is a 500, nothing half done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from intake.reading import Limits
from tests.services.intake.deployment import AGENT, RECEIPT, Api, Deployment, ok, problem

JSON = {"Content-Type": "application/json"}
DESK = "/v1/desks/plain/complaints"


async def sent(api: Api, content: bytes | str, **headers: str) -> Any:
    return await api.post(DESK, content=content, headers={**JSON, **headers})


def body(**facts: Any) -> str:
    return json.dumps({"by": AGENT, "data": {"facts": facts}})


def told(data: str) -> str:
    """A command in JSON with these data, written out."""
    return f'{{"by": {{"person": "a", "role": "agent"}}, "data": {data}}}'


# --- what is no JSON ---
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"by": }', "not-json"),
        (b"{'by': 1}", "not-json"),
        (b'{"by": 1} {}', "not-json"),
        (b'{"a": "\x00"}', "not-json"),
        (b'{"a": "\x01"}', "not-json"),
        (b'{"a": "\\x00"}', "not-json"),
        (b'{"a": 01}', "not-json"),
        (b'{"a": 1,}', "not-json"),
        ('{"a": "漏油"}'.encode("gb18030"), "not-utf-8"),
        (b'{"a": "\xff\xfe"}', "not-utf-8"),
        (b'{"a": "\xed\xa0\x80"}', "not-utf-8"),
        ('{"a": 1}'.encode("utf-16"), "not-utf-8"),
        (b"\x1f\x8b\x08\x00", "not-utf-8"),
    ],
)
async def test_bytes_that_are_no_json_in_utf8_are_refused(api: Api, content: bytes, code: str) -> None:
    refused = problem(await sent(api, content), 400, code)
    assert refused["field"] == "body"


async def test_a_byte_order_mark_is_passed_over(api: Api) -> None:
    ok(await sent(api, b"\xef\xbb\xbf" + body(content="x").encode()))


# --- JSON that is no command ---
@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("null", "body"),
        ("[]", "body"),
        ("7", "body"),
        ('"text"', "body"),
        ("{}", "by"),
        ('{"by": null}', "by"),
        ('{"by": []}', "by"),
        ('{"by": {"person": "a"}}', "by.role"),
        ('{"by": {"person": 7, "role": "agent"}}', "by.person"),
        ('{"by": {"person": "", "role": "agent"}}', "by.person"),
        ('{"by": {"person": "   ", "role": "agent"}}', "by.person"),
        ('{"by": {"person": "a", "role": "agent", "age": 7}}', "by.age"),
        (told('[]'), "data"),
        (told('{"colour": 1}'), "data.colour"),
        (told('{"channel": 7}'), "data.channel"),
        (told('{"facts": []}'), "data.facts"),
        (told('{"facts": {"content": []}}'), "data.facts"),
        (told('{"contact": {"email": 7}}'), "data.contact"),
        (told('{"occurred_at": "yesterday"}'), "data.occurred_at"),
        (told('{"occurred_at": "2026-03-01"}'), "data.occurred_at"),
        (told('{"occurred_at": "2026-03-01T09:00:00"}'), "data.occurred_at"),
        (told('{"occurred_at": 1e300}'), "data.occurred_at"),
        (told('{"again_of": {"complaint": 1}}'), "data.again_of"),
        (told('{"id": "x"}'), "data.id"),
        (told('{"at": "2026-03-01T09:00:00Z"}'), "data.at"),
        (told('{"type": "receive"}'), "data.type"),
        ('{"by": {"person": "a", "role": "agent"}, "at": "2026-03-01T09:00:00Z"}', "at"),
        ('{"by": {"person": "a", "role": "agent"}, "by": {"person": "b", "role": "agent"}}', "by"),
        (told('{"facts": {"content": "a", "content": "b"}}'), "data.facts.content"),
        (told('{"facts": {"content": NaN}}'), "data.facts.content"),
        (told('{"facts": {"content": -Infinity}}'), "data.facts.content"),
        (told('{"facts": {"content": 1e400}}'), "data.facts.content"),
        (told(f'{{"facts": {{"content": {"9" * 30}}}}}'), "data.facts.content"),
        (told(f'{{"facts": {{"content": -{"9" * 5000}}}}}'), "data.facts.content"),
        ("[" * 100_000, "body"),
        ('{"a":' * 100_000, "body"),
        ('{"by": ' + "[" * 20 + "]" * 20 + "}", "by"),
    ],
)  # fmt: skip
async def test_what_is_no_command_is_refused_with_the_field_and_the_rule(api: Api, content: str, field: str) -> None:
    refused = problem(await sent(api, content), 422, "malformed")
    assert refused["field"].startswith(field), refused
    assert refused["rule"]


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("record-step", {}, "data.step"),
        ("record-facts", {}, "data.facts"),
        ("waive-step", {"step": "raise"}, "data.reason"),
        ("judge", {"decide": "grade", "to": "high"}, "data.reason"),
        ("link", {"complaint": "x"}, "data.relation"),
        ("link", {"relation": "x"}, "data.complaint"),
        ("link", {"relation": "x", "other": "x"}, "data.other"),
        ("change-pack", {"pack": "x", "reason": "y"}, "data.pack_version"),
        ("record-step", {"step": "answer", "already_happened": "yes"}, "data.already_happened"),
    ],
)
async def test_an_obligatory_field_that_is_missing_is_named(
    api: Api, name: str, data: dict[str, Any], field: str
) -> None:
    answer = await api.post(f"/v1/complaints/{await api.received()}/{name}", json={"by": AGENT, "data": data})
    assert problem(answer, 422, "malformed")["field"] == field


async def test_an_intake_question_without_an_answer_is_no_missing_field_and_stays_owed(api: Api) -> None:
    case = await api.received({"by": AGENT, "data": {}})
    assert ok(await api.get(f"/v1/complaints/{case}")).json()["asked"] == ["content", "subject", "category"]


# --- texts ---
HOSTILE = [
    "'; DROP TABLE es.event; --",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "\u202eRTL\u2066 \u200b\ufeff",
    "é́́́́",
    "🧾👩‍👩‍👧‍👦",
    "\u0001\u0007\u001b[31m",
    "\\u0000 as text",
    "\r\n\tlines",
    "𠮷野家 龘 〇",
    '"quoted" \\ /',
    "",
    " ",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_text_is_kept_as_it_was_sent(api: Api, text: str) -> None:
    said = {
        "by": AGENT,
        "data": {
            "facts": {"content": text, "subject": text, "category": text, "place": text},
            "complainant": text or "x",
            "contact": {"email": text},
        },
    }
    case = await api.received(said)
    for reason in ("resolve", "reopen"):
        await api.command(case, reason, reason=text)
    shown = ok(await api.get(f"/v1/complaints/{case}")).json()
    assert shown["facts"] == said["data"]["facts"]  # type: ignore[index]  # a table of tables
    assert shown["complainant"] == (text or "x")
    assert shown["contact"] == {"email": text}
    resolved = next(event for event in await api.history(case) if event["event"] == "complaint.resolved")
    assert resolved["data"]["reason"] == text


@pytest.mark.parametrize(
    ("text", "rule"), [("a\\u0000b", "U+0000"), ("\\ud800", "surrogate"), ("x\\udfff\\ud800", "surrogate")]
)
async def test_what_postgresql_cannot_hold_is_refused_wherever_it_stands(api: Api, text: str, rule: str) -> None:
    for content, field in (
        (f'{{"by": {{"person": "{text}", "role": "agent"}}}}', "by.person"),
        (told(f'{{"facts": {{"content": "{text}"}}}}'), "data.facts.content"),
        (told(f'{{"facts": {{"{text}": "x"}}}}'), "data.facts"),
        (told(f'{{"channel": "{text}"}}'), "data.channel"),
        (f'["{text}"]', "[0]"),
    ):  # fmt: skip
        refused = problem(await sent(api, content), 422, "text-refused")
        assert refused["field"] == field
        assert rule in refused["rule"]


async def test_a_text_may_be_as_long_as_the_limit_and_no_longer(api: Api) -> None:
    for text in ("x" * 100_000, "漏" * 100_000):
        case = await api.received({"by": AGENT, "data": {"facts": {"content": text}}})
        assert ok(await api.get(f"/v1/complaints/{case}")).json()["facts"]["content"] == text
        refused = problem(await sent(api, body(content=text + "x")), 422, "text-refused")
        assert refused["field"] == "data.facts.content"
        assert "100000" in refused["rule"]


@pytest.mark.parametrize("name", ["person", "role"])
async def test_a_name_is_no_novel(api: Api, name: str) -> None:
    said = {"by": {**AGENT, name: "x" * 201}, "data": {}}
    assert problem(await sent(api, json.dumps(said)), 422, "malformed")["field"] == f"by.{name}"


# --- bodies and headers ---
async def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(api: Api) -> None:
    read = 0

    async def chunks() -> Any:
        nonlocal read
        for _ in range(10):
            read += 2**20
            yield b" " * 2**20

    answer = await api.post(DESK, content=chunks(), headers={**JSON, "Content-Length": str(10 * 2**20)})
    assert problem(answer, 413, "too-large")["most"] == 2 * 2**20
    answer = await api.post(DESK, content=chunks(), headers=JSON)
    problem(answer, 413, "too-large")


async def test_the_limit_of_a_body_is_the_deployments() -> None:
    deployment = await Deployment(limits=Limits(body=3000)).opened()
    api = deployment.api("web")
    ok(await sent(api, body(content="x" * 2000)))
    assert problem(await sent(api, body(content="x" * 3000)), 413, "too-large")["most"] == 3000


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml", "json", ""],
)
async def test_another_kind_of_content_is_refused(api: Api, kind: str) -> None:
    answer = await api.post(DESK, content=body(content="x"), headers={"Content-Type": kind})
    assert problem(answer, 415, "wrong-content-type")["known"] == ["application/json"]


async def test_another_character_set_is_refused(api: Api) -> None:
    answer = await sent(api, body(content="x"), **{"Content-Type": "application/json; charset=gb18030"})
    problem(answer, 415, "wrong-charset")
    for kind in ("application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'):
        ok(await sent(api, body(content="x"), **{"Content-Type": kind}))


async def test_no_kind_of_content_is_refused_as_well(api: Api) -> None:
    request = api.build_request("POST", DESK, content=b"{}")
    assert "content-type" not in request.headers
    problem(await api.send(request), 415, "wrong-content-type")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ключ".encode(), b"\xff"])
async def test_a_key_that_is_no_plain_text_is_refused(api: Api, key: Any) -> None:
    answer = await api.post(DESK, json=RECEIPT, headers={"Idempotency-Key": key})
    assert problem(answer, 400, "bad-header")["field"] == "Idempotency-Key"


# --- routes ---
async def test_a_route_that_there_is_not_and_a_method_that_it_has_not_are_problems_too(api: Api) -> None:
    problem(await api.get("/"), 404, "no-such-route")
    problem(await api.get("/v1/complaints"), 404, "no-such-route")
    problem(await api.post("/v1/complaints/x/y/z", json={}), 404, "no-such-route")
    answer = await api.put("/v1/desks/plain", json={})
    problem(answer, 405, "no-such-method")
    assert answer.headers["allow"] == "GET"
    answer = await api.delete("/v1/desks")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}
    problem(answer, 405, "no-such-method")


async def test_a_desk_that_there_is_not_is_not_found(deployment: Deployment, api: Api) -> None:
    for desk in ("nowhere", "PLAIN", "x", "%2e%2e", "漏油", "a" * 300):
        problem(await api.receive(desk=desk), 404, "no-such-desk")
        problem(await deployment.api("operator").receive(desk=desk), 404, "no-such-desk")
        problem(await api.get(f"/v1/desks/{desk}"), 404, "no-such-desk")


@pytest.mark.parametrize(
    ("query", "field"),
    [("after=-1", "after"), ("after=x", "after"), ("limit=0", "limit"), ("limit=1001", "limit"), ("after=1e9", "after"),
     ("limit=99999999999999999999999", "limit"), ("after=9223372036854775808", "after")],
)  # fmt: skip
async def test_a_page_that_there_cannot_be_is_refused(api: Api, query: str, field: str) -> None:
    case = await api.received()
    refused = problem(await api.get(f"/v1/complaints/{case}/events?{query}"), 422, "malformed")
    assert refused["field"] == field


async def test_nothing_that_was_refused_left_anything_behind(deployment: Deployment, api: Api) -> None:
    head = await deployment.store.head()
    for content in (b"{", b"\xff", body(content=7).encode(), body(colour="x").encode(), b'{"by": {}}'):
        assert (await sent(api, content, **{"Idempotency-Key": "k"})).status_code >= 400
    assert await deployment.store.head() == head
    assert ok(await api.receive(key="k")).status_code == 201


async def test_a_refusal_quotes_no_personal_value(api: Api) -> None:
    answer = await sent(api, json.dumps({"by": AGENT, "data": {"facts": {"content": ["secret"]}, "complainant": 7}}))
    assert "secret" not in answer.text
