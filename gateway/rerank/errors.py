"""What asking a cross-encoder can fail with.

GraphgateError
 +- CrossEncoderFailed     the model gave no scores; a search keeps its fused order and says so
 +- CrossEncoderDisabled   this gateway has none
"""

from enum import StrEnum

from drivers.errors import GraphgateError


class Failure(StrEnum):
    """Why there are no scores. Part of the API: RerankOutcome.reason."""

    TIMEOUT = "CROSS_ENCODER_TIMEOUT"
    UNAVAILABLE = "CROSS_ENCODER_UNAVAILABLE"
    """No connection, 408, 409, 5xx, or the gateway's queue of requests is full."""
    RATE_LIMITED = "CROSS_ENCODER_RATE_LIMITED"
    REFUSED = "CROSS_ENCODER_REFUSED"
    """The provider rejected the request or the credentials."""
    ANSWER_INVALID = "CROSS_ENCODER_ANSWER_INVALID"


class CrossEncoderFailed(GraphgateError):
    reason = "CROSS_ENCODER_FAILED"

    def __init__(self, failure: Failure, detail: str) -> None:
        """`detail`: for the log; without keys, addresses and the texts that were asked about."""
        super().__init__(f"the cross-encoder gave no scores ({failure}: {detail})")
        self.failure = failure
        self.detail = detail


class CrossEncoderDisabled(GraphgateError):
    reason = "CROSS_ENCODER_DISABLED"

    def __init__(self) -> None:
        super().__init__("this gateway has no cross-encoder; set cross_encoder.model or use another reranker")
