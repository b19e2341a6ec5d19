"""Moves the groups of a shard that is drained away from it, and takes that back when the drain is ended.

The groups take turns: one look begins where the last one ended; a group whose move has failed waits longer
each time, and goes to another shard then. So none keeps the others from leaving.
"""

import logging
import secrets
from dataclasses import dataclass, field
from random import Random
from typing import Final

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from shard_router.backoff import Backoff
from shard_router.clock import Clock
from shard_router.errors import GroupIsMoving, MoveCommitted, MoveNotFound, NoShardTakesGroups
from shard_router.fleet import Fleet
from shard_router.moves.moves import Moves
from shard_router.moves.record import MoveRecord, MoveRequest
from shard_router.ring import HashRing
from shard_router.shard_link import LinkState

_LOG = logging.getLogger(__name__)

GROUPS_LISTED: Final = 200
PAGES_MAX: Final = 5
"""Of so many groups in one look."""
TRIED_MAX: Final = 10_000
"""Groups of one shard of which it is known that a move was begun or has failed."""
CANCELLED_MAX: Final = 1_000
"""Moves that are cancelled in one look after the end of a drain."""

_RETRY: Final = Backoff(first_s=2.0, pause_s_max=300.0)


@dataclass(frozen=True, slots=True)
class DepartureSettings:
    moves_max: int = 8
    """Moves away from one shard that are under way or wait for that; how many copy at the same time is the
    moves' to say. Those to a shard that is away do not count."""
    stuck_max: int = 24
    """Those that do not count."""
    tries_max: int = 32
    """Moves that one look tries to begin."""
    retry: Backoff = _RETRY
    """Before the next move of a group after one that failed."""
    look_s_max: float = 10.0
    """After so long one look begins no move more."""
    call_s_max: float = 30.0
    begin_s_max: float = 10.0


@dataclass(slots=True)
class _Tried:
    pass_no: int
    """The last one that has seen the group at the shard."""
    move_id: str = ""
    """Of the move that was begun; empty: it has failed, or could not be begun."""
    failures: int = 0
    target: str = ""
    """Where it should go the last time."""
    until_s: float = 0.0


@dataclass(slots=True)
class _Shard:
    cursor: str = ""
    """The last group that was looked at."""
    pass_no: int = 0
    tried: dict[str, _Tried] = field(default_factory=dict[str, _Tried])
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Departed:
    begun: int
    """Moves, in this look."""
    problem: str
    """Why a group does not leave; empty: nothing is known of one."""


class Departures:
    """Safe at several gateways at once: one move of a group is under way at a time. What has failed is
    remembered by the gateway that began it."""

    def __init__(
        self,
        fleet: Fleet,
        moves: Moves,
        clock: Clock,
        settings: DepartureSettings | None = None,
        rng: Random | None = None,
    ) -> None:
        self._fleet = fleet
        self._moves = moves
        self._clock = clock
        self._settings = settings or DepartureSettings()
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._shards: dict[str, _Shard] = {}

    async def begin_some(self, shard_id: str) -> Departed:
        """Begins moves until as many are under way as may. Raises NoShardTakesGroups, CatalogUnavailable and
        what the shard raises."""
        settings, shard = self._settings, self._shards.setdefault(shard_id, _Shard())
        # Before the groups are looked at: one that is there and not among these is not moving.
        leaving = await self._moves.leaving(
            shard_id, settings.moves_max + settings.stuck_max, Deadline.after(settings.call_s_max)
        )
        away = self._away()
        moving = {record.group_id: record for record in leaving}
        free = min(
            settings.moves_max - sum(1 for record in leaving if record.target_shard not in away),
            settings.moves_max + settings.stuck_max - len(leaving),
        )
        begun = await self._look(shard_id, shard, moving, away, free)
        if not any(tried.failures for tried in shard.tried.values()):
            shard.problem = ""
        return Departed(begun, shard.problem)

    async def cancel(self, shard_id: str) -> int:
        """Ends the moves that a drain of this shard has begun and that are not committed; how many there
        were. Raises CatalogUnavailable."""
        self._shards.pop(shard_id, None)
        deadline = Deadline.after(self._settings.call_s_max)
        leaving = await self._moves.leaving(shard_id, CANCELLED_MAX, deadline)
        drained = [record for record in leaving if record.request_id.startswith(_mark(shard_id))]
        for record in drained:
            try:
                await self._moves.cancel(record.move_id, deadline)
            except (MoveCommitted, MoveNotFound) as error:
                _LOG.info("the drain of shard %s has ended: %s", shard_id, error)
        return len(drained)

    def forget(self, shard_id: str) -> None:
        """It is not drained by this gateway any more."""
        self._shards.pop(shard_id, None)

    # --- parts ------------------------------------------------------------------------------------

    async def _look(
        self,
        shard_id: str,
        shard: _Shard,
        moving: dict[str, MoveRecord],
        away: frozenset[str],
        free: int,
    ) -> int:
        settings = self._settings
        until_s = self._clock.monotonic_s() + settings.look_s_max
        begun = tries = 0
        for _ in range(PAGES_MAX):
            deadline = Deadline.after(settings.call_s_max)
            fences = await self._fleet.on_shard(
                shard_id,
                deadline,
                lambda driver, deadline=deadline: driver.list_fences(shard.cursor, GROUPS_LISTED, deadline),
            )
            for fence in fences:
                is_over = tries >= settings.tries_max or self._clock.monotonic_s() > until_s
                if begun >= free or is_over:
                    return begun
                shard.cursor = fence.group_id
                if await self._is_to_move(shard, fence.group_id, moving):
                    tries += 1
                    begun += await self._begin(shard_id, shard, fence.group_id, away)
            if len(fences) < GROUPS_LISTED:
                self._end_pass(shard)
                break
        return begun

    async def _is_to_move(self, shard: _Shard, group_id: str, moving: dict[str, MoveRecord]) -> bool:
        tried = shard.tried.get(group_id)
        if tried is not None:
            tried.pass_no = shard.pass_no
        if group_id in moving:
            return False
        if tried is None:
            return True
        if tried.move_id:
            record = await self._moves.get(tried.move_id, Deadline.after(self._settings.begin_s_max))
            ended = "lost" if record is None else f"{record.phase} {record.error_text}".strip()
            shard.problem = (
                f"group {group_id} is still there; its move {tried.move_id} to shard "
                f"{tried.target} is {ended}"
            )
            tried.move_id = ""
            self._note_failure(tried)
        return tried.until_s <= self._clock.monotonic_s()

    async def _begin(self, shard_id: str, shard: _Shard, group_id: str, away: frozenset[str]) -> bool:
        """Whether a move was begun."""
        tried = shard.tried.get(group_id)
        if tried is None:
            tried = shard.tried[group_id] = _Tried(shard.pass_no)
            if len(shard.tried) > TRIED_MAX:
                del shard.tried[next(iter(shard.tried))]
        tried.target = self._ring(shard_id, away, tried.target).shard_of(group_id)
        request = MoveRequest(
            group_id,
            tried.target,
            reverse_window_s=0,
            request_id=f"{_mark(shard_id)}{secrets.token_hex(8)}",
            from_shard=shard_id,
        )
        try:
            record = await self._moves.begin(request, Deadline.after(self._settings.begin_s_max))
        except GroupIsMoving:
            # Somebody else moves it, or a move of it is being given up.
            return False
        except GraphgateError as error:
            shard.problem = f"group {group_id}: {error}"
            self._note_failure(tried)
            return False
        tried.move_id = record.move_id
        return True

    def _note_failure(self, tried: _Tried) -> None:
        tried.failures += 1
        tried.until_s = self._clock.monotonic_s() + self._settings.retry.pause_s(tried.failures, self._rng)

    def _ring(self, shard_id: str, away: frozenset[str], failed: str) -> HashRing:
        """Of the shards that take groups, without one where a move has failed if there is another; if all are
        away, of all of them. Raises NoShardTakesGroups."""
        for without in (away | {failed}, away):
            try:
                return self._fleet.map.placement_ring_without(without | {shard_id})
            except NoShardTakesGroups:
                continue
        return self._fleet.map.placement_ring_without(frozenset({shard_id}))

    def _away(self) -> frozenset[str]:
        """Shards that this gateway does not reach."""
        return frozenset(
            status.info.shard_id for status in self._fleet.status() if status.link is not LinkState.READY
        )

    def _end_pass(self, shard: _Shard) -> None:
        """Forgets the groups that have left."""
        shard.cursor = ""
        shard.tried = {g: tried for g, tried in shard.tried.items() if tried.pass_no == shard.pass_no}
        shard.pass_no += 1


def _mark(shard_id: str) -> str:
    """The request_id of a drain's move begins with it."""
    return f"drain:{shard_id}:"
