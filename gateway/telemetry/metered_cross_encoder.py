"""A cross-encoder whose requests are counted and timed."""

from collections.abc import Sequence

from drivers.deadline import Deadline
from gateway.rerank.port import CrossEncoder
from gateway.telemetry.telemetry import Telemetry


class MeteredCrossEncoder:
    """A CrossEncoder around another one."""

    def __init__(self, inner: CrossEncoder, telemetry: Telemetry) -> None:
        self._inner = inner
        self._requests = telemetry.cross_encodings

    @property
    def timeout_s(self) -> float:
        return self._inner.timeout_s

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        with self._requests.metered(len(passages)):
            return await self._inner.score(query, passages, deadline)

    async def close(self) -> None:
        await self._inner.close()
