"""A fleet of one's own with a gateway in front of it, to write the data to."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded import AppendFsync, EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import EmbedderKind, GatewayProcess

POOL_GRAPHS = 4
"""As in the fleet that `graphgate serve` starts by itself."""
SHARDS_TIMEOUT_S = 120.0
"""For the schema of every shard; a Neo4j that has just started compiles its first statements slowly."""


@dataclass(frozen=True, slots=True)
class RunningFleet:
    fleet: EmbeddedFleet
    gateway: GatewayProcess
    client: GatewayClient
    fleet_start_s: float
    gateway_start_s: float


@asynccontextmanager
async def running_fleet(
    directory: Path,
    *,
    falkordb_shards: int,
    neo4j_shards: int,
    cache_dir: Path,
    embedder: EmbedderKind = "local",
    append_fsync: AppendFsync = AppendFsync.ALWAYS,
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[RunningFleet]:
    """Engines, then a gateway process in front of them; all are stopped at the end, whatever happened.
    `settings`: more environment variables of the gateway.

    Raises EmbeddedError, GatewayProcessError and ShardsAway.
    """
    started = time.monotonic()
    async with EmbeddedFleet(
        directory, falkordb_shards=falkordb_shards, neo4j_shards=neo4j_shards, append_fsync=append_fsync
    ) as fleet:
        fleet_ready = time.monotonic()
        gateway = GatewayProcess(
            directory / "gateway.log",
            fleet,
            embedder=embedder,
            cache_dir=cache_dir,
            pool_graphs=POOL_GRAPHS,
            settings=settings,
        )
        async with gateway, GatewayClient(gateway.address) as client:
            await client.until_all_shards_answer(timeout_s=SHARDS_TIMEOUT_S)
            yield RunningFleet(fleet, gateway, client, fleet_ready - started, time.monotonic() - fleet_ready)
