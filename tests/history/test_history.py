from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from complaints.codec import decode
from complaints.registry import REGISTRY
from tests.history.samples import HERE, file_of, meaning, stored, usual

SAMPLES = [
    pytest.param(sample, id=f"{file.stem}-{place}")
    for file in sorted(HERE.glob("*.json"))
    for place, sample in enumerate(json.loads(file.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("name", "version"), REGISTRY.names())
def test_every_name_and_version_that_was_ever_stored_has_a_sample(name: str, version: int) -> None:
    assert file_of(name, version).exists()


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_loads_and_means_what_it_meant(sample: dict[str, Any]) -> None:
    recorded = decode(stored(sample))

    for part, fields in meaning(recorded).items():
        # A field that was added since then is not in the sample: it must mean what it means where nobody says it.
        assert fields == {**usual(recorded)[part], **sample["means"][part]}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_of_a_current_version_fits_its_schema(sample: dict[str, Any]) -> None:
    row = sample["stored"]
    kind = REGISTRY.type_of(row["type"])
    assert kind is not None
    if row["schema_version"] == kind.schema_version:
        validator = jsonschema_rs.Draft202012Validator(REGISTRY.schema(row["type"]))
        validator.validate(json.loads(row["data"]))
