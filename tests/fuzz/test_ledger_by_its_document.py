"""The read side is asked whatever its own OpenAPI document allows, and what it does not: never a fault of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.contracts.ledger_world import World, world

EXAMPLES = 12
"""For each operation, of what is allowed and of what is not."""
OPERATIONS = [
    "register", "work", "escalations", "duties", "reports", "report", "case_file", "proof", "export", "checkpoints",
    "latest_checkpoint", "checkpoint", "consistency", "forms", "form_entries", "case_forms",
]  # fmt: skip
ENDLESS = ["stream"]
NOTHING_TO_GET_WRONG = ["checkpoint", "latest_checkpoint"]
ANSWERS = {200, 304, 400, 403, 404, 405, 422}

Case = Any  # schemathesis's own is generic over what it does not say


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("ledger")
    async with world(database_url, kafka_bootstrap_servers, topic_prefix, data) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def case(deployed: World) -> str:
    found = await deployed.receive()
    await deployed.settled()
    return found


async def document(deployed: World) -> dict[str, Any]:
    found: dict[str, Any] = await deployed.got("/openapi.json")
    return found


def requests_of(schema: Any, operation: str, mode: GenerationMode, known: dict[str, str], url: str) -> list[Any]:
    """What would be sent, mostly about a complaint and a desk that there are; made beforehand, always the same."""
    made: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=schema.find_operation_by_id(operation).as_strategy(generation_mode=mode),
        there=st.sampled_from([True, True, True, False]),
    )
    def make(case: Case, there: bool) -> None:
        if there:
            case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
        made.append(requests.Request(**case.as_transport_kwargs(base_url=url)).prepare())

    make()
    return made


ASKED = [
    *((operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
    *((operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation not in NOTHING_TO_GET_WRONG),
]


@pytest.mark.parametrize(("operation", "mode"), ASKED)
async def test_whatever_is_asked_the_answer_is_no_fault_of_ours(
    deployed: World, case: str, operation: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(await document(deployed))
    known = {
        "complaint": case,
        "desk": "plain",
        "owe": "monthly_report",
        "period": "2026-01",
        "size": "1",
        "form": "case_file",
    }
    made = requests_of(schema, operation, mode, known, deployed.ledger.url)
    async with deployed.reader() as client:
        for one in made:
            answer = await client.request(one.method, one.url, headers=dict(one.headers))
            assert answer.status_code in ANSWERS, (one.url, answer.status_code, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith(("application/problem+json", "text/html"))


async def test_every_operation_of_the_document_is_tried(deployed: World) -> None:
    paths = (await document(deployed))["paths"]
    assert sorted(OPERATIONS + ENDLESS) == sorted(op["operationId"] for path in paths.values() for op in path.values())


@pytest.mark.parametrize(
    "query",
    [
        "text=%00", "text=a%00b", "status=%00", "assignee=%00", "fact.subject=%00", "fact.%00=x", "fact.=x",
        "fact.subject=%22", "fact.subject=%ED%A0%80", "text=%ff%fe", "text=" + "9" * 5000, "fact.subject=" + "[" * 3000,
        "fact.n=1e999", "fact.n=NaN", "limit=99999999999999999999", "limit=-1", "after=%00", "after=WzFd",
        "after=bnVsbA", "received_from=0001-01-01T00:00:00%2B14:00", "due_before=9999-12-31T23:59:59-14:00",
        "order=sideways", "overdue=perhaps", "nonsense=1", "person=%00", "role=%00", "text=%27%3B--",
    ],
)  # fmt: skip
async def test_a_hostile_filter_is_answered_or_refused_by_name(deployed: World, query: str) -> None:
    answer = await deployed.read(f"/v1/desks/plain/register?{query}")
    assert answer.status_code in {200, 403, 422}, answer.text
    if answer.status_code == 422:
        assert answer.json()["field"]
        assert answer.json()["rule"]
