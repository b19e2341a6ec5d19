"""Requests for scores are counted, whatever becomes of them."""

import asyncio
from collections.abc import Sequence

import pytest

from drivers.deadline import Deadline
from gateway.rerank.errors import CrossEncoderDisabled, CrossEncoderFailed, Failure
from gateway.settings.service import MetricsSettings
from gateway.settings.tree import Settings
from gateway.telemetry.metered_cross_encoder import MeteredCrossEncoder
from gateway.telemetry.telemetry import Telemetry


class FakeCrossEncoder:
    """Scores every passage alike or raises what it was given."""

    timeout_s = 1.5

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.closed = False

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        if self.error is not None:
            raise self.error
        return [0.5] * len(passages)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "OK"),
        (CrossEncoderFailed(Failure.TIMEOUT, "late"), "CROSS_ENCODER_TIMEOUT"),
        (CrossEncoderFailed(Failure.REFUSED, "status 401"), "CROSS_ENCODER_REFUSED"),
        (CrossEncoderDisabled(), "CROSS_ENCODER_DISABLED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
async def test_every_outcome_is_counted(error: BaseException | None, outcome: str) -> None:
    """Timeouts are told from other failures; a failed, cancelled or broken request counts like one that
    succeeded, with its passages and its time, and fails as it would have."""
    telemetry = Telemetry(Settings(metrics=MetricsSettings(enabled=False)))
    inner = FakeCrossEncoder(error)
    model = MeteredCrossEncoder(inner, telemetry)
    assert model.timeout_s == inner.timeout_s
    if error is None:
        assert await model.score("q", ["a", "b"], Deadline.after(1)) == [0.5, 0.5]
    else:
        with pytest.raises(type(error)):
            await model.score("q", ["a", "b"], Deadline.after(1))
    (operation,) = telemetry.cross_encodings.operations
    assert operation.outcomes == {outcome: 1}
    assert operation.latency.summary().count == 1
    assert telemetry.cross_encodings.items == 2
    assert not list(telemetry.embeddings.operations)
    await model.close()
    assert inner.closed
