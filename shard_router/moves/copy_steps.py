"""The steps of a move from the taken token to the commit, each done once."""

import logging
from collections.abc import Callable
from random import Random

from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, FenceState
from drivers.fence_changes import (
    COMMIT,
    FREEZE,
    PREPARE,
    PREPARE_DELTA,
    READY,
    RESUME,
    TAKE,
    THAW,
    UNREADY,
    WIPED,
    FenceChange,
    Value,
)
from drivers.fence_codec import encode_embeddings
from drivers.moving import CURSOR_END, PAGE_ROWS_MAX, Settlement, arriving_specs
from shard_router.clock import Clock
from shard_router.moves.cleanup import wipe_slowly
from shard_router.moves.copy_check import CopyCheck
from shard_router.moves.copying import Copier
from shard_router.moves.digest import ComparisonStoppedError
from shard_router.moves.indexing import Indexing, SlotBuilder, wanted_slots
from shard_router.moves.next_step import CopyState
from shard_router.moves.pausing import DrainForecast, FreezeGate
from shard_router.moves.record import MovePhase, VerifyWhen
from shard_router.moves.session import Session
from shard_router.moves.settings import MoveSettings
from shard_router.moves.steps import MakeReady, PrepareDelta, Take

_LOG = logging.getLogger(__name__)

IDLE_ROUND_S = 0.1
"""Between rounds while a freeze may not be tried."""


class VerifyFailedError(Exception):
    """The copy is not as its source. Never leaves this layer."""


class CopySteps:
    def __init__(
        self,
        session: Session,
        settings: MoveSettings,
        clock: Clock,
        rng: Random,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock
        self._is_stopped = is_stopped
        self._gate = FreezeGate(settings, rng, DrainForecast())
        self._copier = Copier(session.source, session.target, settings.page_rows, session.journal.copied)

    @property
    def is_hopeless(self) -> bool:
        """The group cannot be caught up with."""
        return self._gate.is_hopeless

    # --- fences -----------------------------------------------------------------------------------

    async def take(self, step: Take) -> None:
        session, record = self._session, self._session.journal.record
        given: dict[str, Value] = {
            "token": step.token,
            "move_id": step.move_id,
            "seen_move_id": step.seen_move_id,
            "to_shard": record.target_shard,
            "to_space": record.target_space,
        }
        changed = await session.source.change(TAKE, given)
        if not session.source_changed(changed):
            return
        session.token = step.token
        if step.move_id != step.seen_move_id:
            session.copy, session.copies = CopyState(), session.copies + 1
        session.journal.set(token=step.token)
        session.journal.enter(MovePhase.TAKEN)

    async def prepare(self) -> None:
        session, record = self._session, self._session.journal.record
        if record.target_space != POOLED:
            await session.target.call(
                lambda driver, deadline: driver.ensure_space(record.target_space, deadline),
                writes=True,
                seconds=self._settings.space_s_max,
            )
        await self._at_target(
            PREPARE,
            from_shard=record.source_shard,
            from_space=record.source_space,
            space=record.target_space,
        )
        session.copy_now(wiped=False)
        session.journal.enter(MovePhase.WIPING)

    async def prepare_delta(self, step: PrepareDelta) -> None:
        record = self._session.journal.record
        await self._at_target(
            PREPARE_DELTA,
            from_shard=record.source_shard,
            from_space=record.source_space,
            owner_prune_floor=step.owner_prune_floor,
            cursor_end=CURSOR_END,
        )
        self._session.journal.enter(MovePhase.CATCHING_UP)

    async def resume(self) -> None:
        await self._at_target(RESUME)

    async def wipe(self) -> None:
        session = self._session
        session.journal.enter(MovePhase.WIPING)
        copying = session.copying
        wiped = await wipe_slowly(
            session.target,
            self._settings,
            self._clock,
            self._is_stopped,
            copying.token,
            copying.move_id,
        )
        session.copy_now(wiped=wiped)

    async def mark_wiped(self) -> None:
        session = self._session
        source = await session.source.locked_fence()
        if source is None or not session.copying.is_sourced_by(source):
            session.doubt()
            return
        session.source_fence = source
        rows = sum(stats.rows for stats in source.stats.values())
        session.journal.set(rows_total=rows, rows_remaining=rows)
        await self._at_target(WIPED, applied=source.version)

    async def unready(self, epoch: int) -> None:
        await self._at_target(UNREADY, epoch=epoch)

    async def thaw(self) -> bool:
        """Whether writers were let go."""
        session = self._session
        changed = await session.source.change(THAW, {"token": session.token})
        if not session.source_changed(changed):
            return False
        now_s = self._clock.monotonic_s()
        self._gate.thawed(now_s)
        session.journal.set(thaws=session.journal.record.thaws + 1)
        self._note_pause(now_s)
        session.copy_now(overrun=False, fits=False)
        session.journal.enter(MovePhase.CATCHING_UP)
        return True

    # --- rows -------------------------------------------------------------------------------------

    async def copy_on(self) -> None:
        session = self._session
        assert session.target_fence is not None, "a copy has a target"
        session.journal.enter(MovePhase.COPYING)
        source, target = await self._copier.copy_on(session.copying, session.target_fence, self._is_stopped)
        self._learn(source, target)

    async def round(self) -> None:
        """Brings what is new, or waits a little if nothing is, and says whether the group may be frozen."""
        session, journal = self._session, self._session.journal
        if journal.record.phase not in (MovePhase.INDEXING, MovePhase.VERIFYING):
            journal.enter(MovePhase.CATCHING_UP)
        began_s = self._clock.monotonic_s()
        if await self._bring():
            journal.set(rounds=journal.record.rounds + 1)
        elif not self._session.is_known:
            return
        now_s = self._clock.monotonic_s()
        if (wait_s := self._gate.waits_s(now_s)) > 0:
            await self._clock.sleep(min(wait_s, IDLE_ROUND_S))
        if now_s - began_s > self._settings.freeze_s_max / 4:
            # The round took long enough for many writes.
            session.source_fence = await session.source.fence()
        source, target = session.source_fence, session.target_fence
        if source is not None and target is not None and source.state is FenceState.OPEN:
            behind = source.version - target.applied
            journal.set(rows_remaining=max(0, behind))
            session.copy_now(fits=self._gate.opens(behind, self._clock.monotonic_s()))

    async def last_round(self) -> None:
        await self._bring()

    async def build_indexes(self) -> None:
        session, source, target = self._session, self._session.source_fence, self._session.target_fence
        assert source is not None, "a copy has a source"
        assert target is not None, "a copy has a target"
        kinds = wanted_slots(source, session.target.engine, self._settings)
        built = Indexing.BUILT
        if kinds:
            session.journal.enter(MovePhase.INDEXING)
            # At once: what follows may take minutes, and nothing is written meanwhile.
            await session.journal.try_to_write()
            builder = SlotBuilder(session.target, self._settings, self._clock)
            built = await builder.build(source, kinds, target.applied, self._is_stopped)
            if built is Indexing.BUILT:
                session.journal.set(indexed_us=self._clock.wall_us())
            session.copy_now(fits=False)
            self._gate.begins_anew()
        session.copy_now(indexed=built is not Indexing.STOPPED)

    async def verify(self) -> None:
        """Raises VerifyFailedError."""
        session, journal = self._session, self._session.journal
        assert session.target_fence is not None, "a copy has a target"
        if journal.record.verify is VerifyWhen.NEVER:
            session.copy_now(verified=True)
            return
        journal.enter(MovePhase.VERIFYING)
        source = session.source_fence
        if source is not None and sum(stats.rows for stats in source.stats.values()) > PAGE_ROWS_MAX:
            # It may take minutes, and nothing is written meanwhile.
            await journal.try_to_write()
        check = CopyCheck(
            session.source,
            session.target,
            session.target_fence,
            self._settings.differences_max,
            self._is_stopped,
        )
        try:
            report = await check.report()
        except ComparisonStoppedError:
            return
        # What the comparison stands on: that nobody else has changed the copy.
        if (await session.target.fence()) != session.target_fence:
            session.doubt()
            return
        if not report.equal:
            if await self._is_pruned():
                # What the source has deleted meanwhile cannot be told any more: the copy is made anew.
                session.doubt()
                return
            _LOG.error("move %s: the copy differs: %s", journal.record.move_id, report)
            raise VerifyFailedError(
                f"the copy differs from the group: {report.missing_total} rows are missing, "
                f"{report.extra_total} are extra, {report.different_total} are different"
            )
        session.copy_now(verified=True, fits=False)
        self._gate.begins_anew()

    async def _is_pruned(self) -> bool:
        """Whether the source has forgotten deletions that the copy has not had."""
        session = self._session
        source = await session.source.fence()
        copied = session.target_fence
        return source is None or copied is None or source.prune_floor > copied.applied

    # --- the pause --------------------------------------------------------------------------------

    async def freeze(self) -> None:
        session = self._session
        session.journal.enter(MovePhase.FREEZING)
        self.begin_pause()
        copying = session.copying
        changed = await session.source.change(FREEZE, copying.given())
        if not session.source_changed(changed):
            self.unfreeze()

    def begin_pause(self) -> None:
        """From here on writers wait, and no call may take longer than they may."""
        session = self._session
        session.frozen_at_s = self._clock.monotonic_s()
        session.source.until = session.target.until = Deadline.after(self._settings.drain_s_max)

    def unfreeze(self) -> None:
        """Ends the time limit of the pause."""
        session = self._session
        session.frozen_at_s = None
        session.source.until = session.target.until = None

    async def make_ready(self, step: MakeReady) -> None:
        source = self._session.source_fence
        assert source is not None, "a copy has a source"
        specs = arriving_specs(source.embeddings)
        given = {
            "epoch": step.epoch,
            "version": step.version,
            "last_created_at": source.last_created_at,
            "created_at": source.created_at,
            "embeddings": encode_embeddings(specs),
        }
        await self._at_target(READY, Settlement(source.stats), **given)
        self._session.journal.enter(MovePhase.READY)

    async def commit(self, frozen_epoch: int) -> None:
        session, record = self._session, self._session.journal.record
        given: dict[str, Value] = {
            "token": session.token,
            "frozen_epoch": frozen_epoch,
            "to_shard": record.target_shard,
            "to_space": record.target_space,
        }
        session.source_changed(await session.source.change(COMMIT, given))

    # --- parts ------------------------------------------------------------------------------------

    async def _at_target(
        self, change: FenceChange, settlement: Settlement | None = None, **more: Value
    ) -> None:
        session = self._session
        given = session.copying.given(**more)
        session.target_changed(await session.target.change(change, given, settlement))

    async def _bring(self) -> bool:
        """Whether something came; the forecast learns from it."""
        session = self._session
        assert session.target_fence is not None, "a copy has a target"
        source, applied = session.source_fence, session.target_fence.applied
        if source is not None and source.state is FenceState.FROZEN and source.version == applied:
            return False
        began_s = self._clock.monotonic_s()
        seen_version = 0 if source is None else source.version
        brought = await self._copier.bring(session.copying, applied, seen_version)
        self._learn(brought.source, brought.target)
        self._gate.forecast.note(brought.items, brought.versions, self._clock.monotonic_s() - began_s)
        return brought.items > 0

    def _learn(self, source: Fence | None, target: Fence | None) -> None:
        session = self._session
        if source is None or target is None:
            session.doubt()
            return
        session.source_fence, session.target_fence = source, target

    def _note_pause(self, now_s: float) -> None:
        session = self._session
        if session.frozen_at_s is not None:
            pause_us = round((now_s - session.frozen_at_s) * 1_000_000)
            session.journal.record = session.journal.record.with_pause(pause_us)
        self.unfreeze()

    def end_pause(self) -> None:
        """After the commit, when the target is open."""
        self._note_pause(self._clock.monotonic_s())
