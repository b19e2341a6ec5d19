"""What a server must show before it becomes a shard. Nothing on it is changed before all of it is right, and
nothing is ever deleted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from drivers.contract import SchemaReport, ShardDriver
from drivers.deadline import Deadline
from drivers.errors import WrongShard
from drivers.fence import Engine, ShardMarker
from shard_router.clock import Clock
from shard_router.errors import ForeignFleet, ShardNotEmpty, ShardRemoved
from shard_router.fleet_identity import FleetIdentity, check_readable
from shard_router.founding import new_marker
from shard_router.shards.errors import ShardUnfit

CLOCK_SKEW_US_MAX: Final = 2_000_000
"""Between server and gateway: what the server's log and its own times say stays comparable."""
VERSION_MIN: Final[Mapping[Engine, tuple[int, ...]]] = {Engine.FALKORDB: (4, 22), Engine.NEO4J: (5, 26)}
"""Below these nothing was tested."""
PING_S_MAX: Final = 20.0
"""A server that has just started compiles its first query."""


@dataclass(frozen=True, slots=True)
class Admitted:
    marker: ShardMarker
    engine_version: str
    clock_skew_us: int
    """Server's time minus the gateway's, by half the round trip at most wrong."""
    joined_before: bool
    """It had this fleet's marker."""


async def examine(
    driver: ShardDriver, identity: FleetIdentity, pool_graphs: int, clock: Clock, deadline: Deadline
) -> Admitted:
    """Looks only. The marker is the one to be made if the server has none.

    Raises ShardUnfit, ShardNotEmpty, ForeignFleet, WrongShard, NewerSchema, ShardRemoved, ShardError.
    """
    shard_id = driver.shard_id
    await driver.ping(deadline.within(PING_S_MAX))
    found = await driver.read_marker(deadline)
    if found is not None:
        _check_marker(shard_id, found, identity)
    marker = found or new_marker(shard_id, driver.engine, identity, pool_graphs)
    # Without a beat it proves nothing: the driver is only told how many graphs there are.
    driver.use_marker(replace(marker, beat=0))
    if found is None and await driver.list_all_fences("", 1, deadline):
        raise ShardNotEmpty(shard_id)
    skew_us = await _clock_skew_us(driver, clock, deadline)
    if abs(skew_us) > CLOCK_SKEW_US_MAX:
        raise ShardUnfit(
            shard_id,
            "clock",
            f"its clock is {skew_us / 1e6:+.3f} s from this gateway's, at most {CLOCK_SKEW_US_MAX / 1e6:g} s "
            "are allowed; synchronise both with NTP",
        )
    report = await driver.describe_schema(deadline)
    _check_report(shard_id, driver.engine, report)
    return Admitted(marker, report.engine_version, skew_us, found is not None)


async def admit(driver: ShardDriver, admitted: Admitted, deadline: Deadline) -> None:
    """Makes marker and indexes. Raises as examine when somebody else was faster."""
    marker = await driver.create_marker(admitted.marker, deadline)
    if (marker.fleet, marker.shard) != (admitted.marker.fleet, admitted.marker.shard):
        raise ForeignFleet(driver.shard_id, admitted.marker.fleet, marker.fleet)
    driver.use_marker(replace(marker, beat=0))
    await driver.ensure_schema(deadline)


def _check_marker(shard_id: str, found: ShardMarker, identity: FleetIdentity) -> None:
    if found.fleet != identity.fleet:
        raise ForeignFleet(shard_id, identity.fleet, found.fleet)
    check_readable(shard_id, found)
    if found.removed:
        raise ShardRemoved(shard_id)
    if found.root_version > identity.root_version:
        raise WrongShard(shard_id, "root_version", str(identity.root_version), str(found.root_version))


def _check_report(shard_id: str, engine: Engine, report: SchemaReport) -> None:
    version = tuple(int(part) for part in re.findall(r"\d+", report.engine_version)[:2])
    least = VERSION_MIN[engine]
    if version < least:
        wanted = ".".join(map(str, least))
        raise ShardUnfit(
            shard_id,
            "version" if any(version) else "engine",
            f"it runs {engine.lower()} {report.engine_version or '?'}, {wanted} is the least; upgrade it",
        )
    failed = [item.name for item in report.items if item.state == "FAILED"]
    if failed:
        raise ShardUnfit(
            shard_id, "schema", f"its index {failed[0]} has failed; drop it there and add the shard again"
        )


async def _clock_skew_us(driver: ShardDriver, clock: Clock, deadline: Deadline) -> int:
    began_us = clock.wall_us()
    server_us = await driver.clock_us(deadline)
    return server_us - (began_us + clock.wall_us()) // 2
