"""A round of a copy whose source is written to between two reads: no edge comes without its ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState, GroupRef
from drivers.graph_model import AnyRow, Kind
from drivers.moving import GroupChanges, Intake
from drivers.row_codec import kind_of
from shard_router.moves.copying import Copier, Copying
from shard_router.moves.page_size import ROWS_FIRST
from shard_router.moves.record import Place
from shard_router.moves.side import Side
from shard_router.shard_map import ShardMapSnapshot
from tests.contract.moving_steps import Move, pages
from tests.contract.rows import entity, fact
from tests.contract.tenant import Tenant, soon
from tests.model_driver import ModelDriver


class Disturbed(ModelDriver):
    """Somebody writes right after changes were read, once."""

    disturbance: Callable[[], Awaitable[object]] | None = None

    async def read_changes(
        self, ref: GroupRef, after_version: int, rows_max: int, deadline: Deadline, seen_version: int = 0
    ) -> GroupChanges:
        changes = await super().read_changes(ref, after_version, rows_max, deadline, seen_version)
        disturbance, self.disturbance = self.disturbance, None
        if disturbance is not None:
            await disturbance()
        return changes


class TwoShards:
    """What a move uses of a fleet."""

    def __init__(self, *drivers: ModelDriver) -> None:
        self._drivers: dict[str, ModelDriver] = {driver.shard_id: driver for driver in drivers}
        self.calls: list[str] = []

    @property
    def map(self) -> ShardMapSnapshot:
        raise NotImplementedError

    def home_of(self, group_id: str) -> str:
        raise NotImplementedError

    def configured(self, shard_id: str) -> bool:
        return shard_id in self._drivers

    def has_left(self, shard_id: str) -> bool:
        return False

    def write_weight_max(self, shard_id: str) -> int:
        return 0

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        self.calls.append(shard_id)
        return await call(self._drivers[shard_id])


class World:
    def __init__(self) -> None:
        self.driver = Disturbed("a")
        self.source = Tenant(self.driver, GroupRef("g"))
        self.target = Tenant(ModelDriver("b"), GroupRef("g"))
        assert isinstance(self.target.driver, ModelDriver)
        self.shards = TwoShards(self.driver, self.target.driver)
        sides = [Side(self.shards, "g", Place(shard_id), 10.0) for shard_id in "ab"]
        self.copier = Copier(sides[0], sides[1], 1_000, lambda rows, size_bytes: None)
        self.move = Move(self.source, self.target)

    async def begin(self, *rows: AnyRow) -> None:
        """These are at the target."""
        await self.driver.create_fence(Fence("g", 1, FenceState.OPEN), soon())
        await self.source.write(*rows)
        await self.move.begin()
        while await self.move.load():
            continue

    async def round(self) -> int:
        """How many calls the source had of it."""
        self.shards.calls.clear()
        copying = Copying(self.move.token, self.move.move_id)
        brought = await self.copier.bring(copying, (await self.target.fence()).applied)
        assert brought.target is not None
        return self.shards.calls.count("a")

    async def rows(self, tenant: Tenant) -> dict[tuple[Kind, str], AnyRow]:
        found = await pages(tenant.driver, tenant.ref, 100)
        return {(kind_of(row), row.uuid): row for page in found for row in page.rows}

    async def finish(self) -> None:
        """Both sides are the same in the end."""
        while (await self.target.fence()).applied < (await self.source.fence()).version:
            await self.round()
        assert await self.rows(self.target) == await self.rows(self.source)


@pytest.fixture
def world() -> World:
    return World()


async def test_an_edge_waits_for_a_node_that_is_newer_than_the_round(world: World) -> None:
    """The node was written again meanwhile and has a version beyond the round's bound: it comes along."""
    hub, late = entity("hub"), entity("late")
    await world.begin(hub)
    edge = fact(hub.uuid, late.uuid, "f")
    await world.source.write(late, edge)
    await world.source.write(replace(late, summary="again"), *(entity(f"{n}") for n in range(ROWS_FIRST)))
    await world.round()
    there = await world.rows(world.target)
    assert (await world.target.fence()).applied == (await world.source.fence()).version - 1
    assert (Kind.FACT, edge.uuid) in there
    assert there[Kind.ENTITY, late.uuid].version == (await world.target.fence()).applied
    await world.finish()


async def test_an_edge_whose_node_has_gone_is_left_out(world: World) -> None:
    """Deleted with its edge between two reads: the round goes on without, the next one brings the
    tombstones."""
    hub, late = entity("hub"), entity("late")
    await world.begin(hub)
    edge = fact(hub.uuid, late.uuid, "f")
    await world.source.write(late, edge)
    await world.source.write(replace(late, summary="again"), *(entity(f"{n}") for n in range(ROWS_FIRST)))
    world.driver.disturbance = lambda: world.source.write(deletions=[(Kind.ENTITY, late.uuid)])
    await world.round()
    assert (Kind.FACT, edge.uuid) not in await world.rows(world.target)
    await world.finish()


async def test_a_round_counts_only_with_all_of_its_edges(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coordinator that dies in the middle of a round: the next one has the same round before it."""
    hub, late = entity("hub"), entity("late")
    await world.begin(hub)
    await world.source.write(late, fact(hub.uuid, late.uuid, "f"))
    await world.source.write(replace(late, summary="again"), *(entity(f"{n}") for n in range(ROWS_FIRST)))
    before, take_in, calls = (await world.target.fence()).applied, Side.take_in, 0

    async def once(side: Side, intake: Intake) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise ConnectionResetError
        return await take_in(side, intake)

    monkeypatch.setattr(Side, "take_in", once)
    with pytest.raises(ConnectionResetError):
        await world.round()
    monkeypatch.undo()
    assert (await world.target.fence()).applied == before
    await world.finish()


async def test_a_round_whose_edges_have_their_ends_reads_the_source_once(world: World) -> None:
    """Each read of a busy source takes its time, and writers wait for the last round."""
    hub = entity("hub")
    await world.begin(hub)
    people = [entity(f"{n}") for n in range(5)]
    await world.source.write(*people, *(fact(hub.uuid, person.uuid, "f") for person in people))
    world.driver.disturbance = lambda: world.source.write(entity("meanwhile"))
    assert await world.round() == 1
    await world.finish()
