"""The fleet under test: engines, Redis and gateways as processes that can be killed, started and paused."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded import CATALOG_ID, EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess

GATEWAYS = 3
FALKORDB_SHARDS = 2
NEO4J_SHARDS = 1
POOL_GRAPHS = 4
SHARDS_TIMEOUT_S = 120.0
"""For every gateway to reach every shard: a Neo4j that has just started compiles slowly."""


@dataclass(frozen=True, slots=True)
class Cluster:
    fleet: EmbeddedFleet
    gateways: Mapping[str, GatewayProcess]
    """By part name, gateway-0 and so on."""
    clients: Sequence[GatewayClient]
    """One per gateway, in the same order."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that has a process: gateways, shards, the catalog's Redis."""
        return (*self.gateways, *(shard.id for shard in self.fleet.shards), CATALOG_ID)

    async def kill(self, part: str) -> None:
        """SIGKILL, as a crash would."""
        if part in self.gateways:
            await self.gateways[part].kill()
        else:
            await self.fleet.kill(part)

    async def start(self, part: str) -> None:
        """Returns once the part answers on its old port, its data loaded."""
        if part in self.gateways:
            await self.gateways[part].start()
        else:
            await self.fleet.restart(part)

    def pause(self, part: str) -> None:
        os.kill(self._pid(part), signal.SIGSTOP)

    def go_on(self, part: str) -> None:
        os.kill(self._pid(part), signal.SIGCONT)

    def _pid(self, part: str) -> int:
        pid = self.gateways[part].pid if part in self.gateways else self.fleet.pid_of(part)
        assert pid is not None, f"{part} does not run"
        return pid

    async def until_whole(self) -> None:
        """Returns once every gateway reaches every shard. Raises ShardsAway."""
        for client in self.clients:
            await client.until_all_shards_answer(timeout_s=SHARDS_TIMEOUT_S)


@asynccontextmanager
async def running_cluster(directory: Path) -> AsyncGenerator[Cluster]:
    """Started in `directory`, where data and logs are; stopped at the end whatever happened.

    Raises EmbeddedError, GatewayProcessError and ShardsAway.
    """
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(
            EmbeddedFleet(
                directory / "fleet",
                falkordb_shards=FALKORDB_SHARDS,
                neo4j_shards=NEO4J_SHARDS,
                # It is started again and again, and never has the time to profit from better code.
                neo4j_short_lived=True,
            )
        )
        gateways = {
            f"gateway-{number}": GatewayProcess(
                directory / f"gateway-{number}.log",
                fleet,
                embedder="none",
                cache_dir=directory / "cache",
                pool_graphs=POOL_GRAPHS,
            )
            for number in range(GATEWAYS)
        }
        await asyncio.gather(*(stack.enter_async_context(gateway) for gateway in gateways.values()))
        clients = [
            await stack.enter_async_context(GatewayClient(gateway.address)) for gateway in gateways.values()
        ]
        cluster = Cluster(fleet, gateways, clients)
        await cluster.until_whole()
        yield cluster
