"""Which failures are retried."""

import grpc
import pytest
from grpc.aio import Metadata

from gateway.loopback import retry
from gateway.loopback.errors import RetriesExhausted


def _error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, Metadata(), Metadata(), details="why")


class _Call:
    """Fails with the given codes, one after the other, then answers."""

    def __init__(self, *codes: grpc.StatusCode) -> None:
        self._codes = list(codes)
        self.times = 0

    async def __call__(self) -> str:
        self.times += 1
        if self._codes:
            raise _error(self._codes.pop(0))
        return "answer"


async def test_failures_that_pass_are_retried():
    """A gateway or an engine that was killed comes back; the write has its request_id."""
    call = _Call(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    seen: list[grpc.StatusCode] = []
    answer = await retry.until_acknowledged(call, "id", lambda error: seen.append(error.code()))
    assert (answer, call.times) == ("answer", 3)
    assert seen == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL])
async def test_other_failures_are_raised_at_once(code: grpc.StatusCode):
    """A bug must be seen, not retried until it looks like an outage."""
    call = _Call(code)
    with pytest.raises(grpc.aio.AioRpcError):
        await retry.until_acknowledged(call, "id", lambda _: None)
    assert call.times == 1


async def test_retries_end(monkeypatch: pytest.MonkeyPatch):
    """Whatever stays away ends the run with the write's name."""
    monkeypatch.setattr(retry, "RETRY_LIMIT_S", 0.0)
    call = _Call(*[grpc.StatusCode.UNAVAILABLE] * 100)
    with pytest.raises(RetriesExhausted, match="UNAVAILABLE") as raised:
        await retry.until_acknowledged(call, "id", lambda _: None)
    assert raised.value.request_id == "id"
