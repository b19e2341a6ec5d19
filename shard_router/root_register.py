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
unsettled. READY at the epoch that the MOVED fence before it names is the owner: whoever comes opens it.
Ownership is read from states, never from the highest epoch. A pointer with moved_epoch 1 whose target has no
fence is an unfinished creation; with a higher one the group was there: data loss.

A pointer's move_id holds the incarnation of the shard that it points to: a shard that lost its data
and joined anew is not mistaken for one where the creation is still to be finished.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import OPEN_UP, Comparison, FenceChange, Guard, Parameter, Value
from shard_router.errors import PlacementLost, PlacementUnsettled
from shard_router.parallel import outcomes_in_parallel
from shard_router.placement import Placement
from shard_router.register_trail import FIRST_EPOCH, POINTER_EPOCH, Arrived, Next, Trail, Vacant

HOPS_MAX = 8
"""Fences from the home to the owner. Every finished move that has not updated the entry adds one; a
circle, which two reads around a move can see, is walked until it is gone or the hops are used up."""
REFS_PER_READ_MAX = 500


_UNFINISHED: Final = (
    Guard("moved_to", Comparison.EQUAL, Parameter("from_shard")),
    Guard("epoch", Comparison.EQUAL, Parameter("from_epoch")),
    Guard("moved_epoch", Comparison.EQUAL, Parameter("from_moved_epoch")),
)
"""The entry of a creation that was never finished, at a shard that has left the fleet."""
REDIRECT: Final = FenceChange(
    "REDIRECT",
    frozenset({FenceState.MOVED}),
    _UNFINISHED,
    {"moved_to": Parameter("to_shard"), "move_id": Parameter("incarnation")},
)
OPEN_HERE: Final = FenceChange(
    "OPEN_HERE",
    frozenset({FenceState.MOVED}),
    _UNFINISHED,
    {
        "state": FenceState.OPEN.value,
        "epoch": FIRST_EPOCH,
        "moved_to": "",
        "moved_epoch": 0,
        "move_id": "",
    },
)


class RegisterShards(Protocol):
    def home_of(self, group_id: str) -> str: ...

    def incarnation_of(self, shard_id: str) -> str: ...

    def register_roots(self, group_id: str) -> frozenset[int]: ...

    def has_left(self, shard_id: str) -> bool: ...

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T: ...


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
        trails = [Trail(group_id, self._shards.home_of(group_id)) for group_id in dict.fromkeys(group_ids)]
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
        roots = self._shards.register_roots(group_id)
        trail = Trail(group_id, self._shards.home_of(group_id))
        # Whatever is there afterwards counts, not what was asked for: another creator may have won.
        fence = await self._create_fence(trail, self._entry(trail, chosen), deadline, roots)
        for _ in range(HOPS_MAX):
            if self._leads_to_one_that_left(trail.shard_id, fence):
                fence = await self._redirect(trail, fence, chosen, deadline)
            step = trail.judge(fence, self._shards.incarnation_of(trail.shard_id))
            if isinstance(step, Placement):
                return step
            if isinstance(step, Arrived):
                fence = await self._open_up(trail, step, deadline)
            elif isinstance(step, Vacant):
                fence = await self._create_fence(trail, self._opening(trail), deadline)
            else:
                trail.go(step)
                fence = (await self._read(trail.shard_id, [trail.ref], deadline)).get(group_id)
        raise PlacementUnsettled(group_id, f"no owner after {HOPS_MAX} fences")

    # --- steps ------------------------------------------------------------------------------------

    def _entry(self, trail: Trail, chosen: str) -> Fence:
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

    def _opening(self, trail: Trail) -> Fence:
        return Fence(
            group_id=trail.group_id,
            epoch=FIRST_EPOCH,
            state=FenceState.OPEN,
            space=trail.space,
            created_at=self._wall_us(),
        )

    async def _create_fence(
        self, trail: Trail, fence: Fence, deadline: Deadline, roots: frozenset[int] = frozenset()
    ) -> Fence:
        """`roots`: of an entry at the home; elsewhere a fence is made because an entry says so."""
        return await self._shards.on_shard(
            trail.shard_id, deadline, lambda driver: driver.create_fence(fence, deadline, roots), writes=True
        )

    async def _open_up(self, trail: Trail, step: Arrived, deadline: Deadline) -> Fence | None:
        """The fence as it is afterwards: open, unless somebody else was faster and more has happened."""
        changed = await self._shards.on_shard(
            trail.shard_id,
            deadline,
            lambda driver: driver.change_fence(trail.ref, OPEN_UP, {"epoch": step.epoch}, deadline),
            writes=True,
        )
        return changed.fence

    def _leads_to_one_that_left(self, at: str, fence: Fence | None) -> bool:
        """An unfinished creation at a shard that was removed meanwhile: what leads to a group was set right
        before the shard went, so that no group was ever there."""
        return (
            fence is not None
            and fence.state is FenceState.MOVED
            and (fence.epoch, fence.moved_epoch) == (POINTER_EPOCH, FIRST_EPOCH)
            and fence.moved_to != at
            and self._shards.has_left(fence.moved_to)
        )

    async def _redirect(
        self, trail: Trail, pointer: Fence | None, chosen: str, deadline: Deadline
    ) -> Fence | None:
        """The entry as it is afterwards; of several who do this the first decides."""
        assert pointer is not None, "only an entry that is there is redirected"
        change = OPEN_HERE if chosen == trail.shard_id else REDIRECT
        known: dict[str, Value] = {
            "from_shard": pointer.moved_to,
            "from_epoch": POINTER_EPOCH,
            "from_moved_epoch": FIRST_EPOCH,
            "to_shard": chosen,
            "incarnation": self._shards.incarnation_of(chosen),
        }
        given = {name: known[name] for name in change.parameters}
        changed = await self._shards.on_shard(
            trail.shard_id,
            deadline,
            lambda driver: driver.change_fence(trail.ref, change, given, deadline),
            writes=True,
        )
        return changed.fence

    async def _read(self, shard_id: str, refs: Sequence[GroupRef], deadline: Deadline) -> Mapping[str, Fence]:
        return await self._shards.on_shard(
            shard_id, deadline, lambda driver: driver.read_fences(refs, deadline)
        )

    async def _follow(
        self,
        trails: Sequence[Trail],
        outcomes: dict[str, Placement | GraphgateError | None],
        deadline: Deadline,
    ) -> list[Trail]:
        """One hop of every trail; returns those that go on."""
        by_shard: dict[str, list[Trail]] = defaultdict(list)
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
        going_on: list[Trail] = []
        arrived: dict[str, Callable[[], Awaitable[Fence | None]]] = {}
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
                if isinstance(step, Arrived):
                    arrived[trail.group_id] = partial(self._open_up, trail, step, deadline)
                    going_on.append(trail)
                elif isinstance(step, Next):
                    if self._leads_to_one_that_left(trail.shard_id, trail.pointer):
                        outcomes[trail.group_id] = None
                        continue
                    trail.go(step)
                    going_on.append(trail)
                else:
                    outcomes[trail.group_id] = step if isinstance(step, Placement) else None
        # What became of it is read with the next hop, which is at the same place.
        opened = await outcomes_in_parallel(arrived)
        failed = {group_id: e for group_id, e in opened.items() if isinstance(e, GraphgateError)}
        outcomes |= failed
        return [trail for trail in going_on if trail.group_id not in failed]
