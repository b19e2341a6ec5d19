"""One shard with everything that writes to it: gateway processes, the driver alone, a bare loop."""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.falkordb.graphs import pooled_graph, pooled_graphs
from drivers.fence import Engine
from gateway.assembly import make_driver
from gateway.bench.variants import BareLoop
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.process_stat import resident_bytes
from gateway.settings.fleet import ShardSettings

POOL_GRAPHS = 4
START_TIMEOUT_S = 120.0

type EngineName = Literal["falkordb", "neo4j"]


@dataclass(frozen=True, slots=True)
class RunningGateway:
    pid: int
    client: GatewayClient
    rest_memory_mb: float
    """Before the first call, without an embedder."""


@dataclass(frozen=True, slots=True)
class Rig:
    gateways: Mapping[str, RunningGateway]
    driver: ShardDriver
    loop: BareLoop
    engine_pid: int
    engine_version: str


async def start_rig(
    stack: AsyncExitStack,
    engine: EngineName,
    directory: Path,
    cache_dir: Path,
    gateways: Mapping[str, Mapping[str, str]],
) -> Rig:
    """`gateways`: by name, with environment variables of their own. The first one founds the fleet. All stop
    with the stack. Raises EmbeddedError, GatewayProcessError, ShardsAway and GraphgateError."""
    falkordb = engine == "falkordb"
    fleet = await stack.enter_async_context(
        EmbeddedFleet(directory, falkordb_shards=int(falkordb), neo4j_shards=int(not falkordb))
    )
    running: dict[str, RunningGateway] = {}
    for name, settings in gateways.items():
        process = GatewayProcess(
            directory / f"{name}.log",
            fleet,
            embedder="none",
            cache_dir=cache_dir,
            pool_graphs=POOL_GRAPHS,
            settings=settings,
        )
        await stack.enter_async_context(process)
        rest_memory_mb = resident_bytes(process.pid) / 1e6
        client = await stack.enter_async_context(GatewayClient(process.address))
        await client.until_all_shards_answer(timeout_s=START_TIMEOUT_S)
        running[name] = RunningGateway(process.pid, client, rest_memory_mb)
    (shard,) = fleet.shards
    assert shard.pid is not None, "the engine has ended"
    shard_settings = ShardSettings.model_validate({"id": shard.id, "engine": shard.engine, "url": shard.url})
    driver = make_driver(Engine(shard.engine.upper()), shard_settings)
    stack.push_async_callback(driver.close)
    await driver.open()
    deadline = Deadline.after(START_TIMEOUT_S)
    marker = await driver.read_marker(deadline)
    assert marker is not None, "the gateway has not founded its fleet"
    driver.use_marker(marker)
    loop = _bare_loop(engine, shard.id, shard.url)
    stack.push_async_callback(loop.close)
    await loop.open()
    return Rig(
        gateways=running,
        driver=driver,
        loop=loop,
        engine_pid=shard.pid,
        engine_version=(await driver.describe_schema(deadline)).engine_version,
    )


def group_names(variants: Sequence[str], groups: int) -> Mapping[str, Sequence[str]]:
    """`groups` for each variant. On FalkorDB the groups of a variant lie in the same pooled graphs as those
    of the others, for writers of one graph wait for each other."""
    names: dict[str, Sequence[str]] = {}
    for variant in variants:
        candidates = (f"bench-{variant}-{secrets.token_hex(2)}-{number}" for number in itertools.count())
        chosen: list[str] = []
        while len(chosen) < groups:
            name = next(candidates)
            if pooled_graph(name, POOL_GRAPHS) == pooled_graphs(POOL_GRAPHS)[len(chosen) % POOL_GRAPHS]:
                chosen.append(name)
        names[variant] = chosen
    return names


def turns[T](variants: Sequence[T], number: int) -> Sequence[T]:
    """The order of round `number`: every variant follows every other equally often."""
    orders = tuple(itertools.permutations(variants))
    return orders[number % len(orders)]


def _bare_loop(engine: EngineName, shard_id: str, url: str) -> BareLoop:
    if engine == "falkordb":
        from drivers.falkordb.bare_loop import FalkorDBBareLoop  # noqa: PLC0415 - one engine's client only
        from drivers.falkordb.settings import FalkorDBSettings  # noqa: PLC0415

        return FalkorDBBareLoop(shard_id, FalkorDBSettings(url), POOL_GRAPHS)
    from drivers.neo4j.bare_loop import Neo4jBareLoop  # noqa: PLC0415
    from drivers.neo4j.settings import Neo4jSettings  # noqa: PLC0415

    return Neo4jBareLoop(shard_id, Neo4jSettings(url))
