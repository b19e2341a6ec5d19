"""The model driver with faults that a test switches on, and counts of its calls."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardUnavailable
from drivers.fence import Engine, GroupRef
from drivers.fence_changes import FenceChange, Value
from drivers.moving import Changed, Settlement
from tests.model_driver import ModelDriver


class FaultyDriver(ModelDriver):
    def __init__(self, shard_id: str, engine: Engine = Engine.FALKORDB) -> None:
        super().__init__(shard_id, engine)
        self.faults: dict[str, GraphgateError] = {}
        """By method: raised instead of doing anything."""
        self.held: dict[str, asyncio.Event] = {}
        """By method: calls wait until the event is set."""
        self.calls: Counter[str] = Counter()
        self.down = False
        self.dies_at: FenceChange | None = None
        """It goes down when it is asked for this change."""

    async def step(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.held:
            await self.held[name].wait()
        if self.down and name not in ("open", "close"):
            raise ShardUnavailable(self.shard_id, "connection refused")
        if name in self.faults:
            raise self.faults[name]

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        self.down |= change is self.dies_at
        return await super().change_fence(ref, change, given, deadline, settlement)
