"""Whether a port can be listened on."""

import socket

import pytest

from gateway.cli.listening import PortUnavailable, check_port


def test_a_free_port_is_fine() -> None:
    """Asking leaves nothing behind: the port is free afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_port("127.0.0.1", port, "grpc")
    check_port("127.0.0.1", port, "grpc")
    check_port("localhost", 0, "grpc")


def test_a_taken_port_names_the_setting() -> None:
    """The sentence says which port and what to change."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortUnavailable) as caught:
            check_port("127.0.0.1", port, "grpc")
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port} (address already in use); "
        "choose another grpc.port (0: any free one) or grpc.host"
    )


def test_a_host_that_is_not_here() -> None:
    """An address of another machine is told before anything is started."""
    with pytest.raises(PortUnavailable, match=r"cannot listen on 192\.0\.2\.1:0"):
        check_port("192.0.2.1", 0, "grpc")
