"""What the gateway counts and times, and the endpoint that shows it."""

import asyncio
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.settings.tree import Settings
from gateway.telemetry.http_endpoint import HttpEndpoint, Page
from gateway.telemetry.model_requests import ModelRequests
from gateway.telemetry.operations import Labels, Operation, OperationTable
from gateway.telemetry.operations_report import operations_report
from gateway.telemetry.served_methods import UNKNOWN_METHOD, served_methods

UNKNOWN_ENGINE = "unknown"

type ReadGauge = Callable[[], Mapping[Labels, float]]


class Telemetry(Collector):
    """Told of every call on the event loop (a microsecond each, never raising), asked by scrapes.

    It is a ShardCallObserver.
    """

    def __init__(self, settings: Settings) -> None:
        """Knows the engines of the shards in `settings`; for later ones see shard_joined()."""
        self.rpcs = OperationTable(("grpc_type", "grpc_service", "grpc_method"))
        self.shard_calls = OperationTable(("shard", "engine", "call"))
        self.embeddings = ModelRequests("graphgate_embedding", "texts", "vectors")
        self.cross_encodings = ModelRequests("graphgate_cross_encoder", "passages", "scores")
        self.model_calls = OperationTable(("task",))
        self._rpc_by_method = {name: self.rpcs.of(labels) for name, labels in served_methods()}
        self._engines = {shard.id: str(shard.engine) for shard in settings.shards}
        self._pulled: list[
            tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Labels, ReadGauge]
        ] = []
        self._build_info = _build_info()
        self._started_at_s = time.time()
        self._rendering = asyncio.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self._registry)
        pages = {"/metrics": self._metrics_page, "/metrics.json": self._json_page, "/healthz": _health_page}
        metrics = settings.metrics
        self._endpoint = HttpEndpoint(metrics.host, metrics.port, pages) if metrics.enabled else None

    async def start(self) -> None:
        """Opens the endpoint if it is enabled. Raises EndpointUnavailable."""
        if self._endpoint is not None:
            await self._endpoint.start()

    async def stop(self) -> None:
        """Idempotent."""
        if self._endpoint is not None:
            await self._endpoint.stop()

    @property
    def metrics_address(self) -> str | None:
        """`host:port` of the endpoint; None when it is disabled."""
        return None if self._endpoint is None else self._endpoint.address

    def rpc_started(self, method: str) -> None:
        """`method` as gRPC names it: "/package.Service/Method"."""
        self._rpc(method).started += 1

    def rpc_finished(self, method: str, code: str, seconds: float) -> None:
        """`code` is the name of the status, e.g. "OK"."""
        self._rpc(method).finished(code, seconds)

    def shard_joined(self, shard_id: str, engine: str) -> None:
        """A shard that was not in the settings."""
        self._engines[shard_id] = engine.lower()

    def observe(self, shard_id: str, call: str, outcome: str, seconds: float) -> None:
        """See ShardCallObserver."""
        self.shard_call(shard_id, self._engines.get(shard_id, UNKNOWN_ENGINE), call, outcome, seconds)

    def shard_call(self, shard_id: str, engine: str, call: str, outcome: str, seconds: float) -> None:
        """As observe, for a caller that knows the engine: "falkordb" or "neo4j"."""
        self.shard_calls.of((shard_id, engine, call)).finished(outcome, seconds)

    def watch_counter(self, name: str, text: str, label_names: Labels, read: ReadGauge) -> None:
        """`read` is asked at every scrape, in a thread, for a count that only grows, by label values."""
        self._pulled.append((CounterMetricFamily, name, text, label_names, read))

    def watch_gauge(self, name: str, text: str, label_names: Labels, read: ReadGauge) -> None:
        """As watch_counter, for a value that goes up and down."""
        self._pulled.append((GaugeMetricFamily, name, text, label_names, read))

    def collect(self) -> Iterable[Metric]:
        yield self._build_info
        yield self.rpcs.started_family("grpc_server_started_total", "RPCs that began.")
        yield self.rpcs.outcome_family("grpc_server_handled_total", "RPCs that ended.", "grpc_code")
        yield self.rpcs.latency_family("grpc_server_handling_seconds", "Time from call to status.")
        calls = self.shard_calls
        yield calls.outcome_family("graphgate_shard_calls_total", "Calls to shards that ended.", "outcome")
        yield calls.latency_family("graphgate_shard_call_seconds", "Time inside the driver.")
        yield from self.embeddings.families()
        yield from self.cross_encodings.families()
        models = self.model_calls
        yield models.outcome_family("graphgate_model_calls_total", "Calls of models that ended.", "outcome")
        yield models.latency_family("graphgate_model_call_seconds", "Time of a call, waiting included.")
        for family_type, name, text, label_names, read in self._pulled:
            family = family_type(name, text, labels=label_names)
            for labels, value in read().items():
                family.add_metric(labels, value)
            yield family

    def report(self) -> dict[str, Any]:
        """What /metrics.json shows."""
        return operations_report(
            started_at_s=self._started_at_s,
            rpcs=self.rpcs,
            shard_calls=self.shard_calls,
            embeddings=self.embeddings,
            cross_encodings=self.cross_encodings,
            model_calls=self.model_calls,
        )

    def _rpc(self, method: str) -> Operation:
        known = self._rpc_by_method.get(method)
        # Callers can invent names without end; they share one record.
        return self.rpcs.of(UNKNOWN_METHOD) if known is None else known

    async def _metrics_page(self, accept: str) -> Page:
        encode, content_type = choose_encoder(accept)
        # A large fleet has tens of thousands of lines: not on the loop, and not twice at once.
        async with self._rendering:
            return Page(content_type, await asyncio.to_thread(encode, self._registry))

    async def _json_page(self, _accept: str) -> Page:
        async with self._rendering:
            report = await asyncio.to_thread(self.report)
        return Page("application/json", orjson.dumps(report, option=orjson.OPT_INDENT_2))


async def _health_page(_accept: str) -> Page:
    """Alive: the loop answers. Whether it serves is told by gRPC health."""
    return Page("text/plain; charset=utf-8", b"ok\n")


def _build_info() -> GaugeMetricFamily:
    names = ("version", "grpc", "python")
    versions = (_version("graphgate-server"), _version("grpcio"), platform.python_version())
    family = GaugeMetricFamily("graphgate_build_info", "Versions; always 1.", labels=names)
    family.add_metric(versions, 1)
    return family


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
