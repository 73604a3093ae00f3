"""What the servers on loopback have in common: one child process, started, stopped, killed, watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from local_stack.errors import ProcessFailed
from local_stack.processes import ChildProcess


class LocalServer(ABC):
    """One server over one folder. A context manager: started on entry, stopped on exit."""

    NAME: ClassVar[str]
    log: Path
    _child: ChildProcess | None = None

    @abstractmethod
    def start(self) -> None:
        """Starts the server and returns when it serves; ends first what an earlier crash left running."""

    @abstractmethod
    def end_left_over(self) -> bool:
        """Stops a server over this folder that outlived whoever started it; whether there was one."""

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def stop(self) -> None:
        """Stops the server in order; a repeat does nothing."""
        if self._child:
            self._child.stop(seconds=30)
            self._child = None

    def kill(self) -> None:
        """Ends the server with SIGKILL, as a power cut would; ``start`` recovers."""
        if self._child:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def exit_code(self) -> int | None:
        """The code that the server ended with by itself; None while it runs or was stopped."""
        return self._child.exit_code() if self._child else None

    def failure(self, why: str) -> ProcessFailed:
        """The error that names the server and shows the end of its log."""
        if self._child is None:
            return ProcessFailed(self.NAME, why, self.log, [])
        return self._child.failure(why)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
