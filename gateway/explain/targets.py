"""Which shards are explained: those of a fleet of one's own, or those of the settings."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Engine, Fence, GroupRef, ShardMarker
from drivers.query_plan import PlanReader
from gateway.assembly import make_driver, make_plan_reader
from gateway.explain.explanation import ShardExplanation, explain_shard
from gateway.explain.sample import found_shard, write_sample
from gateway.settings.fleet import ShardSettings

CONNECT_S = 30.0
FOUND_S = 180.0
"""An engine that has just been started makes its schema and compiles its first statements."""


class NothingToExplain(GraphgateError):
    """A shard that belongs to no fleet, or a group that is not there."""


async def explain_own(shard: ShardSettings, *, pattern: str | None, profile: bool) -> ShardExplanation:
    """Makes an empty shard a fleet with sample rows and explains it, profiles of writes included. Raises
    ShardError."""
    async with _driver(shard) as driver:
        deadline = Deadline.after(FOUND_S)
        marker = await found_shard(driver, deadline)
        fence = await write_sample(driver, deadline)
        async with _reader(driver.engine, shard, marker) as reader:
            return await explain_shard(
                driver, reader, fence, pattern=pattern, profile_reads=profile, profile_writes=profile
            )


async def explain_configured(
    shards: Sequence[ShardSettings], *, group: str | None, pattern: str | None, profile: bool
) -> Sequence[ShardExplanation]:
    """Explains what is there and changes nothing: no schema is completed, writes are planned and not run.
    With `group` only the shards that have it. Raises ShardError, NothingToExplain."""
    explained: list[ShardExplanation] = []
    for shard in shards:
        async with _driver(shard) as driver:
            deadline = Deadline.after(CONNECT_S)
            marker = await driver.read_marker(deadline)
            if marker is None:
                raise NothingToExplain(
                    f"shard {shard.id} belongs to no fleet; start a gateway with these settings once"
                )
            driver.use_marker(marker)
            fence = await _fence(driver, group, deadline)
            if group is not None and fence is None:
                continue
            async with _reader(driver.engine, shard, marker) as reader:
                explained.append(
                    await explain_shard(
                        driver,
                        reader,
                        fence,
                        pattern=pattern,
                        profile_reads=profile,
                        profile_writes=False,
                    )
                )
    if not explained:
        raise NothingToExplain(f"group {group} is on none of the shards; give another --group or none")
    return explained


async def _fence(driver: ShardDriver, group: str | None, deadline: Deadline) -> Fence | None:
    """Of the group if the shard has it, else of the first of its groups."""
    if group is None:
        return next(iter(await driver.list_fences("", 1, deadline)), None)
    return (await driver.read_fences([GroupRef(group)], deadline)).get(group)


@asynccontextmanager
async def _driver(shard: ShardSettings) -> AsyncGenerator[ShardDriver]:
    driver = make_driver(Engine(shard.engine.upper()), shard)
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()


@asynccontextmanager
async def _reader(engine: Engine, shard: ShardSettings, marker: ShardMarker) -> AsyncGenerator[PlanReader]:
    reader = make_plan_reader(engine, shard, marker.pool_graphs)
    await reader.open()
    try:
        yield reader
    finally:
        await reader.close()
