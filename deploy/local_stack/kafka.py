"""A real Apache Kafka broker on loopback: one process that is broker and controller (KRaft)."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.java import find_java
from local_stack.kafka_jars import kafka_jars
from local_stack.ports import LOOPBACK, free_port, require_free
from local_stack.processes import ChildProcess, end, left_over
from local_stack.server import LocalServer

PORT_SETTING = "REDRESS_KAFKA_PORT"
STARTED = "Kafka Server started"

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    # One node: what Kafka keeps for itself has one copy and few partitions.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After a kill -9 the controller waits until the dead broker's session is over; the default of 9 s is for networks.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(16 * 2**20),  # the default takes a quarter of our heap
}


class LocalKafka(LocalServer):
    """One broker over one folder; topics and offsets survive a stop, a kill and a restart.

    ``settings`` are added to the broker's own, as in ``server.properties``.
    """

    NAME = "Kafka"

    def __init__(
        self, data_dir: Path, port: int, *, heap_mb: int = 512, settings: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir, self.port, self.heap_mb = data_dir.absolute(), port, heap_mb
        self.log = self.data_dir / "kafka.log"
        self._logs = self.data_dir / "logs"
        self._formatted = self.data_dir / "formatted"
        self._record = self.data_dir / "kafka.pid"
        self._settings = dict(settings or {})

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Starts the broker and returns when it serves; ends first what an earlier crash left running.

        Raises:
            PortInUse: somebody else listens on the port.
            LocalStackError: no Java, no jars, or the broker did not start; says what it logged.
        """
        if self.running:
            return
        java, jars = find_java(), kafka_jars()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.end_left_over()
        require_free(self.port, PORT_SETTING)
        properties = self._write_properties(controller_port=free_port())
        classpath = f"{jars}/*"
        if not self._formatted.exists():
            self._format([str(java), "-cp", classpath, "kafka.tools.StorageTool"], properties)
        self._child = ChildProcess(
            name=self.NAME,
            command=[
                str(java),
                f"-Xmx{self.heap_mb}m",
                *("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"),
                *("-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true"),
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                *("-cp", classpath, "kafka.Kafka", str(properties)),
            ],
            log=self.log,
            record=self._record,
            cwd=self.data_dir,
        )
        self._child.start()
        # The broker says so itself, once it has caught up with its log and its controller lets it serve.
        self._child.wait_until(self._started, seconds=120)

    def end_left_over(self) -> bool:
        """Stops a broker over this folder that outlived whoever started it; whether there was one."""
        process = left_over(self._record)
        if process:
            end(process, seconds=15)
        self._record.unlink(missing_ok=True)
        return process is not None

    def _started(self) -> bool:
        return self._child is not None and STARTED in self._child.output()

    def _write_properties(self, *, controller_port: int) -> Path:
        values = {
            **_SETTINGS,
            "listeners": f"BROKER://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{controller_port}",
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
            "log.dirs": str(self._logs),
            **self._settings,
        }
        properties = self.data_dir / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return properties

    def _format(self, storage_tool: list[str], properties: Path) -> None:
        """Lays out an empty log folder; a marker beside it says that this was finished."""
        shutil.rmtree(self._logs, ignore_errors=True)
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        command = [*storage_tool, "format", "--standalone", f"--cluster-id={cluster}", "--config", str(properties)]
        try:
            subprocess.run(command, cwd=self.data_dir, capture_output=True, text=True, timeout=120, check=True)
        except subprocess.CalledProcessError as error:
            said = (error.stdout + error.stderr).strip()[-2000:]
            raise LocalStackError(f"Kafka's storage could not be laid out:\n{said}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LocalStackError(f"Kafka's storage could not be laid out: {error}") from error
        self._formatted.touch()
