"""Choice and memory of an embedded engine's port."""

import socket
from pathlib import Path

import pytest

from gateway.embedded import ports
from gateway.embedded.errors import NoFreePortError


def test_a_port_is_below_those_of_outgoing_connections():
    """A client that calls a stopped engine must never be given that engine's port as its own."""
    assert all(20_000 <= ports.free_port() < 32_768 for _ in range(50))


def test_a_listening_port_is_not_free():
    """Somebody else's server is noticed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_port_free(port)
    assert ports.is_port_free(port)


def test_no_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """The search ends."""
    monkeypatch.setattr(ports, "is_port_free", lambda port: False)  # pyright: ignore[reportUnknownArgumentType]
    with pytest.raises(NoFreePortError, match=r"20000\.\.29999"):
        ports.free_port()


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "-7"])
def test_a_memory_that_is_no_port_is_none(tmp_path: Path, text: str):
    """A damaged file costs the address, not the start."""
    assert ports.remembered_port(tmp_path) is None
    (tmp_path / "port").write_text(text)
    assert ports.remembered_port(tmp_path) is None


def test_a_port_is_remembered(tmp_path: Path):
    """What was kept is found again."""
    ports.remember_port(tmp_path, 23_456)
    assert ports.remembered_port(tmp_path) == 23_456
