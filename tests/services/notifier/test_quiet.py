"""When a message may go."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from complaints.desk_view import QuietHours
from notifier.quiet import ATTEMPTS, LONGEST, may_go_at, next_try

SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE = map(
    ZoneInfo, ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)
NIGHT = QuietHours(time(22), time(8))
LUNCH = QuietHours(time(12), time(13))


def wall(zone: ZoneInfo, text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "goes"),
    [
        (None, "2026-03-02 23:00", "2026-03-02 23:00"),
        (NIGHT, "2026-03-02 21:59:59", "2026-03-02 21:59:59"),
        (NIGHT, "2026-03-02 22:00", "2026-03-03 08:00"),
        (NIGHT, "2026-03-02 23:59:59", "2026-03-03 08:00"),
        (NIGHT, "2026-03-03 00:00", "2026-03-03 08:00"),
        (NIGHT, "2026-03-03 07:59:59", "2026-03-03 08:00"),
        (NIGHT, "2026-03-03 08:00", "2026-03-03 08:00"),
        (NIGHT, "2026-12-31 23:30", "2027-01-01 08:00"),
        (LUNCH, "2026-03-02 12:30", "2026-03-02 13:00"),
        (LUNCH, "2026-03-02 13:00", "2026-03-02 13:00"),
    ],
)
def test_a_message_waits_for_the_end_of_the_quiet_hours_it_falls_into(
    quiet: QuietHours | None, now: str, goes: str
) -> None:
    assert may_go_at(wall(SHANGHAI, now), quiet, SHANGHAI) == wall(SHANGHAI, goes)


def test_the_night_in_which_the_clock_is_put_forward_is_an_hour_shorter() -> None:
    begins, ends = wall(BERLIN, "2026-03-28 22:00"), wall(BERLIN, "2026-03-29 08:00")

    assert may_go_at(begins, NIGHT, BERLIN) == ends
    assert ends - begins == timedelta(hours=9)


def test_the_night_in_which_the_clock_is_put_back_is_an_hour_longer() -> None:
    begins, ends = wall(BERLIN, "2026-10-24 22:00"), wall(BERLIN, "2026-10-25 08:00")

    assert may_go_at(begins, NIGHT, BERLIN) == ends
    assert ends - begins == timedelta(hours=11)


def test_an_end_that_the_clock_skips_is_the_instant_of_the_jump() -> None:
    quiet = QuietHours(time(22), time(2, 30))
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)

    assert may_go_at(wall(BERLIN, "2026-03-28 23:00"), quiet, BERLIN) == jump
    assert may_go_at(jump - timedelta(seconds=1), quiet, BERLIN) == jump


def test_an_end_that_comes_twice_is_its_first_coming_after_now() -> None:
    quiet = QuietHours(time(22), time(2, 30))
    first, second = wall(BERLIN, "2026-10-25 02:30"), wall(BERLIN, "2026-10-25 02:30", fold=1)

    assert second - first == timedelta(hours=1)
    assert may_go_at(wall(BERLIN, "2026-10-24 23:00"), quiet, BERLIN) == first
    assert may_go_at(wall(BERLIN, "2026-10-25 02:10", fold=1), quiet, BERLIN) == second


def test_quiet_hours_are_the_desks_own_not_those_of_the_server() -> None:
    now = wall(SHANGHAI, "2026-03-02 23:00")  # ten in the morning in New York

    assert may_go_at(now, NIGHT, NEW_YORK) == now


times = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given a zone
    begins=times,
    ends=times,
    zone=st.sampled_from((SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE)),
)
@example(now=datetime(2026, 3, 29, 0, 30, tzinfo=UTC), begins=time(2, 45), ends=time(2, 40), zone=BERLIN)
@example(now=datetime(2026, 4, 4, 15, 10, tzinfo=UTC), begins=time(22), ends=time(1, 45), zone=LORD_HOWE)
def test_a_message_never_goes_in_quiet_hours_nor_before_now_nor_days_later(
    now: datetime, begins: time, ends: time, zone: ZoneInfo
) -> None:
    if begins == ends:
        return  # no desk has such hours: they would never end
    quiet = QuietHours(begins, ends)
    at = may_go_at(now, quiet, zone)

    assert at >= now
    assert not quiet.covers(at, zone)
    assert at - now <= timedelta(days=2)
    if not quiet.covers(now, zone):
        assert at == now


# --- again ---
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def waits(key: UUID) -> list[timedelta]:
    found = [next_try(NOW, attempts, key) for attempts in range(1, ATTEMPTS)]
    return [at - NOW for at in found if at is not None]


def test_each_wait_is_longer_than_the_one_before_until_the_longest() -> None:
    for key in (UUID(int=0), UUID(int=999), uuid4()):
        found = waits(key)
        assert len(found) == ATTEMPTS - 1
        assert found == sorted(found)
        assert timedelta(seconds=3) < found[0] < timedelta(seconds=7)
        assert found[-1] <= LONGEST * 1.25


def test_a_message_is_tried_for_most_of_a_day_and_then_given_up() -> None:
    assert timedelta(hours=14) < sum(waits(UUID(int=0)), timedelta()) < timedelta(hours=24)
    assert next_try(NOW, ATTEMPTS, uuid4()) is None


def test_what_failed_together_is_not_tried_together() -> None:
    keys = [UUID(int=number) for number in (0, 250, 500, 750)]

    assert len({next_try(NOW, 8, key) for key in keys}) == len(keys)
    assert next_try(NOW, 8, keys[1]) == next_try(NOW, 8, keys[1])
