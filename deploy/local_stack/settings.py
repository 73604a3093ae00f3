"""Where the local system keeps its data and listens; each is an environment variable with the prefix ``REDRESS_``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack.errors import LocalStackError
from local_stack.places import data_dir
from local_stack.ports import LOOPBACK

Port = Annotated[int, Field(ge=1, le=65535)]


class StackSettings(BaseSettings):
    """Read once, by whoever starts the system; the services get theirs from ``environment``."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_", env_ignore_empty=True, frozen=True)

    data_dir: Path = Field(default_factory=data_dir)
    database_url: str | None = None
    """A PostgreSQL server to use instead of a local one."""
    kafka_bootstrap_servers: str | None = None
    """A Kafka cluster to use instead of a local broker."""
    kafka_topic_prefix: str = ""
    host: str = LOOPBACK
    """The address that services and mailbox listen on; in a container all of its own."""
    intake_port: Port = 8080
    routing_port: Port = 8081
    sla_monitor_port: Port = 8082
    notifier_port: Port = 8083
    ledger_port: Port = 8084
    relay_port: Port = 8085
    mailbox_port: Port = 8025
    smtp_port: Port = 1025
    postgres_port: Port = 5433
    kafka_port: Port = 9192

    def check_ports_differ(self) -> None:
        """Raises LocalStackError when two servers are told to listen on one port."""
        by_port: dict[int, str] = {}
        for name in type(self).model_fields:
            if name.endswith("_port"):
                port, setting = getattr(self, name), setting_name(name)
                if port in by_port:
                    raise LocalStackError(f"{by_port[port]} and {setting} are both {port}")
                by_port[port] = setting

    def environment(self, *, database_url: str, kafka_bootstrap_servers: str) -> dict[str, str]:
        """The environment of a service: ours, and what was found out or decided here."""
        decided = {
            setting_name(name): str(value)
            for name, value in self.model_dump(exclude={"database_url", "kafka_bootstrap_servers"}).items()
        }
        return {
            **os.environ,
            **decided,
            "REDRESS_DATABASE_URL": database_url,
            "REDRESS_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers,
            "REDRESS_PUBLIC_URL": os.environ.get("REDRESS_PUBLIC_URL", f"http://{LOOPBACK}:{self.ledger_port}"),
            "REDRESS_SMTP_HOST": os.environ.get("REDRESS_SMTP_HOST", LOOPBACK),
            "PYTHONUNBUFFERED": "1",  # a crash must not take the last log lines with it
        }


def setting_name(field: str) -> str:
    """The environment variable behind a field of ``StackSettings``."""
    return f"REDRESS_{field.upper()}"
