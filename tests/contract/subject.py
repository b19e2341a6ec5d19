"""A driver under test with its shard's founding and a look behind the contract."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.contract import ShardDriver
from drivers.fence import SCHEMA_VERSION, RootMember, ShardMarker
from tests.contract.probes import Probe
from tests.contract.tenant import schema_time, soon
from tests.model_driver import ModelDriver

SHARD_ID = "shard-under-test"
POOL_GRAPHS = 3
FOUNDERS = 8


@dataclass(frozen=True, slots=True)
class Founding:
    """How the shard's marker came to be: many gateways at once, each with an incarnation of its own."""

    before: ShardMarker | None
    offered: Sequence[ShardMarker]
    answers: Sequence[ShardMarker]


@dataclass(frozen=True, slots=True)
class Subject:
    driver: ShardDriver
    probe: Probe
    founding: Founding


async def found(driver: ShardDriver, probe: Probe) -> Subject:
    """Opens the driver on an empty engine and makes a shard of it."""
    await driver.open()
    before = await driver.read_marker(soon())
    offered = [
        ShardMarker(
            fleet="fleet under test",
            shard=SHARD_ID,
            incarnation=str(uuid.uuid4()),
            schema_version=SCHEMA_VERSION,
            root_version=1,
            root_ring=(RootMember("another", 0.5), RootMember(SHARD_ID, 1.0)),
            pool_graphs=POOL_GRAPHS,
            beat=7,
        )
        for _ in range(FOUNDERS)
    ]
    answers = await asyncio.gather(*(driver.create_marker(marker, soon()) for marker in offered))
    driver.use_marker(answers[0])
    await driver.ensure_schema(schema_time())
    return Subject(driver, probe, Founding(before, offered, answers))


class InterleavedModel(ModelDriver):
    """Lets another task go first at every step, so that concurrent calls do mix."""

    async def step(self, name: str) -> None:
        await asyncio.sleep(0)
