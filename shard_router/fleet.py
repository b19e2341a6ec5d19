"""The shards as this gateway reaches them: who belongs to the fleet, who is ready, who takes groups."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardUnavailable
from shard_router.catalog_port import FleetCatalog
from shard_router.charter import Charter
from shard_router.clock import Clock, SystemClock
from shard_router.errors import FleetNotFounded, ForeignFleet, NoShardTakesGroups, ShardUnknown, TwoRootRings
from shard_router.fleet_identity import FleetIdentity
from shard_router.founding import ConfiguredShard
from shard_router.gate import GateLimits, ShardGate
from shard_router.shard_link import LinkSettings, LinkState, ShardLink
from shard_router.shard_map import ShardInfo, ShardMapSnapshot, ShardState
from shard_router.shard_map_keeper import ShardMapKeeper

_LOG = logging.getLogger(__name__)

POOL_GRAPHS_DEFAULT = 16


@dataclass(frozen=True, slots=True)
class FleetSettings:
    pool_graphs: int = POOL_GRAPHS_DEFAULT
    """Pooled containers of a FalkorDB shard that gets its marker from this gateway."""
    catalog_timeout_s: float = 1.0
    link: LinkSettings = field(default_factory=LinkSettings)
    gate: GateLimits = field(default_factory=GateLimits)


@dataclass(frozen=True, slots=True)
class ShardStatus:
    info: ShardInfo
    link: LinkState | None
    """None: not configured at this gateway."""
    problem: GraphgateError | None
    incarnation: str
    beat: int
    calls_running: int
    calls_waiting: int
    write_weight_max: int | None
    """Bound of one write's weight, 0: none. None: not configured at this gateway."""


class Fleet:
    """start() before use; settled() to wait for the first answers."""

    def __init__(
        self,
        shards: Sequence[ConfiguredShard],
        catalog: FleetCatalog | None,
        settings: FleetSettings | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        settings = settings or FleetSettings()
        clock = clock or SystemClock()
        rng = rng or Random()  # noqa: S311 - jitter
        timeout_s = settings.catalog_timeout_s
        self._charter = Charter(
            shards, catalog, pool_graphs=settings.pool_graphs, catalog_timeout_s=timeout_s
        )
        self._drivers = [shard.driver for shard in shards]
        self._joined: set[str] = set()
        self._keeper = ShardMapKeeper(
            [shard.info for shard in shards],
            catalog,
            lambda: frozenset(self._joined),
            clock,
            rng,
            catalog_timeout_s=timeout_s,
        )
        self._links: Mapping[str, ShardLink] = {
            shard.info.shard_id: ShardLink(
                shard.driver,
                self._charter,
                ShardGate(shard.info.shard_id, settings.gate),
                settings.link,
                clock,
                rng,
                self._note_ready,
            )
            for shard in shards
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._founded = asyncio.Event()

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to connect; does not wait for any shard."""
        for driver in self._drivers:
            await driver.open()
        works = {f"shard {shard_id}": link.keep_connected() for shard_id, link in self._links.items()}
        works["shard map"] = self._keep_map()
        for name, work in works.items():
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(_report_death)
            self._tasks.append(task)

    async def settled(self, deadline: Deadline) -> None:
        """Returns when the first attempt at every shard has ended. Raises ShardUnavailable."""
        for link in self._links.values():
            await link.decided(deadline)

    async def answered(self, deadline: Deadline) -> None:
        """Returns when every shard is ready or refused. Raises ShardUnavailable for one that is not by
        the deadline; the others are usable all the same."""
        for link in self._links.values():
            await link.answered(deadline)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for driver in self._drivers:
            await driver.close()

    async def _keep_map(self) -> None:
        await self._founded.wait()
        await self._keeper.keep(self.identity.fleet)

    def _note_ready(self) -> None:
        ready = {shard_id for shard_id, link in self._links.items() if link.state is LinkState.READY}
        if not ready <= self._joined:
            self._joined |= ready
            self._keeper.note_joined()
        self._founded.set()

    # --- what is known ----------------------------------------------------------------------------

    @property
    def identity(self) -> FleetIdentity:
        """Raises FleetNotFounded."""
        return self._charter.identity

    @property
    def map(self) -> ShardMapSnapshot:
        return self._keeper.map

    @property
    def catalog_problem(self) -> GraphgateError | None:
        return self._keeper.catalog_problem or self._charter.catalog_problem

    def home_of(self, group_id: str) -> str:
        """Raises FleetNotFounded."""
        return self.identity.home_of(group_id)

    def incarnation_of(self, shard_id: str) -> str:
        return self._charter.incarnation_of(shard_id)

    def write_weight_max(self, shard_id: str) -> int:
        """As of the shard's driver. Raises ShardUnknown."""
        link = self._links.get(shard_id)
        if link is None:
            raise ShardUnknown(shard_id)
        return link.write_weight_max

    def configured(self, shard_id: str) -> bool:
        return shard_id in self._links

    def searched_shards(self) -> tuple[str, ...]:
        """The shards of the map that may hold groups, also those that this gateway cannot reach."""
        return tuple(s.shard_id for s in self.map.shards if s.state is not ShardState.REMOVED)

    def status(self) -> tuple[ShardStatus, ...]:
        return tuple(self._status_of(info) for info in self.map.shards)

    def _status_of(self, info: ShardInfo) -> ShardStatus:
        link = self._links.get(info.shard_id)
        return ShardStatus(
            info=info,
            link=None if link is None else link.state,
            problem=ShardUnknown(info.shard_id) if link is None else link.problem,
            incarnation=self._charter.incarnation_of(info.shard_id),
            beat=self._charter.beat_of(info.shard_id),
            calls_running=0 if link is None else link.gate.running,
            calls_waiting=0 if link is None else link.gate.waiting,
            write_weight_max=None if link is None else link.write_weight_max,
        )

    # --- use --------------------------------------------------------------------------------------

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        """Raises ShardUnknown, ShardGateFull, ShardUnavailable, ShardIdentityError and what the call
        raises."""
        link = self._links.get(shard_id)
        if link is None:
            raise ShardUnknown(shard_id)
        return await link.run(call, deadline, writes=writes)

    def check_creation(self) -> None:
        """Raises what forbids this gateway to create groups: a shard of another fleet or root ring
        (where the same group may have been created already), or no fleet yet."""
        for link in self._links.values():
            if isinstance(link.problem, ForeignFleet | TwoRootRings):
                raise link.problem.with_traceback(None)
        if not self._founded.is_set():
            raise FleetNotFounded("no shard is ready")

    async def choose_shard(self, group_id: str, deadline: Deadline) -> str:
        """The placement ring's choice among the shards that are not known to be away.

        Any choice is safe: the register decides. Raises NoShardTakesGroups, or ShardUnavailable when
        every shard that takes groups is away.
        """
        wanted = self.map.placement_ring.shard_of(group_id)
        away = {s.shard_id for s in self.map.shards if s.shard_id not in self._links}
        while True:
            try:
                chosen = self.map.placement_ring_without(frozenset(away)).shard_of(group_id)
            except NoShardTakesGroups as error:
                raise ShardUnavailable(wanted, "and no other shard that takes groups") from error
            link = self._links[chosen]
            await link.decided(deadline)
            if link.state is LinkState.READY:
                return chosen
            away.add(chosen)


def _report_death(task: asyncio.Task[None]) -> None:
    """These tasks end only by cancellation: anything else is a bug that must not stay unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.critical("the task for the %s died", task.get_name(), exc_info=error)
