"""Carries one move to its end, from whatever state its fences show."""

import logging
from dataclasses import replace
from random import Random

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Fence, FenceState
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable
from shard_router.moves import steps
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.copy_steps import CopySteps, VerifyFailedError
from shard_router.moves.copying import CopyInconsistentError
from shard_router.moves.end_steps import EndSteps
from shard_router.moves.failing import Failing
from shard_router.moves.failure_text import failure_text
from shard_router.moves.journal import Journal
from shard_router.moves.next_step import next_step
from shard_router.moves.ports import MovePlacements, MoveShards
from shard_router.moves.record import MoveFailure, MovePhase, MoveRecord, record_id
from shard_router.moves.session import Session
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side
from shard_router.moves.store_port import MoveStore
from shard_router.slot_search import SlotDirectory

_LOG = logging.getLogger(__name__)

FROZEN_PAUSE_S = 0.01
"""After a failure while writers wait."""
OVERRUN_PAUSE_S = 0.2
"""After one while they wait for too long."""


class Coordinator:
    """Any number of them may work on one move: the token in the fences lets one go on."""

    def __init__(
        self,
        record: MoveRecord,
        shards: MoveShards,
        placements: MovePlacements,
        store: MoveStore,
        slots: SlotDirectory,
        settings: MoveSettings,
        clock: Clock,
        rng: Random,
        turns: CleanupTurns | None = None,
        failing: Failing | None = None,
    ) -> None:
        """`turns`: of the gateway. `failing`: of the attempts at this move before."""
        self._shards = shards
        self._store = store
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self.journal = Journal(record, store, settings, clock)
        self._session = Session(
            self.journal,
            Side(shards, record.group_id, record.source, settings.call_s_max),
            Side(shards, record.group_id, record.target, settings.call_s_max),
        )
        self._copy = CopySteps(self._session, settings, clock, rng, self._is_stopped)
        turns = turns or CleanupTurns(store, record.move_id, settings)
        self._end = EndSteps(self._session, placements, slots, settings, clock, self._is_stopped, turns)
        self._has_news = False
        self.failing = failing or Failing()
        self.rest_s: float | None = None
        """After run: it could not get on, and is to be taken up again after so long."""
        self.is_cleaning = False
        self._confirmed: steps.Step | None = None

    @property
    def record(self) -> MoveRecord:
        return self.journal.record

    def look_again(self) -> None:
        """The record was changed by somebody else."""
        self._has_news = True

    def _is_stopped(self) -> bool:
        """Whether a long step is to be interrupted."""
        return self._has_news

    async def run(self) -> MoveRecord:
        """Until the move has ended, waits for the end of its reverse window, or belongs to another
        coordinator: the record tells. Failures of shards are waited out, for a while: then see rest_s."""
        self._session.giving_up = self.record.cancel_requested or self.record.phase is MovePhase.CANCELLING
        while not self.record.ended:
            try:
                if not await self._step():
                    break
                await self.journal.write_soon()
            except (CopyInconsistentError, VerifyFailedError) as error:
                reason = (
                    MoveFailure.VERIFY_FAILED
                    if isinstance(error, VerifyFailedError)
                    else MoveFailure.COPY_INCONSISTENT
                )
                await self._give_up(reason, str(error))
            except GraphgateError as error:
                await self._failed(error)
                if self._is_to_rest():
                    self._rest()
                    break
        return self.record

    async def _step(self) -> bool:
        """Whether there is more to do."""
        session = self._session
        if self._has_news:
            await self._hear()
        self._bound_pause()
        if not session.is_known:
            await self._read_fences()
        self._watch_pause()
        step = next_step(session.situation, session.source_fence, session.target_fence)
        if isinstance(step, steps.Stuck | steps.Done) and self._confirmed != step:
            # Two fences are not read at one moment, and another coordinator may know more.
            await self.journal.read_again()
            self._confirmed = step
            session.doubt()
            return True
        self._confirmed = None
        goes_on = await self._do(step)
        if goes_on and not isinstance(step, steps.Take | steps.Resume):
            # With these every attempt begins.
            self.failing.over()
        return goes_on

    async def _read_fences(self) -> None:
        """A target that does not answer is no reason to keep writers waiting."""
        session, record = self._session, self.record
        if session.source_fence is None and not self._shards.has_left(record.source_shard):
            # Whether somebody has left the group frozen decides how long a call may take.
            session.source_fence = await session.source.fence()
            self._watch_pause()
        session.target_away = None
        try:
            session.target_fence = await self._fence_of(session.target)
        except GraphgateError as error:
            session.target_fence, session.target_away = None, error
        session.source_fence = await self._fence_of(session.source)
        session.is_known = session.target_away is None

    async def _fence_of(self, side: Side) -> Fence | None:
        """None also of a shard that was removed: it owned nothing then."""
        return None if self._shards.has_left(side.place.shard_id) else await side.fence()

    def _bound_pause(self) -> None:
        """A pause that is too long ends with the next calls, none of which may take longer than it did."""
        session, seconds_max = self._session, self._settings.drain_s_max
        began_s = session.frozen_at_s
        if began_s is not None and self._clock.monotonic_s() - began_s > seconds_max:
            session.copy_now(overrun=True)
            session.source.until = session.target.until = Deadline.after(seconds_max)

    def _watch_pause(self) -> None:
        """Notes the beginning and the end of the pause."""
        session = self._session
        source, target = session.source_fence, session.target_fence
        if source is not None and source.state is FenceState.TOMB and self.record.target.leads(source):
            # Its record is older than what has become of it.
            self._end.note_commit()
        if source is None or not self.record.owns(source.move_id):
            return
        if source.state is FenceState.MOVED:
            self._end.note_commit()
            # From here on nobody waits for anything but the target.
            session.source.until = session.target.until = None
            if target is not None and target.owns and session.frozen_at_s is not None:
                self._copy.end_pause()
        elif source.state is FenceState.FROZEN:
            if session.frozen_at_s is None:
                # Frozen by a coordinator before this one, who knows for how long.
                self._copy.begin_pause()
        else:
            session.copy_now(overrun=False)
            if session.frozen_at_s is not None:
                self._copy.unfreeze()

    async def _do(self, step: steps.Step) -> bool:
        session, copy, end = self._session, self._copy, self._end
        match step:
            case steps.Take():
                if session.copies >= self._settings.copies_max and step.move_id != step.seen_move_id:
                    await self._give_up(
                        MoveFailure.CANNOT_CATCH_UP,
                        f"group {self.record.group_id}: deletions were forgotten before a copy was complete, "
                        f"{session.copies} times; move it when it is written to less",
                    )
                else:
                    await copy.take(step)
            case steps.Resume():
                await copy.resume()
            case steps.Prepare():
                await copy.prepare()
            case steps.PrepareDelta():
                await copy.prepare_delta(step)
            case steps.Wipe():
                await copy.wipe()
            case steps.MarkWiped():
                await copy.mark_wiped()
            case steps.CopyOn():
                await copy.copy_on()
            case steps.Round():
                await copy.round()
                if copy.is_hopeless:
                    await self._give_up(
                        MoveFailure.CANNOT_CATCH_UP,
                        f"group {self.record.group_id} is written to faster than shard "
                        f"{self.record.target_shard} takes it in; move it when it is written to less",
                    )
            case steps.BuildIndexes():
                await copy.build_indexes()
            case steps.Verify():
                await copy.verify()
            case steps.Freeze():
                await copy.freeze()
            case steps.LastRound():
                await copy.last_round()
            case steps.MakeReady():
                await copy.make_ready(step)
            case steps.Commit(frozen_epoch):
                await copy.commit(frozen_epoch)
            case steps.Thaw():
                if await copy.thaw() and self.record.thaws >= self._settings.thaws_max:
                    await self._give_up(
                        MoveFailure.THAWED_TOO_OFTEN,
                        f"group {self.record.group_id}: {self.record.thaws} last rounds took longer than "
                        f"{self._settings.drain_s_max:g} s; move it when it is written to less",
                    )
            case steps.Unready(epoch):
                await copy.unready(epoch)
            case steps.AwaitTarget():
                assert session.target_away is not None, "what it waits for"
                raise session.target_away
            case steps.LookForOwner(moved_epoch):
                await end.look_for_owner(moved_epoch)
            case steps.OpenTarget():
                await end.open_target(step)
            case steps.RecordPlacement():
                assert session.target_fence is not None, "the target owns the group"
                await end.record_placement(session.target_fence)
            case steps.PointRegister(moved_epoch):
                await end.point_register(moved_epoch)
            case steps.AwaitReverseEnd():
                return await self._await_reverse_end()
            case steps.Bury():
                await end.bury(step)
            case steps.Clean(at_target):
                return await self._clean(at_target=at_target)
            case steps.DropSpace(at_target):
                await end.drop_space(at_target=at_target)
            case steps.Abandon():
                await end.abandon(step)
            case steps.Discard():
                await end.discard(step)
            case steps.Done(phase):
                await self._done(phase)
            case steps.StandDown():
                return False
            case steps.Stuck(reason):
                await self._stuck(reason)
        return True

    # --- ends -------------------------------------------------------------------------------------

    async def _await_reverse_end(self) -> bool:
        until_us = self.record.reverse_until_us
        if self._clock.wall_us() >= until_us:
            self._session.window_over = True
            return True
        self.journal.enter(MovePhase.REVERSIBLE)
        await self.journal.write()
        if self.record.reverse_until_us != until_us:
            return True
        await self._store.put_off(self.record.move_id, until_us, self._soon())
        return False

    async def _clean(self, *, at_target: bool) -> bool:
        self.is_cleaning = True
        try:
            if await self._end.clean(at_target=at_target):
                return True
        finally:
            self.is_cleaning = False
        self._rest()
        return False

    async def _done(self, phase: MovePhase) -> None:
        before = self.record
        self.journal.set(phase=phase, ended_us=self._clock.wall_us(), rows_remaining=0)
        try:
            await self.journal.write()
        except GraphgateError:
            self.journal.set(phase=before.phase, ended_us=0)
            raise
        if self.record.reverses and self.record.committed:
            await self._end_window(self.record.reverses)

    async def _end_window(self, move_id: str) -> None:
        """Of the move that was taken back: it has nothing left to keep. Without the catalog it ends in its
        own time."""
        try:
            record = await self._store.get(move_id, self._soon())
            if record is not None and not record.ended:
                ended = replace(record, reverse_until_us=self._clock.wall_us())
                await self._store.update(ended, self._soon())
                await self._store.put_off(move_id, 0, self._soon())
        except CatalogUnavailable as error:
            _LOG.info("move %s: its window was not ended: %s", move_id, error)

    async def _stuck(self, reason: MoveFailure) -> None:
        fence = self._session.source_fence
        if reason is MoveFailure.GROUP_IS_MOVING and fence is not None:
            other = await self._store.get(record_id(fence.move_id), self._soon())
            if other is None or other.ended:
                self._session.displaces = fence.move_id
                return
        text = failure_text(reason, self.record, fence, self._session.target_fence)
        if self.record.committed:
            self.journal.set(error_reason=reason, error_text=text)
            await self._done(MovePhase.FAILED)
            return
        await self._give_up(reason, text)

    async def _give_up(self, reason: str, text: str) -> None:
        """Before the commit. Everything is undone, then the move ends FAILED."""
        self.journal.set(error_reason=str(reason), error_text=text, phase=MovePhase.CANCELLING)
        self._session.giving_up = True
        self._session.doubt()
        try:
            await self.journal.write()
        except CatalogUnavailable as error:
            # It is written with the next step.
            _LOG.info("move %s: its record was not written: %s", self.record.move_id, error)

    async def _hear(self) -> None:
        """Takes over what others have asked for."""
        self._has_news = False
        try:
            await self.journal.read_again()
        except CatalogUnavailable as error:
            # It will be told again.
            _LOG.info("move %s: its record was not read: %s", self.record.move_id, error)
        if self.record.cancel_requested and not self.record.committed and not self._session.giving_up:
            self.journal.enter(MovePhase.CANCELLING)
            self._session.giving_up = True

    async def _failed(self, error: GraphgateError) -> None:
        """Waits before the next attempt; too many failures end a move that can be undone."""
        session = self._session
        session.doubt()
        self.failing.note(self._clock.monotonic_s())
        _LOG.info("move %s: %s", self.record.move_id, error)
        if self.failing.count >= self._settings.failures_max and not (
            self.record.committed or session.giving_up
        ):
            text = (
                f"{self.failing.count} calls failed in a row, the last one with: {error}; move the group "
                "again when that is mended"
            )
            await self._give_up(MoveFailure.KEEPS_FAILING, text)
        if self._is_to_rest():
            await self.journal.write_soon()
            return
        pause_s = self._settings.failure_pause.pause_s(self.failing.count, self._rng)
        if session.frozen_at_s is not None:
            pause_s = min(pause_s, OVERRUN_PAUSE_S if session.copy.overrun else FROZEN_PAUSE_S)
        await self._clock.sleep(pause_s)

    def _is_to_rest(self) -> bool:
        """Whether others come first. Nobody does while writers wait and the pause is not too long yet."""
        session = self._session
        is_urgent = session.frozen_at_s is not None and not (session.copy.overrun or self.record.committed)
        return self.failing.is_long(self._clock.monotonic_s(), self._settings) and not is_urgent

    def _rest(self) -> None:
        self.rest_s = self.failing.rest_s(self._settings, self._rng)
        if self._session.frozen_at_s is not None and not self.record.committed:
            self.rest_s = min(self.rest_s, self._settings.poll_s)

    def _soon(self) -> Deadline:
        return self.journal.soon()
