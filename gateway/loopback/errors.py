"""What can go wrong with a gateway process that the demo or a benchmark started."""

from collections.abc import Sequence


class GatewayProcessError(Exception):
    """The gateway process ended or did not become ready; it is gone when this is raised.

    The end of what it wrote is part of the message.
    """

    def __init__(self, what: str, log_tail: str) -> None:
        super().__init__(f"{what}; the end of its log:\n{log_tail or '(it wrote nothing)'}")
        self.log_tail = log_tail


class ShardsAway(Exception):
    """The gateway serves, but does not reach some of its shards."""

    def __init__(self, shards: Sequence[str], timeout_s: float) -> None:
        super().__init__(
            f"the gateway did not reach {', '.join(shards)} within {timeout_s:g} s; look at its log"
        )


class RetriesExhausted(Exception):
    """A call kept failing in ways that may pass."""

    def __init__(self, request_id: str, limit_s: float, last: str) -> None:
        super().__init__(
            f"the write {request_id} was retried for {limit_s:g} s and still fails ({last}); "
            "look at the logs of the gateway and of the shard"
        )
        self.request_id = request_id
