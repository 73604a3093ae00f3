"""Log lines in JSON, one line a fact: ids and codes, never what a complaint says nor how to reach anybody.

A line is named like an event (``logger.info("relay.leads", extra={"shard": 0})``); its fields come from ``extra`` and
from ``context``. An exception becomes its type, its code and where it was raised. Its message is left out unless it can
only speak of servers: a message may quote the value that it complains of, and that value may be personal.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import extract_tb
from types import MappingProxyType
from typing import TextIO

import aiokafka.errors
import asyncpg

from complaints.adapters.telemetry import trace_id
from complaints.errors import Malformed, RedressError

_NONE: Mapping[str, object] = MappingProxyType({})
_fields: ContextVar[Mapping[str, object]] = ContextVar("log fields", default=_NONE)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST = 300

_SPEAK_OF_SERVERS = (OSError, TimeoutError, aiokafka.errors.KafkaError, ImportError)
"""Errors whose messages name hosts, topics and files, and nothing that somebody wrote."""

_LEAST = {
    "aiokafka": logging.INFO,  # at DEBUG it writes whole records
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "uvicorn": logging.WARNING,
}


@contextmanager
def context(**fields: object) -> Iterator[None]:
    """Every line below carries these fields; those of an outer context stay unless they are named again."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def set_up_logging(level: str, service: str, *, stream: TextIO | None = None) -> None:
    """Replaces whatever the root logger had by JSON lines on ``stream`` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(service))
    handler.addFilter(Sparse("aiokafka", every=30.0))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name, least in _LEAST.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level]))


class Sparse(logging.Filter):
    """Each place below a logger speaks once in ``every`` seconds: while a broker is away, its client never stops."""

    def __init__(self, logger: str, *, every: float) -> None:
        super().__init__(logger)
        self._every = every
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True  # not below that logger
        place = (record.pathname, record.lineno)
        if record.created - self._last.get(place, 0.0) < self._every:
            return False
        self._last[place] = record.created
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``event``, ``service``, ``logger``, then the line's own fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage()[:_LONGEST],
            "service": self._service,
            "logger": record.name,
        }
        if trace := trace_id():
            line["trace_id"] = trace
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line |= {name: _shown(value) for name, value in {**_fields.get(), **extra}.items()}
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def describe(error: BaseException) -> dict[str, object]:
    """What may be said of an error in a log: never a value that it quotes."""
    said: dict[str, object] = {"type": type(error).__name__}
    match error:
        case Malformed():
            said |= {"code": error.code, "field": error.field}
        case RedressError():
            said["code"] = error.code
        case asyncpg.PostgresError():  # its message and detail quote rows
            known = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
            said |= {name: value for name in known if (value := getattr(error, name, None))}
        case _ if isinstance(error, _SPEAK_OF_SERVERS):
            said["message"] = str(error)[:_LONGEST]
        case _:
            pass
    if frames := extract_tb(error.__traceback__):
        said["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        said["cause"] = describe(cause)
    if isinstance(error, BaseExceptionGroup):
        said["errors"] = [describe(inner) for inner in error.exceptions]
    return said


def _shown(value: object) -> object:
    """Numbers and flags as they are; anything else as text, cut so that no line carries a letter."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list | tuple):
        return json.loads(json.dumps(value, default=str, ensure_ascii=False)[:_LONGEST]) if _short(value) else "…"
    return str(value)[:_LONGEST]


def _short(value: object) -> bool:
    return len(json.dumps(value, default=str, ensure_ascii=False)) <= _LONGEST
