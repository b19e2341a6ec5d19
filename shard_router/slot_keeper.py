"""Gives large groups their vector slots, fills them behind the writes and drops those that are not needed.

Every gateway runs one for every shard. Two that fill slots of one shard do no harm, but take twice the share
of its time, and on the same slot do twice the work: a keeper that finds any slot of a shard elsewhere than it
left it leaves the filling to the other one for a round.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardIdentityError, ShardUnavailable
from drivers.fence import Engine, Fence, GroupRef
from drivers.graph_model import TEXT_KINDS, Kind
from drivers.vector_slots import BACKLOG_ROWS_MAX, SlotBacklog, SlotProgress, VectorSlot
from shard_router.clock import Clock, SystemClock
from shard_router.fan_out import ShardCall
from shard_router.fill_pace import FillPace
from shard_router.shard_map import ShardInfo
from shard_router.slot_policy import SlotPolicy, SlotStep, gives_way, is_large, next_step, rows_of

_LOG = logging.getLogger(__name__)

type SlotKey = tuple[str, Kind]
"""group_id and kind."""

ROUND_S = 5.0
"""Between two looks at the slots of a shard, at most; a group that turns out to be large has one at once."""
ADVANCE_S = 1.0
"""Between two records of how far a slot is while it is filled. Far below ROUND_S: who sees no other one
thinks that nobody fills it, and joins in with all of the same work."""
CALL_S_MAX = 30.0
CREATE_S_MAX = 120.0
NOTED_MAX = 1_000


@dataclass(slots=True)
class _OfShard:
    engine: Engine
    slots: dict[SlotKey, VectorSlot]
    mine: dict[SlotKey, SlotProgress]
    """Where this keeper has left them, or has last seen those that it does not fill."""
    paces: dict[SlotKey, FillPace]
    """Of what this keeper fills: kept from one backlog to the next, for a busy shard may show for a moment
    only what a row costs."""
    noted: dict[str, GroupRef]
    """Groups that are large enough and have no slot yet."""
    woken: asyncio.Event
    smallest: tuple[int, SlotKey] | None = None
    """Of the slots, by the rows that their groups have of their kind."""
    gives_way: bool = False
    """Another keeper fills slots of this shard: this one fills none in the present round."""
    has_failed: bool = False
    """A step of the present rounds."""


class Shards(Protocol):
    """What the keeper uses of a fleet."""

    async def on_shard[T](self, shard_id: str, deadline: Deadline, call: ShardCall[T]) -> T: ...


class SlotKeeper:
    def __init__(
        self,
        fleet: Shards,
        engines: Mapping[str, Engine],
        policy: SlotPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`engines`: by shard_id, of every shard that this gateway reaches."""
        self._fleet = fleet
        self._policy = policy or SlotPolicy()
        self._clock = clock or SystemClock()
        self._shards = {
            shard_id: _OfShard(engine, {}, {}, {}, {}, asyncio.Event())
            for shard_id, engine in engines.items()
        }
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """By shard_id."""

    def start(self) -> None:
        for shard_id in self._shards:
            self._begin(shard_id)

    def _begin(self, shard_id: str) -> None:
        self._tasks[shard_id] = asyncio.create_task(self._keep(shard_id), name=f"slots of {shard_id}")

    async def close(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- shards that come and go, as shard_router.fleet.ShardWatcher -------------------------------

    def shard_added(self, info: ShardInfo) -> None:
        self._shards[info.shard_id] = _OfShard(info.engine, {}, {}, {}, {}, asyncio.Event())
        self._begin(info.shard_id)

    def shard_dropped(self, shard_id: str) -> None:
        task = self._tasks.pop(shard_id, None)
        if task is not None:
            task.cancel()
        self._shards.pop(shard_id, None)

    # --- for searches -----------------------------------------------------------------------------

    def slots_of(self, shard_id: str) -> Mapping[SlotKey, VectorSlot]:
        """As last seen. A slot that is not there any more answers that it is not enough."""
        known = self._shards.get(shard_id)
        return {} if known is None else known.slots

    def searched(self, shard_id: str, slot: VectorSlot, progress: SlotProgress) -> None:
        """How far a slot was when it was searched: the next search has less to scan."""
        known, key = self._shards.get(shard_id), (slot.ref.group_id, slot.kind)
        held = None if known is None else known.slots.get(key)
        if known is None or held is None or held.serial != slot.serial:
            return
        if progress.complete_version > held.progress.complete_version:
            known.slots[key] = replace(held, progress=progress)

    def note(self, shard_id: str, fences: Iterable[Fence]) -> None:
        """Fences of groups that are in use."""
        known = self._shards.get(shard_id)
        if known is None or not self._policy.slots_max:
            return
        rows_min = self._policy.rows_min[known.engine]
        for fence in fences:
            for kind in TEXT_KINDS:
                key = (fence.group_id, kind)
                if key in known.slots or not is_large(fence, kind, rows_min):
                    continue
                if not self._has_room(known, fence, kind):
                    continue
                if fence.group_id not in known.noted and len(known.noted) < NOTED_MAX:
                    known.noted[fence.group_id] = GroupRef(fence.group_id, fence.space)
                    known.woken.set()

    # --- the task of a shard ----------------------------------------------------------------------

    async def _keep(self, shard_id: str) -> None:
        known = self._shards[shard_id]
        while True:
            known.woken.clear()
            if await self._rounds(shard_id, known):
                await self._clock.wait(known.woken, ROUND_S)
            else:
                # Whoever searches a group whose slot cannot be made would begin a round each time.
                await self._clock.sleep(ROUND_S)

    async def _rounds(self, shard_id: str, known: _OfShard) -> bool:
        """Until there is nothing more to fill; whether nothing failed."""
        try:
            known.has_failed = False
            while await self._round(shard_id, known):
                continue
        except GraphgateError as error:
            # The shard is away or busy: its link reports that, and the slots can wait.
            _LOG.debug("slots of shard %s: %s", shard_id, error)
            return False
        except Exception:
            # The task must live: a bug costs a round.
            _LOG.exception("slots of shard %s: unexpected failure", shard_id)
            return False
        return not known.has_failed

    async def _round(self, shard_id: str, known: _OfShard) -> bool:
        """One step of every slot that needs one; whether there is more to fill."""
        listed = await self._call(shard_id, lambda driver: driver.list_slots(_soon()))
        # Of two slots of one key, as FalkorDB made them before its label had an index, one is for nobody.
        listed = sorted(listed, key=lambda slot: slot.serial, reverse=True)
        known.slots = {(slot.ref.group_id, slot.kind): slot for slot in listed}
        for twin in [slot for slot in listed if known.slots[slot.ref.group_id, slot.kind] != slot]:
            await self._drop_at(shard_id, twin)
        stored = {key: slot.progress for key, slot in known.slots.items()}
        known.gives_way = any(known.mine.get(key, SlotProgress()) != at for key, at in stored.items())
        known.mine = stored
        noted, known.noted = known.noted, {}
        refs = {**{slot.ref.group_id: slot.ref for slot in listed}, **noted}
        if not refs:
            return False
        fences = await self._call(shard_id, lambda driver: driver.read_fences(list(refs.values()), _soon()))
        held = ((key, fences.get(key[0])) for key in known.slots)
        sizes = [(0 if fence is None else rows_of(fence, key[1]), key) for key, fence in held]
        known.smallest = min(sizes, default=None)
        more = False
        for group_id, ref in refs.items():
            for kind in TEXT_KINDS:
                try:
                    more |= await self._step(shard_id, known, ref, kind, fences.get(group_id))
                except (ShardUnavailable, ShardIdentityError):
                    raise
                except GraphgateError as error:
                    # What is wrong with one slot must not starve the others.
                    known.has_failed = True
                    _LOG.warning("shard %s: slot of group %s, %s: %s", shard_id, group_id, kind, error)
        return more

    async def _step(
        self, shard_id: str, known: _OfShard, ref: GroupRef, kind: Kind, fence: Fence | None
    ) -> bool:
        """What the slot of a group needs next; whether there is more to fill."""
        slot = known.slots.get((ref.group_id, kind))
        match next_step(fence, kind, slot, self._policy, known.engine):
            case SlotStep.CREATE if slot is not None:
                return await self._fill(shard_id, known, await self._create(shard_id, known, slot))
            case SlotStep.CREATE if fence is not None and self._has_room(known, fence, kind):
                if len(known.slots) >= self._policy.slots_max and known.smallest is not None:
                    _, key = known.smallest
                    known.smallest = None
                    await self._drop(shard_id, known, known.slots[key])
                rows_min = self._policy.rows_min[known.engine]
                new = VectorSlot(ref, kind, fence.embeddings[kind], rows_min=rows_min)
                return await self._fill(shard_id, known, await self._create(shard_id, known, new))
            case SlotStep.FILL if slot is not None:
                return await self._fill(shard_id, known, slot)
            case SlotStep.DROP if slot is not None:
                await self._drop(shard_id, known, slot)
            case _:
                pass
        return False

    def _has_room(self, known: _OfShard, fence: Fence, kind: Kind) -> bool:
        """Or there will be."""
        if len(known.slots) < self._policy.slots_max:
            return True
        return known.smallest is not None and gives_way(known.smallest[0], fence, kind)

    async def _create(self, shard_id: str, known: _OfShard, slot: VectorSlot) -> VectorSlot:
        deadline = Deadline.after(CREATE_S_MAX)
        made = await self._call(shard_id, lambda driver: driver.create_slot(slot, deadline))
        known.slots[slot.ref.group_id, slot.kind] = made
        _LOG.info("shard %s: group %s has a vector slot for %s", shard_id, slot.ref.group_id, slot.kind)
        return made

    async def _fill(self, shard_id: str, known: _OfShard, slot: VectorSlot) -> bool:
        """Takes in one backlog, in parts; whether there is more."""
        if known.gives_way:
            return False
        key = (slot.ref.group_id, slot.kind)
        backlog = await self._call(
            shard_id, lambda driver: driver.slot_backlog(slot, BACKLOG_ROWS_MAX, _soon())
        )
        rows = await self._call(shard_id, _fill_rows)
        pace, recorded_s = known.paces.setdefault(key, FillPace()), self._clock.monotonic_s()
        left: SlotBacklog | None = backlog
        while left is not None:
            part, left = left.split(rows * pace.growth)
            began_s = self._clock.monotonic_s()
            if part.changes:
                await self._call(shard_id, partial(_fill_part, slot, part.uuids))
            ended_s = self._clock.monotonic_s()
            if left is None or ended_s - recorded_s >= ADVANCE_S:
                advanced = await self._call(shard_id, partial(_advance, slot, part))
                if advanced is None:
                    # It is gone, or another keeper fills it too: of two that began together one gives way.
                    known.gives_way = True
                    return False
                known.slots[key], known.mine[key] = advanced, advanced.progress
                slot, recorded_s = advanced, ended_s
            if part.changes:
                await self._clock.sleep(pace.pause_s(len(part.changes), ended_s - began_s))
        return not backlog.caught_up

    async def _drop(self, shard_id: str, known: _OfShard, slot: VectorSlot) -> None:
        known.slots.pop((slot.ref.group_id, slot.kind), None)
        known.mine.pop((slot.ref.group_id, slot.kind), None)
        known.paces.pop((slot.ref.group_id, slot.kind), None)
        await self._drop_at(shard_id, slot)

    async def _drop_at(self, shard_id: str, slot: VectorSlot) -> None:
        deadline = Deadline.after(CREATE_S_MAX)
        await self._call(shard_id, lambda driver: driver.drop_slot(slot, deadline))
        _LOG.info("shard %s: group %s has no vector slot for %s", shard_id, slot.ref.group_id, slot.kind)

    async def _call[T](self, shard_id: str, call: ShardCall[T]) -> T:
        return await self._fleet.on_shard(shard_id, _soon(), call)


def _soon() -> Deadline:
    return Deadline.after(CALL_S_MAX)


async def _fill_rows(driver: ShardDriver) -> int:
    return driver.slot_fill_rows


async def _fill_part(slot: VectorSlot, uuids: tuple[str, ...], driver: ShardDriver) -> None:
    await driver.fill_slot(slot, uuids, _soon())


async def _advance(slot: VectorSlot, part: SlotBacklog, driver: ShardDriver) -> VectorSlot | None:
    return await driver.advance_slot(slot, part, _soon())
