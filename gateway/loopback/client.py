"""A client of a gateway: one channel with a stub for each service."""

import asyncio
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.longrunning import operations_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.loopback.errors import ShardsAway
from graphgate.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)

if TYPE_CHECKING:
    from graphgate.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from graphgate.v1.graph_service_pb2_grpc import GraphServiceAsyncStub
    from graphgate.v1.ingest_service_pb2_grpc import IngestServiceAsyncStub
    from graphgate.v1.search_service_pb2_grpc import SearchServiceAsyncStub

_PROBE_INTERVAL_S = 0.1

# A gateway that was killed comes back within seconds; the library's own first pause is one second.
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


class GatewayClient:
    """Context manager around the channel. Plaintext: for a gateway on this machine."""

    graph: "GraphServiceAsyncStub"
    ingest: "IngestServiceAsyncStub"
    search: "SearchServiceAsyncStub"
    admin: "AdminServiceAsyncStub"
    operations: Any
    """google.longrunning.Operations; the package has no types for its stub."""

    def __init__(self, address: str) -> None:
        """Connects at the first call."""
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.graph = graph_service_pb2_grpc.GraphServiceStub(self._channel)
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self._channel)
        self.search = search_service_pb2_grpc.SearchServiceStub(self._channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)
        self.operations = operations_pb2_grpc.OperationsStub(self._channel)
        # The package has no types for its stub.
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def serves(self, *, timeout_s: float) -> bool:
        """Whether the gateway says that it serves. Raises AioRpcError if it does not answer."""
        answer = await self._health.Check(
            health_pb2.HealthCheckRequest(), timeout=timeout_s, wait_for_ready=True
        )
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    async def until_all_shards_answer(self, *, timeout_s: float) -> None:
        """Returns once the gateway reaches every shard: it serves before that. Raises ShardsAway."""
        deadline = time.monotonic() + timeout_s
        while True:
            answer = await self.admin.ListShards(admin_service_pb2.ListShardsRequest(), timeout=timeout_s)
            away = [f"{shard.shard} ({shard.problem})" for shard in answer.shards if not shard.reachable]
            if not away:
                return
            if time.monotonic() > deadline:
                raise ShardsAway(away, timeout_s)
            await asyncio.sleep(_PROBE_INTERVAL_S)
