"""Gives moves that the catalog has lost a record again, from the fences of the shards: a group that is left
frozen has writers that wait, and rows that a window kept are kept for ever, until somebody goes on.

One gateway at a time looks at all fences, slowly, and again after a while, and deletes what moves have left
behind that nobody remembers. A group that writers find frozen
for too long is looked at at once, by the gateway that they call.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Fence, FenceState
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.leftovers import Leftovers
from shard_router.moves.ports import MoveShards
from shard_router.moves.record import MoveRecord, Place, of_copy, of_fence, record_id
from shard_router.moves.settings import MoveSettings
from shard_router.moves.store_port import MoveStore
from shard_router.placement import Placement
from shard_router.root_register import POINTER_EPOCH
from shard_router.shard_map import ShardState
from shard_router.shards.fence_pages import fence_pages

_LOG = logging.getLogger(__name__)

LEASE: Final = "adoption"
COPIES: Final = frozenset({FenceState.WIPING, FenceState.INCOMING, FenceState.READY})
PAGE_FENCES: Final = 500
STUCK_MAX: Final = 1_000
"""Groups that wait to be looked at."""


def is_source(fence: Fence) -> bool:
    """Of a move that has not ended. A pointer of the register is none, its move_id names an incarnation."""
    has_left = fence.state is FenceState.MOVED and fence.epoch > POINTER_EPOCH
    return bool(fence.move_id) and (fence.owns or has_left)


def is_copy(fence: Fence) -> bool:
    """Of a move that has not ended."""
    return bool(fence.move_id) and fence.state in COPIES


class Adoption:
    def __init__(
        self,
        shards: MoveShards,
        store: MoveStore,
        gateway_id: str,
        settings: MoveSettings,
        clock: Clock,
        take_up: Callable[[MoveRecord], None],
        turns: CleanupTurns,
        rng: Random | None = None,
    ) -> None:
        """`take_up` is told of every record that is made here."""
        self._leftovers = Leftovers(shards, settings, clock, turns, lambda: not self._tasks)
        self._shards = shards
        self._store = store
        self._gateway_id = gateway_id
        self._settings = settings
        self._clock = clock
        self._take_up = take_up
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._stuck: dict[Placement, None] = {}
        self._woken = asyncio.Event()
        self._next_sweep_s = clock.monotonic_s()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(work(), name=name)
            for name, work in (("moves without a record", self._keep), ("stuck groups", self._look_at_stuck))
        ]

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            try:
                await self._store.release(LEASE, self._gateway_id, self._soon())
            except CatalogUnavailable as error:
                # It expires.
                _LOG.debug("adoption: %s", error)

    def note_stuck(self, placement: Placement) -> None:
        """Writers have found this group frozen for too long."""
        if len(self._stuck) < STUCK_MAX:
            self._stuck[placement] = None
            self._woken.set()

    # --- making a record --------------------------------------------------------------------------

    async def adopt(self, shard_id: str, fence: Fence, deadline: Deadline) -> MoveRecord | None:
        """The record of the move that this fence names, made anew if the catalog has lost it: of a copy whose
        source does not know the move any more as that of a move that is cancelled. None: the fence names none
        any more, or another move of the group is under way. `fence`: as it was read. Raises
        CatalogUnavailable and what the shards raise."""
        known = await self._store.get(record_id(fence.move_id), deadline)
        if known is not None:
            return known
        # The move may have ended, and the record been lost, since the fence was read.
        place = Place(shard_id, fence.space)
        now = await self._fence(place, fence.group_id, deadline)
        if now is not None and is_copy(now):
            source_place = Place(now.moved_to, now.moved_space)
            source = await self._fence(source_place, fence.group_id, deadline)
            if source is None or record_id(source.move_id) != record_id(now.move_id):
                return await self._create(of_copy(shard_id, now, self._clock.wall_us()), now, deadline)
            place, now = source_place, source
        if now is None or not is_source(now):
            return None
        window_s = self._settings.adopted_window_s
        record = of_fence(place.shard_id, now, self._clock.wall_us(), reverse_window_s=window_s)
        return await self._create(record, now, deadline)

    async def _create(self, record: MoveRecord, fence: Fence, deadline: Deadline) -> MoveRecord | None:
        made = await self._store.create(record, deadline)
        if made.move_id != record.move_id:
            # Another move of the group is under way: it takes the group from one without a record.
            return None
        _LOG.warning(
            "move %s of group %s from shard %s to %s (fence %s) had lost its record: it goes on",
            made.move_id,
            made.group_id,
            made.source_shard,
            made.target_shard,
            fence.state,
        )
        self._take_up(made)
        return made

    async def _fence(self, place: Place, group_id: str, deadline: Deadline) -> Fence | None:
        ref = place.ref(group_id)
        fences = await self._shards.on_shard(
            place.shard_id, deadline, lambda driver: driver.read_fences([ref], deadline)
        )
        return fences.get(group_id)

    # --- looking at all fences --------------------------------------------------------------------

    async def _keep(self) -> None:
        await self._clock.sleep(self._settings.poll_s * self._rng.random())
        while True:
            await self._guarded(self._sweep_if_due)
            await self._clock.sleep(self._tick_s * self._rng.uniform(0.5, 1))

    @property
    def _tick_s(self) -> float:
        return self._settings.adoption_lease_s / 3

    async def _sweep_if_due(self) -> None:
        if await self._is_mine() and self._clock.monotonic_s() >= self._next_sweep_s:
            await self.sweep()
            pause_s = self._settings.adoption_pause_s * self._rng.uniform(0.5, 1.5)
            self._next_sweep_s = self._clock.monotonic_s() + pause_s

    async def sweep(self) -> int:
        """One look at all fences of the shards that answer; how many records were made. Ends early when
        another gateway has taken it over. Raises CatalogUnavailable."""
        made = 0
        for info in self._shards.map.shards:
            if info.state is ShardState.REMOVED:
                continue
            try:
                made += await self._sweep_shard(info.shard_id)
            except CatalogUnavailable:
                raise
            except GraphgateError as error:
                _LOG.debug("adoption: shard %s was not looked at: %s", info.shard_id, error)
            if not await self._is_mine():
                break
        return made

    async def _sweep_shard(self, shard_id: str) -> int:
        made = 0
        began_s = self._clock.monotonic_s()
        async for page in fence_pages(self._shards, shard_id, PAGE_FENCES):
            made += await self._adopt_missing(shard_id, page)
            for fence in page:
                await self._leftovers.look_at(shard_id, fence)
            elapsed_s, share = self._clock.monotonic_s() - began_s, self._settings.adoption_share
            if not await self._rest(elapsed_s * (1 - share) / share):
                break
            began_s = self._clock.monotonic_s()
        return made

    async def _adopt_missing(self, shard_id: str, page: Sequence[Fence]) -> int:
        named = {record_id(fence.move_id): fence for fence in page if is_source(fence) or is_copy(fence)}
        made = 0
        for move_id in await self._store.missing(list(named), self._soon()):
            deadline = Deadline.after(self._settings.call_s_max)
            made += await self.adopt(shard_id, named[move_id], deadline) is not None
        return made

    async def _rest(self, seconds: float) -> bool:
        """Leaves the shard to others; whether this gateway is still the one that looks."""
        until_s = self._clock.monotonic_s() + seconds
        while (left_s := until_s - self._clock.monotonic_s()) > 0:
            await self._clock.sleep(min(left_s, self._tick_s))
            if not await self._is_mine():
                return False
        return True

    async def _is_mine(self) -> bool:
        seconds = self._settings.adoption_lease_s
        return await self._store.lease(LEASE, self._gateway_id, seconds, self._soon())

    # --- groups that are stuck --------------------------------------------------------------------

    async def _look_at_stuck(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._stuck:
                placement = next(iter(self._stuck))
                del self._stuck[placement]
                await self._guarded(lambda placement=placement: self._look_at(placement))

    async def _look_at(self, placement: Placement) -> None:
        deadline = Deadline.after(self._settings.call_s_max)
        place = Place(placement.shard_id, placement.space)
        fence = await self._fence(place, placement.group_id, deadline)
        if fence is not None and is_source(fence):
            await self.adopt(placement.shard_id, fence, deadline)

    # --- parts ------------------------------------------------------------------------------------

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """The task that calls it must live."""
        try:
            await work()
        except GraphgateError as error:
            _LOG.debug("adoption: %s", error)
        except Exception:
            _LOG.exception("adoption: unexpected failure")

    def _soon(self) -> Deadline:
        return Deadline.after(self._settings.catalog_s_max)
