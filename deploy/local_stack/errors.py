"""What can go wrong with servers on this machine, said so that the person at the terminal can act on it."""

from __future__ import annotations

from pathlib import Path


class LocalStackError(Exception):
    """Something local could not be started, stopped or found; the message is meant for the terminal."""


class PortInUse(LocalStackError):
    """Another process listens where we were told to listen."""

    def __init__(self, port: int, setting: str | None = None) -> None:
        hint = f"; set {setting} to another port or stop what uses it" if setting else ""
        super().__init__(f"port {port} on 127.0.0.1 is in use{hint}")
        self.port, self.setting = port, setting


class ProcessFailed(LocalStackError):
    """A child process ended, or did not get ready; carries the end of its log."""

    def __init__(self, name: str, why: str, log: Path, last_lines: list[str]) -> None:
        tail = "".join(f"\n    {line}" for line in last_lines) or "\n    (it wrote nothing)"
        super().__init__(f"{name} {why}; the end of {log}:{tail}")
        self.name, self.why, self.log, self.last_lines = name, why, log, last_lines
