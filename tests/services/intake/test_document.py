"""The OpenAPI document says what the API takes and gives."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from complaints.commands import COMMAND_TYPES, SERVICE_COMMANDS, Sender, data_of, from_wire
from complaints.desk_requests import DeskChange, OpenDesk, convert
from intake.examples import EXAMPLES, OPENING, PERSON_JOINS
from tests.services.intake.deployment import MONDAY, Api, Deployment, ok

PUBLIC = sorted(COMMAND_TYPES.keys() - SERVICE_COMMANDS)


@pytest.fixture
def document(deployment: Deployment) -> dict[str, Any]:
    return deployment.app.openapi()


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = [op for path in document["paths"].values() for op in path.values() if op["operationId"] == name]
    assert len(found) == 1, name
    return dict(found[0])


def valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value under a schema of the document."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "components": document["components"]}
    return [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(value)]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_command_has_its_own_operation_with_its_own_body(document: dict[str, Any], name: str) -> None:
    body = operation(document, name)["requestBody"]["content"]["application/json"]
    assert valid(document, body["schema"], body["example"]) == []
    assert body["example"] == EXAMPLES[name]
    assert valid(document, body["schema"], {**body["example"], "colour": 1})
    assert valid(document, body["schema"], {**body["example"], "data": {"colour": 1}})
    data = {**body["example"]["data"], "id": "x"}
    assert valid(document, body["schema"], {**body["example"], "data": data})


@pytest.mark.parametrize("name", sorted(SERVICE_COMMANDS))
def test_what_only_services_send_is_not_in_the_document(document: dict[str, Any], name: str) -> None:
    assert name not in {op["operationId"] for path in document["paths"].values() for op in path.values()}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_example_is_a_command(name: str) -> None:
    example = EXAMPLES[name]
    command = from_wire(
        name, example["data"], id=uuid4(), complaint=str(uuid4()), at=MONDAY, by=Sender(**example["by"])
    )
    said = data_of(command)
    assert said.keys() >= {field for field, value in example["data"].items() if value}


def test_the_examples_of_desks_are_requests() -> None:
    convert(OPENING, OpenDesk, at="")
    convert(PERSON_JOINS, DeskChange, at="")


async def test_the_example_of_a_desk_opens_one_and_the_example_of_a_complaint_is_received_there(
    deployment: Deployment,
) -> None:
    operator = deployment.api("operator")
    ok(await operator.post("/v1/desks", json=OPENING))
    ok(await operator.post("/v1/desks/garage/events", json=PERSON_JOINS))
    ok(await operator.receive(EXAMPLES["receive"], desk="garage"))


async def test_what_is_answered_is_what_the_document_says(
    api: Api, deployment: Deployment, document: dict[str, Any]
) -> None:
    case = await api.received()
    reads = {
        "get-complaint": f"/v1/complaints/{case}",
        "get-events": f"/v1/complaints/{case}/events",
        "get-clocks": f"/v1/complaints/{case}/clocks",
        "get-steps": f"/v1/complaints/{case}/steps",
        "list-desks": "/v1/desks",
        "get-desk": "/v1/desks/plain",
        "get-duties": "/v1/desks/plain/duties",
        "list-packs": "/v1/packs",
        "get-pack": "/v1/packs/00-plain-desk",
    }
    for name, path in reads.items():
        schema = operation(document, name)["responses"]["200"]["content"]["application/json"]["schema"]
        assert valid(document, schema, ok(await api.get(path)).json()) == [], name
    for name, answer in (
        ("receive", await api.receive()),
        ("resolve", await api.command(case, "resolve")),
        ("record-step", await api.command(case, "record-step", step="nothing")),
    ):
        said = operation(document, name)["responses"][str(answer.status_code)]
        if "$ref" in said:
            said = document["components"]["responses"][said["$ref"].rpartition("/")[2]]
        (content,) = said["content"].values()
        assert valid(document, content["schema"], answer.json()) == [], name


def test_the_document_names_every_header_that_counts(document: dict[str, Any]) -> None:
    for name in PUBLIC:
        headers = {one["name"] for one in operation(document, name)["parameters"] if one["in"] == "header"}
        assert headers == {"Idempotency-Key", "If-Match", "X-Correlation-ID"}
