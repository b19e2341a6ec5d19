"""The same work on many shards at once."""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from shard_router.fleet import Fleet
from shard_router.parallel import all_in_parallel
from shard_router.routing import AllShards, OneShard, Route, ShardReply, SomeShards

type ShardCall[T] = Callable[[ShardDriver], Awaitable[T]]


class FanOut:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def shards_of(self, route: Route) -> tuple[str, ...]:
        match route:
            case OneShard(shard_id):
                return (shard_id,)
            case SomeShards(shard_ids):
                return shard_ids
            case AllShards():
                return self._fleet.searched_shards()

    async def run[T](
        self, calls: Mapping[str, ShardCall[T]], deadline: Deadline, *, all_or_nothing: bool
    ) -> dict[str, ShardReply[T]]:
        """Every shard's reply. With `all_or_nothing` the first error is raised and the calls that
        still run are cancelled."""
        if not calls:
            return {}

        async def timed(shard_id: str, call: ShardCall[T]) -> ShardReply[T]:
            began_s = time.perf_counter()
            outcome: T | GraphgateError
            try:
                outcome = await self._fleet.on_shard(shard_id, deadline, call)
            except GraphgateError as error:
                if all_or_nothing:
                    raise
                outcome = error
            return ShardReply(shard_id, outcome, (time.perf_counter() - began_s) * 1000)

        return await all_in_parallel(
            {shard_id: partial(timed, shard_id, call) for shard_id, call in calls.items()}
        )
