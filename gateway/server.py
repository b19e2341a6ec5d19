"""The whole gateway on one screen: what is made of what, how it starts, how it drains."""

from typing import Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from gateway.assembly import (
    ListenFailed,
    catalog_settings,
    catalog_url,
    configured_shard,
    fleet_settings,
    router_settings,
)
from gateway.embedding.port import Embedder
from gateway.rpc.admin_service import AdminService
from gateway.rpc.call import CallLimits
from gateway.rpc.graph_service import GraphService
from gateway.rpc.ingest_service import IngestService
from gateway.rpc.interceptor import Rim
from gateway.rpc.reflection import add_reflection
from gateway.rpc.search_service import SearchService
from gateway.search.searcher import Searcher
from gateway.settings.channel_options import channel_options
from gateway.settings.tree import Settings
from gateway.telemetry.metered_embedder import MeteredEmbedder
from gateway.telemetry.telemetry import Telemetry
from gateway.writes.writer import GraphWriter
from graphgate.v1 import (
    admin_service_pb2_grpc,
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)
from shard_router.catalog import Catalog
from shard_router.fleet import Fleet
from shard_router.router import Router

log = structlog.get_logger("graphgate.server")

SERVICES: Final = (
    "graphgate.v1.GraphService",
    "graphgate.v1.IngestService",
    "graphgate.v1.SearchService",
    "graphgate.v1.AdminService",
    "grpc.health.v1.Health",
)
FIRST_CONNECT_S_MAX: Final = 30.0
"""How long start() waits for every shard to be ready; after that the gateway serves without the others."""


class GatewayServer:
    """One gateway over the shards and the catalog of its settings. start() once, stop() once."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        """`settings` name a fleet; an embedded one has been started by then (Settings.with_fleet)."""
        assert not settings.embedded_in_use, "an embedded fleet is started before its gateway"
        self._settings = settings
        self.telemetry = Telemetry(settings)
        self._embedder = MeteredEmbedder(embedder, self.telemetry)
        self._shards = [configured_shard(shard, self.telemetry) for shard in settings.shards]
        self._catalog = Catalog(catalog_url(settings.catalog), catalog_settings(settings.catalog))
        self._fleet = Fleet(self._shards, self._catalog, fleet_settings(settings))
        self._router = Router(self._fleet, self._catalog, router_settings(settings))
        self._health = HealthServicer()
        self._server = self._assemble()
        self._port = 0

    def _assemble(self) -> grpc.aio.Server:
        limits = CallLimits(
            deadline_s_default=self._settings.grpc.default_deadline_s,
            deadline_s_max=self._settings.grpc.deadline_s_max,
            reply_bytes_max=self._settings.grpc.reply_bytes_max,
        )
        writer = GraphWriter(self._router, self._embedder)
        searcher = Searcher(self._router, self._embedder)
        server = grpc.aio.server(
            interceptors=[Rim(self.telemetry, self._settings.grpc.concurrent_rpcs_max)],
            options=channel_options(self._settings.grpc),
            # The last resort, streams included; the interceptor refuses earlier and with details.
            maximum_concurrent_rpcs=4 * self._settings.grpc.concurrent_rpcs_max,
        )
        graph_service_pb2_grpc.add_GraphServiceServicer_to_server(
            GraphService(self._router, writer, limits), server
        )
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(IngestService(writer, limits), server)
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchService(searcher, limits), server)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(AdminService(self._fleet, limits), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.grpc.reflection:
            add_reflection(server, SERVICES)
        return server

    @property
    def address(self) -> str:
        """host:port that clients call."""
        return f"{self._settings.grpc.host}:{self._port}"

    async def start(self) -> None:
        """Returns when calls are served. Raises ListenFailed and the errors of the embedder and the
        metrics endpoint; shards that do not answer are no obstacle."""
        address = f"{self._settings.grpc.host}:{self._settings.grpc.port}"
        try:
            self._port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenFailed(address) from error
        await self.telemetry.start()
        await self._embedder.start()
        await self._fleet.start()
        try:
            await self._fleet.answered(Deadline.after(FIRST_CONNECT_S_MAX))
        except ShardUnavailable as error:
            log.warning("shard_away_at_start", shard=error.shard_id, detail=str(error))
        await self._server.start()
        for service in SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving", address=self.address, shards=len(self._shards))

    async def stop(self, grace_s: float) -> None:
        """Takes no new calls, lets those that run end within `grace_s`, then closes everything."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        await self._router.close()
        await self._fleet.close()
        await self._catalog.close()
        await self._embedder.close()
        await self.telemetry.stop()
        log.info("stopped", address=self.address)
