"""What can go wrong on graphiti-core's side."""

from drivers.errors import GraphgateError


class PeerNotInstalled(GraphgateError):
    """Its virtual environment cannot be made."""

    def __init__(self, what: str, output_tail: str) -> None:
        super().__init__(
            f"cannot install graphiti-core: {what}; look at pip's settings and the network. The end of its "
            f"output:\n{output_tail or '(it wrote nothing)'}"
        )


class PeerFailed(GraphgateError):
    """Its process ended, answers nothing, or refused a request."""

    def __init__(self, what: str, log_tail: str) -> None:
        super().__init__(f"graphiti-core's side: {what}; the end of its log:\n{log_tail or '(empty)'}")


class SlotsNotReady(GraphgateError):
    """Vectors of the group are not in their index after all that time."""

    def __init__(self, group_id: str, state: str, timeout_s: float) -> None:
        super().__init__(
            f"the vector indexes of group {group_id} were not complete after {timeout_s:g} s ({state}); "
            "look at the log of the gateway"
        )
