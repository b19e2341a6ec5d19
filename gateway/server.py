"""The whole gateway on one screen: what is made of what, how it starts, how it drains."""

from typing import Final

import grpc
import structlog
from google.longrunning import operations_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gateway.assembly import (
    ListenFailed,
    cross_encoder_settings,
    gateway_id,
    move_settings,
    search_cache_settings,
)
from gateway.embedding.port import Embedder
from gateway.ingestion import Ingestion
from gateway.rerank.openai_cross_encoder import make_cross_encoder
from gateway.routed_fleet import RoutedFleet
from gateway.rpc.admin_service import AdminService
from gateway.rpc.admission import Admission, AdmissionLimits
from gateway.rpc.call import CallLimits
from gateway.rpc.catalog_service import CatalogCalls
from gateway.rpc.graph_service import GraphService
from gateway.rpc.ingest_service import IngestService
from gateway.rpc.interceptor import Rim, RimLimits
from gateway.rpc.move_service import MoveCalls
from gateway.rpc.operations_service import OperationsService
from gateway.rpc.reflection import add_reflection
from gateway.rpc.search_service import SearchService
from gateway.rpc.searches import Searches
from gateway.rpc.shard_service import ShardCalls
from gateway.rpc.watch_service import Watches, WatchLimits
from gateway.search.searcher import Searcher
from gateway.search_cache import metrics as search_cache_metrics
from gateway.search_cache.search_cache import SearchCache
from gateway.settings.channel_options import channel_options
from gateway.settings.tree import Settings
from gateway.telemetry.metered_cross_encoder import MeteredCrossEncoder
from gateway.telemetry.metered_embedder import MeteredEmbedder
from gateway.telemetry.telemetry import Telemetry
from gateway.writes.writer import GraphWriter
from graphgate.v1 import (
    admin_service_pb2_grpc,
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)
from shard_router.catalog_check.check import CatalogCheck
from shard_router.moves.moves import Moves
from shard_router.moves.redis_store import RedisMoveStore
from shard_router.shards.drain import Drains
from shard_router.shards.shards import Shards

log = structlog.get_logger("graphgate.server")

SERVICES: Final = (
    "graphgate.v1.GraphService",
    "graphgate.v1.IngestService",
    "graphgate.v1.SearchService",
    "graphgate.v1.AdminService",
    "google.longrunning.Operations",
    "grpc.health.v1.Health",
)
LAST_ANSWERS_SHARE: Final = 0.1
"""Of the grace: kept to tell the callers of calls that are not done by then."""


class GatewayServer:
    """One gateway over the shards and the catalog of its settings. start() once, stop() once."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        """`settings` name a fleet; an embedded one has been started by then (Settings.with_fleet)."""
        assert not settings.embedded_in_use, "an embedded fleet is started before its gateway"
        self._settings = settings
        self.telemetry = Telemetry(settings)
        self._embedder = MeteredEmbedder(embedder, self.telemetry)
        cross_encoder = make_cross_encoder(cross_encoder_settings(settings))
        self._cross_encoder = MeteredCrossEncoder(cross_encoder, self.telemetry)
        routed = self._routed = RoutedFleet(settings, self.telemetry)
        self._search_cache = SearchCache(routed.router, search_cache_settings(settings))
        search_cache_metrics.watch(self._search_cache, self.telemetry)
        own_id = gateway_id()
        self._moves = Moves(
            routed.fleet,
            routed.router,
            RedisMoveStore(routed.catalog),
            own_id,
            move_settings(settings),
            slots=routed.slots,
        )
        self._drains = Drains(routed.fleet, self._moves, routed.catalog, own_id)
        shards = Shards(routed.fleet, routed.catalog, routed.make_driver)
        self._shard_calls = ShardCalls(shards, self._drains)
        self._health = HealthServicer()
        self._server = self._assemble()
        self._port = 0

    def _assemble(self) -> grpc.aio.Server:
        routed = self._routed
        limits = CallLimits(
            deadline_s_default=self._settings.grpc.default_deadline_s,
            deadline_s_max=self._settings.grpc.deadline_s_max,
            reply_bytes_max=self._settings.grpc.reply_bytes_max,
        )
        admission = Admission(AdmissionLimits(calls_max=self._settings.grpc.concurrent_rpcs_max))
        rim_limits = RimLimits(
            message_bytes_max=self._settings.grpc.message_bytes_max,
            deadline_s_max=self._settings.grpc.deadline_s_max,
            call_s_max=self._settings.grpc.deadline_s_max + self._settings.grpc.default_deadline_s,
        )
        self._rim = Rim(self.telemetry, admission, rim_limits)
        watches = Watches(routed.router, WatchLimits(watches_max=self._settings.grpc.watches_max))
        writer = GraphWriter(routed.router, self._embedder, slots=routed.slots, written=watches.wake)
        self._ingestion = Ingestion(
            self._settings,
            routed.router,
            writer,
            self._embedder,
            routed.slots,
            self.telemetry,
            works=self._settings.ingest.worker,
        )
        searcher = Searcher(routed.router, self._embedder, self._cross_encoder, routed.slots)
        catalog = CatalogCalls(CatalogCheck(routed.fleet, routed.catalog, self._moves))
        moves = MoveCalls(self._moves, routed.router, self._settings.moves.reverse_window_s)
        searches = Searches(searcher, self._search_cache, self._embedder, limits.reply_bytes_max)
        server = grpc.aio.server(
            interceptors=[self._rim],
            options=channel_options(self._settings.grpc),
            # The last resort, without details; the interceptor refuses earlier and with them.
            maximum_concurrent_rpcs=4 * self._settings.grpc.concurrent_rpcs_max,
        )
        graph_service_pb2_grpc.add_GraphServiceServicer_to_server(
            GraphService(routed.router, writer, routed.slots, watches, limits), server
        )
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(
            IngestService(writer, self._ingestion.intake, self._ingestion.clearing, limits), server
        )
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchService(searches, limits), server)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
            AdminService(
                routed.fleet, self._shard_calls, moves, catalog, searches, self._search_cache, limits
            ),
            server,
        )
        operations_pb2_grpc.add_OperationsServicer_to_server(OperationsService(self._moves, limits), server)
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
        await self._routed.start()
        await self._moves.start()
        self._drains.start()
        await self._ingestion.start()
        await self._server.start()
        for service in SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving", address=self.address, shards=len(self._settings.shards))

    async def stop(self, grace_s: float) -> None:
        """Takes no new calls, lets those that run end within `grace_s`, then closes everything."""
        await self._health.enter_graceful_shutdown()
        if grace_s:
            await self._rim.drain(grace_s * (1 - LAST_ANSWERS_SHARE))
        await self._server.stop(grace_s * LAST_ANSWERS_SHARE)
        await self._ingestion.stop(grace_s * LAST_ANSWERS_SHARE)
        await self._drains.close()
        await self._moves.close()
        await self._search_cache.close()
        await self._routed.close()
        await self._embedder.close()
        await self._cross_encoder.close()
        await self.telemetry.stop()
        log.info("stopped", address=self.address)
