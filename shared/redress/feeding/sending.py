"""Sends rows through the bulk API and keeps account of what became of each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import httpx
import msgspec

from complaints.errors import RedressError
from redress.feeding.rows import Row

LINES: Final = 200
"""In one request: few enough that its answer fits into what a connection buffers."""
AT_ONCE: Final = 3
SECONDS: Final = 120.0
EXAMPLES: Final = 3


class FeedFailed(RedressError):
    """The running system did not take the request itself."""

    code = "feed-failed"


@dataclass(slots=True)
class Account:
    """What became of the rows of a file; the first four add up to ``rows``."""

    rows: int = 0
    accepted: int = 0  # at least one command of the row was new, none was refused
    already: int = 0  # everything that it says was there
    refused: int = 0  # at least one command was refused
    silent: int = 0  # nothing that the procedure knows
    commands: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of refused commands
    examples: dict[str, list[str]] = field(default_factory=dict)  # cases, by reason
    remarks: Counter[str] = field(default_factory=Counter)  # of rows
    events: Counter[str] = field(default_factory=Counter)  # that the commands led to

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows == self.accepted + self.already + self.refused + self.silent

    def as_json(self, name: str) -> dict[str, Any]:
        """The account as an object."""
        return {
            "file": name,
            "rows": self.rows,
            "accepted": self.accepted,
            "already": self.already,
            "refused": self.refused,
            "silent": self.silent,
            "adds_up": self.adds_up,
            "commands": self.commands,
            "reasons": dict(self.reasons.most_common()),
            "examples": self.examples,
            "remarks": dict(self.remarks.most_common()),
            "events": dict(sorted(self.events.items())),
        }


async def send(
    http: httpx.AsyncClient, desk: str, rows: Iterable[Row], told: Callable[[Account], None] = lambda _: None
) -> Account:
    """Sends all rows. Those about one case go in order; a repeat of the whole changes nothing.

    Raises: FeedFailed.
    """
    account = Account()
    for wave in _waves(rows):
        parts = _spread(wave)
        answers = await asyncio.gather(*(_post(http, desk, part) for part in parts if part))
        for part, results in zip((part for part in parts if part), answers, strict=True):
            _settle(account, part, results)
        told(account)
    return account


Numbered = tuple[int, Row]


def _waves(rows: Iterable[Row]) -> Iterator[list[Numbered]]:
    numbered = enumerate(rows)
    while wave := list(islice(numbered, LINES)):
        yield wave


def _spread(wave: list[Numbered]) -> list[list[Numbered]]:
    """The rows of a wave for several requests at once: all rows of one case in the same, in order."""
    parts: list[list[Numbered]] = [[] for _ in range(AT_ONCE)]
    for number, row in wave:
        label = row.lines[0].complaint if row.lines else ""
        parts[sum(label.encode()) % AT_ONCE].append((number, row))
    return parts


async def _post(http: httpx.AsyncClient, desk: str, part: list[Numbered]) -> list[dict[str, Any]]:
    bodies = [line.body(f"{line.complaint}/{n}/{m}") for n, row in part for m, line in enumerate(row.lines)]
    if not bodies:
        return []
    content = b"".join(msgspec.json.encode(body) + b"\n" for body in bodies)
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await http.post("/v1/bulk", params={"desk": desk}, content=content, headers=headers)
    if not answer.is_success:
        raise FeedFailed(f"POST /v1/bulk answered {answer.status_code}: {answer.text[:500]}")
    results = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    if len(results) != len(bodies):
        raise FeedFailed(f"{len(bodies)} lines were sent and {len(results)} answered")
    return results


def _settle(account: Account, part: list[Numbered], results: list[dict[str, Any]]) -> None:
    answers = iter(results)
    for _, row in part:
        mine = list(islice(answers, len(row.lines)))
        account.rows += 1
        account.commands += len(mine)
        account.remarks.update(row.remarks)
        refused = [answer for answer in mine if "problem" in answer]
        for line, answer in zip(row.lines, mine, strict=True):
            if "problem" in answer:
                _refusal(account, line.command, line.complaint, answer["problem"])
            elif not answer.get("duplicate"):
                account.events.update(answer.get("events", ()))
        if not mine:
            account.silent += 1
            account.reasons[f"(says nothing) {row.silent}"] += 1
        elif refused:
            account.refused += 1
        elif all(answer.get("duplicate") for answer in mine):
            account.already += 1
        else:
            account.accepted += 1


def _refusal(account: Account, command: str, complaint: str, problem: dict[str, Any]) -> None:
    clause = problem.get("clause")
    reason = f"{command}: {problem['code']}" + (f" ({clause})" if clause else "")
    account.reasons[reason] += 1
    examples = account.examples.setdefault(reason, [])
    if len(examples) < EXAMPLES:
        examples.append(f"{complaint}: {problem['detail']}")
