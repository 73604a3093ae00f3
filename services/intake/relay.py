"""Publishes the log to Kafka, in order, every event at least once: ``python -m intake.relay``.

One leader a shard; others stand by. The leader sends what lies after its place, waits for all replicas, and only then
moves the place, under the epoch that it took with the lead: a leader that was thought dead moves nothing. It may die at
any instant; what it had sent and not noted is sent again, and consumers know a position that they have seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from complaints import codec
from complaints.adapters import database
from complaints.adapters.checkpoints import Checkpointer
from complaints.adapters.kafka import Topics, open_producer
from complaints.adapters.ordered_publisher import PRODUCER_OPTIONS
from complaints.adapters.patience import Patience
from complaints.adapters.service import Service, main, utc_now
from complaints.adapters.settings import Kafka, Settings
from complaints.adapters.signed_notes import load_signer
from complaints.errors import Transient
from complaints.escalations import NEEDS_A_PERSON, escalation_of
from complaints.events import event_type
from complaints.ports import Now, StoredEvent
from intake.publishing import EscalationOf, Place, Publication

logger = logging.getLogger(__name__)

LAG = Gauge("redress_relay_lag_positions", "Events that are not published yet.", ("shard",))
LAG_SECONDS = Gauge("redress_relay_lag_seconds", "How long the oldest of them has waited.", ("shard",))
LEADING = Gauge("redress_relay_leading", "1 while this process publishes.", ("shard",))

_STAND_BY: Final = 0.5
_LOOK_AROUND: Final = 1.0
_BEHIND: Final = 30.0
"""Seconds that an event may wait before the relay calls itself not ready."""

_WAITING: Final = """
SELECT coalesce(head.pos, 0) - r.pos AS positions,
    coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0) AS seconds
FROM es.relay r
LEFT JOIN LATERAL (SELECT pos FROM es.event WHERE shard = r.shard ORDER BY pos DESC LIMIT 1) head ON true
LEFT JOIN es.event next ON next.shard = r.shard AND next.pos = r.pos + 1
WHERE r.shard = $1
"""


class KafkaRefused(Transient):
    """What was sent may or may not be there; a new producer sends it again."""

    code = "kafka-refused"


class Relay:
    """One relay of one shard. It takes connections of ``pool``: one to lead with, one to look around."""

    def __init__(
        self, *, pool: asyncpg.Pool, kafka: Kafka, escalation_of: EscalationOf, shard: int = 0, batch: int = 1000
    ) -> None:
        self.shard = shard
        self._pool, self._kafka, self._escalation_of, self._batch = pool, kafka, escalation_of, batch
        self._patience = Patience("relay", shard=shard)
        self._publication: Publication | None = None
        self._seconds_behind = 0.0

    @property
    def leading(self) -> bool:
        return self._publication is not None

    async def run(self) -> None:
        """Leads, or stands by, until it is cancelled. Raises whatever is a bug."""
        await self._patience.until_done(self._take_part)

    async def watch(self) -> None:
        """Measures how far publishing is behind, whoever leads and also while it stands."""
        while True:
            try:
                row = await self._pool.fetchrow(_WAITING, self.shard)
            except Exception as error:
                if not database.passing(error):
                    raise
            else:
                self._seconds_behind = float(row["seconds"])
                LAG.labels(self.shard).set(row["positions"])
                LAG_SECONDS.labels(self.shard).set(self._seconds_behind)
            await asyncio.sleep(_LOOK_AROUND)

    async def caught_up(self) -> bool:
        """Whether the whole log is published, by whoever leads."""
        row = await self._pool.fetchrow(_WAITING, self.shard)
        return not row["positions"]

    def why_not_ready(self) -> str | None:
        """None while events flow, or would flow."""
        if self._publication is not None and self._publication.lacks is not None:
            return f"the log lacks position {self._publication.lacks}"
        if self._seconds_behind > _BEHIND:
            return f"events have waited for {self._seconds_behind:.0f} s"
        return self._patience.trouble

    async def _take_part(self) -> None:
        async with self._connection() as connection:
            # Asked for again and again: waiting inside the statement would hold a snapshot, and with it vacuum.
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", database.Lock.RELAY, self.shard):
                self._patience.well()
                await asyncio.sleep(_STAND_BY)
            row = await connection.fetchrow(
                "UPDATE es.relay SET epoch = epoch + 1 WHERE shard = $1 RETURNING pos, epoch, checkpoint_size",
                self.shard,
            )
            place = Place(position=row["pos"], epoch=row["epoch"], checkpoint_size=row["checkpoint_size"])
            logger.info("relay.leads", extra={"shard": self.shard, "epoch": place.epoch, "position": place.position})
            try:
                await self._lead(connection, place)
            except KafkaError as error:
                raise KafkaRefused(f"Kafka: {type(error).__name__}") from error

    async def _lead(self, connection: asyncpg.Connection, place: Place) -> None:
        async with open_producer(self._kafka, client="relay", **PRODUCER_OPTIONS) as producer:
            publication = Publication(
                connection=connection,
                producer=producer,
                topics=Topics(self._kafka.topic_prefix),
                escalation_of=self._escalation_of,
                shard=self.shard,
                place=place,
                batch=self._batch,
            )
            self._publication = publication
            LEADING.labels(self.shard).set(1)
            self._patience.well()
            try:
                await publication.go_on()
            finally:
                self._publication = None
                LEADING.labels(self.shard).set(0)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of our own. The lead goes with it, so nobody gets it after us."""
        connection = await self._pool.acquire()
        try:
            yield connection
        finally:
            with suppress(asyncpg.InterfaceError):  # it is lost already
                connection.terminate()
            await self._pool.release(connection)


def build(settings: Settings, *, now: Now = utc_now) -> Service:
    """The relay process, which also issues the checkpoints that it publishes."""

    def escalation(event: StoredEvent) -> bytes | None:
        if event_type(event.type) not in NEEDS_A_PERSON:  # most events: not worth reading
            return None
        found = escalation_of(codec.decode(event), public_url=settings.http.public_url)
        return None if found is None else codec.to_json(found)

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        pool = await database.pool(settings.database.url, application="redress-relay", max_size=4)
        try:
            origin = urlsplit(settings.http.public_url).netloc or "redress"
            signer = load_signer(settings.files.checkpoint_key, create_as=origin)
            relay = Relay(pool=pool, kafka=settings.kafka, escalation_of=escalation)
            service.health.add("relay", relay.why_not_ready)
            service.follows(relay)
            service.spawn(relay.run(), name="relay")
            service.spawn(relay.watch(), name="watch")
            service.spawn(Checkpointer(pool, signer, now=now).run(), name="checkpoints")
            yield
        finally:
            await pool.close()

    return Service("relay", life, listen=(settings.http.host, settings.http.relay_port))


if __name__ == "__main__":
    main(build)
