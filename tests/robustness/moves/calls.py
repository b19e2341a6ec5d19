"""Moves as calls of the API, through any gateway that answers."""

from collections.abc import Awaitable, Callable
from functools import partial

import grpc
from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_service_pb2, move_pb2
from tests.robustness.moves.plan import Place
from tests.robustness.traffic.caller import Caller, Reply

MOVES = "operations/moves/"
"""Before the id of a move, in the name of its operation."""
_PAGE_MAX = 100

_SPACES = {
    "": move_pb2.MOVE_SPACE_UNSPECIFIED,
    "pooled": move_pb2.MOVE_SPACE_POOLED,
    "own": move_pb2.MOVE_SPACE_OWN,
}


def phase_of(progress: move_pb2.MoveProgress) -> str:
    return move_pb2.MovePhase.Name(progress.phase).removeprefix("MOVE_PHASE_")


class MoveCalls:
    """Every method is None where no gateway answered in time, and where it was refused."""

    def __init__(self, caller: Caller) -> None:
        """`caller`: one of its own, so that these calls are not counted as traffic."""
        self._caller = caller

    async def place_of(self, group_id: str) -> Place | None:
        async def send(client: GatewayClient, timeout_s: float) -> Place:
            request = graph_service_pb2.GetGroupRequest(group_id=group_id)
            group = (await client.graph.GetGroup(request, timeout=timeout_s)).group
            return Place(group.shard, group.space)

        return (await self._ask(group_id, "place", send)).answer

    async def begin(
        self, group_id: str, to_shard: str, to_space: str, reverse_window_s: float, request_id: str
    ) -> Reply[move_pb2.MoveProgress]:
        """`to_space`: pooled, own, or empty: as now. Also with the reason of a refusal, and whether a move
        may have begun without an answer."""
        window = Duration()
        window.FromNanoseconds(round(reverse_window_s * 1e9))
        request = move_pb2.MoveGroupRequest(
            group_id=group_id,
            to_shard=to_shard,
            to_space=_SPACES[to_space],
            reverse_window=window,
            request_id=request_id,
        )

        async def send(client: GatewayClient, timeout_s: float) -> move_pb2.MoveProgress:
            return _progress(await client.admin.MoveGroup(request, timeout=timeout_s))

        return await self._ask(group_id, "move", send)

    async def get(self, move_id: str) -> Reply[move_pb2.MoveProgress]:
        async def send(client: GatewayClient, timeout_s: float) -> move_pb2.MoveProgress:
            request = operations_pb2.GetOperationRequest(name=MOVES + move_id)
            return _progress(await client.operations.GetOperation(request, timeout=timeout_s))

        return await self._ask(move_id, "look", send)

    async def cancel(self, move_id: str) -> bool:
        async def send(client: GatewayClient, timeout_s: float) -> bool:
            request = operations_pb2.CancelOperationRequest(name=MOVES + move_id)
            await client.operations.CancelOperation(request, timeout=timeout_s)
            return True

        return bool((await self._ask(move_id, "cancel", send)).answer)

    async def reverse(self, move_id: str) -> Reply[move_pb2.MoveProgress]:
        async def send(client: GatewayClient, timeout_s: float) -> move_pb2.MoveProgress:
            request = move_pb2.ReverseMoveRequest(move_id=move_id)
            return _progress(await client.admin.ReverseMove(request, timeout=timeout_s))

        return await self._ask(move_id, "reverse", send)

    async def finish(self, move_id: str) -> bool:
        async def send(client: GatewayClient, timeout_s: float) -> bool:
            await client.admin.FinishMove(move_pb2.FinishMoveRequest(move_id=move_id), timeout=timeout_s)
            return True

        return bool((await self._ask(move_id, "finish", send)).answer)

    async def every(self) -> list[move_pb2.MoveProgress] | None:
        """All moves that are on record, by move_id."""
        found: dict[str, move_pb2.MoveProgress] = {}
        token = ""
        while True:
            page = (await self._ask("", "list", partial(_page, token))).answer
            if page is None:
                return None
            found |= {progress.move_id: progress for progress in map(_progress, page.operations)}
            token = page.next_page_token
            if not token:
                return [found[move_id] for move_id in sorted(found)]

    async def _ask[T](
        self, about: str, what: str, send: Callable[[GatewayClient, float], Awaitable[T]]
    ) -> Reply[T]:
        return await self._caller.call(about, what, send)


FINAL = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED})
"""Refusals of these calls that another attempt would not change soon."""


async def _page(token: str, client: GatewayClient, timeout_s: float) -> operations_pb2.ListOperationsResponse:
    request = operations_pb2.ListOperationsRequest(name="operations", page_size=_PAGE_MAX, page_token=token)
    return await client.operations.ListOperations(request, timeout=timeout_s)


def _progress(operation: operations_pb2.Operation) -> move_pb2.MoveProgress:
    progress = move_pb2.MoveProgress()
    assert operation.metadata.Unpack(progress), f"{operation.name} has no MoveProgress"
    return progress
