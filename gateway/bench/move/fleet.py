"""Engines with two gateway processes in front of them, between which callers take turns."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.bench.rig import POOL_GRAPHS, START_TIMEOUT_S, EngineName
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess

GATEWAYS = 2


@dataclass(frozen=True, slots=True)
class MoveFleet:
    fleet: EmbeddedFleet
    clients: tuple[GatewayClient, ...]
    _turns: "itertools.cycle[GatewayClient]" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", itertools.cycle(self.clients))

    @property
    def client(self) -> GatewayClient:
        """Of the next gateway."""
        return next(self._turns)

    def shards(self, engine: EngineName) -> list[str]:
        return [shard.id for shard in self.fleet.shards if shard.engine == engine]


@asynccontextmanager
async def move_fleet(
    directory: Path, cache_dir: Path, *, falkordb_shards: int, neo4j_shards: int
) -> AsyncGenerator[MoveFleet]:
    """Stops everything at its end. Raises EmbeddedError, GatewayProcessError and ShardsAway."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(
            EmbeddedFleet(directory, falkordb_shards=falkordb_shards, neo4j_shards=neo4j_shards)
        )
        clients: list[GatewayClient] = []
        for number in range(GATEWAYS):
            process = GatewayProcess(
                directory / f"gateway-{number}.log",
                fleet,
                embedder="none",
                cache_dir=cache_dir,
                pool_graphs=POOL_GRAPHS,
            )
            await stack.enter_async_context(process)
            client = await stack.enter_async_context(GatewayClient(process.address))
            await client.until_all_shards_answer(timeout_s=START_TIMEOUT_S)
            clients.append(client)
        yield MoveFleet(fleet, tuple(clients))
