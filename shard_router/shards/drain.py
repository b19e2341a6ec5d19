"""Carries on what the shard map and the markers say is to be done: drains and root changes.

Every gateway runs one. The state DRAINING of the map and a pending ring in the markers are the record, so
that any gateway goes on after a crash of another; a lease keeps two from doing the same at once, which would
do no harm.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import RootMember
from shard_router.clock import Clock, SystemClock
from shard_router.fleet import Fleet
from shard_router.moves.moves import Moves
from shard_router.shard_map import ShardInfo, ShardState
from shard_router.shards.departures import Departures, DepartureSettings
from shard_router.shards.history import HistoryEntry, ShardHistory
from shard_router.shards.root_change import RootChange

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DrainSettings:
    poll_s: float = 1.0
    """Between two looks."""
    lease_s: float = 30.0
    """After so long another gateway goes on for one that has died."""
    ended_look_s: float = 10.0
    """Between two looks for moves of drains that were ended, while the shard map stays the same: a gateway
    that has not heard of the end may have begun some."""
    departures: DepartureSettings = field(default_factory=DepartureSettings)
    catalog_s_max: float = 1.0


@dataclass(frozen=True, slots=True)
class DrainProgress:
    """As this gateway last saw it; empty at one that does not carry the drain on."""

    begun: int = 0
    """Moves."""
    problem: str = ""


class Drains:
    def __init__(
        self,
        fleet: Fleet,
        moves: Moves,
        history: ShardHistory,
        gateway_id: str,
        settings: DrainSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._fleet = fleet
        self._history = history
        self._gateway_id = gateway_id
        self._settings = settings or DrainSettings()
        self._clock = clock or SystemClock()
        self._root_change = RootChange(fleet)
        self._departures = Departures(fleet, moves, self._clock, self._settings.departures)
        self._ended_seen: tuple[int, float] = (-1, 0.0)
        """Version of the map, and until when a look for moves of drains that were ended counts."""
        self._progress: dict[str, DrainProgress] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="drains")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def progress(self, shard_id: str) -> DrainProgress:
        return self._progress.get(shard_id, DrainProgress())

    async def _keep(self) -> None:
        while True:
            try:
                await self.round()
            except GraphgateError as error:
                # A shard or the catalog is away; the next round sees.
                _LOG.debug("drains: %s", error)
            except Exception:
                # The task must live: a bug costs a round.
                _LOG.exception("drains: unexpected failure")
            await self._clock.sleep(self._settings.poll_s)

    async def round(self) -> None:
        """One look at everything that is to be done. Raises what the catalog raises."""
        draining = [info for info in self._fleet.map.shards if info.state is ShardState.DRAINING]
        for gone in self._progress.keys() - {info.shard_id for info in draining}:
            del self._progress[gone]
            self._departures.forget(gone)
        await self._cancel_ended()
        if not draining and not self._fleet.root_change_pending:
            return
        await self._change_roots(draining)
        for info in draining:
            if info.removing or not await self._mine(f"drain:{info.shard_id}"):
                continue
            try:
                departed = await self._departures.begin_some(info.shard_id)
                self._note(info.shard_id, begun=departed.begun, problem=departed.problem)
            except GraphgateError as error:
                self._note(info.shard_id, problem=str(error))

    async def _cancel_ended(self) -> None:
        """Of a drain that was ended the groups that are still there stay."""
        version, now_s = self._fleet.map.version, self._clock.monotonic_s()
        seen_version, until_s = self._ended_seen
        if seen_version == version and now_s < until_s:
            return
        cancelled = 0
        for info in self._fleet.map.shards:
            if info.state in (ShardState.ACTIVE, ShardState.CORDONED):
                cancelled += await self._departures.cancel(info.shard_id)
        if not cancelled:
            self._ended_seen = (version, now_s + self._settings.ended_look_s)

    async def _mine(self, name: str) -> bool:
        deadline = Deadline.after(self._settings.catalog_s_max)
        return await self._history.lease(name, self._gateway_id, self._settings.lease_s, deadline)

    # --- the root ring ----------------------------------------------------------------------------

    async def _change_roots(self, draining: list[ShardInfo]) -> None:
        """The members that are drained are released from the root ring, all at once."""
        identity, pending = self._fleet.identity, self._fleet.root_change_pending
        leaving = {info.shard_id for info in draining if identity.is_root_member(info.shard_id)}
        if (not leaving and not pending) or not await self._mine("root-change"):
            return
        try:
            if pending:
                await self._root_change.resume()
                return
            members = self._members_without(leaving)
            if not members:
                for shard_id in leaving:
                    self._note(shard_id, problem="no other shard can home its registers; add one")
                return
            if await self._root_change.to(members):
                await self._record_change(leaving, members)
        except GraphgateError as error:
            for shard_id in leaving:
                self._note(shard_id, problem=f"root change: {error}")

    def _members_without(self, leaving: set[str]) -> tuple[RootMember, ...]:
        """Those who stay; if nobody does, every shard that takes groups."""
        staying = [m for m in self._fleet.identity.root_members if m.shard_id not in leaving]
        if not staying:
            staying = [
                RootMember(info.shard_id, info.weight) for info in self._fleet.map.shards if info.takes_groups
            ]
        return tuple(sorted(staying, key=lambda member: member.shard_id))

    async def _record_change(self, leaving: set[str], members: tuple[RootMember, ...]) -> None:
        named = ",".join(member.shard_id for member in members)
        for shard_id in sorted(leaving):
            entry = HistoryEntry(
                at_us=self._clock.wall_us(),
                who="gateway",
                action="ROOT_CHANGE",
                shard_id=shard_id,
                detail=f"root ring {self._fleet.identity.root_version}: {named}",
            )
            await self._history.append_history(entry, Deadline.after(self._settings.catalog_s_max))

    def _note(self, shard_id: str, *, begun: int = 0, problem: str = "") -> None:
        before = self.progress(shard_id)
        if problem and problem != before.problem:
            _LOG.warning("shard %s is not drained: %s", shard_id, problem)
        self._progress[shard_id] = replace(before, begun=before.begun + begun, problem=problem)
