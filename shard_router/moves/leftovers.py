"""Deletes rows that a move has left at a shard after its last record of that was lost.

A fence that is buried does not tell whether its rows are gone: the move's record does. When the catalog comes
back as it was before that, or empty, nobody would delete them, so that every buried fence is looked at once.
"""

from collections.abc import Callable
from typing import Final

from drivers.fence import Fence, FenceState
from shard_router.clock import Clock
from shard_router.moves.cleanup import Cleaned, clean_in_turn
from shard_router.moves.cleanup_turns import CleanupTurns
from shard_router.moves.ports import MoveShards
from shard_router.moves.record import Place
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side

KNOWN_MAX: Final = 100_000
"""Fences that were found empty; beyond that all are looked at again."""


class Leftovers:
    def __init__(
        self,
        shards: MoveShards,
        settings: MoveSettings,
        clock: Clock,
        turns: CleanupTurns,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._shards = shards
        self._settings = settings
        self._clock = clock
        self._turns = turns
        self._is_stopped = is_stopped
        self._empty: set[tuple[str, str, str, int, int]] = set()

    async def look_at(self, shard_id: str, fence: Fence) -> None:
        """Deletes what a buried fence has left; while another cleanup has the shard, the next look does.
        Raises CatalogUnavailable and what the shard raises."""
        key = (shard_id, fence.group_id, fence.space, fence.moved_epoch, fence.token)
        if fence.state is not FenceState.TOMB or key in self._empty:
            return
        side = Side(self._shards, fence.group_id, Place(shard_id, fence.space), self._settings.call_s_max)
        cleaned = await clean_in_turn(side, self._settings, self._clock, self._is_stopped, self._turns)
        if cleaned is Cleaned.DONE:
            if len(self._empty) >= KNOWN_MAX:
                self._empty.clear()
            self._empty.add(key)
