"""Letters, alerts and webhooks: ``python -m notifier``."""

from __future__ import annotations

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
from complaints.ports import Now
from notifier.addressing import Addressing
from notifier.channels import Channels, Email, Hooks, Staff
from notifier.consumer import Notifier, recorded
from notifier.messages import EMAIL, WEBHOOK
from notifier.sender import Sender


def build(settings: Settings, *, now: Now = utc_now, channels: Channels | None = None) -> Service:
    """The notifier process. ``channels``: others than those that the settings name."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        url, size = settings.database.url, settings.database.pool_size
        topics = Topics(settings.kafka.topic_prefix)
        async with (
            await database.pool(url, application="redress-notifier", max_size=size) as pool,
            await database.pool(url, application="redress-notifier-log", max_size=4) as log,
            open_producer(settings.kafka, client="notifier") as producer,
            httpx.AsyncClient(trust_env=False, follow_redirects=False) as http,
        ):
            store = PostgresEventStore(log)
            sealing = Sealing.on(log, load_master(settings.files.seal_key, create=True))
            views = LoggedViews(store, PostgresPacks(log), sealing)
            ways = channels or {EMAIL: Email(settings.mail), WEBHOOK: Hooks(http), "staff": Staff()}
            sender = Sender(
                pool=pool,
                addressing=Addressing(store, views, sealing, settings.http.public_url),
                channels=ways,
                commands=CommandSender(producer, topics, source="notifier"),
                producer=producer,
                topics=topics,
                now=now,
            )
            notifier = Notifier(store=store, views=views, now=now, committed=sender.wake)
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
            for name, part in (("events", consumer), ("sender", sender)):
                service.health.add(name, part.why_not_ready)
                service.follows(part)
                service.spawn(part.run(), name=name)
            yield

    return Service("notifier", life, listen=(settings.http.host, settings.http.notifier_port))


if __name__ == "__main__":
    main(build)
