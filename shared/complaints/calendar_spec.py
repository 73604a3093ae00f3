"""A calendar as it is written: its wire shape, and every rule that it must keep.

Source: design §3. A window is ``["09:00", "18:00"]``. One whose end is not after its start runs overnight and belongs
to the date it starts on; ``24:00`` is the midnight that ends a day. A date's windows are its ``extra_working_days``
entry, else none on a holiday, else its weekday's; a holiday does not cut the tail of the night before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta

from complaints.errors import Malformed
from complaints.wall_time import DAY, MINUTES_A_DAY, zone_of
from complaints.wire_errors import field_and_rule

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # in the order of date.weekday()
TIME_OF_DAY = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
RULE_OF_TIME = "must be a time of day HH:MM from 00:00 to 24:00"

ClockTime = Annotated[str, Meta(pattern=TIME_OF_DAY, description="HH:MM; 24:00 is the midnight that ends the day")]
Window = tuple[ClockTime, ClockTime]
Windows = tuple[Window, ...]
Minutes = tuple[int, int]  # of the date a window belongs to; an overnight window ends after minute 1440


class ExtraWorkingDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date with hours of its own: a weekend day worked (调休), or a half day."""

    date: date
    hours: Windows


class CalendarSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a desk's calendar. ``published_until``: later dates are not settled yet; None: nothing is open."""

    id: str
    version: str | None = None
    timezone: str
    weekly: dict[str, Windows]
    holidays: tuple[date, ...] = ()
    extra_working_days: tuple[ExtraWorkingDay, ...] = ()
    published_until: date | None = None


DEFAULT_CALENDAR = CalendarSpec(
    id="default",
    timezone="Asia/Shanghai",
    weekly=dict.fromkeys(WEEKDAYS[:5], (("09:00", "18:00"),)),
)


def _refused(field: str, rule: str) -> Malformed:
    """The error for a calendar that breaks a rule."""
    return Malformed(field, rule, code="calendar-refused")


def parse_calendar(raw: bytes | str | Mapping[str, object]) -> CalendarSpec:
    """A calendar from JSON text or from decoded JSON, with every rule checked.

    Raises:
        Malformed: names the field (``weekly.mon[0]``, ``holidays[3]``, ``timezone``) and the rule.
    """
    if isinstance(raw, bytes | str):
        try:
            raw = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _refused("calendar", f"must be JSON: {error}") from error
    if not isinstance(raw, Mapping):
        raise _refused("calendar", "must be a JSON object")
    try:
        spec = msgspec.convert(raw, CalendarSpec)
    except msgspec.ValidationError as error:
        raise _explained(str(error), raw) from error
    check(spec)
    return spec


def check(spec: CalendarSpec) -> None:
    """Refuse a calendar that breaks a rule; see ``Hours`` for those about windows."""
    if not spec.id:
        raise _refused("id", "must not be empty")
    try:
        zone_of(spec.timezone)
    except KeyError as error:
        raise _refused("timezone", f"must be an IANA time zone, not {spec.timezone!r}") from error
    Hours(spec)


class Hours:
    """Which windows each date has, as minutes of that date.

    Raises:
        Malformed: a window is no window, two overlap, a weekday is unknown, or no weekday has any. A calendar without
            recurring hours is refused even where single dates have some: its working time would come to an end.
    """

    def __init__(self, spec: CalendarSpec) -> None:
        self.weekly: list[tuple[Minutes, ...]] = [()] * 7
        for name, windows in spec.weekly.items():
            if name not in WEEKDAYS:
                raise _refused(f"weekly.{name}", f"must be one of {', '.join(WEEKDAYS)}")
            self.weekly[WEEKDAYS.index(name)] = _minutes(f"weekly.{name}", windows)
        if not any(self.weekly):
            raise _refused("weekly", "must have a window on at least one day; an empty calendar has no working time")
        for n, name in enumerate(WEEKDAYS):
            _keep_apart(f"weekly.{name}", self.weekly[n - 1], self.weekly[n])
        self.holidays = frozenset(spec.holidays)
        self.extra: dict[date, tuple[Minutes, ...]] = {}
        for n, entry in enumerate(spec.extra_working_days):
            place = f"extra_working_days[{n}]"
            if entry.date in self.extra:
                raise _refused(f"{place}.date", f"must not come twice: {entry.date}")
            if not entry.hours:
                raise _refused(f"{place}.hours", "must have a window; a date without working time is a holiday")
            self.extra[entry.date] = _minutes(f"{place}.hours", entry.hours)
        for n, entry in enumerate(spec.extra_working_days):
            place = f"extra_working_days[{n}].hours"
            if date.min < entry.date < date.max:
                _keep_apart(place, self.on(entry.date - DAY), self.on(entry.date))
                _keep_apart(place, self.on(entry.date), self.on(entry.date + DAY), "hours of the day after")

    def on(self, day: date) -> tuple[Minutes, ...]:
        """The windows of a date, sorted."""
        if (extra := self.extra.get(day)) is not None:
            return extra
        return () if day in self.holidays else self.weekly[day.weekday()]


def _minutes(field: str, windows: Windows) -> tuple[Minutes, ...]:
    """Windows as sorted minutes of their date, none of them over another."""
    parsed = []
    for n, (opens, closes) in enumerate(windows):
        start, end = _minute(f"{field}[{n}][0]", opens), _minute(f"{field}[{n}][1]", closes)
        if start == MINUTES_A_DAY:
            raise _refused(f"{field}[{n}][0]", "must be before 24:00, which can only end a window")
        parsed.append((start, end if end > start else end + MINUTES_A_DAY, n))
    for (_, end, first), (start, _, second) in pairwise(sorted(parsed)):
        if start < end:
            raise _refused(f"{field}[{second}]", f"must not overlap {_text(windows[first])} of the same day")
    return tuple(sorted((start, end) for start, end, _ in parsed))


def _minute(field: str, text: str) -> int:
    if re.fullmatch(TIME_OF_DAY, text) is None or len(text) != len("HH:MM"):  # $ lets a line end pass
        raise _refused(field, f"{RULE_OF_TIME}, not {text!r}")
    return int(text[:2]) * 60 + int(text[3:])


def _text(window: Window) -> str:
    return "–".join(window)


def _keep_apart(
    field: str, night: tuple[Minutes, ...], day: tuple[Minutes, ...], other: str = "overnight window of the day before"
) -> None:
    """Refuse a night that runs into the hours of the next day."""
    if night and day and night[-1][1] - MINUTES_A_DAY > day[0][0]:
        raise _refused(field, f"must not overlap the {other}")


def _explained(message: str, raw: object, under: str = "") -> Malformed:
    """The decoder's own error as field and rule."""
    field, rule = field_and_rule(message)
    if field.startswith("weekly[...]") and isinstance(raw, Mapping):  # it does not say which day: ask for each
        for name, windows in raw["weekly"].items():
            try:
                msgspec.convert(windows, Windows)
            except msgspec.ValidationError as error:
                return _explained(str(error), windows, f"weekly.{name}")
    if rule.startswith("Expected `str` matching regex"):
        rule = RULE_OF_TIME
    return _refused(f"{under}{field}" or "calendar", rule)
