"""All interleavings of gateways that place one group, run on the real routing code.

Gateways are coroutines that stop before every call to a shard or to the catalog; the explorer
decides who goes on. A state is reached by running its path from the start, so nothing of the code
under test is copied or modelled; states that look the same to every gateway are explored once.

Between the calls of the gateways the world may act: a gateway crashes, the catalog is rolled back to
any earlier value or emptied, the group is moved (one step; moves have their own protocol), a shard
goes down or comes back. Ring changes are gateways whose placement rings choose different shards.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardUnavailable
from drivers.fence import Fence, FenceState
from drivers.register_gate import RegisterGate
from shard_router.clock import SystemClock
from shard_router.placement import Placement
from shard_router.placement_hints import HintSettings, PlacementHints
from shard_router.placing import Placing
from shard_router.root_register import RootRegister
from tests.model_driver import ModelDriver
from tests.model_group import GroupState
from tests.unit.shard_router.memory_catalog import MemoryCatalog

GROUP = "tenant"
HOME = "A"
SHARDS = ("A", "B", "C")
NEVER = Deadline(float("inf"))

type Action = tuple[str, ...]
type Path = tuple[Action, ...]
type View = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Budgets:
    """How often the world may act."""

    crashes: int = 1
    rollbacks: int = 0
    moves: int = 0
    outages: int = 0


class _Stop:
    """Suspends a coroutine until the explorer sends to it."""

    def __init__(self, at: str) -> None:
        self.at = at

    def __await__(self) -> Generator["_Stop", None, None]:
        yield self


class _Shard(ModelDriver):
    async def step(self, name: str) -> None:
        await _Stop(self.shard_id)

    @property
    def fence(self) -> Fence | None:
        group = self.groups.get(("", GROUP))
        return None if group is None else group.fence

    @fence.setter
    def fence(self, fence: Fence) -> None:
        self.groups.setdefault(("", GROUP), GroupState()).fence = fence


class _Catalog(MemoryCatalog):
    async def step(self, name: str) -> None:
        await _Stop("catalog")


class Gateway:
    """One gateway that places the group; its placement ring chooses `choice`."""

    def __init__(self, world: "World", choice: str, register: type[RootRegister]) -> None:
        self._world = world
        self._choice = choice
        hints = PlacementHints(world.catalog, HintSettings(), SystemClock())
        placing = Placing(self, register(self, lambda: 0), hints)
        self._work: Coroutine[Any, Any, Placement] = placing.place(GROUP, NEVER)
        self.seen: list[object] = []
        """What it has been shown, which is all that its further course depends on."""
        self.outcome: Placement | GraphgateError | str | None = None
        """"crashed", or how it ended; None while it runs."""
        self._at = ""
        self.advance()

    def advance(self) -> None:
        """Up to the next call; the call where it stood is executed now."""
        if self._at:
            self.seen.append((self._at, self._world.view_of(self._at)))
        try:
            self._at = self._work.send(None).at
        except StopIteration as done:
            self.outcome = done.value
        except GraphgateError as error:
            self.outcome = error

    def crash(self) -> None:
        self._work.close()
        self.outcome = "crashed"

    def home_of(self, group_id: str) -> str:
        return HOME

    def incarnation_of(self, shard_id: str) -> str:
        return f"incarnation-{shard_id}"

    def check_creation(self) -> None:
        return

    def register_roots(self, group_id: str) -> frozenset[int]:
        return frozenset({RegisterGate().root})

    def has_left(self, shard_id: str) -> bool:
        return False

    async def look_at_root(self, shard_id: str, deadline: Deadline) -> None:
        return

    async def choose_shard(self, group_id: str, deadline: Deadline) -> str:
        return self._choice

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        if shard_id == self._world.down:
            raise ShardUnavailable(shard_id, "down")
        return await call(self._world.shards[shard_id])


class World:
    def __init__(
        self, choices: Sequence[str], budgets: Budgets, register: type[RootRegister] = RootRegister
    ) -> None:
        self.shards = {shard_id: _Shard(shard_id) for shard_id in SHARDS}
        self.catalog = _Catalog()
        self.down = ""
        self.budgets = budgets
        self.records: list[Placement | None] = [None]
        """Every value that the catalog's record ever had."""
        self.register = register
        self.gateways = [Gateway(self, choice, register) for choice in choices]

    # --- what is ----------------------------------------------------------------------------------

    @property
    def record(self) -> Placement | None:
        return self.catalog.placements.get(GROUP)

    def owners(self) -> list[str]:
        return [shard_id for shard_id, shard in self.shards.items() if shard.fence and shard.fence.owns]

    def view_of(self, place: str) -> object:
        if place == "catalog":
            return self.record
        fence = self.shards[place].fence
        return (place == self.down, fence and (fence.state, fence.epoch, fence.moved_to, fence.moved_epoch))

    def stored(self) -> View:
        """What outlives every gateway."""
        return (tuple(self.view_of(shard_id) for shard_id in SHARDS), self.record)

    def view(self) -> View:
        """Equal for states from which the same can follow."""
        return (
            self.stored(),
            frozenset(self.records),
            self.budgets,
            tuple((tuple(g.seen), _comparable(g.outcome)) for g in self.gateways),
        )

    # --- what may happen --------------------------------------------------------------------------

    def actions(self) -> list[Action]:
        found: list[Action] = []
        for number, gateway in enumerate(self.gateways):
            if gateway.outcome is None:
                found.append(("advance", str(number)))
                if self.budgets.crashes:
                    found.append(("crash", str(number)))
        if self.budgets.rollbacks:
            found += [("rollback", str(i)) for i, old in enumerate(self.records) if old != self.record]
        if self.budgets.moves:
            found += [("move", a, b) for a in self.owners() for b in SHARDS if a != b]
        if self.down:
            found.append(("up",))
        elif self.budgets.outages:
            found += [("down", shard_id) for shard_id in SHARDS]
        return found

    def act(self, action: Action) -> None:
        budgets = self.budgets
        match action:
            case ("advance", number):
                self.gateways[int(number)].advance()
            case ("crash", number):
                self.gateways[int(number)].crash()
                self.budgets = replace(budgets, crashes=budgets.crashes - 1)
            case ("rollback", index):
                old = self.records[int(index)]
                self.catalog.placements = {} if old is None else {GROUP: old}
                self.budgets = replace(budgets, rollbacks=budgets.rollbacks - 1)
            case ("move", source, target):
                self._move(source, target)
                self.budgets = replace(budgets, moves=budgets.moves - 1)
            case ("down", shard_id):
                self.down = shard_id
                self.budgets = replace(budgets, outages=budgets.outages - 1)
            case _:
                self.down = ""
        if self.record not in self.records:
            self.records.append(self.record)

    def _move(self, source: str, target: str) -> None:
        before = self.shards[source].fence
        assert before is not None
        epoch = before.epoch + 2
        self.shards[source].fence = replace(
            before, state=FenceState.MOVED, epoch=before.epoch + 1, moved_to=target, moved_epoch=epoch
        )
        self.shards[target].fence = Fence(GROUP, epoch, FenceState.OPEN)

    def place_afresh(self, choice: str) -> Placement | GraphgateError | str | None:
        """What a gateway without memory gets when every shard is up and nobody interferes."""
        self.down = ""
        gateway = Gateway(self, choice, self.register)
        while gateway.outcome is None:
            gateway.advance()
        return gateway.outcome

    def close(self) -> None:
        for gateway in self.gateways:
            if gateway.outcome is None:
                gateway.crash()


@dataclass(frozen=True, slots=True)
class Violation:
    what: str
    path: Path


@dataclass(frozen=True, slots=True)
class Exploration:
    states: int
    violation: Violation | None
    """The first, on a shortest path."""


def explore(make: Callable[[], World], judge: Callable[[World], str | None]) -> Exploration:
    """Every reachable state, breadth first; `judge` names what is wrong with one, and may use it up."""
    seen: set[View] = set()
    queue: deque[Path] = deque([()])
    while queue:
        path = queue.popleft()
        world = make()
        for action in path:
            world.act(action)
        view = world.view()
        if view in seen:
            world.close()
            continue
        seen.add(view)
        queue.extend((*path, action) for action in world.actions())
        wrong = judge(world)
        world.close()
        if wrong is not None:
            return Exploration(len(seen), Violation(wrong, path))
    return Exploration(len(seen), None)


def _comparable(outcome: object) -> object:
    return str(outcome) if isinstance(outcome, GraphgateError) else outcome
