"""Points of a move at which it can be stopped: before and after each of its calls to a shard and to the
records, by the name of the call. The product knows nothing of them: they sit around what it is given."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardUnavailable
from drivers.fence import Engine, GroupRef
from drivers.fence_changes import FenceChange
from drivers.moving import Intake
from drivers.vector_slots import VectorSlot
from shard_router.errors import CatalogUnavailable
from shard_router.fleet import Fleet
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.store_port import MoveStore

_OF_RECORDS = "RECORD"
_MOVING = frozenset(
    {
        "change_fence",
        "locked_fence",
        "read_page",
        "read_changes",
        "take_in",
        "wipe",
        "ensure_space",
        "drop_space",
        "create_slot",
        "fill_slot",
        "advance_slot",
    }
)
"""Methods of a driver that of all who are given this one only moves call."""


@dataclass(slots=True)
class Stand:
    """A point of one group's move, and the move that stands there."""

    group_id: str
    point: str
    """`before COMMIT`, `after LOAD`, ..."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    goes: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    """Once it goes on, the call fails: before the point it was not made, after it the answer is lost."""


class Points:
    """Of one gateway."""

    def __init__(self) -> None:
        self.flows = asyncio.Event()
        """Not set: the gateway hangs, nothing that it wants to call is called."""
        self.flows.set()
        self.is_dead = False
        """It calls nothing any more."""
        self.changes = 0
        """Of phases, of all moves, and stands that were reached."""
        self._phases: dict[str, MovePhase] = {}
        self._stands: dict[tuple[str, str], Stand] = {}

    def arm(self, stand: Stand) -> None:
        """It is struck once."""
        self._stands[stand.group_id, stand.point] = stand

    def note(self, record: MoveRecord) -> None:
        if self._phases.get(record.move_id) is not record.phase:
            self._phases[record.move_id] = record.phase
            self.changes += 1

    async def around[T](
        self, group_id: str, name: str, call: Callable[[], Awaitable[T]], error: GraphgateError
    ) -> T:
        await self._stop(group_id, f"before {name}", error)
        answer = await call()
        await self._stop(group_id, f"after {name}", error)
        return answer

    async def _stop(self, group_id: str, point: str, error: GraphgateError) -> None:
        stand = self._stands.pop((group_id, point), None)
        if stand is not None:
            stand.reached.set()
            self.changes += 1
            await stand.goes.wait()
        await self.flows.wait()
        if self.is_dead or (stand is not None and stand.fails):
            raise error


class PointedFleet:
    """As the fleet, with points around the moves' calls to drivers."""

    def __init__(self, fleet: Fleet, points: Points) -> None:
        self._fleet = fleet
        self._points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet, name)

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        return await self._fleet.on_shard(
            shard_id,
            deadline,
            lambda driver: call(cast("ShardDriver", _PointedDriver(driver, self._points))),
            writes=writes,
        )


class _PointedDriver:
    def __init__(self, driver: ShardDriver, points: Points) -> None:
        self._driver = driver
        self._points = points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._driver, name)
        if name not in _MOVING:
            return method

        async def pointed(*given: Any) -> Any:
            group_id, point = _group_of(given[0]), _point_of(name, given)
            error = ShardUnavailable(self._driver.shard_id, "the test says so")
            return await self._points.around(group_id, point, lambda: method(*given), error)

        return pointed


class PointedStore:
    """As the store of the records, with points around every change of one."""

    def __init__(self, store: MoveStore, points: Points) -> None:
        self._store = store
        self._points = points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def pointed(*given: Any, **more: Any) -> Any:
            record = given[0] if given and isinstance(given[0], MoveRecord) else None
            if record is not None:
                self._points.note(record)
            group_id = record.group_id if record is not None else ""
            point = f"{_OF_RECORDS} {record.phase}" if record is not None else name
            error = CatalogUnavailable("the test says so")
            return await self._points.around(group_id, point, lambda: method(*given, **more), error)

        return pointed


def _group_of(subject: GroupRef | VectorSlot | str) -> str:
    """A container that a group has for itself is called after it."""
    if isinstance(subject, VectorSlot):
        return subject.ref.group_id
    return subject.group_id if isinstance(subject, GroupRef) else subject


def _point_of(method: str, given: Sequence[Any]) -> str:
    subject = given[1] if len(given) > 1 else None
    if isinstance(subject, FenceChange):
        return subject.name
    if isinstance(subject, Intake):
        return subject.change.name
    return method.upper()


def moments(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{moment} {name}" for name in names for moment in ("before", "after"))


@dataclass(frozen=True, slots=True)
class Course:
    """What is done to a move, and its points that are reached in that way alone."""

    points: Sequence[str]
    held_at: str = ""
    """Where the move waits first, for what the course does to it there."""
    ends: MovePhase = MovePhase.REVERSIBLE
    """How; REVERSIBLE: its source keeps its rows until it is told."""
    source_engine: Engine | None = None
    """None: any, as the next one."""
    target_engine: Engine | None = None

    def fits(self, source: Engine, target: Engine) -> bool:
        return self.source_engine in (None, source) and self.target_engine in (None, target)


COURSES: Mapping[str, Course] = {
    "move": Course(
        moments(
            (
                "RECORD PLANNED",
                "TAKE",
                "PREPARE",
                "WIPE",
                "LOCKED_FENCE",
                "WIPED",
                "READ_PAGE",
                "LOAD",
                "READ_CHANGES",
                "APPLY",
                "RECORD VERIFYING",
                "FREEZE",
                "READY",
                "COMMIT",
                "OPEN_UP",
                "RECORD REVERSIBLE",
            )
        )
    ),
    "indexed": Course(moments(("CREATE_SLOT", "FILL_SLOT", "ADVANCE_SLOT"))),
    # Its pause is too long: writers are let go again.
    "thawed": Course(moments(("THAW", "UNREADY")), held_at="before COMMIT"),
    # Another process goes on with the copy.
    "resumed": Course(moments(("RESUME",)), held_at="after WIPED"),
    "cleanup": Course(moments(("RECORD CLEANING", "BURY", "RECORD DONE")), ends=MovePhase.DONE),
    # The rows of the source. One group at a time is deleted at a shard, so that only one can stand here.
    "wiped": Course(("before WIPE",), held_at="before BURY", ends=MovePhase.DONE),
    "to its own space": Course(moments(("ENSURE_SPACE",)), target_engine=Engine.FALKORDB),
    "out of its own space": Course(
        moments(("POINT", "DROP_SPACE")), ends=MovePhase.DONE, source_engine=Engine.FALKORDB
    ),
    "cancel": Course(
        moments(("ABANDON", "DISCARD", "RECORD CANCELLED")),
        held_at="before RECORD VERIFYING",
        ends=MovePhase.CANCELLED,
    ),
    "cancel frozen": Course(moments(("ABANDON_FROZEN",)), held_at="before FREEZE", ends=MovePhase.CANCELLED),
    "reverse": Course(moments(("PREPARE_DELTA",))),
}
