"""Letters, alerts and webhooks: ``python -m notifier``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from complaints.adapters import database
from complaints.adapters.consuming import Consumer
from complaints.adapters.desk_views import LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.inbox import on_pool
from complaints.adapters.kafka import CommandSender, Topics, open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, main, utc_now
from complaints.adapters.settings import Settings
from complaints.adapters.subject_keys import PostgresKeys
from complaints.ports import Now
from notifier.addressing import Addressing
from notifier.channels import Channels, Email, Hooks, Staff
from notifier.consumer import Notifier, recorded
from notifier.messages import EMAIL, WEBHOOK
from notifier.reporter import Reporter
from notifier.sender import LANES, Lane, Outbox


def build(settings: Settings, *, now: Now = utc_now, channels: Channels | None = None) -> Service:
    """The notifier process. ``channels``: others than those that the settings name."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        url, size = settings.database.url, settings.database.pool_size
        topics, mail = Topics(settings.kafka.topic_prefix), settings.mail
        async with (
            await database.pool(url, application="redress-notifier", max_size=size) as pool,
            await database.pool(url, application="redress-notifier-log", max_size=4) as log,
            httpx.AsyncClient(trust_env=False, follow_redirects=False) as http,
        ):
            store, results = PostgresEventStore(log), asyncio.Event()
            # no key is kept in memory: nothing is sent to somebody who was erased a moment ago
            sealing = Sealing(PostgresKeys(log), load_master(settings.files.seal_key, create=True), fresh_for=0.0)
            views = LoggedViews(store, PostgresPacks(log), sealing)
            outbox = Outbox(
                pool=pool,
                views=views,
                addressing=Addressing(store, views, sealing, settings.http.public_url, mail.sender),
                channels=channels or {EMAIL: Email(mail, now), WEBHOOK: Hooks(http, now), "staff": Staff()},
                now=now,
                ended=results.set,
            )
            lanes = [Lane(name, outbox) for name in LANES]
            for name, lane in zip(LANES, lanes, strict=True):
                service.health.add(name, lane.why_not_ready)
                service.spawn(lane.run(), name=name)  # before the broker is asked for: what is kept goes without it

            def kept() -> None:
                for lane in lanes:
                    lane.wake()

            async with open_producer(settings.kafka, client="notifier") as producer:
                reporter = Reporter(
                    pool=pool,
                    commands=CommandSender(producer, topics, source="notifier"),
                    producer=producer,
                    topics=topics,
                    now=now,
                    news=results,
                )
                notifier = Notifier(store=store, views=views, now=now, kept=kept)
                consumer = Consumer(
                    name="notifier",
                    topic=topics.events,
                    kafka=settings.kafka,
                    schema="notifier",
                    transactions=on_pool(pool),
                    decode=recorded,
                    handle=notifier.handle,
                    committed=notifier.committed,
                    producer=producer,
                )
                for part, task in ((consumer, "events"), (reporter, "reports")):
                    service.health.add(task, part.why_not_ready)
                    service.spawn(part.run(), name=task)
                service.follows(consumer, *lanes, reporter)
                yield

    return Service("notifier", life, listen=(settings.http.host, settings.http.notifier_port))


if __name__ == "__main__":
    main(build)
