"""All interleavings of gateways that found a fleet on shards of which they know different subsets.

As placement_world, but on an event loop, because founding reads its shards in parallel: every call to
a shard waits until the explorer lets it through.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count

import pytest

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Engine, ShardMarker
from shard_router import founding
from shard_router.fleet_identity import FleetIdentity
from shard_router.founding import ConfiguredShard, Founding
from shard_router.shard_map import ShardInfo
from tests.model_driver import ModelDriver

POOL_GRAPHS = 4

type Action = tuple[str, str, str]
"""(advance or crash, gateway, call)"""
type Path = tuple[Action, ...]
type Outcome = FleetIdentity | GraphgateError | str | None

_gateway: ContextVar["Gateway"] = ContextVar("gateway")


class _Shard(ModelDriver):
    async def step(self, name: str) -> None:
        gateway = _gateway.get()
        await gateway.turn(f"{self.shard_id}.{name}")
        gateway.seen.append(f"{self.shard_id}.{name}: {self.marker}")


class Gateway:
    def __init__(self, name: str, world: "World", shard_ids: str, kind: type[Founding]) -> None:
        self.name = name
        self.seen: list[str] = []
        self.waiting: dict[str, asyncio.Future[None]] = {}
        self._ids = count(1)
        self.founding = kind(
            [
                ConfiguredShard(ShardInfo(shard_id, Engine.FALKORDB), world.shards[shard_id])
                for shard_id in shard_ids
            ],
            POOL_GRAPHS,
        )
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> FleetIdentity:
        _gateway.set(self)

        async def shards_known(deadline: Deadline) -> frozenset[str]:
            return frozenset()

        return await self.founding.establish(shards_known, Deadline.after(600))

    def next_id(self) -> str:
        return f"{self.name}-{next(self._ids)}"

    async def turn(self, call: str) -> None:
        self.waiting[call] = asyncio.get_running_loop().create_future()
        try:
            await self.waiting[call]
        finally:
            del self.waiting[call]

    @property
    def outcome(self) -> Outcome:
        if not self.task.done():
            return None
        if self.task.cancelled():
            return "crashed"
        error = self.task.exception()
        if error is None:
            return self.task.result()
        assert isinstance(error, GraphgateError), error
        return error


class World:
    def __init__(self, configurations: Sequence[str], crashes: int, kind: type[Founding] = Founding) -> None:
        """`configurations`: per gateway the ids, one letter each, of the shards that it is given."""
        self.kind = kind
        self.shards = {shard_id: _Shard(shard_id) for shard_id in sorted(set("".join(configurations)))}
        self.crashes = crashes
        self.gateways = {
            str(number): Gateway(f"gateway{number}", self, shard_ids, kind)
            for number, shard_ids in enumerate(configurations)
        }

    @property
    def markers(self) -> dict[str, ShardMarker | None]:
        return {shard_id: shard.marker for shard_id, shard in self.shards.items()}

    def founded(self) -> list[FleetIdentity]:
        """Fleets whose founding has ended."""
        ended = [m for m in self.markers.values() if m and m.beat > 0]
        return list({FleetIdentity.of(marker) for marker in ended})

    def view(self) -> object:
        """Equal for states from which the same can follow: what a gateway saw side by side may have
        come in any order."""
        gateways = self.gateways.values()
        return (
            tuple(self.markers.values()),
            self.crashes,
            tuple((tuple(sorted(g.seen)), str(g.outcome), tuple(sorted(g.waiting))) for g in gateways),
        )

    def actions(self) -> list[Action]:
        found: list[Action] = []
        for number, gateway in self.gateways.items():
            found += [("advance", number, call) for call in sorted(gateway.waiting)]
            if gateway.waiting and self.crashes:
                found.append(("crash", number, ""))
        return found

    async def act(self, action: Action) -> None:
        kind, number, call = action
        gateway = self.gateways[number]
        if kind == "crash":
            self.crashes -= 1
            gateway.task.cancel()
        else:
            gateway.waiting[call].set_result(None)
        await self.quiet()

    async def quiet(self) -> None:
        """Until every gateway waits for its turn or has ended."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        # The loop's own queue is the only thing that tells that nobody can go on.
        while loop._ready:  # noqa: ASYNC110  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            await asyncio.sleep(0)

    async def establish_afresh(self, shard_ids: str) -> Outcome:
        """What a gateway gets that starts now and meets nobody."""
        gateway = Gateway("late", self, shard_ids, self.kind)
        await self.quiet()
        while gateway.waiting:
            next(iter(gateway.waiting.values())).set_result(None)
            await self.quiet()
        return gateway.outcome

    async def close(self) -> None:
        tasks = [gateway.task for gateway in self.gateways.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Exploration:
    states: int
    violation: str | None
    path: Path


async def explore(
    make: Callable[[], World],
    wrong_with: Callable[[World], Awaitable[str | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> Exploration:
    """Every reachable state, breadth first. Ids are numbered per gateway, so that paths repeat."""
    monkeypatch.setattr(founding, "uuid4", lambda: _gateway.get().next_id())
    seen: set[object] = set()
    queue: deque[Path] = deque([()])
    while queue:
        path = queue.popleft()
        world = make()
        await world.quiet()
        for action in path:
            await world.act(action)
        view = world.view()
        wrong = None
        if view not in seen:
            seen.add(view)
            queue.extend((*path, action) for action in world.actions())
            wrong = await wrong_with(world)
        await world.close()
        if wrong is not None:
            return Exploration(len(seen), wrong, path)
    return Exploration(len(seen), None, ())
