"""The steps of a move after its commit, and of one that is given up."""

import logging
from collections.abc import Callable

from drivers.deadline import Deadline
from drivers.fence import Fence
from drivers.fence_changes import ABANDON, ABANDON_FROZEN, BURY, DISCARD, OPEN_UP, POINT
from shard_router.clock import Clock
from shard_router.moves.cleanup import Cleaned, clean_in_turn, drop_space
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.ports import MovePlacements
from shard_router.moves.record import MovePhase, Place
from shard_router.moves.session import Session
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side
from shard_router.moves.steps import Abandon, Bury, Discard, OpenTarget
from shard_router.placement import Placement
from shard_router.slot_search import SlotDirectory

_LOG = logging.getLogger(__name__)


class EndSteps:
    def __init__(
        self,
        session: Session,
        placements: MovePlacements,
        slots: SlotDirectory,
        settings: MoveSettings,
        clock: Clock,
        is_stopped: Callable[[], bool],
        turns: CleanupTurns,
    ) -> None:
        self._session = session
        self._placements = placements
        self._slots = slots
        self._settings = settings
        self._clock = clock
        self._is_stopped = is_stopped
        self._turns = turns

    # --- after the commit -------------------------------------------------------------------------

    def note_commit(self) -> None:
        """The source's fence says that it is committed."""
        journal = self._session.journal
        if not journal.record.committed:
            now_us = self._clock.wall_us()
            window_us = round(journal.record.reverse_window_s * 1_000_000)
            journal.set(committed_us=now_us, reverse_until_us=now_us + window_us, rows_remaining=0)
            journal.enter(MovePhase.COMMITTED)

    async def open_target(self, step: OpenTarget) -> None:
        session = self._session
        session.target_changed(await session.target.change(OPEN_UP, {"epoch": step.epoch}))

    async def record_placement(self, fence: Fence) -> None:
        session, target = self._session, self._session.target
        placement = Placement(session.source.group_id, target.place.shard_id, target.place.space, fence.epoch)
        await self._placements.learn(placement, Deadline.after(self._settings.catalog_s_max))
        self._slots.note(target.place.shard_id, (fence,))
        session.placed = True

    async def point_register(self, moved_epoch: int) -> None:
        """By the higher epoch: an entry that leads further, and a home that owns the group, stay."""
        session = self._session
        home = session.source.at_home()
        if home.place not in (session.source.place, session.target.place):
            await point(home, session.target.place, moved_epoch)
        session.pointed = True

    async def look_for_owner(self, moved_epoch: int) -> None:
        """Whether the register has an owner that came after the target."""
        entry = await self._session.source.at_home().fence()
        last_epoch = 0 if entry is None else entry.epoch if entry.owns else entry.moved_epoch
        self._session.moved_on = last_epoch > moved_epoch

    async def bury(self, step: Bury) -> None:
        """The record first: whoever finds it cleans up."""
        session = self._session
        session.journal.enter(MovePhase.CLEANING)
        await session.journal.write()
        session.source_changed(await session.source.change(BURY, {"moved_epoch": step.moved_epoch}))

    async def clean(self, *, at_target: bool) -> bool:
        """Whether the move goes on; not while another cleanup has the shard."""
        side = self._session.target if at_target else self._session.source
        if not at_target:
            self._session.journal.enter(MovePhase.CLEANING)
        cleaned = await clean_in_turn(side, self._settings, self._clock, self._is_stopped, self._turns)
        self._session.cleaned = cleaned is Cleaned.DONE
        return cleaned is not Cleaned.NOT_ITS_TURN

    async def drop_space(self, *, at_target: bool) -> None:
        """A container that cannot go now stays: empty, and taken again by the group's next move there."""
        session = self._session
        side = session.target if at_target else session.source
        if not at_target and session.source_fence is not None:
            moved = session.source_fence
            home = side.at_home()
            if home.place != side.place:
                await point(home, Place(moved.moved_to, moved.moved_space), moved.moved_epoch)
        if not await drop_space(side):
            _LOG.warning(
                "move %s: the space %s of shard %s stays, the register leads there",
                session.journal.record.move_id,
                side.place.space,
                side.place.shard_id,
            )
        session.dropped = True

    # --- giving up --------------------------------------------------------------------------------

    async def abandon(self, step: Abandon) -> None:
        """The record first: whoever finds it cleans up the target."""
        session = self._session
        await session.journal.write()
        change = ABANDON_FROZEN if step.frozen else ABANDON
        session.source_changed(await session.source.change(change, session.copying.given()))

    async def discard(self, step: Discard) -> None:
        session = self._session
        given = {"token": step.token, "move_id": step.move_id, "owner_epoch": step.owner_epoch}
        session.target_changed(await session.target.change(DISCARD, given))


async def point(home: Side, owner: Place, moved_epoch: int) -> None:
    """Leads the register's entry to the owner, unless it leads to a later one. Raises as on_shard."""
    given = {"to_shard": owner.shard_id, "to_space": owner.space, "moved_epoch": moved_epoch}
    await home.change(POINT, given)
