"""Deletes what a move has left behind, slowly enough for the other groups of the shard."""

from collections.abc import Callable
from enum import Enum

from drivers.errors import GraphgateError
from shard_router.clock import Clock
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side


class Cleaned(Enum):
    DONE = "DONE"
    STOPPED = "STOPPED"
    NOT_ITS_TURN = "NOT_ITS_TURN"
    """Another group's cleanup has the shard; nothing, or not all, was deleted."""


async def wipe_slowly(
    side: Side,
    settings: MoveSettings,
    clock: Clock,
    is_stopped: Callable[[], bool],
    token: int = 0,
    move_id: str = "",
) -> bool:
    """Deletes the rows of a TOMB, or of the WIPING fence of this token and move_id, in batches with pauses:
    deleting takes at most cleanup_share of the time. Whether nothing is left; False: stopped. A fence that is
    no such one any more has nothing left that is this move's. Raises what the shard raises."""
    while not is_stopped():
        began_s = clock.monotonic_s()
        deleted = await side.wipe(token, move_id, settings.wipe_rows)
        if not deleted:
            return True
        await clock.sleep(_pause_s(clock.monotonic_s() - began_s, settings))
    return False


async def clean_in_turn(
    side: Side, settings: MoveSettings, clock: Clock, is_stopped: Callable[[], bool], turns: CleanupTurns
) -> Cleaned:
    """Deletes the rows of a TOMB as wipe_slowly does, while it is this gateway's turn at the shard. The turn
    is kept over the pause after the last call, failed ones too: so all cleanups of a shard, of whichever
    group and gateway, take at most cleanup_share of its time together.

    Raises CatalogUnavailable and what the shard raises."""
    shard_id = side.place.shard_id
    if not await turns.take(shard_id):
        return Cleaned.NOT_ITS_TURN
    try:
        while not is_stopped():
            began_s = clock.monotonic_s()
            try:
                deleted = await side.wipe(0, "", settings.wipe_rows)
            except GraphgateError:
                # The shard may have been busy with it all the same.
                await _rest(shard_id, began_s, settings, clock, turns)
                raise
            is_kept = await _rest(shard_id, began_s, settings, clock, turns)
            if not deleted or deleted < settings.wipe_rows:
                return Cleaned.DONE
            if not is_kept:
                return Cleaned.NOT_ITS_TURN
        return Cleaned.STOPPED
    finally:
        await turns.give_back(shard_id)


async def _rest(
    shard_id: str, began_s: float, settings: MoveSettings, clock: Clock, turns: CleanupTurns
) -> bool:
    """After a call that began then; whether it is still this gateway's turn."""
    pause_s = _pause_s(clock.monotonic_s() - began_s, settings)
    is_kept = await turns.keep(shard_id, pause_s)
    await clock.sleep(pause_s)
    return is_kept


def _pause_s(busy_s: float, settings: MoveSettings) -> float:
    """That makes a time of deleting cleanup_share of both."""
    return busy_s * (1 - settings.cleanup_share) / settings.cleanup_share


async def drop_space(side: Side) -> bool:
    """Removes the container of a group that had one of its own and left only a TOMB there. Whether that is
    done; False while the register leads there. Raises what the shards raise."""
    home = side.at_home()
    if home.place != side.place:
        entry = await home.fence()
        if entry is not None and not entry.owns and side.place.leads(entry):
            return False
    await side.call(lambda driver, deadline: driver.drop_space(side.place.space, deadline), writes=True)
    return True
