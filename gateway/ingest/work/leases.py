"""The turns that one worker has, and its leases on them: taken, claimed from dead workers, renewed, given
back."""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence

import structlog

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.units import Turn, Unit
from gateway.writes.writer import wall_clock_us

log = structlog.get_logger("graphgate.ingest")

STANDS_BY = "-stands-by"
"""How names of workers without a language model end."""


class Leases:
    """Its calls of the queue raise QueueUnavailable, give_back() excepted."""

    def __init__(self, queue: EpisodeQueue, *, stands_by: bool) -> None:
        """`stands_by`: turns are left to workers that do not."""
        self._queue = queue
        self._stands_by = stands_by
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        if stands_by:
            self._name += STANDS_BY
        self._tokens: dict[Turn, int | None] = {}
        """Of all turns that it has; None: the turn is no unit yet."""
        self._units: dict[Turn, Unit] = {}
        """Begun and not recorded yet."""

    def hold(self, turn: Turn) -> bool:
        """False: it has it already."""
        if turn in self._tokens:
            return False
        self._tokens[turn] = None
        return True

    def drop(self, turn: Turn) -> None:
        """It has ended, or is another worker's."""
        self._tokens.pop(turn, None)

    def token(self, turn: Turn) -> int | None:
        return self._tokens.get(turn)

    def unit(self, turn: Turn) -> Unit | None:
        """What was begun of the turn, until it is told to be done with."""
        return self._units.get(turn)

    def done_with_unit(self, turn: Turn) -> None:
        """It is recorded, or not this worker's to record or to give back."""
        self._units.pop(turn, None)

    async def own(self) -> Sequence[Turn]:
        """Of a queue that was just met: turns that have this worker's name, held or not."""
        await self._queue.prepare(self._soon())
        return await self._queue.own_turns(self._name, self._soon())

    async def next(self, wait_s: float) -> Sequence[Turn]:
        """Turns that nobody had."""
        return await self._queue.turns(self._name, wait_s)

    async def claimed(self) -> Sequence[Turn]:
        """Turns of dead workers."""
        if await self.is_others_turn():
            return ()
        return await self._queue.claim_dead(self._name, self._soon())

    async def is_others_turn(self) -> bool:
        """What this worker would write unjudged or put back, a worker with a model can do."""
        if not self._stands_by:
            return False
        names = await self._queue.active_workers(self._queue.settings.lease_s, self._soon())
        return any(not one.endswith(STANDS_BY) for one in names)

    async def take(self, turn: Turn, episodes_max: int) -> Unit | None:
        """The turn's episodes as a unit, which is this worker's as long as its lease is renewed."""
        unit = await self._queue.take(turn, episodes_max, self._soon())
        if unit is not None:
            self._tokens[turn] = unit.token
            self._units[turn] = unit
        return unit

    async def renewed(self) -> Mapping[Turn, int | None]:
        """Renews all. Those for which that failed, with their tokens before: another worker has them, or they
        have ended meanwhile."""
        asked = dict(self._tokens)
        kept = await self._queue.renew(asked, self._name, self._soon())
        return {turn: token for turn, token in asked.items() if turn not in kept}

    async def give_back(self) -> None:
        """Units that were cut off and turns that were not begun go to other workers at once and not after the
        lease. Writes of the units may have happened: they stay as they are."""
        units, self._units = list(self._units.values()), {}
        try:
            for unit in units:
                await self._queue.release(unit, {}, 0.0, wall_clock_us(), self._soon())
            # Also of a read that was cut off.
            own = await self._queue.own_turns(self._name, self._soon())
            await self._queue.give_back(own, self._soon())
        except QueueUnavailable as error:
            log.info("units_not_given_back", units=len(units), detail=str(error))

    def _soon(self) -> Deadline:
        return Deadline.after(self._queue.settings.call_timeout_s)
