"""A fleet with its gateway, and the crashes that the demo causes in it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.write_calls import WriteCall
from gateway.demo.writer import PhaseTiming, Writer
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from graphgate.v1 import graph_service_pb2

POOL_GRAPHS = 4
"""As in the fleet that `graphgate serve` starts by itself."""
SHARDS_TIMEOUT_S = 120.0
"""For the schema of every shard; a Neo4j that has just started compiles its first statements slowly."""
KILL_AFTER = 0.4
"""Share of a phase's rows that are acknowledged before its crash."""
_CALL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningFleet:
    fleet: EmbeddedFleet
    gateway: GatewayProcess
    client: GatewayClient
    fleet_start_s: float
    gateway_start_s: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A crash and its end."""

    victim: str
    calls_cut_off: int
    """Writes that waited for an answer at that moment, sent again with the same request_id."""
    down_s: float


@asynccontextmanager
async def running_fleet(
    directory: Path, *, falkordb_shards: int, neo4j_shards: int, cache_dir: Path
) -> AsyncGenerator[RunningFleet]:
    """Engines, then a gateway process in front of them; all are stopped at the end, whatever happened.

    Raises EmbeddedError, GatewayProcessError and ShardsAway.
    """
    started = time.monotonic()
    async with EmbeddedFleet(directory, falkordb_shards=falkordb_shards, neo4j_shards=neo4j_shards) as fleet:
        fleet_ready = time.monotonic()
        gateway = GatewayProcess(
            directory / "gateway.log", fleet, embedder="local", cache_dir=cache_dir, pool_graphs=POOL_GRAPHS
        )
        async with gateway, GatewayClient(gateway.address) as client:
            await client.until_all_shards_answer(timeout_s=SHARDS_TIMEOUT_S)
            yield RunningFleet(fleet, gateway, client, fleet_ready - started, time.monotonic() - fleet_ready)


async def write_through_crash(
    writer: Writer,
    groups: Sequence[Sequence[WriteCall]],
    on_acknowledged: Callable[[WriteCall], None],
    crash: Callable[[], Awaitable[Outage]],
) -> tuple[PhaseTiming, Outage]:
    """Writes all calls; `crash` runs once KILL_AFTER of their rows are acknowledged."""
    rows_left = KILL_AFTER * sum(call.rows for group in groups for call in group)
    due = asyncio.Event()

    def count(call: WriteCall) -> None:
        nonlocal rows_left
        rows_left -= call.rows
        if rows_left <= 0:
            due.set()
        on_acknowledged(call)

    async def crash_when_due() -> Outage:
        await due.wait()
        return await crash()

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(writer.run(groups, count))
        crashing = tasks.create_task(crash_when_due())
    return writing.result(), crashing.result()


async def crash_gateway(run: RunningFleet, writer: Writer) -> Outage:
    """SIGKILL to the gateway, then a new one on the same port."""
    cut_off, started = writer.running, time.monotonic()
    await run.gateway.kill()
    await run.gateway.start()
    return Outage("gateway", cut_off, time.monotonic() - started)


async def crash_engine(run: RunningFleet, writer: Writer, group_id: str) -> Outage:
    """SIGKILL to the engine that holds the group, then the same engine on the same disk."""
    ask = graph_service_pb2.GetGroupRequest(group_id=group_id)
    shard_id = (await run.client.graph.GetGroup(ask, timeout=_CALL_TIMEOUT_S)).group.shard
    cut_off, started = writer.running, time.monotonic()
    await run.fleet.kill(shard_id)
    await run.fleet.restart(shard_id)
    return Outage(shard_id, cut_off, time.monotonic() - started)
