"""Whether a port can be listened on, asked before anything is started."""

import os
import socket


class PortUnavailable(Exception):
    """Nothing can listen there."""


def check_port(host: str, port: int, setting: str) -> None:
    """Raises PortUnavailable, naming `setting` as what to change."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                # As servers do: connections of an earlier process that are still closing do not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error.strerror)
        raise PortUnavailable(
            f"cannot listen on {host}:{port} ({why}); "
            f"choose another {setting}.port (0: any free one) or {setting}.host"
        ) from error
