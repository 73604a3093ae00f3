"""Who owns a case now, and what other cases tell of it: ``python -m routing``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from complaints.adapters import database
from complaints.adapters.consuming import Consumer
from complaints.adapters.desk_views import LeftSealed, LoggedViews
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.inbox import Poison, on_pool
from complaints.adapters.kafka import Topics, open_producer
from complaints.adapters.master_key import load_master
from complaints.adapters.pack_store import PostgresPacks
from complaints.adapters.sealing import Sealing
from complaints.adapters.service import Service, main, utc_now
from complaints.adapters.settings import Settings
from complaints.personal import Erased, Sealed
from complaints.ports import Now
from routing.consumer import Routing, told
from routing.lookout import Lookout
from routing.matters import Matters
from routing.outbox import Outbox


class Digests:
    """What stands for personal values where a procedure tells matters apart by one; needs the key that seals them."""

    def __init__(self, sealing: Sealing | None) -> None:
        self._sealing = sealing

    async def __call__(self, desk: str, value: Sealed) -> str | None:
        """Raises: Poison where this process has no key; Transient."""
        if self._sealing is None:
            raise Poison("matters are told apart by a personal fact, and routing has no seal key")
        (opened,) = await self._sealing.unseal_values([value])
        return None if isinstance(opened, Erased) else self._sealing.digest(desk, "matter", str(opened).encode()).hex()


def build(settings: Settings, *, now: Now = utc_now) -> Service:
    """The routing process."""

    @asynccontextmanager
    async def life(service: Service) -> AsyncIterator[None]:
        url, size = settings.database.url, settings.database.pool_size
        topics = Topics(settings.kafka.topic_prefix)
        async with (
            await database.pool(url, application="redress-routing", max_size=size) as pool,
            await database.pool(url, application="redress-routing-log", max_size=2) as log,
            open_producer(settings.kafka, client="routing") as producer,
        ):
            store = PostgresEventStore(log)
            views = LoggedViews(store, PostgresPacks(log), LeftSealed())
            key = settings.files.seal_key
            matters = Matters(store, Digests(Sealing.on(log, load_master(key)) if key.exists() else None))
            outbox = Outbox(pool=pool, producer=producer, topics=topics)
            lookout = Lookout(pool=pool, views=views, matters=matters, now=now, send=outbox.take)
            routing = Routing(views=views, matters=matters, now=now, send=outbox.take, look=lookout.wake)
            consumer = Consumer(
                name="routing",
                topic=topics.events,
                kafka=settings.kafka,
                schema="routing",
                transactions=on_pool(pool),
                decode=told,
                handle=routing.handle,
                committed=routing.committed,
                producer=producer,
                side_by_side=True,
            )
            for name, part in (("events", consumer), ("lookout", lookout), ("outbox", outbox)):
                service.health.add(name, part.why_not_ready)
                service.follows(part)
                service.spawn(part.run(), name=name)
            yield

    return Service("routing", life, listen=(settings.http.host, settings.http.routing_port))


if __name__ == "__main__":
    main(build)
