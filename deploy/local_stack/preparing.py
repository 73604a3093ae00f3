"""Makes a database and a cluster ready for services: ``python -m local_stack.preparing``, told by the settings."""

from __future__ import annotations

import asyncio

from complaints.adapters.database import migrate
from complaints.adapters.kafka import create_topics
from complaints.adapters.settings import Database, Kafka


async def prepare_all(*, database_url: str, kafka_bootstrap_servers: str, kafka_topic_prefix: str) -> None:
    """Schemas by migration, topics where they are missing; what is there already stays as it is."""
    kafka = Kafka().model_copy(
        update={"bootstrap_servers": kafka_bootstrap_servers, "topic_prefix": kafka_topic_prefix}
    )
    await migrate(database_url)
    await create_topics(kafka)


if __name__ == "__main__":
    _kafka = Kafka()
    asyncio.run(
        prepare_all(
            database_url=Database().url,
            kafka_bootstrap_servers=_kafka.bootstrap_servers,
            kafka_topic_prefix=_kafka.topic_prefix,
        )
    )
