"""The processes of the system and what starts each of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from local_stack.settings import StackSettings, setting_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process. It answers ``/health/ready`` on ``port``; ``ports`` are all that it listens on, by their setting."""

    name: str
    command: tuple[str, ...]
    port: int
    ports: dict[str, int]


def services_of(settings: StackSettings) -> list[Service]:
    """Every process, in the order in which they are started; they are stopped in the reverse order."""
    return [
        _service("mailbox", "local_stack.mailbox", settings, "mailbox_port", "smtp_port"),
        _service("intake", "intake", settings, "intake_port"),
        _service("relay", "intake.relay", settings, "relay_port"),
        _service("routing", "routing", settings, "routing_port"),
        _service("sla_monitor", "sla_monitor", settings, "sla_monitor_port"),
        _service("notifier", "notifier", settings, "notifier_port"),
        _service("ledger", "ledger", settings, "ledger_port"),
    ]


def _service(name: str, module: str, settings: StackSettings, *fields: str) -> Service:
    ports = {setting_name(field): int(getattr(settings, field)) for field in fields}
    return Service(name=name, command=(sys.executable, "-m", module), port=next(iter(ports.values())), ports=ports)
