"""The fleet under test: engines, Redis and gateways as processes that can be killed, started and paused."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.embedded import CATALOG_ID, EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.worker_process import WorkerProcess

GATEWAYS = 3
POOL_GRAPHS = 4
SHARDS_TIMEOUT_S = 120.0
"""For every gateway to reach every shard: a Neo4j that has just started compiles slowly."""
_SLOT_ROWS_MIN = 1_000
"""On both engines, so that the groups of traffic/bulk.py have vector slots wherever they are."""


@dataclass(frozen=True, slots=True)
class Cluster:
    fleet: EmbeddedFleet
    gateways: Mapping[str, GatewayProcess]
    """By part name, gateway-0 and so on."""
    clients: Sequence[GatewayClient]
    """One per gateway, in the same order."""
    workers: Mapping[str, WorkerProcess] = field(default_factory=dict[str, WorkerProcess])
    """By part name, worker-0 and so on."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that has a process: gateways, workers, shards, the catalog's Redis."""
        shards = (shard.id for shard in self.fleet.shards)
        return (*self.gateways, *self.workers, *shards, CATALOG_ID)

    async def kill(self, part: str) -> None:
        """SIGKILL, as a crash would."""
        service = self._service(part)
        await (self.fleet.kill(part) if service is None else service.kill())

    async def start(self, part: str) -> None:
        """Returns once the part answers on its old port, its data loaded."""
        service = self._service(part)
        await (self.fleet.restart(part) if service is None else service.start())

    def pause(self, part: str) -> None:
        os.kill(self._pid(part), signal.SIGSTOP)

    def go_on(self, part: str) -> None:
        os.kill(self._pid(part), signal.SIGCONT)

    def _pid(self, part: str) -> int:
        service = self._service(part)
        pid = self.fleet.pid_of(part) if service is None else service.pid
        assert pid is not None, f"{part} does not run"
        return pid

    def _service(self, part: str) -> GatewayProcess | WorkerProcess | None:
        """None: a shard or the catalog."""
        return self.gateways.get(part) or self.workers.get(part)

    def gateway_called(self, name: str) -> str | None:
        """The part that calls itself so; None: none does at present."""
        running = {part: gateway.pid for part, gateway in self.gateways.items()}
        return next((part for part, pid in running.items() if f"-{pid}-" in name), None)

    async def until_whole(self) -> None:
        """Returns once every gateway reaches every shard. Raises ShardsAway."""
        for client in self.clients:
            await client.until_all_shards_answer(timeout_s=SHARDS_TIMEOUT_S)


@asynccontextmanager
async def running_cluster(
    directory: Path,
    *,
    falkordb_shards: int,
    neo4j_shards: int,
    gateways: Sequence[Mapping[str, str]] = ({},) * GATEWAYS,
    workers: Sequence[Mapping[str, str]] = (),
) -> AsyncGenerator[Cluster]:
    """Started in `directory`, where data and logs are; stopped at the end whatever happened. `gateways` and
    `workers`: of each the environment variables of its own.

    Raises EmbeddedError, GatewayProcessError and ShardsAway.
    """
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(
            EmbeddedFleet(
                directory / "fleet",
                falkordb_shards=falkordb_shards,
                neo4j_shards=neo4j_shards,
                # It is started again and again, and never has the time to profit from better code.
                neo4j_short_lived=True,
            )
        )
        serving = {
            f"gateway-{number}": GatewayProcess(
                directory / f"gateway-{number}.log",
                fleet,
                embedder="none",
                cache_dir=directory / "cache",
                pool_graphs=POOL_GRAPHS,
                settings={
                    # Every phase of a move is on record, so that kills can be aimed at it.
                    "GRAPHGATE_MOVES__RECORD_INTERVAL_S": "0",
                    "GRAPHGATE_VECTOR_SLOTS__FALKORDB_ROWS_MIN": str(_SLOT_ROWS_MIN),
                    "GRAPHGATE_VECTOR_SLOTS__NEO4J_ROWS_MIN": str(_SLOT_ROWS_MIN),
                    **own,
                },
            )
            for number, own in enumerate(gateways)
        }
        working = {
            f"worker-{number}": WorkerProcess(
                directory / f"worker-{number}.log",
                fleet,
                embedder="none",
                cache_dir=directory / "cache",
                pool_graphs=POOL_GRAPHS,
                settings=own,
            )
            for number, own in enumerate(workers)
        }
        services = (*serving.values(), *working.values())
        await asyncio.gather(*(stack.enter_async_context(service) for service in services))
        clients = [
            await stack.enter_async_context(GatewayClient(gateway.address)) for gateway in serving.values()
        ]
        cluster = Cluster(fleet, serving, clients, working)
        await cluster.until_whole()
        yield cluster
