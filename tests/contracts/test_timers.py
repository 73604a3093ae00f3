"""The SLA monitor on real PostgreSQL and Kafka: what is due is fired once, whoever dies, and an auditor proves it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from complaints.adapters.kafka import CommandSender, Topics, open_producer
from complaints.adapters.service import utc_now
from complaints.identity import desk_stream, duties_stream
from intake.__main__ import build as intake
from intake.relay import build as relay
from sla_monitor import timers
from sla_monitor.__main__ import build as sla_monitor
from sla_monitor.auditor import Auditor
from sla_monitor.consumer import Projection
from sla_monitor.monitor import Monitor
from sla_monitor.timers import ARMED, Timer
from tests.contracts.bus import running
from tests.contracts.town import MONDAY, Town, until

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def town(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """With intake, relay and two monitors in one loop."""
    data = tmp_path_factory.mktemp("town")
    async with (
        Town.laid_out(database_url, kafka_bootstrap_servers, topic_prefix, data) as town,
        town.running(intake, relay, sla_monitor, sla_monitor),
    ):
        yield town


def twice(commands: Iterable[object]) -> dict[object, int]:
    """What was sent more than once."""
    return {what: n for what, n in Counter(commands).items() if n > 1}


# --- cases ---
async def test_a_limit_that_runs_out_is_breached_at_its_instant_however_late_that_is_noticed(town: Town) -> None:
    await town.open_desk("one")
    received = town.time
    complaint = await town.receive("one", "a")
    await town.later(received + HOUR)
    (breach,) = await town.happened(complaint, "clock.breached")
    assert (breach.clock, breach.at, breach.due_at) == ("acknowledge", received + HOUR, received + HOUR)
    await town.later(received + 30 * DAY)
    breaches = {each.clock: each for each in await town.happened(complaint, "clock.breached")}
    assert breaches.keys() == {"acknowledge", "assign", "answer", "directions"}
    assert all(each.at == each.due_at for each in breaches.values())


async def test_a_deadline_is_an_escalation_on_its_topic(town: Town) -> None:
    from tests.contracts.bus import everything_on

    await town.open_desk("topic")
    complaint = await town.receive("topic", "a")
    await town.later(HOUR)
    records = await everything_on(town.settings.kafka, Topics(town.settings.kafka.topic_prefix).escalations)
    ours = [record for record in records if record.key == str(complaint).encode()]
    assert len(ours) == 1
    assert b"clock.breached" in ours[0].value


async def test_what_was_done_in_time_is_never_fired(town: Town) -> None:
    await town.open_desk("done")
    complaint = await town.receive("done", "a")
    await town.settle()
    await town.send("done", complaint, "acknowledge", "system")
    await town.settle()
    rows = await town.pool.fetch("SELECT name FROM sla.timer WHERE stream = $1", complaint)
    assert {row["name"] for row in rows} == {"assign", "answer"}


async def test_a_pause_disarms_and_going_on_arms_anew(town: Town) -> None:
    await town.open_desk("pause")
    complaint = await town.receive("pause", "a")
    await town.settle()
    before = await _due(town, complaint, "answer")
    await town.send("pause", complaint, "record-facts", "lin/agent", facts={"waiting_for_customer": True})
    await town.settle()
    assert await _due(town, complaint, "answer") is None
    await town.later(DAY)
    await town.send("pause", complaint, "record-facts", "lin/agent", facts={"waiting_for_customer": False})
    await town.settle()
    after = await _due(town, complaint, "answer")
    assert before is not None
    assert after is not None
    assert after > before


async def _due(town: Town, stream: UUID, clock: str) -> datetime | None:
    query = "SELECT due_at FROM sla.timer WHERE stream = $1 AND kind = 'clock' AND name = $2"
    at: datetime | None = await town.pool.fetchval(query, stream, clock)
    return at


async def test_a_step_that_waits_opens_when_its_wait_is_over(town: Town) -> None:
    await town.open_desk("wait")
    complaint = await town.receive("wait", "a", facts={"wants_revisit": True})
    await town.send("wait", complaint, "record-step", "lin/agent", step="answer", facts={"answer_text": "x"})
    await town.settle()
    (scheduled,) = [e for e in await town.happened(complaint, "step.scheduled") if e.step == "revisit"]
    await town.later(scheduled.opens_at)
    opened = [e for e in await town.happened(complaint, "step.opened") if e.step == "revisit"]
    assert [e.at for e in opened] == [scheduled.opens_at]


async def test_the_desk_is_warned_before_a_limit_runs_out(town: Town) -> None:
    await town.open_desk("warned")
    await town.change("warned", "desk.warning-set", clock="answer", minutes_before=[60])
    complaint = await town.receive("warned", "a")
    await town.settle()
    due = await _due(town, complaint, "answer")
    assert due is not None
    await town.later(due - HOUR)
    (warned,) = await town.happened(complaint, "clock.warned")
    assert (warned.clock, warned.due_at, warned.clause) == ("answer", due, ["desk:warnings.answer"])


async def test_many_due_at_one_instant_all_go_out_and_none_twice_though_two_monitors_fire(town: Town) -> None:
    await town.open_desk("many")
    due = town.time + HOUR
    cases = set(await asyncio.gather(*(town.receive("many", f"c{n}") for n in range(300))))
    await town.later(due)
    breached = [e for case in cases for e in await town.happened(case, "clock.breached")]
    assert Counter(e.clock for e in breached) == {"acknowledge": 300}
    fired = [c for c in await town.commands("fire-timer") if UUID(c.complaint) in cases]
    assert len(fired) == 300
    assert twice(c.id for c in fired) == {}


async def test_an_imported_life_is_fired_when_nothing_more_is_told_of_its_past(town: Town) -> None:
    await town.open_desk("old")
    past = town.time - 100 * DAY
    complaint = await town.receive("old", "a", occurred_at=past, imported=True, at=past)
    await town.settle()
    assert await town.happened(complaint, "clock.breached") == []
    await town.send(
        "old", complaint, "record-step", "lin/agent", step="answer", facts={"answer_text": "x"}, at=past + HOUR
    )
    await town.settle()
    await town.later(timedelta(seconds=60))
    breaches = await town.happened(complaint, "clock.breached")
    assert [(e.clock, e.at) for e in breaches] == [("acknowledge", past + HOUR)]


async def test_records_that_come_again_and_late_change_nothing(town: Town) -> None:
    await town.settle()
    head, fired = await town.store.head(), len(await town.commands("fire-timer"))
    await town.published_again()

    async def published() -> bool:
        return bool(await town.pool.fetchval("SELECT pos FROM es.relay") == await town.store.head())

    await until(published)
    await town.settle()
    assert await town.store.head() == head
    assert len(await town.commands("fire-timer")) == fired


# --- the desk's duties, rounds, a new calendar ---
async def test_a_duty_opens_with_its_period_and_is_missed_at_its_date(town: Town) -> None:
    await town.later(MONDAY.replace(month=5, day=4))
    await town.open_desk("duties")
    await town.settle()
    assert await town.duties("duties", "duty.opened") == [], "the month had begun before the desk"
    await town.later(MONDAY.replace(month=6, day=30))
    opened = await town.duties("duties", "duty.opened")
    assert {(e.owe, e.period) for e in opened} == {("monthly_report", "2026-06"), ("monthly_review", "2026-06")}
    breached = await town.duties("duties", "duty.breached")
    assert {(e.owe, e.period, e.at) for e in breached} == {(e.owe, e.period, e.due_at) for e in opened}
    assert all(e.at.month == 5 for e in opened), "midnight in Shanghai is the evening before in UTC"


async def test_a_duty_that_was_done_is_not_missed(town: Town) -> None:
    await town.open_desk("done-duties")
    await town.later(MONDAY.replace(month=7, day=2))
    await town.send("done-duties", "desk", "record-duty", "lei/desk_lead", owe="monthly_report")
    await town.later(MONDAY.replace(month=7, day=20))
    breached = await town.duties("done-duties", "duty.breached")
    assert {(e.owe, e.period) for e in breached} == {("monthly_review", "2026-07")}


async def test_what_is_owed_from_the_start_is_open_once_the_procedure_is_adopted(town: Town) -> None:
    await town.open_desk("standing", "15-developer-group-crisis")
    await town.settle()
    opened = await town.duties("standing", "duty.opened")
    assert {(e.owe, e.period, e.due_at) for e in opened} >= {
        ("hotline", "always", None),
        ("statistics", "not-stated", None),
    }
    await town.change("standing", "desk.described", title="another")
    await town.change("standing", "desk.pack-adopted", pack="15-developer-group-crisis")
    await town.settle()
    assert len(await town.duties("standing", "duty.opened")) == len(opened)


async def test_a_duty_that_the_desk_has_no_more_does_not_open(town: Town) -> None:
    await town.open_desk("changed-duties")
    await town.settle()
    await town.change("changed-duties", "desk.pack-adopted", text=ROUND)
    await town.settle()
    armed = await town.pool.fetch(
        "SELECT name FROM sla.timer WHERE kind = 'opening' AND stream = $1", duties_stream("changed-duties")
    )
    assert list(armed) == []


async def test_a_round_opens_its_step_in_the_cases_that_it_is_for(town: Town) -> None:
    await town.later(MONDAY.replace(month=8, day=10))
    await town.open_desk("round", None, text=ROUND)
    pending = [await town.receive("round", f"p{n}", "x/cm", facts={"pending": True}) for n in range(3)]
    other = await town.receive("round", "o", "x/cm")
    closed = await town.receive("round", "c", "x/cm", facts={"pending": True})
    await town.send("round", closed, "record-step", "x/cm", step="end")
    await town.later(MONDAY.replace(month=9, day=4))
    for case in pending:
        (opened,) = [e for e in await town.happened(case, "step.opened") if e.step == "remind"]
        assert opened.period == "2026-09"
        (started,) = [e for e in await town.happened(case, "clock.started") if e.clock == "remind"]
        assert started.due_at == datetime.fromisoformat("2026-09-05T00:00:00+08:00")
    for case in (other, closed):
        assert [e for e in await town.happened(case, "step.opened") if e.step == "remind"] == []


ROUND = """\
pack: {id: rounds, version: 1, title: rounds, source: rounds.zh.md, in-force: not-stated}
milestones: {acknowledged: not-stated, assigned: not-stated, resolved: not-stated}
roles: [{role: cm, title: cm, clause: r}]
facts: [{fact: pending, clause: f, type: yes-no, starts-as: no}]
intake: [{channels: [any], clause: i, by: anyone}]
steps:
- part: p
  rows:
  - {do: remind, clause: a, by: cm, round: monthly}
  - {close: end, clause: b, by: cm}
desk: [{owe: monthly, clause: d, every: month, day: 4, by: cm, cases: pending, each: remind}]
"""


async def test_a_new_calendar_is_applied_to_the_open_cases_alone(town: Town) -> None:
    await town.later(MONDAY.replace(month=10, day=12))
    await town.open_desk("calendar")
    case, closed = await town.receive("calendar", "a"), await town.receive("calendar", "b")
    await town.send("calendar", closed, "record-step", "lin/agent", step="answer", facts={"answer_text": "x"})
    await town.send("calendar", closed, "close", "lin/agent")
    await town.settle()
    before = await _due(town, case, "answer")
    view = await town.desks.current("calendar")
    holiday = {**_wire(view.calendars[view.calendar_version]), "version": "next", "holidays": ["2026-10-14"]}
    await town.change("calendar", "desk.calendar-published", calendar=holiday)
    await town.settle()
    (applied,) = await town.happened(case, "calendar.applied")
    assert applied.version == "next"
    assert await town.happened(closed, "calendar.applied") == []
    (recomputed,) = [e for e in await town.happened(case, "clock.recomputed") if e.clock == "answer"]
    assert recomputed.was == before
    assert recomputed.due_at == before + DAY == await _due(town, case, "answer")
    await town.send("calendar", closed, "reopen", "lin/agent")
    await town.settle()
    assert [e.version for e in await town.happened(closed, "calendar.applied")] == ["next"], "it counts again"


def _wire(spec: object) -> dict[str, object]:
    import msgspec

    found = msgspec.to_builtins(spec)
    assert isinstance(found, dict)
    return found


async def test_nothing_was_set_aside(town: Town) -> None:
    assert await town.dead_letters() == []
    assert await town.pool.fetchval("SELECT count(*) FROM sla.timer WHERE fire_at <= $1", town.time) == 0


# --- leases and wake-ups: monitors of our own, in a database without services ---
@pytest.fixture(scope="module")
async def quiet(
    postgres_url: str,
    migrated_template: str,
    kafka_bootstrap_servers: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Town]:
    """A deployment in which nothing runs."""
    from tests import servers

    name, prefix = f"redress_test_{token_hex(4)}", f"test-{token_hex(4)}."
    url = servers.create_database(postgres_url, name, template=migrated_template)
    try:
        async with Town.laid_out(url, kafka_bootstrap_servers, prefix, tmp_path_factory.mktemp("quiet")) as town:
            yield town
    finally:
        servers.drop_database(postgres_url, name)
        servers.delete_topics(kafka_bootstrap_servers, prefix)


@pytest.fixture
async def producer(quiet: Town) -> AsyncIterator[AIOKafkaProducer]:
    async with open_producer(quiet.settings.kafka, client="timers") as producer:
        yield producer


def monitor(town: Town, producer: AIOKafkaProducer, **more: timedelta | int) -> Monitor:
    sender = CommandSender(producer, Topics(town.settings.kafka.topic_prefix), source="test")
    return Monitor(pool=town.pool, sender=sender, now=town.now, **more)  # type: ignore[arg-type]  # leases and batches


def timer(label: str, due_at: datetime, **more: object) -> Timer:
    return Timer(
        stream=desk_stream(f"stream-{label}"),
        kind="clock",
        name=label,
        due_at=due_at,
        desk="d",
        generation=1,
        **more,  # type: ignore[arg-type]  # other fields
    )


async def armed(town: Town, *some: Timer) -> None:
    await town.pool.execute("DELETE FROM sla.timer")
    async with town.pool.acquire() as connection:
        await timers.arm(connection, some, [each.due_at for each in some])


async def names(town: Town) -> list[str]:
    return [str(command.data["clock"]) for command in await town.commands("fire-timer")]


async def test_what_is_not_due_is_not_fired(quiet: Town, producer: AIOKafkaProducer) -> None:
    await armed(quiet, timer("not-yet", quiet.time + HOUR))
    await monitor(quiet, producer).fire_all()
    assert "not-yet" not in await names(quiet)


async def test_a_monitor_that_dies_with_what_it_has_claimed_leaves_it_to_others_when_its_claim_ends(
    quiet: Town, producer: AIOKafkaProducer
) -> None:
    await armed(quiet, timer("leased", quiet.time))
    lease = timedelta(seconds=30)
    async with quiet.pool.acquire() as connection:
        (claimed,) = await timers.claim(connection, quiet.time, quiet.time + lease, 10)  # and dies
    assert claimed.name == "leased"
    other = monitor(quiet, producer, lease=lease)
    await other.fire_all()
    assert "leased" not in await names(quiet)
    quiet.time += lease
    await other.fire_all()
    assert (await names(quiet)).count("leased") == 1


async def test_two_monitors_never_claim_the_same_timer(quiet: Town) -> None:
    await armed(quiet, *(timer(f"claim{n}", quiet.time) for n in range(200)))

    async def claim() -> list[Timer]:
        async with quiet.pool.acquire() as connection:
            return await timers.claim(connection, quiet.time, quiet.time + HOUR, 20)

    claimed = [each for batch in await asyncio.gather(*(claim() for _ in range(12))) for each in batch]
    assert len(claimed) == 200
    assert twice(each.name for each in claimed) == {}


async def test_what_nothing_has_come_of_is_fired_again_under_another_id_later_each_time(
    quiet: Town, producer: AIOKafkaProducer
) -> None:
    await armed(quiet, timer("in-vain", quiet.time))
    again = monitor(quiet, producer, again_after=timedelta(minutes=1))
    fired = []
    for minutes in range(8):
        await again.fire_all()
        fired.append((minutes, (await names(quiet)).count("in-vain")))
        quiet.time += timedelta(minutes=1)
    assert [n for _, n in fired] == [1, 2, 2, 3, 3, 3, 3, 4]
    ids = [c.id for c in await quiet.commands("fire-timer") if c.data["clock"] == "in-vain"]
    assert twice(ids) == {}


async def test_an_opening_that_nothing_comes_of_is_not_fired_for_ever(quiet: Town, producer: AIOKafkaProducer) -> None:
    await armed(quiet, replace(timer("shut", quiet.time), kind="step"))
    patient = monitor(quiet, producer, again_after=timedelta(minutes=1))
    for _ in range(100):
        await patient.fire_all()
        quiet.time += HOUR
    assert (await names(quiet)).count("shut") == 5


async def test_marking_what_was_fired_waits_for_nobody_who_takes_it_away(quiet: Town) -> None:
    await armed(quiet, timer("taken", quiet.time))
    async with quiet.pool.acquire() as connection:
        claimed = await timers.claim(connection, quiet.time, quiet.time + HOUR, 10)
    async with quiet.pool.acquire() as projection, projection.transaction():
        await projection.execute("DELETE FROM sla.timer WHERE name = 'taken'")
        async with quiet.pool.acquire() as connection:
            await timers.sent(connection, [(each, quiet.time + HOUR) for each in claimed])
    assert await quiet.pool.fetchval("SELECT count(*) FROM sla.timer") == 0


async def test_a_timer_that_was_armed_anew_while_it_was_fired_fires_again(quiet: Town) -> None:
    await armed(quiet, timer("anew", quiet.time))
    async with quiet.pool.acquire() as connection:
        claimed = await timers.claim(connection, quiet.time, quiet.time + HOUR, 10)
        await connection.execute("UPDATE sla.timer SET generation = 2, fire_at = due_at")
        await timers.sent(connection, [(each, quiet.time + HOUR) for each in claimed])
        assert [each.name for each in await timers.claim(connection, quiet.time, quiet.time + HOUR, 10)] == ["anew"]


async def test_an_earlier_timer_wakes_a_monitor_that_sleeps(quiet: Town, producer: AIOKafkaProducer) -> None:
    await armed(quiet)
    sleeper = monitor(quiet, producer, look_every=timedelta(hours=1))
    async with running(sleeper.run(), sleeper.listen(quiet.settings.database.url)):
        await until(lambda: _listens(quiet))
        await sleeper.fire_all()
        async with quiet.pool.acquire() as connection, connection.transaction():
            await timers.arm(connection, [timer("early", quiet.time)], [quiet.time])
            await connection.execute(f"NOTIFY {ARMED}")

        async def fired() -> bool:
            return "early" in await names(quiet)

        await until(fired)


async def _listens(town: Town) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'redress-sla-monitor-listen' "
        "AND datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN%')"
    )
    return bool(await town.pool.fetchval(query))


async def test_what_could_not_be_sent_is_due_at_once_again(quiet: Town, producer: AIOKafkaProducer) -> None:
    await armed(quiet, timer("refused", quiet.time))

    class Refusing(CommandSender):
        async def send_all(self, requests: object) -> None:
            raise ConnectionError("Kafka is away")

    topics = Topics(quiet.settings.kafka.topic_prefix)
    refused = Monitor(pool=quiet.pool, sender=Refusing(producer, topics, source="test"), now=quiet.now)
    with pytest.raises(ConnectionError):
        await refused.fire_all()
    await monitor(quiet, producer).fire_all()
    assert (await names(quiet)).count("refused") == 1


# --- what is heard late ---
async def test_a_round_goes_again_where_a_case_that_had_come_before_it_is_heard_of_after_it(quiet: Town) -> None:
    await quiet.open_desk("late-round", None, text=ROUND)
    case = await quiet.receive("late-round", "a", "x/cm")
    opened = quiet.time + timedelta(seconds=1)
    await quiet.pool.execute(
        "INSERT INTO sla.round (desk, owe, period, step, kind, opens_at, after, done) "
        "VALUES ('late-round', 'monthly', 'before', 's', 'complaint', $1, $3, true), "
        "('late-round', 'monthly', 'after', 's', 'complaint', $2, $3, true)",
        quiet.time,
        opened,
        UUID(int=9),
    )
    quiet.time = opened
    projection = Projection(now=quiet.now, woken=lambda: None)
    async with quiet.pool.acquire() as connection, connection.transaction():
        await projection.handle(connection, await quiet.history(case))
    rows = await quiet.pool.fetch("SELECT period, done FROM sla.round WHERE desk = 'late-round'")
    assert {row["period"]: row["done"] for row in rows} == {"before": True, "after": False}


# --- the auditor ---
async def test_the_auditor_finds_what_was_never_armed_and_sees_to_it(quiet: Town, producer: AIOKafkaProducer) -> None:
    await quiet.open_desk("audited")
    late = await quiet.receive("audited", "a")
    done = await quiet.receive("audited", "b")
    await quiet.send("audited", done, "acknowledge", "system")
    await armed(quiet)  # nothing, as if the projection had lost all of it
    auditor = Auditor(pool=quiet.pool, store=quiet.store, now=quiet.now)
    assert await auditor.audit() == 0
    quiet.time += HOUR + timedelta(seconds=29)
    assert await auditor.audit() == 0, "it may be on its way"
    quiet.time += timedelta(seconds=1)
    assert await auditor.audit() == 0, "it looks twice"
    quiet.time += timedelta(seconds=10)
    assert await auditor.audit() == 1
    assert auditor.why_not_ready() == "1 due and not fired"
    await monitor(quiet, producer).fire_all()
    (rescue,) = [c for c in await quiet.commands("fire-timer") if c.complaint == str(late)]
    await quiet.send("audited", late, "fire-timer", "system", **rescue.data)
    quiet.time += timedelta(seconds=10)
    assert await auditor.audit() == 0
    assert auditor.why_not_ready() is None
    assert [e.clock for e in await quiet.happened(late, "clock.breached")] == ["acknowledge"]


async def test_the_auditor_finds_a_duty_that_was_not_missed(quiet: Town) -> None:
    await quiet.open_desk("audited-duties")
    await quiet.send(
        "audited-duties",
        "desk",
        "open-duty",
        "system",
        owe="monthly_report",
        period="2026-03",
        due_at=quiet.time + HOUR,
    )
    auditor = Auditor(pool=quiet.pool, store=quiet.store, now=quiet.now)
    await auditor.audit()
    quiet.time += HOUR + timedelta(seconds=30)
    await auditor.audit()
    quiet.time += timedelta(seconds=10)
    assert await auditor.audit() >= 1
    rows = await quiet.pool.fetch("SELECT stream FROM sla.audit WHERE unfired")
    assert duties_stream("audited-duties") in {UUID(bytes=row["stream"].bytes) for row in rows}


# --- crashes ---
async def test_a_monitor_killed_in_the_middle_of_firing_leaves_nothing_unfired_and_nothing_breached_twice(
    postgres_url: str, migrated_template: str, kafka_bootstrap_servers: str, tmp_path: Path
) -> None:
    from tests import servers

    name, prefix = f"redress_test_{token_hex(4)}", f"test-{token_hex(4)}."
    url = servers.create_database(postgres_url, name, template=migrated_template)
    try:
        async with (
            Town.laid_out(url, kafka_bootstrap_servers, prefix, tmp_path, now=utc_now) as town,
            town.running(intake, relay),
            town.process("sla_monitor") as first,
            town.process("sla_monitor") as second,
        ):
            await town.open_desk("one")
            # Due in the next seconds: received almost an hour ago, one after the other.
            begun = utc_now() - HOUR + timedelta(seconds=8)
            cases = set(
                await asyncio.gather(
                    *(
                        town.receive("one", f"c{n}", occurred_at=begun + timedelta(milliseconds=20 * n))
                        for n in range(300)
                    )
                )
            )
            for process in (first, second, first, second):
                await asyncio.sleep(2.5)
                await process.kill()
                await process.start()

            async def all_breached() -> bool:
                return cases <= (await town.count("clock.breached")).keys()

            await until(all_breached, seconds=120)
            await town.settle()
            assert set((await town.count("clock.breached")).values()) == {1}
            assert await town.dead_letters() == []
    finally:
        servers.drop_database(postgres_url, name)
        servers.delete_topics(kafka_bootstrap_servers, prefix)
