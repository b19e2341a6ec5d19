"""How a client of the crash test calls: over all gateways, and careful about what it knows."""

from collections.abc import Sequence
from random import Random
from typing import cast

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.loopback.client import GatewayClient
from tests.robustness.timeline import Clock
from tests.robustness.traffic.caller import Caller, CallLog

_DETAILS_KEY = "grpc-status-details-bin"


def _error(code: grpc.StatusCode, reason: str = "") -> grpc.aio.AioRpcError:
    """As a gateway answers; without a reason as the library does when there is no gateway."""
    trailing = grpc.aio.Metadata()
    if reason:
        packed = any_pb2.Any()
        packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="graphgate"))
        status = status_pb2.Status(code=code.value[0], message="no", details=[packed])
        trailing = grpc.aio.Metadata((_DETAILS_KEY, status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details="no")


class _Gateways:
    """Answers in order, whichever gateway is asked; the last one again and again."""

    def __init__(self, answers: Sequence[grpc.aio.AioRpcError | int]) -> None:
        self._answers = list(answers)
        self.asked: list[int] = []
        self.log = CallLog()
        # The caller only passes them on.
        self._clients = cast("list[GatewayClient]", [0, 1, 2])
        self.caller = Caller(self._clients, Clock(), self.log, Random(1))

    async def send(self, client: GatewayClient, timeout_s: float) -> int:
        assert 0 < timeout_s <= 2
        self.asked.append(cast("int", client))
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        if isinstance(answer, grpc.aio.AioRpcError):
            raise answer
        return answer


async def test_a_call_goes_to_all_gateways_in_turn():
    """Three different ones are asked before the first is asked again; the failures are counted by reason."""
    away = _error(grpc.StatusCode.UNAVAILABLE)
    gateways = _Gateways([away, away, _error(grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"), 7])
    reply = await gateways.caller.call("g", "write", gateways.send)
    assert (reply.answer, reply.doubtful) == (7, True)
    assert sorted(gateways.asked[:3]) == [0, 1, 2]
    assert gateways.asked[3] == gateways.asked[0]
    assert gateways.log.errors == {"UNAVAILABLE": 2, "OUTCOME_UNKNOWN": 1}
    assert [call.answered for call in gateways.log.calls] == [True]


async def test_a_refusal_is_an_answer():
    """NOT_FOUND would be the same anywhere; it ends the call, which counts as answered."""
    gateways = _Gateways([_error(grpc.StatusCode.NOT_FOUND, "ROW_NOT_FOUND")])
    reply = await gateways.caller.call("g", "patch", gateways.send)
    assert (reply.answer, reply.refusal, reply.doubtful) == (None, "ROW_NOT_FOUND", False)
    assert len(gateways.asked) == 1
    assert gateways.log.errors == {}
    assert gateways.log.calls[0].answered


@pytest.mark.parametrize(("reason", "doubtful"), [("SHARD_UNAVAILABLE", False), ("OUTCOME_UNKNOWN", True)])
async def test_a_call_gives_up_at_its_limit_and_knows_what_it_does_not_know(reason: str, doubtful: bool):
    """Without any answer it is unanswered, with the last reason; in doubt only if an attempt may have
    written."""
    gateways = _Gateways([_error(grpc.StatusCode.UNAVAILABLE, reason)])
    reply = await gateways.caller.call("g", "write", gateways.send, call_s_max=0.1)
    assert (reply.answer, reply.refusal, reply.doubtful) == (None, "", doubtful)
    (call,) = gateways.log.calls
    assert (call.answered, call.gave_up_reason) == (False, reason)
