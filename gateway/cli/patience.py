"""How long a command that follows something bears that no gateway answers: another one goes on with it."""

import time
from typing import Any, Final

import grpc

AWAY_S_MAX: Final = 30.0
"""How long no gateway may answer."""
PAUSE_S: Final = 0.5
"""Before the next call."""


class Patience:
    """Of one command, from its first call on."""

    def __init__(self) -> None:
        self._well_s = time.monotonic()

    def answered(self) -> None:
        """A gateway has: it may stay away as long again."""
        self._well_s = time.monotonic()

    def bear(self, error: grpc.RpcError) -> None:
        """Raises it, unless it says that the gateway is away, and has not been for AWAY_S_MAX yet."""
        call: Any = error
        away_s = time.monotonic() - self._well_s
        if call.code() is not grpc.StatusCode.UNAVAILABLE or away_s > AWAY_S_MAX:
            raise error
