"""The port that search asks for relevance, whoever computes it."""

from collections.abc import Sequence
from typing import Protocol

from drivers.deadline import Deadline
from gateway.rerank.errors import CrossEncoderDisabled


class CrossEncoder(Protocol):
    """Safe for concurrent use."""

    @property
    def timeout_s(self) -> float:
        """How long a search waits for the scores of its candidates, at most."""
        ...

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        """Relevance of each passage to the query, 0..1, in their order.

        Raises CrossEncoderFailed (all scores or none) and CrossEncoderDisabled.
        """
        ...

    async def close(self) -> None: ...


class NoCrossEncoder:
    """Of a gateway that is configured without one."""

    timeout_s = 0.0

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        """Raises CrossEncoderDisabled."""
        raise CrossEncoderDisabled

    async def close(self) -> None:
        """Nothing to free."""
