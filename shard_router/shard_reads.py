"""Reads groups of one search where they are: lost shards, groups that move, and the policy for both."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardTimeout
from drivers.fence import Fence, GroupRef
from shard_router.errors import PlacementUnsettled
from shard_router.fan_out import ShardCall
from shard_router.router import Router
from shard_router.search_scope import SearchScope

ROUNDS_MAX = 4
"""Times that moved groups are looked up anew before the search gives up."""
SHARDS_SHARE = 0.6
"""Of the time left, what a stage waits for shards if the search may do without some of them: the rest is for
the stages that follow."""


GRACE_S = 0.05
"""After the deadline: a driver that keeps it tells why it failed."""


class ShardReads:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def owned[T](
        self,
        scope: SearchScope,
        group_ids: Iterable[str],
        ask: Callable[[Sequence[str]], ShardCall[T]],
        fences_of: Callable[[T], Mapping[str, Fence | None]],
        deadline: Deadline,
    ) -> AsyncGenerator[tuple[Sequence[str], T]]:
        """What the shards of these groups answer, each time with the groups for which that counts."""
        left = [(scope.shard_of[g], g) for g in group_ids if g in scope.shard_of]
        for _ in range(ROUNDS_MAX):
            asked: dict[str, list[str]] = defaultdict(list)
            for shard, group_id in left:
                asked[shard].append(group_id)
            read = await self.on_shards(scope, {s: ask(g) for s, g in asked.items()}, asked, deadline)
            left = []
            for shard, answer in read.items():
                fences = fences_of(answer)
                owned = [g for g in asked[shard] if owned_throughout(scope.ref(g), fences.get(g))]
                left += [(shard, g) for g in asked[shard] if g not in owned]
                yield owned, answer
            if not left:
                break
            moved = await self.moved_to(scope, left, deadline)
            left = [(shard, ref.group_id) for shard, refs in moved.items() for ref in refs]
            for shard, refs in moved.items():
                for ref in refs:
                    fence = replace(scope.fences[ref.group_id], space=ref.space, epoch=ref.epoch)
                    scope.answered(shard, {ref.group_id: fence})
        unsettled(scope, left)
        scope.settle()

    async def moved_to(
        self, scope: SearchScope, left: Sequence[tuple[str, str]], deadline: Deadline
    ) -> Mapping[str, tuple[GroupRef, ...]]:
        """Where groups are now that their shard does not own any more."""
        shard_of = {group_id: shard for shard, group_id in left}
        located = await self._router.locate(
            list(shard_of), deadline, fresh=True, allow_partial=scope.partial is not None
        )
        for group_id, error in located.groups_failed.items():
            scope.lose(shard_of[group_id], [group_id], error)
        return located.refs

    async def on_shards[T](
        self,
        scope: SearchScope,
        calls: Mapping[str, ShardCall[T]],
        groups: Mapping[str, Sequence[str]],
        deadline: Deadline,
    ) -> dict[str, T]:
        """The answers of the shards that gave one by the deadline; the groups of the others are lost."""

        async def in_time(shard: str, call: ShardCall[T], driver: ShardDriver) -> T:
            scope.engine_of[shard] = driver.engine
            guard_s = None if scope.partial is None else deadline.remaining_s() + GRACE_S
            try:
                async with asyncio.timeout(guard_s):
                    return await call(driver)
            except TimeoutError as error:
                raise ShardTimeout(shard, "its part of a search") from error

        replies = await self._router.fan_out(
            {shard: partial(in_time, shard, call) for shard, call in calls.items()},
            deadline,
            all_or_nothing=scope.partial is None,
        )
        answers: dict[str, T] = {}
        for shard, reply in replies.items():
            scope.spent(shard, reply.latency_ms / 1000)
            if isinstance(reply.outcome, GraphgateError):
                scope.lose(shard, groups[shard], reply.outcome)
            else:
                answers[shard] = reply.outcome
        return answers


def unsettled(scope: SearchScope, left: Sequence[tuple[str, str]]) -> None:
    for shard, group_id in left:
        scope.lose(shard, [group_id], PlacementUnsettled(group_id, f"it moved during {ROUNDS_MAX} reads"))


def in_time(scope: SearchScope, deadline: Deadline) -> Deadline:
    return deadline if scope.partial is None else deadline.within(deadline.remaining_s() * SHARDS_SHARE)


def owned_throughout(ref: GroupRef, fence: Fence | None) -> bool:
    return fence is not None and fence.owned_throughout(ref)
