"""What a target takes in: by version, never an edge without its ends, and only at the step it is at."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.errors import WriteTooHeavy
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import APPLY, LOAD, Value
from drivers.graph_model import AnyRow, Entity, Kind
from drivers.moving import CURSOR_END, Changed, Intake
from drivers.reads import Anchor, Tombstone
from drivers.row_codec import kind_of
from drivers.write_plan import OpRecord
from tests.contract.moving_steps import MOVE, TOKEN, apply, incoming, load, operations, taken_in
from tests.contract.probes import Probe
from tests.contract.rows import canonical, entity, episode, fact, mention, new_uuid, one_of_each, vector
from tests.contract.tenant import Tenant, soon


class Target(NamedTuple):
    tenant: Tenant
    driver: ShardDriver

    @property
    def ref(self) -> GroupRef:
        return self.tenant.ref

    async def take(
        self, *rows: AnyRow, tombstones: tuple[Tombstone, ...] = (), records: tuple[OpRecord, ...] = ()
    ) -> Changed:
        return await taken_in(self.driver, self.ref, *rows, tombstones=tombstones, operations=records)

    async def there(self, kind: Kind, uuid: str) -> AnyRow | None:
        rows = (await self.tenant.get(kind, uuid, with_vectors=True)).rows
        return rows[0] if rows else None

    async def stones(self) -> set[tuple[str, int]]:
        return {(stone.uuid, stone.version) for stone in await self.tombstones()}

    async def tombstones(self) -> list[Tombstone]:
        page = await self.driver.read_changes(self.ref, 0, 1_000, soon())
        return list(page.tombstones)


@pytest.fixture
async def target(driver: ShardDriver) -> Target:
    ref = GroupRef(f"group-{secrets.token_hex(6)}")
    # A version, so that the change feed of the target is read to its end by the tests.
    fence = Fence(ref.group_id, 1, FenceState.MOVED, version=1_000, moved_epoch=1)
    await driver.create_fence(fence, soon())
    await incoming(driver, ref)
    return Target(Tenant(driver, ref), driver)


def at(row: AnyRow, version: int) -> AnyRow:
    return replace(row, version=version, created_at=version * 10)


def same(row: AnyRow | None, other: AnyRow) -> bool:
    return row is not None and canonical(row) == canonical(other)


async def test_rows_of_every_kind_keep_version_and_time(target: Target) -> None:
    """Each row is there with its own version and created_at, vectors bit by bit."""
    rows = one_of_each(embedding=vector([0.1, -2, 3e-8]))
    given = [at(row, n + 3) for n, row in enumerate(rows.values())]
    assert (await target.take(*reversed(given))).homeless == ()
    for row in given:
        assert same(await target.there(kind_of(row), row.uuid), row)


async def test_by_version_alone(target: Target) -> None:
    """An older row and one of the same version change nothing, a newer one replaces the whole row: what it
    does not have is gone, its vector too."""
    first = entity("a", summary="s", labels=("L",), attributes={"x": 1}, embedding=vector([1, 2]))
    await target.take(at(first, 5))
    for version in (4, 5):
        await target.take(at(entity("b", at=first.uuid), version))
        assert same(await target.there(Kind.ENTITY, first.uuid), at(first, 5))
    newer = at(entity("c", at=first.uuid), 6)
    await target.take(newer)
    assert same(await target.there(Kind.ENTITY, first.uuid), newer)


async def test_twice_in_one_batch_the_newest_counts(target: Target) -> None:
    """Whatever comes first."""
    a, b = new_uuid(), new_uuid()
    await target.take(*(at(entity(f"{v}", at=u), v) for u, v in ((a, 3), (a, 4), (b, 4), (b, 3))))
    for uuid in (a, b):
        assert same(await target.there(Kind.ENTITY, uuid), at(entity("4", at=uuid), 4))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("together", [False, True])
async def test_tombstones_and_rows_meet_in_any_order(target: Target, kind: Kind, together: bool) -> None:
    """A row stands if its version is above the tombstone's, before, after or together with it; the greatest
    tombstone stays, whichever comes last."""
    rows = {of: at(row, 1) for of, row in one_of_each().items()}
    await target.take(*rows.values())
    uuid = rows[kind].uuid
    stone = Tombstone(kind, uuid, 7)

    async def both(version: int) -> None:
        row = at(rows[kind], version)
        if together:
            await target.take(row, tombstones=(stone,))
        else:
            await target.take(tombstones=(stone,))
            await target.take(row)

    for version in (6, 7):
        await both(version)
        assert await target.there(kind, uuid) is None
    await both(8)
    assert same(await target.there(kind, uuid), at(rows[kind], 8))
    await target.take(tombstones=(stone, Tombstone(kind, uuid, 3)))
    assert same(await target.there(kind, uuid), at(rows[kind], 8))
    assert await target.stones() == {(uuid, 7)}
    await target.take(tombstones=(Tombstone(kind, uuid, 9),))
    assert await target.there(kind, uuid) is None
    assert await target.stones() == {(uuid, 9)}


async def test_a_tombstone_is_of_its_kind(target: Target) -> None:
    """A uuid names rows of several kinds: only that of the tombstone's kind goes."""
    who = entity("a")
    other = episode("e", at=who.uuid)
    await target.take(at(who, 1), at(other, 1))
    await target.take(tombstones=(Tombstone(Kind.EPISODE, who.uuid, 2),))
    assert await target.there(Kind.EPISODE, who.uuid) is None
    assert await target.there(Kind.ENTITY, who.uuid) is not None


async def test_a_node_takes_its_edges_with_it(target: Target, probe: Probe) -> None:
    """Whatever hangs on a node whose tombstone comes goes with it, and can come back with the node."""
    rows = {kind: at(row, 1) for kind, row in one_of_each().items()}
    await target.take(*rows.values())
    who = rows[Kind.ENTITY]
    await target.take(tombstones=(Tombstone(Kind.ENTITY, who.uuid, 2),))
    for kind in (Kind.ENTITY, Kind.FACT, Kind.MENTION, Kind.MEMBERSHIP):
        assert await target.there(kind, rows[kind].uuid) is None
    for kind in (Kind.EPISODE, Kind.COMMUNITY, Kind.SAGA_EPISODE, Kind.NEXT_EPISODE):
        assert await target.there(kind, rows[kind].uuid) is not None
    again = [at(rows[kind], 3) for kind in (Kind.FACT, Kind.ENTITY, Kind.MENTION)]
    stones = (Tombstone(Kind.FACT, rows[Kind.FACT].uuid, 2), Tombstone(Kind.MENTION, new_uuid(), 2))
    assert (await target.take(*again, tombstones=stones)).homeless == ()
    for row in again:
        assert same(await target.there(kind_of(row), row.uuid), row)


async def test_an_edge_put_again_at_other_ends(target: Target) -> None:
    """It hangs where the newer row says, and nowhere else; an older row does not move it back."""
    a, b, c = (at(entity(name), 1) for name in "abc")
    first = at(fact(a.uuid, b.uuid, "f"), 2)
    await target.take(a, b, c, first)
    moved = replace(first, source_uuid=c.uuid, target_uuid=a.uuid, version=4)
    await target.take(moved)
    await target.take(at(first, 3))
    assert same(await target.there(Kind.FACT, first.uuid), moved)
    for node, expected in ((a, 1), (b, 0), (c, 1)):
        read = await target.tenant.page(Kind.FACT, anchor=Anchor(Kind.ENTITY, node.uuid))
        assert len(read.rows) == expected
    assert len(await target.tenant.listed(Kind.FACT)) == 1


async def test_an_edge_without_its_ends_is_left_out_and_named(target: Target) -> None:
    """No node is made for it; the rest of the batch is taken in. Ends that come with it are enough, and what
    is stored already or too old is not called homeless."""
    a, b = at(entity("a"), 1), at(entity("b"), 1)
    told = at(episode("e"), 1)
    edges = [fact(a.uuid, b.uuid), fact(b.uuid, a.uuid), mention(told.uuid, b.uuid), mention(b.uuid, a.uuid)]
    lost = [at(edge, 2) for edge in edges]
    made = await target.take(a, told, *lost)
    assert set(made.homeless) == {(kind_of(edge), edge.uuid) for edge in lost}
    assert [row.uuid for row in await target.tenant.listed(Kind.ENTITY)] == [a.uuid]
    assert await target.tenant.listed(Kind.FACT) == []
    made = await target.take(b, *lost)
    assert made.homeless == ((Kind.MENTION, edges[3].uuid),)
    assert len(await target.tenant.listed(Kind.FACT)) == 2
    moved = replace(lost[0], source_uuid=new_uuid())
    assert (await target.take(moved)).homeless == ()
    made = await target.take(replace(moved, version=3))
    assert made.homeless == ((Kind.FACT, edges[0].uuid),)
    assert same(await target.there(Kind.FACT, edges[0].uuid), lost[0])


async def test_operations_are_kept_once(target: Target) -> None:
    """The first record of an op id stays; ids of any form are told apart."""
    ids = ["op", "op ", " op", "OP", "o/p", 'o"p\\', "\u6f22\u5b57", "x" * 5_000, "x" * 5_000 + "y"]
    records = [OpRecord(op_id, "h", f"result {n}", n + 1, 5) for n, op_id in enumerate(ids)]
    await target.take(records=tuple(records))
    await target.take(records=(replace(records[0], result="other", version=9),))
    found = await operations(target.driver, target.ref)
    assert sorted(found, key=lambda record: record.version) == records


def _late(fence: Fence) -> dict[str, tuple[Intake, Intake]]:
    """By what is wrong with it: batches of both rules."""
    row = (at(entity("late"), 5),)

    def batches(**wrong: Value) -> tuple[Intake, Intake]:
        given: tuple[Mapping[str, Value], ...] = (load(fence, CURSOR_END), apply(fence, 60))
        loading, applying = ({**own, **{k: v for k, v in wrong.items() if k in own}} for own in given)
        return Intake(LOAD, loading, row), Intake(APPLY, applying, row)

    return {
        "token": batches(token=TOKEN - 1),
        "higher token": batches(token=TOKEN + 1),
        "move": batches(move_id="another"),
        "place": batches(cursor="FACT/x", applied=1),
    }


@pytest.mark.parametrize("wrong", ["token", "higher token", "move", "place"])
async def test_a_late_batch_changes_nothing(target: Target, probe: Probe, wrong: str) -> None:
    """Another coordinator's, another move's, or one that has been followed by others: refused, with the fence
    as it is."""
    fence = await target.tenant.fence()
    before = await probe.group(target.ref.group_id)
    for intake in _late(fence)[wrong]:
        made = await target.driver.take_in(target.ref, intake, soon())
        assert (made.applied, made.fence, made.homeless) == (False, fence, ())
    assert await probe.group(target.ref.group_id) == before


@pytest.mark.parametrize("state", [state for state in FenceState if state is not FenceState.INCOMING])
async def test_only_an_incoming_group_takes_in(driver: ShardDriver, probe: Probe, state: FenceState) -> None:
    """In every other state nothing changes, in an owner's least of all; nor where there is no fence."""
    fence = Fence(f"group-{secrets.token_hex(6)}", 1, state, token=TOKEN, move_id=MOVE)
    ref = GroupRef(fence.group_id)
    fence = await driver.create_fence(fence, soon())
    before = await probe.group(ref.group_id)
    rows = tuple(at(row, 5) for row in one_of_each().values())
    for intake in (Intake(LOAD, load(fence), rows), Intake(APPLY, apply(fence, 9), rows)):
        made = await driver.take_in(ref, intake, soon())
        assert (made.applied, made.fence) == (False, fence)
    assert await probe.group(ref.group_id) == before
    containers = await probe.containers()
    for space in ("", "space-nobody-made"):
        unknown = GroupRef(f"{ref.group_id}-x", space)
        made = await driver.take_in(unknown, Intake(LOAD, load(fence), rows), soon())
        assert (made.applied, made.fence) == (False, None)
    assert await probe.containers() == containers


async def test_batches_are_chained(target: Target) -> None:
    """A batch of the copy moves the cursor, one of a round what is applied; both raise the floor, and never
    lower it. The same batch again is refused."""
    fence = await target.tenant.fence()
    loading = Intake(LOAD, load(fence, "FACT/a b", 7), (at(entity("a"), 1),))
    made = await target.driver.take_in(target.ref, loading, soon())
    assert made.applied
    assert made.fence is not None
    assert made.fence == replace(fence, cursor="FACT/a b", prune_floor=7)
    again = await target.driver.take_in(target.ref, loading, soon())
    assert (again.applied, again.fence) == (False, made.fence)
    applying = Intake(APPLY, apply(made.fence, 30, 5), (at(entity("b"), 2),))
    made = await target.driver.take_in(target.ref, applying, soon())
    assert made.fence == replace(fence, cursor="FACT/a b", prune_floor=7, applied=30)
    again = await target.driver.take_in(target.ref, applying, soon())
    assert (again.applied, again.fence) == (False, made.fence)
    assert len(await target.tenant.listed(Kind.ENTITY)) == 2


async def test_what_is_too_heavy_is_refused_whole(target: Target, probe: Probe) -> None:
    """A shard with a bound on one write's weight keeps to it here too; a single row always passes."""
    bound = target.driver.write_weight_max
    big: Entity = entity("x" * 9_000 * max(1, bound), embedding=vector(np.ones(8).tolist()))
    small = [at(entity("s"), 1) for _ in range(min(bound + 1, 1_000) if bound else 500)]
    if not bound:
        await target.take(*small)
        assert len(await target.tenant.listed(Kind.ENTITY)) == len(small)
        return
    before = await probe.group(target.ref.group_id)
    for rows in (small, [at(big, 1), small[0]]):
        with pytest.raises(WriteTooHeavy):
            await target.take(*rows)
    assert await probe.group(target.ref.group_id) == before
    await target.take(at(big, 1))
    assert await target.there(Kind.ENTITY, big.uuid) is not None
