"""A desk as the fold of its events, and what it lets be changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from complaints.calendar_spec import DEFAULT_CALENDAR
from complaints.desk_checks import Issued, World
from complaints.desk_events import DESK_EVENT_TYPES, PersonAbsent, PersonJoined, PersonLeft, WarningSet, person_of
from complaints.desk_keys import key_hash, key_parts, key_token
from complaints.desk_packs import pack_of
from complaints.desk_requests import REQUESTS, DeskChange, OpenDesk, convert
from complaints.desk_rules import changing, opening
from complaints.desk_view import DeskView, QuietHours, Webhook
from complaints.desks import FixedDesks, simulated
from complaints.errors import Malformed, PackRefused, RedressError, Rejected, Unknown
from complaints.identity import OPERATOR, desk_stream, duties_stream, is_desk, service_command_id
from complaints.procedure.library import packs
from complaints.sla import Warn

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
KEY = Issued(id="0a1b2c3d", token=key_token("demo", "0a1b2c3d", "s_e-cret"))
WORLD = World(pack=pack_of, key=KEY)
CALENDAR: dict[str, Any] = msgspec.to_builtins(DEFAULT_CALENDAR)
PLAIN = packs()["00-plain-desk"]

OPEN: dict[str, Any] = {
    "desk": "demo",
    "title": "示范投诉台",
    "pack": "00-plain-desk",
    "calendar": CALENDAR,
    "departments": [{"department": "service", "title": "客服部", "roles": ["agent"]}],
    "people": [
        {
            "person": "an",
            "name": "安",
            "roles": ["agent"],
            "department": "service",
            "email": "an@example.org",
            "on_call": 2,
        },
        {"person": "lei", "roles": ["desk_lead"], "on_call": 1},
    ],
    "fallback": "unassigned",
}


def opened(**other: Any) -> DeskView:
    _, view = opening(convert({**OPEN, **other}, OpenDesk, at=""), AT, WORLD)
    return view


def changed(view: DeskView, event: str, **data: Any) -> DeskView:
    _, after = changing(view, DeskChange(event=f"desk.{event}", data=data), AT, WORLD)
    return after


def refused(view: DeskView, event: str, **data: Any) -> RedressError:
    with pytest.raises(RedressError) as caught:
        changed(view, event, **data)
    return caught.value


# --- opening ---
def test_a_desk_opens_with_all_that_it_needs_to_take_complaints() -> None:
    view = opened()

    assert (view.desk, view.title, view.timezone, view.version) == ("demo", "示范投诉台", "Asia/Shanghai", 7)
    assert (view.procedure.id, view.pack.digest if view.pack else None) == ("00-plain-desk", PLAIN.digest)
    assert view.calendar_version == "default.1"
    assert view.calendar.spec.version == "default.1"
    assert [person.person for person in view.directory.of_role("agent")] == ["an"]
    assert view.directory.people["lei"].name == "lei"
    assert view.fallback is not None
    assert view.fallback.queue == "unassigned"
    assert not view.open_directory


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"desk": "D"}, "desk"),
        ({"desk": OPERATOR}, "desk"),
        ({"desk": "a/../b"}, "desk"),
        ({"title": ""}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"timezone": "Moon/Sea"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"locale": "fr"}, "locale"),
        ({"pack": None}, "pack"),
        ({"pack": "00-plain-desk", "text": "x"}, "pack"),
        ({"calendar": {**CALENDAR, "weekly": {}}}, "calendar.weekly"),
        ({"calendar": {**CALENDAR, "timezone": "Europe/Berlin"}}, "calendar.timezone"),
        ({"calendar": {}}, "calendar.id"),
        ({"people": [{"person": "an", "roles": ["king"]}]}, "people[0].roles[0]"),
        ({"people": [{"person": "system"}]}, "people[0].person"),
        ({"people": [{"person": "an"}, {"person": "li", "email": "no"}]}, "people[1].email"),
        ({"departments": [{"department": "x"}]}, "departments[0].title"),
        ({"departments": [{"department": "x", "title": "y", "z": 1}]}, "departments[0].z"),
    ],
)
def test_a_desk_that_cannot_work_is_not_opened_and_the_field_is_named(other: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as caught:
        opened(**other)
    assert caught.value.field == field


def test_a_desk_with_an_unknown_pack_is_not_opened() -> None:
    with pytest.raises(Rejected) as caught:
        opened(pack="99-none")
    assert caught.value.code == "no-such-pack"
    assert "00-plain-desk" in caught.value.data["packs"]


def test_a_pack_may_come_as_a_text_and_is_refused_with_line_and_column() -> None:
    assert opened(pack=None, text=PLAIN.text).procedure.id == "00-plain-desk"
    with pytest.raises(PackRefused) as caught:
        opened(pack=None, text=PLAIN.text.replace("retention:", "retentoin:"))
    assert caught.value.line > 1


def test_a_desk_opens_only_when_it_has_set_what_its_procedure_leaves_it_to_set() -> None:
    text = PLAIN.text.replace("pack:\n", "pack:\n  must-answer: [escalate.within]\n", 1)
    with pytest.raises(Rejected) as caught:
        opened(pack=None, text=text)
    assert (caught.value.code, caught.value.data) == ("not-stated", {"places": ["escalate.within"]})
    view = opened(pack=None, text=text, answers={"escalate.within": "1 h elapsed"})
    other = refused(view, "answer-withdrawn", place="escalate.within")
    assert isinstance(other, Rejected)
    assert other.code == "not-stated"


# --- the procedure and its open places ---
def slip(**answers: Any) -> DeskView:
    return opened(pack="04-auto-repair-feedback-slip", answers=answers, people=[], departments=[])


def test_a_reading_is_chosen_from_those_that_the_pack_offers() -> None:
    view = changed(slip(), "reading-chosen", place="hours.answer", value="working")

    assert view.procedure.questions["hours"] == "working"
    assert "hours.answer" in view.procedure.answered
    assert slip().procedure.questions["hours"] == "elapsed"
    other = refused(slip(), "reading-chosen", place="hours.answer", value="lunar")
    assert isinstance(other, Malformed)
    assert other.field == "data.value"


def test_only_open_places_are_answered_and_each_in_its_own_way() -> None:
    places = slip().procedure.places
    silent = next(name for name, place in places.items() if place.kind != "reading")

    assert refused(slip(), "parameter-set", place="nowhere.within", value="1 h").code == "no-such-place"
    assert isinstance(refused(slip(), "parameter-set", place="hours.answer", value="working"), Malformed)
    assert isinstance(refused(slip(), "reading-chosen", place=silent, value="1 h"), Malformed)


def test_an_answer_is_withdrawn() -> None:
    view = slip(**{"hours.answer": "working"})

    assert changed(view, "answer-withdrawn", place="hours.answer").procedure.questions["hours"] == "elapsed"
    assert refused(slip(), "answer-withdrawn", place="hours.answer").code == "no-such-answer"


def test_a_pack_whose_version_was_seen_with_other_content_is_refused() -> None:
    refusal = refused(opened(), "pack-adopted", text=PLAIN.text + "\n# another remark\n")

    assert refusal.code == "pack-was-changed"


def test_another_pack_brings_its_own_answers_or_keeps_those_in_force() -> None:
    view = slip(**{"hours.answer": "working"})

    kept = changed(view, "pack-adopted", pack="04-auto-repair-feedback-slip")
    other = changed(view, "pack-adopted", pack="00-plain-desk", answers={})

    assert kept.answers == {"hours.answer": "working"}
    assert (other.procedure.id, other.answers) == ("00-plain-desk", {})
    with pytest.raises(PackRefused):
        changed(view, "pack-adopted", pack="00-plain-desk")  # it leaves nothing open at hours.answer


# --- calendars ---
def test_every_calendar_version_ever_published_is_kept_by_name() -> None:
    view = changed(opened(), "calendar-published", calendar={**CALENDAR, "holidays": ["2026-10-01"]})

    assert view.calendar_version == "default.2"
    assert list(view.calendars) == ["default.1", "default.2"]
    named = changed(view, "calendar-published", calendar={**CALENDAR, "version": "2027"})
    assert named.calendar_version == "2027"
    assert (
        refused(named, "calendar-published", calendar={**CALENDAR, "version": "2027"}).code == "calendar-version-taken"
    )


# --- people ---
def test_what_is_said_of_a_person_is_changed_and_the_rest_stays() -> None:
    view = changed(opened(), "person-changed", person="an", weight=0.5, email=None)

    person = view.directory.people["an"]
    assert (person.name, person.weight, person.email, person.department) == ("安", 0.5, None, "service")


def test_who_left_is_still_known_by_name_and_acts_no_more() -> None:
    view = changed(opened(), "person-left", person="an")

    assert view.directory.get("an") is None
    former = view.directory.ever("an")
    assert former is not None
    assert former.name == "安"
    with pytest.raises(Rejected):
        view.may_act("an", "agent", AT)
    assert changed(view, "person-joined", person="an", roles=["head"]).directory.people["an"].roles == {"head"}


def test_a_deputy_holds_the_roles_of_who_is_away_for_as_long() -> None:
    begins, ends = AT + timedelta(days=1), AT + timedelta(days=2)
    view = changed(
        opened(), "person-absent", person="lei", begins_at=begins.isoformat(), ends_at=ends.isoformat(), deputy="an"
    )

    view.may_act("an", "desk_lead", begins)
    for at in (AT, ends):
        with pytest.raises(Rejected) as caught:
            view.may_act("an", "desk_lead", at)
        assert caught.value.code == "not-your-role"
    assert view.directory.of_role("desk_lead", at=begins) == ()
    assert [person.person for person in view.directory.of_role("desk_lead", at=ends)] == ["lei"]
    back = changed(view, "person-returned", person="lei")
    assert [person.person for person in back.directory.of_role("desk_lead", at=begins)] == ["lei"]


def test_the_on_call_path_has_its_order_and_leaves_out_who_is_away() -> None:
    view = opened()
    away = changed(view, "person-absent", person="lei", begins_at=AT.isoformat())

    assert [person.person for person in view.directory.on_call(AT)] == ["lei", "an"]
    assert [person.person for person in away.directory.on_call(AT)] == ["an"]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("person-joined", {"person": "an"}, "already-there"),
        ("person-joined", {"person": "li", "department": "none"}, "no-such-department"),
        ("person-joined", {"person": "li", "weight": 0}, "malformed"),
        ("person-joined", {"person": "li", "on_call": 0}, "malformed"),
        ("person-joined", {"person": " li"}, "malformed"),
        ("person-joined", {"person": "li\n"}, "malformed"),
        ("person-joined", {"person": "x" * 101}, "malformed"),
        ("person-joined", {"person": "li", "language": "fr"}, "not-a-choice"),
        ("person-joined", {"person": "li", "channels": {"": "x"}}, "malformed"),
        ("person-joined", {"name": "李"}, "malformed"),
        ("person-joined", {"person": 5}, "malformed"),
        ("person-changed", {"person": "li"}, "no-such-person"),
        ("person-changed", {"person": "an", "roles": ["king"]}, "no-such-role"),
        ("person-left", {"person": "li"}, "no-such-person"),
        ("person-left", {"person": "an", "at": "2026-01-01T00:00:00Z"}, "malformed"),
        ("person-absent", {"person": "an", "begins_at": "2026-03-02T00:00:00"}, "malformed"),
        ("person-absent", {"person": "an", "begins_at": "soon"}, "malformed"),
        (
            "person-absent",
            {"person": "an", "begins_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-01T00:00:00Z"},
            "malformed",
        ),
        ("person-absent", {"person": "an", "begins_at": "2026-03-02T00:00:00Z", "deputy": "an"}, "malformed"),
        ("person-absent", {"person": "an", "begins_at": "2026-03-02T00:00:00Z", "deputy": "li"}, "no-such-person"),
        ("department-set", {"department": "x", "title": "y", "head": "li"}, "no-such-person"),
        ("department-removed", {"department": "service"}, "department-has-people"),
        ("department-removed", {"department": "none"}, "no-such-department"),
        ("fallback-set", {"queue": ""}, "malformed"),
        ("alerts-set", {"roles": ["king"]}, "no-such-role"),
        ("alerts-set", {"people": ["li"]}, "no-such-person"),
        ("key-issued", {"frontend": "web", "scopes": ["operate"]}, "not-a-choice"),
        ("key-issued", {"frontend": "web", "scopes": []}, "malformed"),
        ("key-issued", {"frontend": "web", "roles": ["king"]}, "no-such-role"),
        ("key-revoked", {"key": "none"}, "no-such-key"),
        ("warning-set", {"clock": "none", "shares": [0.5]}, "no-such-clock"),
        ("warning-set", {"clock": "answer", "shares": [1.0]}, "malformed"),
        ("warning-set", {"clock": "answer", "minutes_before": [0]}, "malformed"),
        ("quiet-hours-set", {"begins": "22:00"}, "malformed"),
        ("quiet-hours-set", {"begins": "25:00", "ends": "06:00"}, "malformed"),
        ("quiet-hours-set", {"begins": "22:00", "ends": "22:00"}, "malformed"),
        ("webhook-added", {"name": "crm", "url": "ftp://x"}, "malformed"),
        ("webhook-added", {"name": "crm", "url": "https://"}, "malformed"),
        ("webhook-added", {"name": "crm", "url": "https://x:port/"}, "malformed"),
        ("webhook-added", {"name": "crm", "url": "https://x/\n"}, "malformed"),
        ("webhook-added", {"name": "crm", "url": "https://x", "events": ["no.such"]}, "malformed"),
        ("webhook-removed", {"name": "crm"}, "no-such-webhook"),
        ("limits-set", {"oldest_days": -1}, "malformed"),
        ("limits-set", {"skew_seconds": 3601}, "malformed"),
        ("described", {}, "malformed"),
        ("described", {"locale": "xx"}, "not-a-choice"),
        ("opened", {"desk": "demo"}, "no-such-event"),
        ("exploded", {}, "no-such-event"),
    ],
)
def test_what_makes_no_sense_is_refused(event: str, data: dict[str, Any], code: str) -> None:
    assert refused(opened(), event, **data).code == code


# --- settings ---
def test_warnings_are_asked_for_by_clock_or_for_all() -> None:
    view = changed(opened(), "warning-set", clock="*", shares=[0.8])
    view = changed(view, "warning-set", clock="answer", minutes_before=[60])

    assert view.warnings_for("silence") == (Warn(share=0.8),)
    assert view.warnings_for("answer") == (Warn(before=timedelta(hours=1)),)
    assert changed(view, "warning-set", clock="*").warnings_for("silence") == ()


@pytest.mark.parametrize(
    ("begins", "ends", "wall", "quiet"),
    [
        ("22:00", "06:00", "23:00", True),
        ("22:00", "06:00", "05:59", True),
        ("22:00", "06:00", "06:00", False),
        ("12:00", "14:00", "12:00", True),
        ("12:00", "14:00", "11:59", False),
    ],
)
def test_quiet_hours_are_wall_time_and_may_cross_midnight(begins: str, ends: str, wall: str, quiet: bool) -> None:
    view = changed(opened(), "quiet-hours-set", begins=begins, ends=ends)
    hours, minutes = map(int, wall.split(":"))
    at = datetime(2026, 3, 2, hours, minutes, tzinfo=ZoneInfo("Asia/Shanghai"))

    assert view.quiet_hours == QuietHours(time.fromisoformat(begins), time.fromisoformat(ends))
    assert view.quiet_hours.covers(at.astimezone(UTC), view.zone) is quiet
    assert changed(view, "quiet-hours-set").quiet_hours is None


def test_a_webhook_added_again_gets_another_secret() -> None:
    view = changed(opened(), "webhook-added", name="crm", url="https://crm.example/hook", events=["clock.*"])
    again = changed(view, "webhook-added", name="crm", url="https://crm.example/hook")

    assert (view.webhooks["crm"].generation, again.webhooks["crm"].generation) == (1, 2)
    assert changed(again, "webhook-removed", name="crm").webhooks == {}


@pytest.mark.parametrize(
    ("events", "event", "wanted"),
    [
        ((), "clock.breached", True),
        (("clock.*",), "clock.breached", True),
        (("clock.*",), "clockwork.done", False),
        (("complaint.closed",), "complaint.closed", True),
        (("complaint.closed",), "case.closed", False),
    ],
)
def test_a_webhook_is_told_what_it_asked_for(events: tuple[str, ...], event: str, wanted: bool) -> None:
    assert Webhook(name="crm", url="https://x", events=events).wants(event) is wanted


def test_the_limits_that_are_not_said_stay() -> None:
    view = changed(changed(opened(), "limits-set", oldest_days=30), "limits-set", skew_seconds=10)

    assert (view.limits.oldest, view.limits.skew) == (timedelta(days=30), timedelta(seconds=10))


# --- keys ---
def test_a_key_opens_what_it_was_issued_for_until_it_is_revoked() -> None:
    view = changed(opened(), "key-issued", frontend="web", roles=["agent"], scopes=["write"])

    principal = view.authenticate(KEY.token)
    assert (principal.desk, principal.frontend, principal.key) == ("demo", "web", KEY.id)
    assert (principal.may("write"), principal.may("read")) == (True, False)
    assert (principal.may_name("agent"), principal.may_name("desk_lead")) == (True, False)
    assert (principal.sees("demo"), principal.sees("other")) == (True, False)
    with pytest.raises(Unknown):
        changed(view, "key-revoked", key=KEY.id).authenticate(KEY.token)


@pytest.mark.parametrize(
    "token",
    ["", "rk_", "rk_demo_0a1b2c3d_", KEY.token + "x", "rk_other_0a1b2c3d_s_e-cret", "\ud800", "rk_demo_ffffffff_x"],
)
def test_nothing_else_opens_it(token: str) -> None:
    view = changed(opened(), "key-issued", frontend="web")

    with pytest.raises(Unknown) as caught:
        view.authenticate(token)
    assert caught.value.code == "no-such-key"


def test_of_a_key_only_its_hash_is_kept() -> None:
    event, _ = changing(opened(), DeskChange(event="desk.key-issued", data={"frontend": "web"}), AT, WORLD)

    assert "s_e-cret" not in msgspec.json.encode(event).decode()
    assert key_hash(KEY.token) in msgspec.json.encode(event).decode()
    assert key_parts(KEY.token) == ("demo", KEY.id)


def test_operators_have_keys_and_nothing_else() -> None:
    view = DeskView(desk=OPERATOR, version=1, title="Operator", timezone="UTC")
    token = key_token(OPERATOR, "0a1b2c3d", "secret")
    world = World(pack=pack_of, key=Issued(id="0a1b2c3d", token=token))
    change = DeskChange(event="desk.key-issued", data={"frontend": "ops", "scopes": ["operate", "read"]})

    _, after = changing(view, change, AT, world)

    assert after.authenticate(token).sees("demo")
    assert refused(view, "person-joined", person="an").code == "not-for-operators"


# --- views ---
def test_without_people_whoever_sends_a_command_holds_the_role_it_names() -> None:
    view = opened(people=[])

    assert view.open_directory
    view.may_act("anybody", "desk_lead", AT)


def test_the_system_acts_in_its_own_name_only() -> None:
    opened().may_act("system", "system", AT)
    with pytest.raises(Rejected):
        opened().may_act("an", "system", AT)


async def test_views_at_hand_are_found_by_desk_and_version() -> None:
    desks = FixedDesks(
        [simulated(PLAIN.load(), DEFAULT_CALENDAR, [WarningSet(at=AT, clock="*", shares=(0.5,))], desk="demo")]
    )

    view = await desks.current("demo")
    assert view.warnings_for("answer") == (Warn(share=0.5),)
    assert view.calendar_version == "default"
    assert await desks.at("demo", 1) is view
    with pytest.raises(Unknown):
        await desks.current("other")


def test_every_change_can_be_asked_for_under_the_name_of_its_event() -> None:
    assert set(REQUESTS) == set(DESK_EVENT_TYPES) - {"desk.opened"}


def test_events_say_whose_personal_data_they_hold() -> None:
    assert person_of(PersonJoined(at=AT, person="an", name="安", roles=())) == "an"
    assert person_of(PersonLeft(at=AT, person="an")) is None
    assert person_of(PersonAbsent(at=AT, person="an", begins_at=AT)) is None


# --- names ---
@pytest.mark.parametrize(
    ("slug", "good"),
    [("demo", True), ("4s-shop", True), ("a", False), ("-a", False), ("A", False), ("a" * 41, False), ("ab\n", False)],
)
def test_a_desk_is_called_by_a_slug(slug: str, good: bool) -> None:
    assert is_desk(slug) is good


def test_ids_follow_from_names() -> None:
    assert len({desk_stream("demo"), duties_stream("demo"), desk_stream("other")}) == 3
    shanghai = AT.astimezone(ZoneInfo("Asia/Shanghai"))
    stream = desk_stream("demo")
    assert service_command_id(stream, "fire-timer", "answer", AT) == service_command_id(
        stream, "fire-timer", "answer", shanghai
    )
