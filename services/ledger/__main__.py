"""The read side: ``python -m ledger``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from complaints.adapters import database
from complaints.adapters.consuming import Consumer
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.inbox import on_engine
from complaints.adapters.kafka import CommandSender, Topics, open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.patience import Patience
from complaints.adapters.refusals import PostgresRefusals
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, main, serving, utc_now
from complaints.adapters.settings import Settings
from complaints.adapters.signed_notes import load_signer
from complaints.codec import Recorded
from complaints.ports import Now
from ledger import models
from ledger.app import create_app
from ledger.board import Board
from ledger.casebook import Casebook
from ledger.files import Files, Opener
from ledger.lists import Lists
from ledger.opening import NeverOpened
from ledger.parts import Parts
from ledger.projector import Projector, recorded
from ledger.proof import Proofs
from ledger.rebuild import rebuild
from ledger.register import Registers
from ledger.reports import Reporter

logger = logging.getLogger(__name__)

NAME = "ledger"


class LedgerService(Service):
    """The ledger as a process; ``url`` is where it listens once it is started."""

    url: str = ""


def build(settings: Settings, *, now: Now = utc_now) -> LedgerService:
    """The ledger on PostgreSQL, fed from Kafka. While Kafka is away it answers from what it has."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            parts = await _parts(settings, now, stack)
            known = models.models(parts.views)
            files = Files(parts.store, parts.opener)
            readiness = _Readiness()
            service.health.add("models", readiness.why_not)
            service.health.add("board", parts.board.why_not_ready)
            await parts.board.start()
            app = create_app(parts, service.health)
            port = await stack.enter_async_context(serving(app, settings.http.host, settings.http.ledger_port))
            stack.callback(parts.board.close)
            running.url = f"http://{settings.http.host}:{port}"
            service.follows(parts.board)
            service.spawn(parts.board.run(), name="board")
            await readiness.built(parts, known, files)
            feed = Feed(settings, parts, known, files, now)
            service.follows(feed)
            service.health.add("events", feed.why_not_ready)
            service.spawn(feed.run(), name="events")
            yield

    running = LedgerService(NAME, life)
    return running


async def _parts(settings: Settings, now: Now, stack: AsyncExitStack) -> Parts:
    url, size = settings.database.url, settings.database.pool_size
    pool = await stack.enter_async_context(
        await database.pool(url, application="redress-ledger-log", max_size=max(size, 4))
    )
    engine = database.engine(url, application="redress-ledger", pool_size=size)
    stack.push_async_callback(engine.dispose)
    key = settings.files.seal_key
    opener: Opener = Sealing.on(pool, load_master(key)) if key.exists() else NeverOpened()
    store = PostgresEventStore(pool)
    views = LoggedViews(store, PostgresPacks(pool), opener)
    return Parts(
        pool=pool,
        engine=engine,
        store=store,
        views=views,
        opener=opener,
        casebook=Casebook(store, views, opener, PostgresRefusals(pool)),
        registers=Registers(engine),
        lists=Lists(engine, public_url=settings.http.public_url),
        board=Board(pool, store, public_url=settings.http.public_url),
        proofs=Proofs(pool),
        now=now,
        public_url=settings.http.public_url,
        partitions=settings.kafka.partitions,
        public_key=lambda: _public_key(settings.files.checkpoint_key),
    )


def _public_key(file: Path) -> str | None:
    """The public half of the key that signs checkpoints; whoever signs may make it later than we start."""
    return str(load_signer(file).verifier) if file.exists() else None


class _Readiness:
    """Whether every read model is what this release keeps."""

    def __init__(self) -> None:
        self._lacking: Sequence[str] = models.NAMES
        self._patience = Patience("ledger.models")

    def why_not(self) -> str | None:
        """None once all are live."""
        return f"builds {', '.join(self._lacking)}" if self._lacking else None

    async def built(self, parts: Parts, known: Sequence[Any], files: Files) -> None:
        """Builds what is not there yet, or is another release's."""

        async def work() -> None:
            async with parts.engine.connect() as connection:
                lacking = await models.outdated(connection, known)
            self._lacking = [model.name for model in lacking]
            for model in lacking:
                await rebuild(model, engine=parts.engine, pool=parts.pool, files=files)
            self._lacking = ()

        await self._patience.until_done(work)


class Feed:
    """What lives on Kafka, the consumer of events and the reporter; readers do not wait for a cluster that is away."""

    def __init__(self, settings: Settings, parts: Parts, known: Sequence[Any], files: Files, now: Now) -> None:
        self._settings, self._parts, self._files, self._now = settings, parts, files, now
        self._known = known
        self._consumer: Consumer[Recorded, Any] | None = None
        self._reporter: Reporter | None = None

    async def run(self) -> None:
        """Follows the topic until it is cancelled."""
        kafka = self._settings.kafka
        topics = Topics(kafka.topic_prefix)
        async with open_producer(kafka, client=NAME) as producer:
            parts, sender = self._parts, CommandSender(producer, topics, source=NAME)
            self._reporter = Reporter(
                pool=parts.pool, store=parts.store, views=parts.views, opener=parts.opener, sender=sender, now=self._now
            )
            projector = Projector(
                files=self._files, views=parts.views, known=self._known, now=self._now, woken=self._reporter.wake
            )
            self._consumer = Consumer(
                name=NAME,
                topic=topics.events,
                kafka=kafka,
                schema=NAME,
                transactions=on_engine(self._parts.engine),
                decode=recorded,
                handle=projector.handle,
                committed=projector.committed,
                producer=producer,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._consumer.run())
                tasks.create_task(self._reporter.run())

    async def caught_up(self) -> bool:
        """Whether every event that is on the topic now has been written."""
        consumer, reporter = self._consumer, self._reporter
        if consumer is None or reporter is None:
            return False
        return await consumer.caught_up() and await reporter.caught_up()

    def why_not_ready(self) -> str | None:
        """None while it follows the topic."""
        if self._consumer is None or self._reporter is None:
            return "waits for Kafka"
        return self._consumer.why_not_ready() or self._reporter.why_not_ready()


if __name__ == "__main__":
    main(build)
