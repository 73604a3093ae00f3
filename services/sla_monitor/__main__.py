"""Fires what is due and proves that nothing due is unfired: ``python -m sla_monitor``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from complaints.adapters import database
from complaints.adapters.consuming import Consumer
from complaints.adapters.desk_views import LeftSealed, LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.inbox import on_pool
from complaints.adapters.kafka import CommandSender, Topics, open_producer
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.service import Service, main, utc_now
from complaints.adapters.settings import Settings
from complaints.ports import Now
from sla_monitor.auditor import Auditor
from sla_monitor.consumer import Projection, recorded
from sla_monitor.duties import DeskLane
from sla_monitor.monitor import Monitor

NAME = "sla-monitor"


def build(settings: Settings, *, now: Now = utc_now) -> Service:
    """The sla_monitor process: the timer lane, the desk lane, the projection and the auditor, each on its own."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        url, kafka = settings.database.url, settings.kafka
        topics = Topics(kafka.topic_prefix)
        async with (
            await database.pool(url, application=f"redress-{NAME}-timers", max_size=3) as timer_pool,
            await database.pool(url, application=f"redress-{NAME}-desks", max_size=2) as desk_pool,
            await database.pool(url, application=f"redress-{NAME}", max_size=settings.database.pool_size) as pool,
            await database.pool(url, application=f"redress-{NAME}-log", max_size=3) as log,
            open_producer(kafka, client=f"{NAME}-timers") as timer_producer,
            open_producer(kafka, client=f"{NAME}-desks") as desk_producer,
            open_producer(kafka, client=NAME) as producer,
        ):
            store = PostgresEventStore(log)
            views = LoggedViews(store, PostgresPacks(log), LeftSealed())
            monitor = Monitor(pool=timer_pool, sender=CommandSender(timer_producer, topics, source=NAME), now=now)
            desks = DeskLane(
                pool=desk_pool, sender=CommandSender(desk_producer, topics, source=NAME), views=views, now=now
            )
            auditor = Auditor(pool=log, store=store, now=now)

            def woken() -> None:
                monitor.wake()
                desks.wake()

            projection = Projection(now=now, woken=woken)
            consumer = Consumer(
                name=NAME,
                topic=topics.events,
                kafka=kafka,
                schema="sla",
                transactions=on_pool(pool),
                decode=recorded,
                handle=projection.handle,
                committed=projection.committed,
                producer=producer,
            )
            service.spawn(monitor.listen(url), name="armed")
            service.health.add("auditor", auditor.why_not_ready)
            service.spawn(auditor.run(), name="auditor")
            for name, part in (("events", consumer), ("desks", desks), ("timers", monitor)):
                service.health.add(name, part.why_not_ready)
                service.follows(part)
                service.spawn(part.run(), name=name)
            yield

    return Service(NAME, life, listen=(settings.http.host, settings.http.sla_monitor_port))


if __name__ == "__main__":
    main(build)
