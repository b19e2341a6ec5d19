"""The shards as this gateway reaches them: who belongs to the fleet, who is ready, who takes groups."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardUnavailable
from shard_router.catalog_port import FleetCatalog
from shard_router.charter import Charter
from shard_router.clock import Clock, SystemClock
from shard_router.errors import FleetNotFounded, ForeignFleet, NoShardTakesGroups, ShardUnknown, TwoRootRings
from shard_router.fleet_identity import FleetIdentity, Roots
from shard_router.founding import ConfiguredShard
from shard_router.gate import GateLimits, ShardGate
from shard_router.shard_link import LinkSettings, LinkState, ShardLink
from shard_router.shard_map import ShardEndpoint, ShardInfo, ShardMapSnapshot, ShardState
from shard_router.shard_map_keeper import MapChange, ShardMapKeeper

_LOG = logging.getLogger(__name__)

POOL_GRAPHS_DEFAULT = 16
LAST_CALLS_S_MAX = 5.0
"""For the calls that run at a shard that has been removed."""
_LAST_CALLS_POLL_S = 0.02


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


type DriverMaker = Callable[[ShardInfo], ShardDriver]
"""For a shard with an endpoint. Raises CredentialsUnknown, ShardUnfit for an endpoint that fits no engine."""


class ShardWatcher(Protocol):
    """Told when a shard comes or goes at run time. Must not raise."""

    def shard_added(self, info: ShardInfo) -> None: ...

    def shard_dropped(self, shard_id: str) -> None: ...


FIRST_ANSWER_S_MAX = 15.0
"""How long met() waits for any shard to answer, or for the first attempt at every shard to end."""
OTHERS_S_MAX = 1.0
"""How long it then waits for those that have not answered, for they may be starting, too. Groups of the
others must not wait longer for one that hangs, and calls to that one wait for its attempt anyway."""


class Fleet:
    """start() before use; settled() to wait for the first answers."""

    def __init__(
        self,
        shards: Sequence[ConfiguredShard],
        catalog: FleetCatalog | None,
        settings: FleetSettings | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        make_driver: DriverMaker | None = None,
    ) -> None:
        """`make_driver` None: this gateway reaches the shards of its settings only."""
        self._settings = settings or FleetSettings()
        self._clock = clock or SystemClock()
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._make_driver = make_driver
        timeout_s = self._settings.catalog_timeout_s
        self._charter = Charter(
            shards, catalog, pool_graphs=self._settings.pool_graphs, catalog_timeout_s=timeout_s
        )
        self._joined: set[str] = set()
        self._map_changed = asyncio.Event()
        self._keeper = ShardMapKeeper(
            [shard.info for shard in shards],
            catalog,
            lambda: frozenset(self._joined),
            self._clock,
            self._rng,
            catalog_timeout_s=timeout_s,
            on_change=self._map_changed.set,
        )
        self._links = {shard.info.shard_id: self._link_to(shard.driver) for shard in shards}
        self._drivers = {shard.info.shard_id: shard.driver for shard in shards}
        self._endpoints: dict[str, ShardEndpoint | None] = dict.fromkeys(self._links)
        """Of the links; None: from the settings, which count for more than the map's."""
        self._unmade: dict[str, GraphgateError] = {}
        """Why there is no link to a shard of the map."""
        self._watchers: list[ShardWatcher] = []
        self._link_tasks: dict[str, asyncio.Task[None]] = {}
        self._link_made = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._founded = asyncio.Event()

    def _link_to(self, driver: ShardDriver) -> ShardLink:
        gate = ShardGate(driver.shard_id, self._settings.gate)
        link_settings = self._settings.link
        return ShardLink(driver, self._charter, gate, link_settings, self._clock, self._rng, self._note_ready)

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to connect; does not wait for any shard."""
        for driver in self._drivers.values():
            await driver.open()
        for shard_id in self._links:
            self._begin_link(shard_id)
        works = {"shard map": self._keep_map(), "links": self._keep_links()}
        self._tasks += [_task(work, name) for name, work in works.items()]

    def _begin_link(self, shard_id: str) -> None:
        self._link_tasks[shard_id] = _task(self._links[shard_id].keep_connected(), f"shard {shard_id}")

    async def settled(self, deadline: Deadline) -> None:
        """Returns when the first attempt at every shard has ended. Raises ShardUnavailable."""
        for link in list(self._links.values()):
            await link.decided(deadline)

    async def answered(self, deadline: Deadline) -> None:
        """Returns when every shard is ready or refused. Raises ShardUnavailable for one that is not by
        the deadline; the others are usable all the same."""
        for link in list(self._links.values()):
            await link.answered(deadline)

    async def met(self) -> None:
        """Returns when every shard is ready or refused, or as FIRST_ANSWER_S_MAX and OTHERS_S_MAX say. Raises
        ShardUnavailable for one that has not answered by then; the others are usable all the same."""
        deadline = Deadline.after(FIRST_ANSWER_S_MAX)
        links = list(self._links.values())
        first = [asyncio.create_task(link.answered(deadline)) for link in links]
        tasks = [*first, asyncio.create_task(self.settled(deadline))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.answered(Deadline.after(OTHERS_S_MAX))

    async def reached(self, shard_id: str, deadline: Deadline) -> None:
        """Returns when a shard of the map is ready or refused. Raises ShardUnavailable at the deadline."""
        while (link := self._links.get(shard_id)) is None:
            self._link_made.clear()
            try:
                async with asyncio.timeout(deadline.remaining_s()):
                    await self._link_made.wait()
            except TimeoutError as error:
                raise ShardUnavailable(shard_id, "this gateway has no link to it yet") from error
        await link.answered(deadline)

    async def close(self) -> None:
        tasks = [*self._tasks, *self._link_tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks, self._link_tasks = [], {}
        for driver in self._drivers.values():
            await driver.close()

    def watch_shards(self, watcher: ShardWatcher) -> None:
        """From here on; the shards that are configured already are known to the caller."""
        self._watchers.append(watcher)

    async def _keep_map(self) -> None:
        await self._founded.wait()
        await self._keeper.keep(self.identity.fleet)

    async def _keep_links(self) -> None:
        """One link for each shard of the map that has not been removed."""
        while True:
            await self._map_changed.wait()
            self._map_changed.clear()
            for info in self.map.shards:
                try:
                    await self._follow(info)
                except Exception:
                    # The task must live: a bug with one shard must not keep the others out.
                    _LOG.exception("shard %s: its link cannot be changed", info.shard_id)

    async def _follow(self, info: ShardInfo) -> None:
        shard_id = info.shard_id
        if info.state is ShardState.REMOVED:
            await self._drop(shard_id)
            return
        there = self._endpoints.get(shard_id)
        if shard_id in self._links and (there is None or there == info.endpoint):
            return
        if info.endpoint is None or self._make_driver is None:
            return
        try:
            driver = self._make_driver(info)
        except GraphgateError as error:
            self._unmade[shard_id] = error
            _LOG.warning("shard %s cannot be reached: %s", shard_id, error)
            return
        await self._drop(shard_id)
        await driver.open()
        self._charter.add(ConfiguredShard(info, driver))
        self._drivers[shard_id], self._endpoints[shard_id] = driver, info.endpoint
        self._links[shard_id] = self._link_to(driver)
        self._begin_link(shard_id)
        for watcher in self._watchers:
            watcher.shard_added(info)
        self._link_made.set()

    async def _drop(self, shard_id: str) -> None:
        self._unmade.pop(shard_id, None)
        link = self._links.pop(shard_id, None)
        if link is None:
            return
        task, driver = self._link_tasks.pop(shard_id, None), self._drivers.pop(shard_id)
        self._endpoints.pop(shard_id, None)
        self._joined.discard(shard_id)
        self._charter.drop(shard_id)
        for watcher in self._watchers:
            watcher.shard_dropped(shard_id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        # Calls that have begun end as they would have ended.
        until_s = time.monotonic() + LAST_CALLS_S_MAX
        while link.gate.running and time.monotonic() < until_s:  # noqa: ASYNC110 - a gate tells nobody
            await asyncio.sleep(_LAST_CALLS_POLL_S)
        await driver.close()

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
    def pool_graphs(self) -> int:
        """Of a FalkorDB shard that gets its marker from this gateway."""
        return self._settings.pool_graphs

    @property
    def roots(self) -> Roots:
        """Raises FleetNotFounded."""
        return self._charter.roots

    @property
    def root_change_pending(self) -> bool:
        """As Charter.root_change_pending."""
        return self._charter.root_change_pending

    @property
    def map(self) -> ShardMapSnapshot:
        return self._keeper.map

    async def change_map(self, changed: MapChange, expected_version: int = 0) -> ShardMapSnapshot:
        """As ShardMapKeeper.change. Raises FleetNotFounded too."""
        _ = self.identity
        return await self._keeper.change(changed, expected_version)

    @property
    def catalog_problem(self) -> GraphgateError | None:
        return self._keeper.catalog_problem or self._charter.catalog_problem

    def home_of(self, group_id: str) -> str:
        """Raises FleetNotFounded."""
        return self.identity.home_of(group_id)

    def register_roots(self, group_id: str) -> frozenset[int]:
        """See Roots. Raises FleetNotFounded."""
        return self._charter.roots.register_roots(group_id)

    def has_left(self, shard_id: str) -> bool:
        """Whether the shard was removed: nothing is there any more, and nothing will be."""
        info = self.map.get(shard_id)
        return info is not None and info.state is ShardState.REMOVED

    async def look_at_root(self, shard_id: str, deadline: Deadline) -> None:
        """Learns what the shard's marker says of the root ring. Raises ShardUnknown and what a check of the
        shard raises."""
        if shard_id not in self._links:
            raise self._unknown(shard_id)
        await self._charter.recheck(shard_id, False, deadline)

    def incarnation_of(self, shard_id: str) -> str:
        return self._charter.incarnation_of(shard_id)

    def write_weight_max(self, shard_id: str) -> int:
        """As of the shard's driver. Raises ShardUnknown."""
        link = self._links.get(shard_id)
        if link is None:
            raise self._unknown(shard_id)
        return link.write_weight_max

    def _unknown(self, shard_id: str) -> GraphgateError:
        info = self.map.get(shard_id)
        return self._unmade.get(shard_id) or ShardUnknown(shard_id, "" if info is None else info.state)

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
            problem=self._problem_of(info, link),
            incarnation=self._charter.incarnation_of(info.shard_id),
            beat=self._charter.beat_of(info.shard_id),
            calls_running=0 if link is None else link.gate.running,
            calls_waiting=0 if link is None else link.gate.waiting,
            write_weight_max=None if link is None else link.write_weight_max,
        )

    def _problem_of(self, info: ShardInfo, link: ShardLink | None) -> GraphgateError | None:
        if link is not None:
            return link.problem
        return None if info.state is ShardState.REMOVED else self._unknown(info.shard_id)

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
            raise self._unknown(shard_id)
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
            # A shard may have left the map since the ring was made.
            link = self._links.get(chosen)
            if link is not None:
                await link.decided(deadline)
                if link.state is LinkState.READY:
                    return chosen
            away.add(chosen)


def _task(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report_death)
    return task


def _report_death(task: asyncio.Task[None]) -> None:
    """These tasks end only by cancellation: anything else is a bug that must not stay unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.critical("the task for the %s died", task.get_name(), exc_info=error)
