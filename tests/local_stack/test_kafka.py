"""LocalKafka: a real broker that survives what happens to brokers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local_stack.errors import LocalStackError, PortInUse, ProcessFailed
from local_stack.kafka import LocalKafka
from local_stack.kafka_jars import kafka_jars, read_lock
from local_stack.ports import LOOPBACK, free_port

TOPIC = "kept"


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    with LocalKafka(tmp_path / "kafka", free_port()) as broker:
        yield broker


async def create_topic(broker: LocalKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()


async def send(broker: LocalKafka, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value)


async def read(broker: LocalKafka, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def test_acknowledged_records_survive_a_kill_a_restart_and_a_starter_that_was_killed(kafka: LocalKafka) -> None:
    await create_topic(kafka)
    await send(kafka, b"before the kill")
    kafka.kill()
    assert not kafka.running
    kafka.start()
    await send(kafka, b"before the restart")
    kafka.restart()
    await send(kafka, b"before the successor")
    with LocalKafka(kafka.data_dir, kafka.port) as successor:
        assert successor.pid != kafka.pid
        assert kafka.exit_code() is not None
        assert await read(successor, 3) == [b"before the kill", b"before the restart", b"before the successor"]


def test_a_port_in_use_is_named_with_the_setting_that_chose_it(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} .* is in use; set REDRESS_KAFKA_PORT"):
            LocalKafka(tmp_path / "kafka", port).start()


def test_storage_that_cannot_be_laid_out_says_why(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="Invalid value the first"):
        LocalKafka(tmp_path / "kafka", free_port(), settings={"node.id": "the first"}).start()


def test_a_broker_that_does_not_start_says_why_with_its_own_last_words(kafka: LocalKafka) -> None:
    kafka.stop()
    broken = LocalKafka(kafka.data_dir, kafka.port, settings={"num.io.threads": "0"})
    with pytest.raises(ProcessFailed, match=r"num\.io\.threads") as failed:
        broken.start()
    assert failed.value.name == "Kafka"


def test_the_jars_that_are_run_are_those_that_the_lock_names() -> None:
    assert {jar.name for jar in kafka_jars().iterdir()} == read_lock().keys()
