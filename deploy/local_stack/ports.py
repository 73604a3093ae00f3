"""TCP ports on the loopback interface: which are free, and who asked for one that is not."""

from __future__ import annotations

import socket

from local_stack.errors import PortInUse

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, setting: str | None = None) -> None:
    """Returns if ``port`` can be listened on.

    Raises:
        PortInUse: names the port and the ``setting`` that chose it.
    """
    if not is_free(port):
        raise PortInUse(port, setting)


def free_ports(count: int) -> list[int]:
    """``count`` different ports that nobody listens on at this moment."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:  # all are held at once, so that none is given twice
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    return free_ports(1)[0]
