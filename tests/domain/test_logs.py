"""Log lines: what they say, and what they never say."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from complaints.adapters.logs import JsonLines, Sparse, context, describe
from complaints.errors import Malformed, Rejected

SECRET = "my neighbour's name is Wu"


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("routing"))
    logger = logging.getLogger("test_logs")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_fields_of_the_call_and_of_the_context(
    lines: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = lines
    with context(complaint="c1", correlation_id="x"), context(position=7):
        logger.info("case.seen", extra={"role": "cm"})
    logger.info("case.left")
    first, second = read(stream)
    assert {"complaint": "c1", "correlation_id": "x", "position": 7, "role": "cm"}.items() <= first.items()
    assert (first["event"], first["level"], first["service"]) == ("case.seen", "info", "routing")
    assert "complaint" not in second


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        Malformed("data.reason", SECRET),
        Rejected("step-held", "19:1", SECRET),
        asyncpg.UniqueViolationError(f"Key (name)=({SECRET}) already exists"),
        ExceptionGroup("several", [ValueError(SECRET)]),
    ],
)
def test_an_error_s_own_words_are_left_out_since_they_may_quote_a_person(
    lines: tuple[logging.Logger, io.StringIO], error: Exception
) -> None:
    logger, stream = lines
    try:
        raise error
    except type(error):
        logger.exception("work.failed")
    assert SECRET not in stream.getvalue()
    assert read(stream)[0]["error"]["type"] == type(error).__name__
    assert "test_logs.py" in stream.getvalue()


def test_an_error_says_its_code_its_field_and_what_caused_it() -> None:
    error = Malformed("data.step", "no such step", code="no-such-step")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    said = describe(error)
    assert (said["code"], said["field"]) == ("no-such-step", "data.step")
    assert said["cause"] == {"type": "ConnectionRefusedError", "message": "[Errno 111] Connection refused"}


def test_a_value_that_is_too_long_to_be_a_code_is_cut(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = lines
    logger.info("x", extra={"text": "长" * 5000, "things": ["长" * 5000], "few": [1, 2]})
    (line,) = read(stream)
    assert len(line["text"]) == 300
    assert line["things"] == "…"
    assert line["few"] == [1, 2]


def test_a_client_that_never_stops_complaining_is_heard_once_in_a_while() -> None:
    sparse = Sparse("aiokafka", every=30.0)

    def said(name: str, line: int, at: float) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "client.py", line, "no broker", (), None)
        record.created = at
        return sparse.filter(record)

    assert said("aiokafka.client", 1, at=1000.0)
    assert not said("aiokafka.client", 1, at=1029.0)
    assert said("aiokafka.client", 2, at=1029.0)
    assert said("aiokafka.client", 1, at=1031.0)
    assert said("complaints.x", 1, at=1031.0)
    assert said("complaints.x", 1, at=1031.0)
