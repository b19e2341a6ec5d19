"""What moves use of the fleet and of routing."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from shard_router.placement import Placement
from shard_router.shard_map import ShardMapSnapshot


class MoveShards(Protocol):
    @property
    def map(self) -> ShardMapSnapshot: ...

    def home_of(self, group_id: str) -> str: ...

    def configured(self, shard_id: str) -> bool: ...

    def has_left(self, shard_id: str) -> bool:
        """Whether the shard was removed: nothing is there any more, and nothing will be."""
        ...

    def write_weight_max(self, shard_id: str) -> int: ...

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T: ...


class MovePlacements(Protocol):
    async def learn(self, placement: Placement, deadline: Deadline) -> None:
        """Where a group is from now on: this gateway and the catalog are told. Never fails."""
        ...
