"""The one way from a group to the shard that owns it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardIdentityError, ShardImpaired, ShardUnavailable
from drivers.fence import Fence, FenceState
from shard_router.backoff import Backoff
from shard_router.catalog_port import PlacementCatalog
from shard_router.clock import Clock, SystemClock
from shard_router.errors import GroupNotFound, PlacementUnsettled, ShardUnknown, StalePlacement
from shard_router.fan_out import FanOut, ShardCall
from shard_router.fleet import Fleet
from shard_router.frozen_groups import FrozenGroups, FrozenSettings
from shard_router.placement import Placement
from shard_router.placement_hints import HintSettings, PlacementHints
from shard_router.placing import Placing
from shard_router.recently_asked import RecentlyAsked
from shard_router.root_register import RootRegister
from shard_router.routing import GroupPage, Located, Route, ShardReply
from shard_router.scope import Scope
from shard_router.single_flight import SingleFlight

OWNER_ATTEMPTS_MAX = 8
"""Calls of on_owner until PlacementUnsettled, without those that found the group frozen and waited for its
thaw; with the pauses about half a second in all."""

_STALE_PAUSE = Backoff(first_s=0.005, pause_s_max=0.25)

type OwnerCall[T] = Callable[[ShardDriver, Placement], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class RouterSettings:
    groups_max: int = 10_000
    """Groups in the scope of one request."""
    lookup_s_max: float = 10.0
    """Of a lookup that several callers share."""
    hints: HintSettings = field(default_factory=HintSettings)
    frozen: FrozenSettings = field(default_factory=FrozenSettings)


class Router:
    """Safe for concurrent use. Every call ends by its deadline."""

    def __init__(
        self,
        fleet: Fleet,
        catalog: PlacementCatalog | None,
        settings: RouterSettings | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        self._settings = settings or RouterSettings()
        self._fleet = fleet
        self._clock = clock or SystemClock()
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._hints = PlacementHints(catalog, self._settings.hints, self._clock)
        register = RootRegister(fleet, self._clock.wall_us)
        self._placing = Placing(fleet, register, self._hints)
        self._fan_out = FanOut(fleet)
        self._frozen = FrozenGroups(fleet, self._settings.frozen, self._clock)
        self._asked_elsewhere = RecentlyAsked[Placement](self._clock)
        self._scope = Scope(fleet, register, self._hints, self._fan_out)
        flight_s_max = self._settings.lookup_s_max
        self._finds = SingleFlight[str, Placement | None]("the group's placement", flight_s_max)
        self._findings_again = SingleFlight[Placement, Placement]("the group's placement", flight_s_max)
        self._creations = SingleFlight[str, Placement]("the group's placement", flight_s_max)

    async def close(self) -> None:
        """Ends the lookups that still run; the fleet is its owner's to close."""
        await self._finds.close()
        await self._findings_again.close()
        await self._creations.close()
        await self._frozen.close()

    @property
    def catalog_problem(self) -> GraphgateError | None:
        """Why placements were last looked up without the catalog."""
        return self._hints.catalog_problem

    # --- one group --------------------------------------------------------------------------------

    async def find(self, group_id: str, deadline: Deadline) -> Placement | None:
        """A hint, else what the register says; None: the group does not exist.

        Raises PlacementLost, PlacementUnsettled, FleetNotFounded, ShardError, DeadlinePassed.
        """
        cached = self._hints.cached(group_id)
        if cached is not None:
            return cached
        return await self._finds.run(
            group_id, lambda lookup: self._placing.hint_or_find(group_id, lookup), deadline
        )

    async def place(self, group_id: str, deadline: Deadline) -> Placement:
        """As find, but a group that does not exist is created.

        Also raises NoShardTakesGroups, ForeignFleet, TwoRootRings.
        """
        cached = self._hints.cached(group_id)
        if cached is not None:
            return cached
        return await self._creations.run(
            group_id, lambda lookup: self._placing.place(group_id, lookup), deadline
        )

    async def shard_for_new(self, group_id: str, deadline: Deadline) -> str:
        """Where place would create a group that does not exist, as things are.

        Raises FleetNotFounded, ForeignFleet, TwoRootRings, NoShardTakesGroups, ShardUnavailable.
        """
        self._fleet.check_creation()
        return await self._fleet.choose_shard(group_id, deadline)

    async def on_owner[T](
        self,
        group_id: str,
        deadline: Deadline,
        call: OwnerCall[T],
        *,
        create: bool,
        writes: bool = True,
    ) -> T:
        """Runs the call at the shard that owns the group, again where that has changed.

        `call` raises StalePlacement when the fence that it read, or the write that it sent, says
        that the shard does not own the group; it may be run several times. `create` makes a group
        that does not exist; `writes` (any write, so that the shard's beat goes on) may be False for
        a call that only reads.
        A call that finds the group frozen waits until it is not, as often as that happens before the
        deadline.
        Raises GroupNotFound, PlacementUnsettled, WriteBufferFull, what place raises and what the call
        raises.
        """
        stale: Placement | None = None
        placement: Placement | None = None
        attempts = 0
        while attempts < OWNER_ATTEMPTS_MAX:
            deadline.check(f"the shard of group {group_id} was asked")
            try:
                if placement is None:
                    placement = await self._look_up(group_id, stale, create, deadline)
                return await self._call(placement, call, deadline, writes)
            except (StalePlacement, PlacementUnsettled) as error:
                if placement is not None and isinstance(error, StalePlacement) and _is_frozen(error.fence):
                    await self._frozen.until_thawed(placement, deadline)
                else:
                    attempts += 1
                    # The first time a hint was old; from then on an owner is changing: give it time.
                    if attempts > 1:
                        await self._pause(attempts - 1, deadline)
                stale, placement = placement or stale, None
            except ShardImpaired:
                # It answered, and its fence did not object.
                raise
            except (ShardUnavailable, ShardUnknown, ShardIdentityError) as error:
                if placement is None:
                    raise
                attempts += 1
                # The hint may be older than the removal of that shard.
                stale, placement = placement, await self._elsewhere(placement, error, deadline)
        raise PlacementUnsettled(group_id, f"its owner changed during {OWNER_ATTEMPTS_MAX} attempts")

    async def _look_up(
        self, group_id: str, stale: Placement | None, create: bool, deadline: Deadline
    ) -> Placement:
        """Raises GroupNotFound."""
        if stale is not None:
            return await self._find_again(stale, deadline)
        placement = await (self.place if create else self.find)(group_id, deadline)
        if placement is None:
            raise GroupNotFound(group_id)
        return placement

    async def _call[T](self, placement: Placement, call: OwnerCall[T], deadline: Deadline, writes: bool) -> T:
        return await self._fleet.on_shard(
            placement.shard_id, deadline, lambda driver: call(driver, placement), writes=writes
        )

    async def _find_again(self, stale: Placement, deadline: Deadline) -> Placement:
        return await self._findings_again.run(
            stale, lambda lookup: self._placing.find_again(stale, lookup), deadline
        )

    async def _elsewhere(self, tried: Placement, error: GraphgateError, deadline: Deadline) -> Placement:
        """Where the register places the group, if that is another place; else raises `error`.

        Not asked again for a while after such an answer: the calls to the groups of a shard that is away
        would cost its neighbours and the catalog as much as if it were there.
        """
        if self._asked_elsewhere.lately(tried):
            raise error
        try:
            placement = await self._find_again(tried, deadline)
        except GraphgateError:
            self._asked_elsewhere.note(tried)
            raise error from None
        if placement.place == tried.place:
            self._asked_elsewhere.note(placement)
            raise error
        return placement

    async def until_thawed(self, group_id: str, deadline: Deadline) -> None:
        """After a write was refused because the group is frozen: returns when it is worth planning anew, with
        the owner looked up anew. Raises WriteBufferFull, DeadlinePassed and as find."""
        placement = await self.find(group_id, deadline)
        if placement is None:
            return
        await self._frozen.until_thawed(placement, deadline)
        if self._hints.cached(group_id) == placement:
            try:
                await self._find_again(placement, deadline)
            except GraphgateError:
                # The call that follows meets it too, and deals with it.
                return

    async def learn(self, placement: Placement, deadline: Deadline) -> None:
        """Where a group is from now on: this gateway and the catalog are told. Never fails."""
        await self._hints.learn([placement], deadline)

    def on_stuck(self, told: Callable[[Placement], None]) -> None:
        """Told from here on of every group that writers find frozen for longer than a move does it. Must not
        raise."""
        self._frozen.on_stuck = told

    @property
    def frozen_waiting(self) -> Mapping[str, int]:
        """How many calls wait for each group that is frozen."""
        return self._frozen.waiting

    async def _pause(self, attempt: int, deadline: Deadline) -> None:
        pause_s = _STALE_PAUSE.pause_s(attempt, self._rng)
        await self._clock.sleep(min(pause_s, deadline.remaining_s()))

    async def describe_group(self, group_id: str, deadline: Deadline) -> tuple[str, Fence]:
        """The shard that owns the group and its fence. Raises as on_owner."""

        async def read(driver: ShardDriver, placement: Placement) -> tuple[str, Fence]:
            fence = (await driver.read_fences([placement.ref], deadline)).get(group_id)
            if fence is None or not fence.owns:
                raise StalePlacement(fence)
            return placement.shard_id, fence

        return await self.on_owner(group_id, deadline, read, create=False, writes=False)

    def write_weight_max(self, shard_id: str) -> int:
        """Of one write to the shard, 0: no bound. Raises ShardUnknown."""
        return self._fleet.write_weight_max(shard_id)

    # --- many groups ------------------------------------------------------------------------------

    async def locate(
        self,
        group_ids: Sequence[str],
        deadline: Deadline,
        *,
        fresh: bool = False,
        allow_partial: bool = False,
    ) -> Located:
        """Where these groups are, and which are nowhere.

        `fresh` for groups whose refs were stale: asks the register only, and a group that it does
        not know has lost its data. Raises ScopeTooLarge, FleetNotFounded and, unless
        `allow_partial`, what kept a group from being found.
        """
        return await self._scope.locate(
            group_ids,
            deadline,
            groups_max=self._settings.groups_max,
            fresh=fresh,
            allow_partial=allow_partial,
        )

    async def all_owned(
        self, deadline: Deadline, groups_max: int | None = None, *, allow_partial: bool = False
    ) -> Located:
        """Every group of the fleet, by asking the shards. Raises ScopeTooLarge and, unless
        `allow_partial`, what a shard failed with."""
        limit = self._settings.groups_max if groups_max is None else groups_max
        return await self._scope.all_owned(deadline, groups_max=limit, allow_partial=allow_partial)

    async def list_groups(
        self, after: str, limit: int, deadline: Deadline, *, allow_partial: bool = False
    ) -> GroupPage:
        """The next `limit` groups after `after` by group_id, of all shards. Raises, unless
        `allow_partial`, what a shard failed with."""
        return await self._scope.list_groups(after, limit, deadline, allow_partial=allow_partial)

    # --- many shards ------------------------------------------------------------------------------

    def shards_of(self, route: Route) -> tuple[str, ...]:
        return self._fan_out.shards_of(route)

    async def fan_out[T](
        self, calls: Mapping[str, ShardCall[T]], deadline: Deadline, *, all_or_nothing: bool = False
    ) -> Mapping[str, ShardReply[T]]:
        """Runs one call per shard in parallel, each through its shard's gate; replies by shard_id.

        A shard's GraphgateError is its reply's outcome. With `all_or_nothing` the first one is
        raised and the calls that still run are cancelled.
        """
        return await self._fan_out.run(calls, deadline, all_or_nothing=all_or_nothing)

    async def fan_out_all[T](self, calls: Mapping[str, ShardCall[T]], deadline: Deadline) -> Mapping[str, T]:
        """fan_out with all_or_nothing, for callers that want the results alone."""
        replies = await self._fan_out.run(calls, deadline, all_or_nothing=True)
        return {shard_id: reply.result() for shard_id, reply in replies.items()}


def _is_frozen(fence: Fence | None) -> bool:
    return fence is not None and fence.state is FenceState.FROZEN
