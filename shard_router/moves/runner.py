"""The moves that one gateway works on: those that it was asked for, and those that nobody works on.

Three kinds of work have room of their own, so that none keeps another waiting: copies; ends, which are
short; and cleanups, which are long. A move goes from one to the next as it gets on. One that fails for long
gives its place back and comes again later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Final

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.coordinator import Coordinator
from shard_router.moves.failing import Failing
from shard_router.moves.ports import MovePlacements, MoveShards
from shard_router.moves.record import AFTER_COMMIT, MovePhase, MoveRecord
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side
from shard_router.moves.store_port import MoveStore
from shard_router.slot_search import NoSlots, SlotDirectory

_LOG = logging.getLogger(__name__)

DUE_MAX: Final = 256
"""Moves that one look for work finds; the next one finds the next ones."""
QUEUE_MAX: Final = 10_000
"""Moves that wait for their turn in this gateway; further ones are found by the looks for work."""
READS_MAX: Final = 8
"""Records that are read at once."""
UNTAKEN_S_MAX: Final = 2.0
"""Of the look whether a cancelled move was begun, while its caller waits."""

_CLEANING: Final = frozenset({MovePhase.REVERSIBLE, MovePhase.CLEANING})


class MoveRunner:
    """A lease keeps two gateways from working on one move, as a rule; where it does not, the fences do."""

    def __init__(
        self,
        shards: MoveShards,
        placements: MovePlacements,
        store: MoveStore,
        gateway_id: str,
        settings: MoveSettings,
        clock: Clock,
        slots: SlotDirectory | None = None,
        rng: Random | None = None,
    ) -> None:
        self._shards = shards
        self._placements = placements
        self._store = store
        self._gateway_id = gateway_id
        self._settings = settings
        self._clock = clock
        self._slots = slots or NoSlots()
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._queue: dict[str, MoveRecord | None] = {}
        """In the order in which they are begun; a record tells what room there must be for it, and is read
        again when there is. None: it is not known yet."""
        self._running: dict[str, Coordinator | None] = {}
        """None: its record is being read."""
        self._failing: dict[str, Failing] = {}
        """Of the moves that rest."""
        self._due_seen = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self.cleanup_turns = CleanupTurns(store, gateway_id, settings, self._woken.set)

    def start(self) -> None:
        for name, work in (("moves", self._begin_some), ("moves that are due", self._look_for_work)):
            self._keep(asyncio.create_task(self._go_on_with(work, name), name=name))

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> tuple[str, ...]:
        """move_ids."""
        return tuple(self._running)

    def take_up(self, move_id: str, record: MoveRecord | None = None) -> None:
        """Begins it as soon as there is room. `record`: as it is stored, if that is known."""
        if move_id not in self._running and (move_id in self._queue or len(self._queue) < QUEUE_MAX):
            self._queue[move_id] = record or self._queue.get(move_id)
            self._woken.set()

    def look_again(self, move_id: str) -> None:
        """Its record was changed."""
        coordinator = self._running.get(move_id)
        if coordinator is not None:
            coordinator.look_again()
        else:
            self._queue.pop(move_id, None)
            self.take_up(move_id)

    async def end_untaken(self, move_id: str) -> MoveRecord | None:
        """The record of a cancelled move that nobody has begun: it ends at once, without waiting for room.
        None: it was begun, or that is not known; whoever works on it gives it up."""
        if move_id in self._running:
            return None
        self._running[move_id] = None
        try:
            if not await self._store.lease(move_id, self._gateway_id, self._settings.lease_s, self._soon()):
                return None
            try:
                return await self._end_untaken(move_id)
            finally:
                await asyncio.shield(self._store.release(move_id, self._gateway_id, self._soon()))
        except GraphgateError as error:
            _LOG.info("move %s is cancelled and not ended yet: %s", move_id, error)
            return None
        finally:
            self._running.pop(move_id, None)
            self._woken.set()

    async def _end_untaken(self, move_id: str) -> MoveRecord | None:
        record = await self._store.get(move_id, self._soon())
        if record is None or record.phase is not MovePhase.PLANNED or not record.cancel_requested:
            return None
        # The record of a move that was begun may be behind.
        fence = await Side(self._shards, record.group_id, record.source, UNTAKEN_S_MAX).fence()
        if fence is not None and record.owns(fence.move_id):
            return None
        now_us = self._clock.wall_us()
        ended = replace(record, phase=MovePhase.CANCELLED, updated_us=now_us, ended_us=now_us)
        stored = await self._store.update(ended, self._soon())
        if stored.phase is not MovePhase.CANCELLED:
            return None
        self._queue.pop(move_id, None)
        return stored

    # --- tasks ------------------------------------------------------------------------------------

    async def _go_on_with(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """For ever: what goes wrong costs one time."""
        while True:
            try:
                await work()
            except GraphgateError as error:
                _LOG.debug("%s: %s", name, error)
                await self._clock.sleep(self._settings.poll_s)
            except Exception:
                _LOG.exception("%s: unexpected failure, it is begun again", name)
                await self._clock.sleep(self._settings.poll_s)
                self._woken.set()

    async def _begin_some(self) -> None:
        """Waits until there may be something to begin."""
        await self._woken.wait()
        self._woken.clear()
        reading = sum(1 for coordinator in self._running.values() if coordinator is None)
        for move_id, record in list(self._queue.items()):
            if reading >= READS_MAX:
                break
            if move_id in self._running or (record is not None and not self._has_room(record)):
                continue
            del self._queue[move_id]
            self._running[move_id] = None
            reading += 1
            self._keep(asyncio.create_task(self._run(move_id), name=f"move {move_id}"))

    async def _look_for_work(self) -> None:
        now_us = self._clock.wall_us()
        due = await self._store.due(now_us, DUE_MAX, self._soon(), self._due_seen)
        self._due_seen = self._due_seen + len(due) if len(due) == DUE_MAX else 0
        for move_id in due:
            self.take_up(move_id)
        await self._look_at_records()
        await self._clock.sleep(self._settings.poll_s)

    async def _look_at_records(self) -> None:
        """Whether somebody has asked for something by another gateway, and the leases."""
        for move_id, coordinator in list(self._running.items()):
            if coordinator is None:
                continue
            revision = await self._store.revision(move_id, self._soon())
            if revision > coordinator.record.revision:
                coordinator.look_again()
            await self._store.lease(move_id, self._gateway_id, self._settings.lease_s, self._soon())

    async def _run(self, move_id: str) -> None:
        try:
            if await self._store.lease(move_id, self._gateway_id, self._settings.lease_s, self._soon()):
                try:
                    await self._run_leased(move_id)
                finally:
                    await asyncio.shield(self._store.release(move_id, self._gateway_id, self._soon()))
        except GraphgateError as error:
            # The next look for work finds it again.
            _LOG.info("move %s: %s", move_id, error)
        except Exception:
            # A bug costs this attempt; the move stays where it is until the next one.
            _LOG.exception("move %s: unexpected failure", move_id)
            await self._put_off(move_id, self._failing.get(move_id) or Failing())
        finally:
            self._running.pop(move_id, None)
            self._woken.set()

    async def _run_leased(self, move_id: str) -> None:
        # Not as it was when it began to wait: it may have ended since.
        record = await self._store.get(move_id, self._soon())
        if record is not None and record.phase is MovePhase.UNSPECIFIED:
            # For a newer gateway, which knows its phase.
            return
        if record is None or record.ended:
            self._failing.pop(move_id, None)
            await self._store.forget_due(move_id, self._soon())
            return
        if record.due_us > self._clock.wall_us():
            await self._store.put_off(move_id, record.due_us, self._soon())
            return
        if not self._has_room(record):
            # It is begun when another move has made room.
            self._queue[move_id] = record
            return
        coordinator = Coordinator(
            record,
            self._shards,
            self._placements,
            self._store,
            self._slots,
            self._settings,
            self._clock,
            self._rng,
            self.cleanup_turns,
            self._failing.get(move_id),
        )
        coordinator.journal.set(coordinator=self._gateway_id)
        self._running[move_id] = coordinator
        await coordinator.run()
        await self._put_away(coordinator)

    async def _put_away(self, coordinator: Coordinator) -> None:
        record = coordinator.record
        if coordinator.rest_s is None:
            self._failing.pop(record.move_id, None)
        elif record.phase in _CLEANING and not self.cleanup_turns.is_free(record.source_shard):
            # Another cleanup of this gateway comes first: it is begun at the end of that.
            self._queue[record.move_id] = record
        else:
            await self._put_off(record.move_id, coordinator.failing, coordinator.rest_s)

    async def _put_off(self, move_id: str, failing: Failing, rest_s: float | None = None) -> None:
        """The place is another move's meanwhile."""
        if len(self._failing) >= QUEUE_MAX:
            # Those of moves that other gateways have ended.
            self._failing.clear()
        self._failing[move_id] = failing
        if rest_s is None:
            rest_s = failing.rest_s(self._settings, self._rng)
        until_us = self._clock.wall_us() + round(rest_s * 1_000_000)
        try:
            await self._store.put_off(move_id, until_us, self._soon())
        except CatalogUnavailable as error:
            # The next look for work finds it, in a while.
            _LOG.debug("move %s is not put off: %s", move_id, error)

    # --- room -------------------------------------------------------------------------------------

    def _has_room(self, record: MoveRecord) -> bool:
        settings = self._settings
        at_work = [c for c in self._running.values() if c is not None and c.record.move_id != record.move_id]
        if not _is_copy(record):
            if record.phase in _CLEANING and not self.cleanup_turns.is_free(record.source_shard):
                return False
            ends = sum(1 for c in at_work if not (_is_copy(c.record) or c.is_cleaning))
            return ends < settings.ends_max
        copies = [c.record for c in at_work if _is_copy(c.record)]
        if len(copies) >= settings.moves_max:
            return False
        return all(
            sum(1 for copy in copies if shard in _shards_of(copy)) < settings.moves_per_shard_max
            for shard in _shards_of(record)
        )

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _soon(self) -> Deadline:
        return Deadline.after(self._settings.catalog_s_max)


def _is_copy(record: MoveRecord) -> bool:
    """Whether it is still to be committed."""
    return record.phase not in AFTER_COMMIT and record.holds_group


def _shards_of(record: MoveRecord) -> frozenset[str]:
    return frozenset({record.source_shard, record.target_shard})
