"""Cycles of months: how their periods are named, and where each begins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

MONTHS: Final[Mapping[str, int]] = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
"""How long each is. The first begins with the year."""


def begins(cycle: str, day: date) -> bool:
    """Is this the first day of one?"""
    return day.day == 1 and (day.month - 1) % MONTHS[cycle] == 0


def period_of(cycle: str, day: date) -> str:
    """The name of the one in which a day lies: ``2026-03``, ``2026-Q1``, ``2026-H1``, ``2026``."""
    number = (day.month - 1) // MONTHS[cycle] + 1
    match cycle:
        case "month":
            return f"{day:%Y-%m}"
        case "quarter":
            return f"{day:%Y}-Q{number}"
        case "half-year":
            return f"{day:%Y}-H{number}"
        case _:
            return f"{day:%Y}"


def first_day(cycle: str, day: date) -> date:
    """The first day of the one in which a day lies."""
    return date(day.year, day.month - (day.month - 1) % MONTHS[cycle], 1)


def named(cycle: str, period: str) -> date:
    """The first day of the one that is named so."""
    year, _, number = period.partition("-")
    place = int(number.lstrip("QH") or 1)
    return date(int(year), (place - 1) * MONTHS[cycle] + 1, 1)
