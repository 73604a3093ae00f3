"""Makes all ready that services find: ``python -m local_stack.preparing``, told by the settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

from complaints.adapters.database import migrate
from complaints.adapters.kafka import create_topics
from complaints.adapters.master_key import load_master
from complaints.adapters.settings import Database, Files, Kafka


async def prepare_all(
    *, database_url: str, kafka_bootstrap_servers: str, kafka_topic_prefix: str, data_dir: Path
) -> None:
    """Schemas by migration, topics and the master key where they are missing; what is there already stays as it is.

    A service that only reads makes no key: started before one that does, it would leave every name sealed for good.
    """
    load_master(Files().model_copy(update={"data_dir": data_dir}).seal_key, create=True)
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
            data_dir=Files().data_dir,
        )
    )
