"""Ports on loopback."""

from __future__ import annotations

import socket

import pytest

from local_stack.errors import PortInUse
from local_stack.ports import LOOPBACK, free_ports, is_free, require_free


def test_a_port_with_a_listener_is_not_free_and_is_free_again_when_the_listener_has_gone() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use; set REDRESS_INTAKE_PORT"):
            require_free(port, "REDRESS_INTAKE_PORT")
    assert is_free(port)


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(20))) == 20
