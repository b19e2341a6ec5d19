"""Finds the shards and spaces of many groups at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Fence, GroupRef
from shard_router.errors import PlacementLost, ScopeTooLarge
from shard_router.fan_out import FanOut
from shard_router.fleet import Fleet
from shard_router.placement import Placement
from shard_router.placement_hints import PlacementHints
from shard_router.root_register import RootRegister
from shard_router.routing import AllShards, GroupPage, Located, OwnedGroup, ShardReply, route_to

FENCES_PER_READ_MAX = 1_000


class Scope:
    def __init__(self, fleet: Fleet, register: RootRegister, hints: PlacementHints, fan_out: FanOut) -> None:
        self._fleet = fleet
        self._register = register
        self._hints = hints
        self._fan_out = fan_out

    async def locate(
        self,
        group_ids: Sequence[str],
        deadline: Deadline,
        *,
        groups_max: int,
        fresh: bool,
        allow_partial: bool,
    ) -> Located:
        """One look at the catalog and a few batched register reads, however many groups.

        `fresh` is for groups whose refs of an earlier call were stale: only the register is asked,
        and a group that it does not know has lost its data. Raises ScopeTooLarge, FleetNotFounded
        and, unless `allow_partial`, what kept a group from being found.
        """
        named = list(dict.fromkeys(group_ids))
        if len(named) > groups_max:
            raise ScopeTooLarge(groups_max)
        hints: dict[str, Placement] = {}
        if fresh:
            self._forget(named)
        else:
            hints = await self._hints.get(named, deadline)
        # A hint to a shard that this gateway does not have is no use; the register may know better.
        usable = {g: hint for g, hint in hints.items() if self._fleet.configured(hint.shard_id)}
        outcomes = await self._ask_register([g for g in named if g not in usable], deadline)
        for group_id, outcome in outcomes.items():
            if outcome is None and (fresh or group_id in hints):
                at = hints[group_id].shard_id if group_id in hints else self._fleet.home_of(group_id)
                outcomes[group_id] = PlacementLost(group_id, at, "there is no fence at its home")
        found = [outcome for outcome in outcomes.values() if isinstance(outcome, Placement)]
        await self._hints.learn(found, deadline)
        placed: Mapping[str, Placement] = usable | {placement.group_id: placement for placement in found}
        refs = _by_shard([placed[group_id] for group_id in named if group_id in placed])
        failed = {g: error for g, error in outcomes.items() if isinstance(error, GraphgateError)}
        _raise_first(failed, allow_partial)
        return Located(
            route=route_to(refs),
            refs=refs,
            unknown=tuple(group_id for group_id, outcome in outcomes.items() if outcome is None),
            groups_failed=failed,
            shards_failed={},
        )

    async def all_owned(self, deadline: Deadline, *, groups_max: int, allow_partial: bool) -> Located:
        """Every group that a shard owns, by asking the shards. Raises ScopeTooLarge and, unless
        `allow_partial`, what a shard failed with.

        The shards are listed one beside the other, not at one instant: a group that changes its
        owner meanwhile may be listed at both, then it counts at the one with the later epoch.
        """
        owned = 0

        async def list_all(driver: ShardDriver) -> list[Fence]:
            nonlocal owned
            fences: list[Fence] = []
            while True:
                after = fences[-1].group_id if fences else ""
                page = await driver.list_fences(after, FENCES_PER_READ_MAX, deadline)
                fences.extend(page)
                owned += len(page)
                if owned > groups_max:
                    raise ScopeTooLarge(groups_max)
                if len(page) < FENCES_PER_READ_MAX:
                    return fences

        shard_ids = self._fan_out.shards_of(AllShards())
        calls = dict.fromkeys(shard_ids, list_all)
        replies = await self._fan_out.run(calls, deadline, all_or_nothing=False)
        groups, failed = _merge(replies)
        placements = [Placement(g.fence.group_id, g.shard_id, g.fence.space, g.fence.epoch) for g in groups]
        too_large = {key: error for key, error in failed.items() if isinstance(error, ScopeTooLarge)}
        _raise_first(too_large or failed, allow_partial and not too_large)
        return Located(AllShards(), _by_shard(placements), (), {}, failed)

    async def list_groups(
        self, after: str, limit: int, deadline: Deadline, *, allow_partial: bool
    ) -> GroupPage:
        """The next `limit` groups after `after` by group_id, of all shards. Raises, unless
        `allow_partial`, what a shard failed with."""

        async def page_of(driver: ShardDriver) -> list[Fence]:
            return list(await driver.list_fences(after, limit, deadline))

        calls = dict.fromkeys(self._fan_out.shards_of(AllShards()), page_of)
        replies = await self._fan_out.run(calls, deadline, all_or_nothing=False)
        groups, failed = _merge(replies)
        _raise_first(failed, allow_partial)
        cut = any(
            not isinstance(r.outcome, GraphgateError) and len(r.outcome) >= limit for r in replies.values()
        )
        return GroupPage(tuple(groups[:limit]), cut or len(groups) > limit, failed)

    async def _ask_register(
        self, group_ids: Sequence[str], deadline: Deadline
    ) -> dict[str, Placement | GraphgateError | None]:
        if not group_ids:
            return {}
        return await self._register.find_many(group_ids, deadline)

    def _forget(self, group_ids: Sequence[str]) -> None:
        for group_id in group_ids:
            cached = self._hints.cached(group_id)
            if cached is not None:
                self._hints.forget(cached)


def _by_shard(placements: Sequence[Placement]) -> dict[str, tuple[GroupRef, ...]]:
    refs: dict[str, list[GroupRef]] = defaultdict(list)
    for placement in placements:
        refs[placement.shard_id].append(placement.ref)
    return {shard_id: tuple(found) for shard_id, found in refs.items()}


def _merge(
    replies: Mapping[str, ShardReply[list[Fence]]],
) -> tuple[list[OwnedGroup], dict[str, GraphgateError]]:
    """Each group once, by group_id; and the shards that failed."""
    owners: dict[str, OwnedGroup] = {}
    failed: dict[str, GraphgateError] = {}
    for shard_id, reply in replies.items():
        if isinstance(reply.outcome, GraphgateError):
            failed[shard_id] = reply.outcome
            continue
        for fence in reply.outcome:
            known = owners.get(fence.group_id)
            if known is None or known.fence.epoch < fence.epoch:
                owners[fence.group_id] = OwnedGroup(shard_id, fence)
    return [owners[group_id] for group_id in sorted(owners)], failed


def _raise_first(failed: Mapping[str, GraphgateError], allow_partial: bool) -> None:
    if failed and not allow_partial:
        raise next(iter(failed.values()))
