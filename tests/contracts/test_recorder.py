"""Our record as a persistence module of `eventsourcing`: the library's own shipped test cases, then what is ours."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    OperationalError,
    StoredEvent,
    Tracking,
)
from eventsourcing.tests import persistence as shipped
from eventsourcing.utils import Environment

from complaints.adapters.database import pool
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.recorder import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogFactory,
    LogProcessRecorder,
    LogTrackingRecorder,
    SnapshotRecorder,
)
from complaints.adapters.recorder_rows import EnvelopedEvent, EnvelopedNotification
from complaints.adapters.recorder_session import Session
from complaints.chain import verify_log
from complaints.errors import Taken
from complaints.ports import Append, Claim, NewEvent
from tests import servers

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
MODULE = "complaints.adapters.recorder"


@pytest.fixture
def fresh_database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A migrated, empty database for one test: the shipped cases expect positions from 1."""
    name = f"redress_test_{secrets.token_hex(4)}"
    try:
        yield servers.create_database(postgres_url, name, template=migrated_template)
    finally:
        servers.drop_database(postgres_url, name)


@pytest.fixture
def session(fresh_database_url: str) -> Iterator[Session]:
    opened = Session(fresh_database_url)
    yield opened
    opened.close()


class OnFreshDatabase(TestCase):
    """Gives the library's test cases a session on an empty store."""

    session: Session
    url: str

    @pytest.fixture(autouse=True)
    def _open(self, session: Session, fresh_database_url: str) -> None:
        self.session, self.url = session, fresh_database_url


class TestShippedCasesOfTheAggregateRecorder(OnFreshDatabase, shipped.AggregateRecorderTestCase):
    def create_recorder(self) -> LogAggregateRecorder:
        return LogAggregateRecorder(self.session)


class TestShippedCasesOfTheAggregateRecorderOnSnapshots(OnFreshDatabase, shipped.AggregateRecorderTestCase):
    def create_recorder(self) -> SnapshotRecorder:
        return SnapshotRecorder(self.session)


class TestShippedCasesOfTheApplicationRecorder(
    OnFreshDatabase, shipped.ApplicationRecorderTestCase[LogApplicationRecorder]
):
    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.session)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestShippedCasesOfTheTrackingRecorder(OnFreshDatabase, shipped.TrackingRecorderTestCase):
    def create_recorder(self) -> LogTrackingRecorder:
        return LogTrackingRecorder(self.session)


class TestShippedCasesOfTheProcessRecorder(OnFreshDatabase, shipped.ProcessRecorderTestCase):
    def create_recorder(self) -> LogProcessRecorder:
        return LogProcessRecorder(self.session)


class TestShippedCaseOfNotificationsThatDoNotInterleave(
    OnFreshDatabase, shipped.NonInterleavingNotificationIDsBaseCase
):
    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.session)


class CountingTrackingRecorder(LogTrackingRecorder):
    """A projection's own."""


class TestShippedCasesOfTheFactory(OnFreshDatabase, shipped.InfrastructureFactoryTestCase[LogFactory]):
    def setUp(self) -> None:
        self.env = Environment("Test", {"PERSISTENCE_MODULE": MODULE, "REDRESS_DATABASE_URL": self.url})
        super().setUp()

    def expected_factory_class(self) -> type[LogFactory]:
        return LogFactory

    def expected_aggregate_recorder_class(self) -> type[LogAggregateRecorder]:
        return LogAggregateRecorder

    def expected_application_recorder_class(self) -> type[LogApplicationRecorder]:
        return LogApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[LogTrackingRecorder]:
        return LogTrackingRecorder

    def tracking_recorder_subclass(self) -> type[LogTrackingRecorder]:
        return CountingTrackingRecorder

    def expected_process_recorder_class(self) -> type[LogProcessRecorder]:
        return LogProcessRecorder


class Bell(Aggregate):
    """Something small with a history."""

    def __init__(self, tone: str) -> None:
        self.tone = tone
        self.rung = 0

    @event("Rung")
    def ring(self, times: int) -> None:
        self.rung += times


class Tower(Application[UUID]):
    """Keeps bells."""

    snapshotting_intervals = {Bell: 5}  # noqa: RUF012 - the library's own convention


@pytest.fixture
def tower(fresh_database_url: str) -> Iterator[Callable[..., Tower]]:
    opened: list[Tower] = []

    def build(**env: str) -> Tower:
        settings = {"PERSISTENCE_MODULE": MODULE, "REDRESS_DATABASE_URL": fresh_database_url}
        opened.append(Tower(env=settings | env))
        return opened[-1]

    yield build
    for each in opened:
        each.close()


async def complain(url: str, *, number: int = 1) -> None:
    """Appends as the services do."""
    async with await pool(url, max_size=2) as connections, PostgresEventStore(connections) as store:
        for _ in range(number):
            one = NewEvent(type="complaint.received", occurred_at=NINE, data=b"{}", meta=b"{}")
            await store.append(
                Append(
                    stream_id=uuid4(),
                    category="complaint",
                    desk="plain",
                    expected_version=0,
                    command_id=uuid4(),
                    events=(one,),
                )
            )


def test_an_application_of_the_library_runs_on_the_record(tower: Callable[..., Tower]) -> None:
    app = tower()
    bell = Bell("c")
    app.save(bell)
    for times in range(1, 7):
        bell.ring(times)
        app.save(bell)
    again: Bell = tower().repository.get(bell.id)
    assert (again.tone, again.rung, again.version) == ("c", 21, 7)
    assert app.snapshots is not None
    assert len(list(app.snapshots.get(bell.id))) == 1
    assert [each.id for each in app.notification_log.select(start=1, limit=10)] == list(range(1, 8))


async def test_what_the_library_writes_is_in_the_one_log_with_hash_and_chain(
    tower: Callable[..., Tower], fresh_database_url: str
) -> None:
    app = tower()
    bell, other = Bell("c"), Bell("d")
    bell.ring(1)
    await complain(fresh_database_url)
    app.save(bell, other, desk="bank")
    await complain(fresh_database_url)
    async with await pool(fresh_database_url) as connections:
        log = await PostgresEventStore(connections).read_all()
    assert [event.category for event in log] == ["complaint", "desk", "desk", "desk", "complaint"]
    assert [event.desk for event in log] == ["plain", "bank", "bank", "bank", "plain"]
    assert verify_log(log).flaws == []


async def test_an_application_sees_its_own_category_unless_it_asks_for_all(
    tower: Callable[..., Tower], fresh_database_url: str
) -> None:
    await complain(fresh_database_url, number=2)
    app = tower()
    app.save(Bell("c"))
    await complain(fresh_database_url)
    assert [each.id for each in app.recorder.select_notifications(start=None, limit=10)] == [3]
    assert app.recorder.max_notification_id() == 3
    whole = tower(REDRESS_RECORDER_READS="all").recorder
    assert [each.id for each in whole.select_notifications(start=None, limit=10)] == [1, 2, 3, 4]
    assert whole.max_notification_id() == 4


def test_of_two_threads_that_change_one_aggregate_one_is_refused_and_decides_again(tower: Callable[..., Tower]) -> None:
    app = tower()
    bell = Bell("c")
    app.save(bell)
    refused: list[int] = []

    def ring(times: int) -> None:
        while True:
            mine: Bell = app.repository.get(bell.id)
            mine.ring(times)
            try:
                app.save(mine)
            except IntegrityError:
                refused.append(times)
            else:
                return

    threads = [Thread(target=ring, args=(times,)) for times in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final: Bell = app.repository.get(bell.id)
    assert (final.rung, final.version) == (36, 9)


def enveloped(stream_id: UUID, version: int, **fields: Any) -> EnvelopedEvent:
    given: dict[str, Any] = {
        "topic": "desk.opened",
        "state": b'{"title":"x"}',
        "meta": b'{"desk":"bank"}',
        "occurred_at": NINE,
    }
    return EnvelopedEvent(originator_id=stream_id, originator_version=version, **(given | fields))


def test_an_event_with_its_own_envelope_keeps_it(session: Session) -> None:
    recorder, stream_id = LogApplicationRecorder(session), uuid4()
    one, two = enveloped(stream_id, 1), enveloped(stream_id, 2, schema_version=3)
    assert recorder.insert_events([one, two], desk="bank") == [1, 2]
    assert recorder.select_events(stream_id) == [one, two]
    first, second = recorder.select_notifications(start=1, limit=2)
    assert isinstance(first, EnvelopedNotification)
    assert isinstance(second, EnvelopedNotification)
    assert (first.id, first.meta, first.occurred_at, first.schema_version) == (1, one.meta, NINE, 1)
    assert second.schema_version == 3


async def test_options_of_an_insert_reach_the_row(session: Session, fresh_database_url: str) -> None:
    recorder, stream_id, command_id = LogApplicationRecorder(session), uuid4(), uuid4()
    recorder.insert_events(
        [StoredEvent(stream_id, 1, "duty.opened", b"{}")],
        desk="bank",
        category="duties",
        command_id=command_id,
        fingerprint=b"request",
        meta=b'{"m":1}',
        occurred_at=NINE,
        schema_version=2,
    )
    async with await pool(fresh_database_url) as connections:
        store = PostgresEventStore(connections)
        (row,) = await store.read(stream_id)
        found = await store.find_command(command_id)
    assert (row.desk, row.category, row.meta, row.occurred_at, row.schema_version) == (
        "bank",
        "duties",
        b'{"m":1}',
        NINE,
        2,
    )
    assert found is not None
    assert found[:2] == (stream_id, b"request")


def test_an_exact_repeat_of_a_command_answers_with_its_positions_and_any_other_use_is_refused(session: Session) -> None:
    recorder, stream_id, command_id = LogProcessRecorder(session), uuid4(), uuid4()
    tracking = Tracking("upstream", 7)
    for _ in range(2):
        positions = recorder.insert_events(
            [enveloped(stream_id, 1), enveloped(stream_id, 2)], command_id=command_id, desk="bank", tracking=tracking
        )
        assert positions == [1, 2]
    for events in ([enveloped(stream_id, 3)], [enveloped(stream_id, 1, state=b"{}"), enveloped(stream_id, 2)]):
        with pytest.raises(IntegrityError):
            recorder.insert_events(events, command_id=command_id, desk="bank")
    assert recorder.max_notification_id() == 2


def test_events_of_several_streams_are_written_all_or_not_at_all(session: Session) -> None:
    recorder, one, two = LogProcessRecorder(session), uuid4(), uuid4()
    recorder.insert_events([enveloped(one, 1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([enveloped(two, 1), enveloped(one, 1)], tracking=Tracking("upstream", 1))
    assert recorder.select_events(two) == []
    assert recorder.max_tracking_id("upstream") is None
    mixed = [enveloped(two, 1), enveloped(one, 2), enveloped(two, 2)]
    assert recorder.insert_events(mixed, tracking=Tracking("upstream", 1)) == [2, 4, 3]
    assert [each.id for each in recorder.select_notifications(start=2, limit=9)] == [2, 3, 4]


def test_a_stream_has_no_gaps(session: Session) -> None:
    recorder, stream_id = LogApplicationRecorder(session), uuid4()
    for versions in ((2,), (1, 3), (2, 1)):
        with pytest.raises(IntegrityError):
            recorder.insert_events([enveloped(stream_id, version) for version in versions])
    assert recorder.max_notification_id() is None


def test_a_claim_that_another_stream_holds_is_refused_and_says_why(session: Session) -> None:
    recorder, first = LogApplicationRecorder(session), uuid4()
    claims = [Claim(scope="slug", key=b"bank")]
    recorder.insert_events([enveloped(first, 1)], desk="bank", claims=claims)
    with pytest.raises(IntegrityError) as refused:
        recorder.insert_events([enveloped(uuid4(), 1)], desk="bank", claims=claims)
    assert isinstance(refused.value.__cause__, Taken)
    assert refused.value.__cause__.holder == first


def test_a_database_that_cannot_be_reached_is_an_operational_error() -> None:
    session = Session("postgresql://nobody@127.0.0.1:1/none", patience=0.2)
    with pytest.raises(OperationalError):
        LogTrackingRecorder(session).max_tracking_id("upstream")
    session.close()
    session.close()


@pytest.mark.parametrize(
    "env", [{}, {"REDRESS_DATABASE_URL": "x", "REDRESS_RECORDER_CATEGORY": "no"}, {"REDRESS_DATABASE_URL": ""}]
)
def test_a_factory_without_what_it_needs_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(InfrastructureFactoryError):
        InfrastructureFactory.construct({"PERSISTENCE_MODULE": MODULE, **env})
