"""A gateway process of a test's own over a fleet of its own, and raw calls of its methods."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from google.longrunning import operations_pb2
from google.protobuf.descriptor import MethodDescriptor

from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.gateway_process import GatewayProcess
from graphgate.v1 import (
    admin_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    search_service_pb2,
)

METHODS: Mapping[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for module in (
        graph_service_pb2,
        ingest_service_pb2,
        search_service_pb2,
        admin_service_pb2,
        operations_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming and not method.server_streaming
}
"""Of the services that the gateway implements, by path, without streams."""


@asynccontextmanager
async def own_gateway(
    directory: Path, settings: Mapping[str, str] | None = None, *, neo4j_shards: int = 0
) -> AsyncGenerator[GatewayProcess]:
    """Over one FalkorDB shard and as many of Neo4j as asked for. `settings` by the names of their
    environment variables. No embedder: rows bring their vectors."""
    async with (
        EmbeddedFleet(directory / "fleet", falkordb_shards=1, neo4j_shards=neo4j_shards) as fleet,
        GatewayProcess(
            directory / "gateway.log",
            fleet,
            embedder="none",
            cache_dir=directory,
            pool_graphs=2,
            settings=settings,
        ) as process,
    ):
        yield process
