"""The model driver with faults that a test switches on, and counts of its calls."""

import asyncio
from collections import Counter

from drivers.errors import GraphgateError, ShardUnavailable
from drivers.fence import Engine
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

    async def step(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.held:
            await self.held[name].wait()
        if self.down and name not in ("open", "close"):
            raise ShardUnavailable(self.shard_id, "connection refused")
        if name in self.faults:
            raise self.faults[name]
