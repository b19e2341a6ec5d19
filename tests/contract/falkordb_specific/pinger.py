"""A client that does nothing but PING: `python -m tests.contract.falkordb_specific.pinger PORT`.

For each line that it reads it prints the longest PING in seconds since the last one. A process of its own,
so that the work of the test does not keep it from asking.
"""

import select
import socket
import sys
import time

PAUSE_S = 0.0005


def main(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        longest_s = 0.0
        while True:
            start = time.perf_counter()
            connection.sendall(b"PING\r\n")
            connection.recv(64)
            longest_s = max(longest_s, time.perf_counter() - start)
            if select.select([sys.stdin], [], [], PAUSE_S)[0]:
                if not sys.stdin.readline():
                    return
                print(longest_s, flush=True)
                longest_s = 0.0


if __name__ == "__main__":
    main(int(sys.argv[1]))
