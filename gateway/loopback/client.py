"""A client of a gateway: one channel with a stub for each service."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from graphgate.v1 import (
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

    def __init__(self, address: str) -> None:
        """Connects at the first call."""
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.graph = graph_service_pb2_grpc.GraphServiceStub(self._channel)
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self._channel)
        self.search = search_service_pb2_grpc.SearchServiceStub(self._channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

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
