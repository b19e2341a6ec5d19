"""The vector slots of a group that is arriving, made before it is searched there."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Engine, Fence
from drivers.graph_model import TEXT_KINDS, Kind
from drivers.moving import arriving_specs
from drivers.reads import ListCursor, ListQuery
from drivers.vector_slots import SlotBacklog, SlotProgress, VectorSlot
from shard_router.clock import Clock
from shard_router.fill_pace import FillPace
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side
from shard_router.slot_keeper import CREATE_S_MAX
from shard_router.slot_policy import is_large

_LOG = logging.getLogger(__name__)

ROWS_PER_LIST = 1_000
SLOT_ATTEMPTS_MAX = 3
"""Fills of one slot: somebody else may drop it meanwhile."""


class Indexing(StrEnum):
    """What came of building the slots of a group."""

    BUILT = "BUILT"
    """They hold everything."""
    STOPPED = "STOPPED"
    """Before the end: build again."""
    LEFT_OUT = "LEFT_OUT"
    """There is no room for one, or it does not stay: the move goes on without, searches scan."""


def wanted_slots(source: Fence, engine: Engine, settings: MoveSettings) -> tuple[Kind, ...]:
    """Kinds of which the target gets a slot before the commit. `engine`: the target's."""
    if not settings.slots.slots_max or not (engine is Engine.NEO4J or settings.indexes_first):
        return ()
    rows_min = settings.slots.rows_min[engine]
    return tuple(kind for kind in TEXT_KINDS if is_large(source, kind, rows_min))


class SlotBuilder:
    """What SlotKeeper does with a group that is open, done with one that is complete up to a version: its
    rows of all versions up to that one are there, so the whole of it is one backlog."""

    def __init__(self, target: Side, settings: MoveSettings, clock: Clock) -> None:
        self._target = target
        self._settings = settings
        self._clock = clock

    async def build(
        self, source: Fence, kinds: Sequence[Kind], applied: int, is_stopped: Callable[[], bool]
    ) -> Indexing:
        """Everything up to `applied`. Raises what the shard raises."""
        specs = arriving_specs(source.embeddings)
        listed = await self._target.call(lambda driver, deadline: driver.list_slots(deadline))
        known = {slot.key: slot for slot in listed}
        engine = self._target.engine
        for kind in kinds:
            rows_min = self._settings.slots.rows_min[engine]
            wanted = VectorSlot(self._target.ref, kind, specs[kind], rows_min=rows_min)
            before = known.get(wanted.key)
            if before is not None and before.spec != wanted.spec:
                await self._target.call(
                    lambda driver, deadline, old=before: driver.drop_slot(old, deadline),
                    writes=True,
                    seconds=CREATE_S_MAX,
                )
            elif before is None and len(known) >= self._settings.slots.slots_max:
                return Indexing.LEFT_OUT
            built = await self._build_one(wanted, applied, is_stopped)
            if built is not Indexing.BUILT:
                return built
            known[wanted.key] = wanted
        return Indexing.BUILT

    async def _build_one(self, wanted: VectorSlot, applied: int, is_stopped: Callable[[], bool]) -> Indexing:
        for _ in range(SLOT_ATTEMPTS_MAX):
            done = await self._try_one(wanted, applied, is_stopped)
            if done is not Indexing.LEFT_OUT:
                return done
        group_id, shard_id = self._target.group_id, self._target.place.shard_id
        _LOG.warning(
            "group %s arrives at shard %s without its slot for %s, which was dropped %d times while it was "
            "filled: searches scan until the shard makes it",
            group_id,
            shard_id,
            wanted.kind,
            SLOT_ATTEMPTS_MAX,
        )
        return Indexing.LEFT_OUT

    async def _try_one(self, wanted: VectorSlot, applied: int, is_stopped: Callable[[], bool]) -> Indexing:
        slot = await self._target.call(
            lambda driver, deadline: driver.create_slot(wanted, deadline), writes=True, seconds=CREATE_S_MAX
        )
        step = await self._target.call(_fill_rows)
        pace = FillPace()
        after: ListCursor | None = None
        while True:
            query = ListQuery(wanted.kind, ROWS_PER_LIST, after=after)
            read = await self._target.call(
                lambda driver, deadline, query=query: driver.list_versions(self._target.ref, query, deadline)
            )
            uuids, filled = list(read.versions), 0
            while filled < len(uuids):
                if is_stopped():
                    return Indexing.STOPPED
                part = uuids[filled : filled + step * pace.growth]
                await self._fill(slot, part, pace)
                filled += len(part)
            if len(uuids) < ROWS_PER_LIST:
                break
            after = ListCursor(uuids[-1])
        backlog = SlotBacklog((), SlotProgress(applied), caught_up=True)
        advanced = await self._target.call(
            lambda driver, deadline: driver.advance_slot(slot, backlog, deadline), writes=True
        )
        return Indexing.LEFT_OUT if advanced is None else Indexing.BUILT

    async def _fill(self, slot: VectorSlot, uuids: Sequence[str], pace: FillPace) -> None:
        began_s = self._clock.monotonic_s()
        await self._target.call(lambda driver, deadline: driver.fill_slot(slot, uuids, deadline), writes=True)
        await self._clock.sleep(pace.pause_s(len(uuids), self._clock.monotonic_s() - began_s))


async def _fill_rows(driver: ShardDriver, deadline: Deadline) -> int:
    return driver.slot_fill_rows
