"""Child processes with a log file and a record that outlives us, so that a later start can find what a crash left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local_stack.errors import LocalStackError, ProcessFailed

LOG_LIMIT = 16 * 2**20
"""Bytes; a longer log is put aside as ``<name>.log.1`` at the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The account that a child runs under."""

    uid: int
    gid: int


@dataclass(slots=True, kw_only=True)
class ChildProcess:
    """One child: started in a session of its own, so that a Ctrl-C at the terminal reaches only us.

    ``record`` is a file with the child's pid and start time while it runs. ``stop_signal`` is what asks it to end.
    """

    name: str
    command: Sequence[str]
    log: Path
    record: Path
    env: Mapping[str, str] | None = field(default=None, repr=False)  # holds passwords
    cwd: Path | None = None
    run_as: RunAs | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    log_start: int = field(default=0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the child; what it prints is added to its log.

        Raises:
            LocalStackError: the program is not there or may not be run.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.record.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(self.log.suffix + ".1"))
        account: dict[str, int | list[int]] = {}
        if self.run_as:
            account = {"user": self.run_as.uid, "group": self.run_as.gid, "extra_groups": []}
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            try:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    cwd=self.cwd,
                    start_new_session=True,
                    **account,  # type: ignore[call-overload]  # one overload a platform; the names are right on POSIX
                )
            except OSError as error:
                raise LocalStackError(f"{self.name} could not be started: {error}") from error
        assert self._process is not None  # noqa: S101  # the ignore above hides the type
        _write_record(self.record, self._process.pid)

    def exit_code(self) -> int | None:
        """The code that the child ended with, negative for a signal; None while it runs or was never started."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Returns when ``ready()`` says so.

        Raises:
            ProcessFailed: the child ended first or was stopped meanwhile, or ``seconds`` went by.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process is None:
                raise self.failure("was stopped before it was ready")
            if (code := self.exit_code()) is not None:
                raise self.failure(f"ended with {describe_exit(code)} before it was ready")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready after {seconds:g} s")
            time.sleep(0.05)

    def failure(self, why: str) -> ProcessFailed:
        """The error that names this child and shows the end of its log."""
        return ProcessFailed(self.name, why, self.log, self.last_lines())

    def output(self) -> str:
        """What the child has printed since it was started."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def last_lines(self, count: int = 20) -> list[str]:
        """The end of what the child printed since it was started."""
        return self.output().splitlines()[-count:] if self.log.exists() else []

    def signal_stop(self) -> None:
        """Asks the child to end and returns at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def stop(self, *, seconds: float) -> None:
        """Asks the child to end; kills it and its children when it has not after ``seconds``. Repeats do nothing."""
        if self._process is None:
            return
        self.signal_stop()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        self._forget()

    def kill(self) -> None:
        """Ends the child and all its children as a power cut would: SIGKILL, nothing is flushed or said."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                kill_tree(psutil.Process(self._process.pid))
        self._process.wait()
        self._forget()

    def _forget(self) -> None:
        self.record.unlink(missing_ok=True)
        self._process = None


def kill_tree(process: psutil.Process) -> None:
    """SIGKILL to ``process`` and everything below it; returns when all are gone."""
    family = [process, *process.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)


def end(process: psutil.Process, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float) -> None:
    """Ends a process that is not our child: asks, waits up to ``seconds``, kills it and its children."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(with_signal)
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            kill_tree(process)


def left_over(record: Path) -> psutil.Process | None:
    """The process that ``record`` speaks of, if that very process still runs; a reused pid is not it."""
    try:
        written = json.loads(record.read_text())
        process = psutil.Process(int(written["pid"]))
        started_at = process.create_time()
    except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        return None
    same = abs(started_at - float(written["started_at"])) < 1.0
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def record_self(record: Path) -> None:
    """Writes a record of this process, for ``left_over`` to find."""
    record.parent.mkdir(parents=True, exist_ok=True)
    _write_record(record, os.getpid())


def describe_exit(code: int) -> str:
    """``exit code 3``, or ``signal SIGKILL`` for what a shell would show as 137."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _write_record(record: Path, pid: int) -> None:
    try:
        started_at = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it ended at once; whoever waits for it will say so
        return
    new = record.with_suffix(".new")
    new.write_text(json.dumps({"pid": pid, "started_at": started_at}))
    new.replace(record)
