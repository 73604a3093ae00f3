"""Settings, read from the environment once, in ``__main__``; every variable starts with ``REDRESS_``.

One class a concern; ``Settings`` holds one of each. ``python -m complaints.adapters.settings`` prints docs/settings.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]
"""0 takes a free port; only tests ask for that."""


class Database(BaseSettings):
    """PostgreSQL: the record."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_DATABASE_", frozen=True)

    url: str = Field("postgresql://redress@127.0.0.1:5433/redress", description="The database; any libpq URL.")
    pool_size: int = Field(8, ge=1, description="The most connections that one pool of one process opens.")


class Kafka(BaseSettings):
    """Apache Kafka: the conversation."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_KAFKA_", frozen=True)

    bootstrap_servers: str = Field("127.0.0.1:9192", description="Brokers to start from, `host:port`, by commas.")
    topic_prefix: str = Field("", description="What every topic and consumer group of this installation starts with.")
    partitions: int = Field(
        6,
        ge=1,
        description="Partitions of the event and command topics when they are created; never changed afterwards.",
    )
    replication: int = Field(1, ge=1, description="Copies of each partition when topics are created.")
    retention_days: int = Field(
        0,
        ge=0,
        description="Days that events and checkpoints stay on their topics; 0 keeps them, so that a new consumer can "
        "start from the topic alone. Other topics keep 30 days.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are reached."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="With a SASL protocol only."
    )
    sasl_username: str | None = Field(None, description="With a SASL protocol only.")
    sasl_password: str | None = Field(None, description="With a SASL protocol only.", repr=False)
    ca_file: Path | None = Field(None, description="Certificates that sign the brokers' own; the system's otherwise.")


class Http(BaseSettings):
    """Where each process listens, and what it is called from outside."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_", frozen=True)

    host: str = Field("127.0.0.1", description="The address that every process listens on.")
    intake_port: Port = Field(8080, description="The API that frontends call.")
    routing_port: Port = Field(8081, description="Health and metrics of routing.")
    sla_monitor_port: Port = Field(8082, description="Health and metrics of sla_monitor.")
    notifier_port: Port = Field(8083, description="Health and metrics of notifier.")
    ledger_port: Port = Field(8084, description="The read side: register, case files, console.")
    relay_port: Port = Field(8085, description="Health and metrics of the relay.")
    public_url: str = Field("http://127.0.0.1:8084", description="What links in mails and escalations start with.")


class Mail(BaseSettings):
    """The SMTP server that letters go out through."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_SMTP_", frozen=True)

    host: str = Field("127.0.0.1", description="The SMTP server.")
    port: Port = Field(1025, description="Its port.")
    tls: Literal["none", "starttls", "tls"] = Field("none", description="`starttls` upgrades, `tls` starts encrypted.")
    username: str | None = Field(None, description="Where the server asks for one.")
    password: str | None = Field(None, description="Where the server asks for one.", repr=False)
    sender: str = Field("redress@localhost", description="The address that letters come from.")


class Files(BaseSettings):
    """What lies on disk."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_", frozen=True)

    data_dir: Path = Field(Path(".redress"), description="Everything that a local installation keeps.")
    seal_key_file: Path | None = Field(
        None, description="The key that wraps the keys of data subjects; `<data>/seal.key` otherwise."
    )
    checkpoint_key_file: Path | None = Field(
        None, description="The Ed25519 key that signs checkpoints; `<data>/checkpoint.key` otherwise."
    )

    @property
    def seal_key(self) -> Path:
        return self.seal_key_file or self.data_dir / "seal.key"

    @property
    def checkpoint_key(self) -> Path:
        return self.checkpoint_key_file or self.data_dir / "checkpoint.key"


class Logging(BaseSettings):
    """What is logged."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_LOG_", frozen=True)

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least that is logged.")


class Intake(BaseSettings):
    """What the intake process does beside answering HTTP."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_INTAKE_", frozen=True)

    consumes_commands: bool = Field(
        True, description="Takes the services' commands from Kafka as well; else HTTP only."
    )
    largest_body: int = Field(
        2 * 2**20, ge=2**10, le=5 * 2**20, description="The most bytes of a request's body, or of a line in bulk."
    )
    longest_text: int = Field(100_000, ge=100, description="The most characters of one text in a request.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them. A test builds one by hand from the parts that it cares for."""

    database: Database = field(default_factory=Database)
    kafka: Kafka = field(default_factory=Kafka)
    http: Http = field(default_factory=Http)
    mail: Mail = field(default_factory=Mail)
    files: Files = field(default_factory=Files)
    logging: Logging = field(default_factory=Logging)
    intake: Intake = field(default_factory=Intake)

    @classmethod
    def read(cls) -> Settings:
        """From the environment.

        Raises:
            pydantic.ValidationError: a variable that cannot be read; names it.
        """
        return cls()


GROUPS: tuple[type[BaseSettings], ...] = (Database, Kafka, Http, Mail, Files, Logging, Intake)

INTRODUCTION = """\
# Settings

Every process reads these from its environment once, when it starts. This table is made from the code by
`python -m complaints.adapters.settings` and a test holds it to that.

`OTEL_EXPORTER_OTLP_ENDPOINT` turns tracing on, with OpenTelemetry's other standard variables; without it nothing is
traced.
"""


def table() -> str:
    """The documented table of every variable: name, default, meaning."""
    lines = [INTRODUCTION, "| variable | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {_shown(info.default)} | {info.description} |" for name, info in variables()]
    return "\n".join(lines) + "\n"


def variables() -> Iterator[tuple[str, FieldInfo]]:
    """Every variable's name and what is known of it, in the order of the classes."""
    for group in GROUPS:
        prefix = str(group.model_config.get("env_prefix", ""))
        for name, info in group.model_fields.items():
            yield f"{prefix}{name}".upper(), info


def _shown(default: object) -> str:
    match default:
        case None | "":
            return "—"
        case bool():
            return f"`{str(default).lower()}`"
        case _:
            return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(table())
