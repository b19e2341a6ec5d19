"""Ports on 127.0.0.1 for embedded engines, and the memory of the one an engine had."""

import secrets
import socket
from pathlib import Path

from gateway.embedded.errors import NoFreePortError

HOST = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections (Linux from 32768, others from
# 49152): in that range a client that keeps calling a stopped engine can be given the engine's own port,
# connect to itself and keep the engine from ever listening again.
PORT_FIRST = 20_000
PORT_LAST = 29_999

_PORT_TRIES_MAX = 200
_PORT_FILE = "port"


def is_port_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the last run that wait out their TIME_WAIT do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port in PORT_FIRST..PORT_LAST that is free now; another process may still take it first.

    Raises NoFreePortError.
    """
    for _ in range(_PORT_TRIES_MAX):
        port = PORT_FIRST + secrets.randbelow(PORT_LAST - PORT_FIRST + 1)
        if is_port_free(port):
            return port
    raise NoFreePortError(
        f"no free port on {HOST} in {PORT_FIRST}..{PORT_LAST} after {_PORT_TRIES_MAX} tries; "
        "stop servers that are not needed or give the port"
    )


def remembered_port(directory: Path) -> int | None:
    """The port of the last successful start in `directory`, None if there was none."""
    try:
        port = int((directory / _PORT_FILE).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return port if 0 < port < 65_536 else None


def remember_port(directory: Path, port: int) -> None:
    """Keep `port` for the next start in `directory`."""
    (directory / _PORT_FILE).write_text(f"{port}\n", encoding="ascii")
