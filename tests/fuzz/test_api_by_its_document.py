"""The API is sent what its own OpenAPI document allows, and what it does not: never a 500, always as documented.

The same cases in every run: so many for each operation, from a fixed seed.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from intake.cloud_events import BATCH, STRUCTURED
from intake.commands import CASE_COMMANDS, DESK_COMMANDS, RECEIVE
from intake.openapi import ANSWERS, LOOSE
from tests.services.intake.deployment import RECEIPT, Deployment, ok

EXAMPLES = 15
"""For each operation, of what is allowed and of what is not."""

OPERATIONS = [RECEIVE, *CASE_COMMANDS, *DESK_COMMANDS, *ANSWERS, *LOOSE, "bulk", "send-events"]

Case = Any  # schemathesis's own is generic over what it does not say

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PEOPLE = st.sampled_from([{"person": "an", "role": "agent"}, {"person": "lei", "role": "desk_lead"}, {"person": "x"}])
COMMANDS = st.sampled_from(["receive", "assign", "resolve", "close", "record-step", "record-facts", "fire-timer", "x"])
LABELS = st.sampled_from(["a", "b", "c", "\u0000", ""]) | st.text(max_size=5)
LINES = st.one_of(
    st.fixed_dictionaries(
        {"command": COMMANDS, "by": PEOPLE},
        optional={
            "complaint": LABELS,
            "data": st.just(RECEIPT["data"]) | JSON_VALUES,
            "key": LABELS,
            "desk": st.sampled_from(["plain", "staffed", "nowhere", ""]),
            "at": st.sampled_from(["2024-05-06T09:00:00+08:00", "2024-05-06T09:00:00", "9999-12-31T23:59:59Z", 7]),
            "if_version": st.integers(-1, 20) | JSON_VALUES,
        },
    ),
    JSON_VALUES,
)
EVENTS = st.fixed_dictionaries(
    {
        "specversion": st.sampled_from(["1.0", "0.3", 1]),
        "id": LABELS,
        "source": LABELS,
        "type": st.builds("redress.{}".format, COMMANDS) | st.text(max_size=10),
        "data": st.fixed_dictionaries({"by": PEOPLE}, optional={"data": JSON_VALUES}) | JSON_VALUES,
    },
    optional={"subject": LABELS, "desk": LABELS, "time": JSON_VALUES, "datacontenttype": st.text(max_size=10)},
)

schemathesis.openapi.media_type(
    "application/x-ndjson",
    st.lists(st.binary(max_size=40) | LINES.map(json.dumps).map(str.encode), max_size=8).map(b"\n".join),
)
schemathesis.openapi.media_type(STRUCTURED, (EVENTS | JSON_VALUES).map(json.dumps).map(str.encode))
schemathesis.openapi.media_type(BATCH, st.lists(EVENTS | JSON_VALUES, max_size=4).map(json.dumps).map(str.encode))


class Fuzzed:
    """A deployment with a case, its document, and an operator's key."""

    def __init__(self) -> None:
        self.deployment = Deployment()
        asyncio.run(self._open())
        self.headers = {"Authorization": f"Bearer {self.deployment.keys['operator']}"}
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", self.deployment.app, headers=self.headers)

    async def _open(self) -> None:
        await self.deployment.opened()
        api = self.deployment.api("web")
        self.case = ok(await api.receive()).json()["id"]


@pytest.fixture(scope="module")
def fuzzed() -> Fuzzed:
    return Fuzzed()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_sent_the_answer_is_one_that_the_document_knows(
    fuzzed: Fuzzed, operation: str, mode: GenerationMode
) -> None:
    """Mostly the request is for a complaint and a desk that there are."""
    known = {"complaint": fuzzed.case, "desk": "plain", "pack": "00-plain-desk"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=fuzzed.schema.find_operation_by_id(operation).as_strategy(generation_mode=mode),
        there=st.sampled_from([True, True, True, False]),
    )
    def run(case: Case, there: bool) -> None:
        if there:
            case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
        case.call_and_validate(checks=CHECKS, headers=fuzzed.headers)

    run()


def test_every_operation_of_the_document_is_tried(fuzzed: Fuzzed) -> None:
    paths = fuzzed.deployment.app.openapi()["paths"]
    assert sorted(OPERATIONS) == sorted(op["operationId"] for path in paths.values() for op in path.values())


@pytest.mark.parametrize("key", ["operator", "web", "importer", "portal"])
def test_whatever_lines_come_each_has_its_result_and_none_is_a_fault_of_ours(fuzzed: Fuzzed, key: str) -> None:
    async def sent(content: bytes) -> list[Any]:
        headers = {"Content-Type": "application/x-ndjson"}
        answer = ok(await fuzzed.deployment.api(key).post("/v1/bulk", content=content, headers=headers))
        return [json.loads(line) for line in answer.text.splitlines()]

    @settings(max_examples=50, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
    @given(lines=st.lists(st.binary(max_size=40) | LINES.map(json.dumps).map(str.encode), max_size=12))
    def run(lines: list[bytes]) -> None:
        whole = b"\n".join(lines)
        results = asyncio.run(sent(whole))
        assert [result["line"] for result in results] == [
            number for number, line in enumerate(whole.split(b"\n"), 1) if line.strip()
        ]
        assert {result["status"] for result in results} <= {200, 201, 400, 401, 403, 404, 409, 412, 413, 422}

    run()
