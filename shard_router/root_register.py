"""The register against second owners: where a group is placed, decided by create-if-absent at one shard.

The root ring, fixed when the fleet was founded, gives every group its home. The home's fence is the
register entry: the group's own fence if the group was first placed there, else a pointer
Fence(epoch 0, MOVED, moved_to p, moved_epoch 1). Creating a group:

1. create-if-absent of the entry at the home,
2. follow what the home says now, whoever wrote it; where it points to a shard without a fence,
   create-if-absent of the OPEN fence there,
3. only then the catalog's record, which is the caller's to write.

After a crash between any two steps the next caller does the rest. As no ring change and no state
of the catalog moves a home, all creators of a group meet at one atomic step.

Following: OPEN and FROZEN own. MOVED and TOMB lead to moved_to. A fence that a move is preparing
(WIPING, INCOMING, READY) leads back to the owner if its mover noted it in moved_to, else the owner is
unsettled. Ownership is read from states, never from the highest epoch. A pointer with moved_epoch 1
whose target has no fence is an unfinished creation; with a higher one the group was there: data loss.

A pointer's move_id holds the incarnation of the shard that it points to: a shard that lost its data
and joined anew is not mistaken for one where the creation is still to be finished.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from shard_router.errors import PlacementLost, PlacementUnsettled
from shard_router.parallel import outcomes_in_parallel
from shard_router.placement import Placement

FIRST_EPOCH = 1
POINTER_EPOCH = 0
HOPS_MAX = 8
"""Fences from the home to the owner. Every finished move that has not updated the entry adds one; a
circle, which two reads around a move can see, is walked until it is gone or the hops are used up."""
REFS_PER_READ_MAX = 500


class RegisterShards(Protocol):
    def home_of(self, group_id: str) -> str: ...

    def incarnation_of(self, shard_id: str) -> str: ...

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T: ...


@dataclass(frozen=True, slots=True)
class _Next:
    """Look at this shard and space."""

    shard_id: str
    space: str


@dataclass(frozen=True, slots=True)
class _Vacant:
    """Nothing is placed: the home has no entry, or the creation that it points to is unfinished."""


@dataclass(slots=True)
class _Trail:
    """How one group is followed from its home."""

    group_id: str
    shard_id: str
    space: str = POOLED
    pointer: Fence | None = None
    """The fence that led here."""

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.group_id, self.space)

    def judge(self, fence: Fence | None, incarnation: str) -> Placement | _Next | _Vacant:
        """Raises PlacementLost, PlacementUnsettled."""
        if fence is None:
            return self._judge_absence(incarnation)
        if fence.owns:
            return Placement(self.group_id, self.shard_id, fence.space, fence.epoch)
        if not fence.moved_to:
            if fence.state in (FenceState.MOVED, FenceState.TOMB):
                raise PlacementLost(self.group_id, self.shard_id, f"its {fence.state} fence leads nowhere")
            raise PlacementUnsettled(self.group_id, f"it is being moved to shard {self.shard_id}")
        self.pointer = fence
        return _Next(fence.moved_to, fence.moved_space)

    def _judge_absence(self, incarnation: str) -> _Vacant:
        pointer = self.pointer
        if pointer is None:
            return _Vacant()
        if pointer.moved_epoch > FIRST_EPOCH or pointer.epoch > POINTER_EPOCH:
            raise PlacementLost(self.group_id, self.shard_id, f"no fence for epoch {pointer.moved_epoch}")
        if pointer.move_id and pointer.move_id != incarnation:
            raise PlacementLost(self.group_id, self.shard_id, "the shard has lost its data since")
        return _Vacant()

    def go(self, place: _Next) -> None:
        self.shard_id, self.space = place.shard_id, place.space


class RootRegister:
    def __init__(self, shards: RegisterShards, wall_us: Callable[[], int]) -> None:
        self._shards = shards
        self._wall_us = wall_us

    async def find(self, group_id: str, deadline: Deadline) -> Placement | None:
        """None: the group is not placed. Raises PlacementLost, PlacementUnsettled, ShardError."""
        found = (await self.find_many([group_id], deadline))[group_id]
        if isinstance(found, GraphgateError):
            raise found
        return found

    async def find_many(
        self, group_ids: Sequence[str], deadline: Deadline
    ) -> dict[str, Placement | GraphgateError | None]:
        """As find, each group with its own outcome; one call per shard and REFS_PER_READ_MAX groups,
        and as many rounds as the longest trail has hops. Raises FleetNotFounded."""
        outcomes: dict[str, Placement | GraphgateError | None] = {}
        trails = [_Trail(group_id, self._shards.home_of(group_id)) for group_id in dict.fromkeys(group_ids)]
        for _ in range(HOPS_MAX):
            if not trails:
                break
            trails = await self._follow(trails, outcomes, deadline)
        for trail in trails:
            outcomes[trail.group_id] = PlacementUnsettled(trail.group_id, f"no owner after {HOPS_MAX} fences")
        return outcomes

    async def create(self, group_id: str, chosen: str, deadline: Deadline) -> Placement:
        """Places the group, at `chosen` if nobody has placed it before; finishes what others began.

        Raises as find, and what the shards raise; calling again is safe after any of it.
        """
        trail = _Trail(group_id, self._shards.home_of(group_id))
        # Whatever is there afterwards counts, not what was asked for: another creator may have won.
        fence = await self._create_fence(trail, self._entry(trail, chosen), deadline)
        for _ in range(HOPS_MAX):
            step = trail.judge(fence, self._shards.incarnation_of(trail.shard_id))
            if isinstance(step, Placement):
                return step
            if isinstance(step, _Vacant):
                fence = await self._create_fence(trail, self._opening(trail), deadline)
            else:
                trail.go(step)
                fence = (await self._read(trail.shard_id, [trail.ref], deadline)).get(group_id)
        raise PlacementUnsettled(group_id, f"no owner after {HOPS_MAX} fences")

    # --- steps ------------------------------------------------------------------------------------

    def _entry(self, trail: _Trail, chosen: str) -> Fence:
        if chosen == trail.shard_id:
            return self._opening(trail)
        return Fence(
            group_id=trail.group_id,
            epoch=POINTER_EPOCH,
            state=FenceState.MOVED,
            moved_to=chosen,
            moved_epoch=FIRST_EPOCH,
            move_id=self._shards.incarnation_of(chosen),
            created_at=self._wall_us(),
        )

    def _opening(self, trail: _Trail) -> Fence:
        return Fence(
            group_id=trail.group_id,
            epoch=FIRST_EPOCH,
            state=FenceState.OPEN,
            space=trail.space,
            created_at=self._wall_us(),
        )

    async def _create_fence(self, trail: _Trail, fence: Fence, deadline: Deadline) -> Fence:
        return await self._shards.on_shard(
            trail.shard_id, deadline, lambda driver: driver.create_fence(fence, deadline), writes=True
        )

    async def _read(self, shard_id: str, refs: Sequence[GroupRef], deadline: Deadline) -> Mapping[str, Fence]:
        return await self._shards.on_shard(
            shard_id, deadline, lambda driver: driver.read_fences(refs, deadline)
        )

    async def _follow(
        self,
        trails: Sequence[_Trail],
        outcomes: dict[str, Placement | GraphgateError | None],
        deadline: Deadline,
    ) -> list[_Trail]:
        """One hop of every trail; returns those that go on."""
        by_shard: dict[str, list[_Trail]] = defaultdict(list)
        for trail in trails:
            by_shard[trail.shard_id].append(trail)
        batches = {
            (shard_id, start): here[start : start + REFS_PER_READ_MAX]
            for shard_id, here in by_shard.items()
            for start in range(0, len(here), REFS_PER_READ_MAX)
        }
        answers = await outcomes_in_parallel(
            {
                key: partial(self._read, key[0], [trail.ref for trail in batch], deadline)
                for key, batch in batches.items()
            }
        )
        going_on: list[_Trail] = []
        for key, fences in answers.items():
            incarnation = self._shards.incarnation_of(key[0])
            for trail in batches[key]:
                if isinstance(fences, GraphgateError):
                    outcomes[trail.group_id] = fences
                    continue
                try:
                    step = trail.judge(fences.get(trail.group_id), incarnation)
                except (PlacementLost, PlacementUnsettled) as error:
                    outcomes[trail.group_id] = error
                    continue
                if isinstance(step, _Next):
                    trail.go(step)
                    going_on.append(trail)
                else:
                    outcomes[trail.group_id] = step if isinstance(step, Placement) else None
        return going_on
