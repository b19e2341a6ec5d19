"""Spaces of single groups, what moves leave behind, and reading what is not there."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.contract import SchemaItem, SchemaReport, ShardDriver
from drivers.fence import POOLED, EmbeddingSpec, Engine, Fence, FenceState, GroupRef
from drivers.fence_changes import DISCARD, LOAD, PREPARE, THAW
from drivers.graph_model import Kind
from drivers.moving import COPY_START, CopyCursor, Intake, Other
from drivers.reads import Tombstone
from drivers.search_reads import ExpandQuery, KeywordQuery, SemanticQuery
from drivers.vector_slots import VectorSlot
from drivers.write_plan import OpRecord
from tests.contract.conftest import OpenTenant
from tests.contract.moving_steps import MOVE, TOKEN, change, held, incoming, load, pages, taken_in
from tests.contract.probes import Probe
from tests.contract.rows import entity, new_uuid, one_of_each, vector
from tests.contract.tenant import Tenant, schema_time, soon

# --- wiping ---------------------------------------------------------------------------------------

TOMBSTONES = 4
OPERATIONS = 4


async def _left_behind(driver: ShardDriver, ref: GroupRef, state: FenceState) -> Fence:
    """A target with rows of all kinds, tombstones and operations, whose move was given up or begins anew."""
    await incoming(driver, ref)
    rows = [replace(row, version=1) for row in one_of_each(embedding=vector([1, 2])).values()]
    more = [entity(f"{n}", version=2) for n in range(5)]
    stones = [Tombstone(Kind.FACT, new_uuid(), 3) for _ in range(TOMBSTONES)]
    records = [OpRecord(f"op {n}", "h", "r", n, n) for n in range(OPERATIONS)]
    await taken_in(driver, ref, *rows, *more, tombstones=stones, operations=records)
    if state is FenceState.WIPING:
        source = {"from_shard": "a", "from_space": "", "space": ref.space}
        return await change(driver, ref, PREPARE, {"token": TOKEN + 1, "move_id": MOVE, **source})
    return await change(driver, ref, DISCARD, {"token": TOKEN, "move_id": MOVE, "owner_epoch": 1})


async def _left(driver: ShardDriver, ref: GroupRef) -> int:
    found = await pages(driver, ref, 1_000)
    return sum(len(page.rows) + len(page.tombstones) + len(page.operations) for page in found)


def _fresh(space: str = POOLED) -> GroupRef:
    return GroupRef(f"group-{secrets.token_hex(6)}", space)


@pytest.mark.parametrize("state", [FenceState.WIPING, FenceState.TOMB])
async def test_wiping_takes_everything_in_parts(tenant: Tenant, state: FenceState) -> None:
    """At most so many at a time, until 0; the fence stays as it is, other groups keep all they have."""
    driver, ref = tenant.driver, _fresh()
    await tenant.write(*one_of_each(embedding=vector([1, 2])).values())
    neighbour = await held(tenant)
    fence = await _left_behind(driver, ref, state)
    whole = await _left(driver, ref)
    assert whole == 9 + 5 + TOMBSTONES + OPERATIONS
    wiped: list[int | None] = []
    while wiped[-1:] != [0]:
        wiped.append(await driver.wipe(ref, fence.token, fence.move_id, 4, soon()))
        assert len(wiped) < 20
    assert wiped == [*[4] * (whole // 4), *([whole % 4] if whole % 4 else []), 0]
    assert await driver.locked_fence(ref, soon()) == fence
    assert await _left(driver, ref) == 0
    assert await held(tenant) == neighbour


@pytest.mark.parametrize("state", [state for state in FenceState if state is not FenceState.TOMB])
async def test_only_what_is_not_owned_is_wiped(driver: ShardDriver, probe: Probe, state: FenceState) -> None:
    """In no other state, while WIPING only by the coordinator of that copy; nor where there is no fence."""
    fence = Fence(_fresh().group_id, 1, state, token=TOKEN, move_id=MOVE)
    ref = GroupRef(fence.group_id)
    await driver.create_fence(fence, soon())
    others = [(TOKEN - 1, MOVE), (TOKEN + 1, MOVE), (TOKEN, "another"), (TOKEN, "")]
    mine = [] if state is FenceState.WIPING else [(TOKEN, MOVE)]
    before = await probe.group(ref.group_id)
    for token, move_id in (*others, *mine):
        assert await driver.wipe(ref, token, move_id, 10, soon()) is None
    assert await probe.group(ref.group_id) == before
    assert await driver.wipe(GroupRef(f"{ref.group_id}-x"), TOKEN, MOVE, 10, soon()) is None


async def test_an_owner_keeps_its_rows(tenant: Tenant) -> None:
    """A late wipe of an earlier stay finds the group owned."""
    await tenant.write(*one_of_each().values())
    before = await held(tenant)
    assert await tenant.driver.wipe(tenant.ref, 0, "", 1_000, soon()) is None
    assert await held(tenant) == before


async def test_vector_slots_go_with_the_rows(driver: ShardDriver) -> None:
    """Those of the wiped group, no other's; and none when it is refused."""
    refs = [_fresh(), _fresh()]
    fences = [await _left_behind(driver, ref, FenceState.WIPING) for ref in refs]
    spec = EmbeddingSpec("m", 2)
    for ref in refs:
        for kind in (Kind.FACT, Kind.ENTITY):
            await driver.create_slot(VectorSlot(ref, kind, spec), soon())

    async def slots_of(ref: GroupRef) -> int:
        return sum(slot.ref.group_id == ref.group_id for slot in await driver.list_slots(soon()))

    assert await driver.wipe(refs[0], TOKEN, MOVE, 3, soon()) is None
    assert await slots_of(refs[0]) == 2
    assert await driver.wipe(refs[0], fences[0].token, fences[0].move_id, 3, soon()) == 3
    assert (await slots_of(refs[0]), await slots_of(refs[1])) == (0, 2)
    await driver.wipe(refs[1], fences[1].token, fences[1].move_id, 1, soon())


# --- spaces ---------------------------------------------------------------------------------------


async def test_a_group_in_a_space_of_its_own_is_like_any_other(
    open_tenant: OpenTenant, driver: ShardDriver
) -> None:
    """Writes, reads, searches, slots, lists of groups: the same answers as from a pooled group with the same
    rows."""
    space = f"own-{secrets.token_hex(4)}"
    await driver.ensure_space(space, schema_time())
    rows = list(one_of_each(embedding=vector([1, 2, 3])).values())
    more = [entity(f"marmalade {n}", embedding=vector([n + 1, 1, 2])) for n in range(5)]
    answers: list[object] = []
    scores: list[float] = []
    for tenant in (await open_tenant(), await open_tenant(space=space)):
        await tenant.write(*rows, *more, op_id="op 1")
        await tenant.write(replace(more[0], summary="s"), op_id="op 2")
        await tenant.write(deletions=[(Kind.ENTITY, more[1].uuid)], op_id="op 3")
        ref = tenant.ref
        words = await driver.keyword([ref], KeywordQuery(Kind.ENTITY, ("marmalade",), 10), soon())
        people = tuple(row.uuid for row in await tenant.listed(Kind.ENTITY))
        asked = ExpandQuery(ref.group_id, ref.space, people, Kind.FACT, 10)
        edges = await driver.expand([asked], soon())
        near = await driver.semantic([ref], SemanticQuery(Kind.ENTITY, vector([1, 1, 1]), 10), soon())
        fence = await tenant.fence()
        made = await driver.create_slot(VectorSlot(ref, Kind.ENTITY, fence.embeddings[Kind.ENTITY]), soon())
        backlog = await driver.slot_backlog(made, 100, soon())
        for part in backlog.parts(driver.slot_fill_rows):
            await driver.fill_slot(made, part.uuids, soon())
        slot = await driver.advance_slot(made, backlog, soon())
        assert slot is not None
        found = await driver.semantic_in_slot(slot, SemanticQuery(Kind.ENTITY, vector([1, 1, 1]), 10), soon())
        assert any(listed == slot for listed in await driver.list_slots(soon()))
        await driver.drop_slot(slot, soon())
        listed = await driver.list_fences(f"{ref.group_id[:-1]}", 1_000, soon())
        assert ref.group_id in {fence.group_id for fence in listed}
        scores += [hit.score for read in (near, found) for hit in read.hits]
        answers.append(
            (
                await held(tenant),
                sorted(hit.key.uuid for hit in words.hits),
                sorted(edge.uuid for edge in edges.edges[ref.group_id]),
                [hit.key.uuid for hit in near.hits],
                [hit.key.uuid for hit in found.hits],
                found.enough,
            )
        )
    assert answers[0] == answers[1]
    assert scores[: len(scores) // 2] == pytest.approx(scores[len(scores) // 2 :], abs=1e-6)
    assert len(scores) > 10


async def test_making_a_space_twice_is_harmless(driver: ShardDriver) -> None:
    """And the pooled one is there already. Spaces that other tests left half made do not count."""
    before = await driver.describe_schema(soon())
    space = f"own-{secrets.token_hex(4)}"
    for made in (space, space, POOLED):
        await driver.ensure_space(made, schema_time())
    after = await driver.describe_schema(soon())
    assert _unready(after) <= _unready(before)
    await driver.drop_space(space, soon())


def _unready(report: SchemaReport) -> set[SchemaItem]:
    return {item for item in report.items if item.state not in ("READY", "EXTRA")}


async def test_a_space_goes_when_nothing_is_left_in_it(driver: ShardDriver, probe: Probe) -> None:
    """Not while a group is there, nor while rows of one that has gone are; then once, with its fence."""
    before = await probe.containers()
    ref = _fresh(f"own-{secrets.token_hex(4)}")
    await driver.ensure_space(ref.space, schema_time())
    if driver.engine is Engine.NEO4J:
        assert not await driver.drop_space(ref.space, soon())
        return
    await _left_behind(driver, ref, FenceState.WIPING)
    assert not await driver.drop_space(ref.space, soon())
    await change(driver, ref, DISCARD, {"token": TOKEN + 1, "move_id": MOVE, "owner_epoch": 1})
    assert not await driver.drop_space(ref.space, soon())
    while await _left(driver, ref):
        assert not await driver.drop_space(ref.space, soon())
        assert await driver.wipe(ref, 0, "", 4, soon())
    assert await driver.drop_space(ref.space, soon())
    assert await driver.locked_fence(ref, soon()) is None
    assert await probe.containers() == before
    assert not await driver.drop_space(ref.space, soon())
    assert await probe.containers() == before


@pytest.mark.parametrize("state", [state for state in FenceState if state is not FenceState.TOMB])
async def test_a_space_with_a_fence_stays(open_tenant: OpenTenant, state: FenceState) -> None:
    """Whatever its state, but TOMB; and it can be written to afterwards."""
    tenant = await open_tenant(space=f"own-{secrets.token_hex(4)}", state=state)
    assert not await tenant.driver.drop_space(tenant.ref.space, soon())
    assert (await tenant.fence()).state is state
    if state is FenceState.OPEN:
        await tenant.write(entity("a"))


# --- nothing is made ------------------------------------------------------------------------------

type Call = Callable[[ShardDriver, GroupRef], Awaitable[object]]

CALLS: dict[str, Call] = {
    "locked_fence": lambda d, r: d.locked_fence(r, soon()),
    "read_page": lambda d, r: d.read_page(r, COPY_START, 10, soon()),
    "read_page tombstones": lambda d, r: d.read_page(r, CopyCursor(Other.TOMBSTONE), 10, soon()),
    "read_page operations": lambda d, r: d.read_page(r, CopyCursor(Other.OPERATION, "x"), 10, soon()),
    "read_changes": lambda d, r: d.read_changes(r, 0, 10, soon()),
    "wipe": lambda d, r: d.wipe(r, 1, "m", 10, soon()),
    "change_fence": lambda d, r: d.change_fence(r, THAW, {"token": 1}, soon()),
    "take_in": lambda d, r: d.take_in(
        r, Intake(LOAD, load(Fence(r.group_id, 1, FenceState.INCOMING)), (entity("a", version=1),)), soon()
    ),
}


@pytest.mark.parametrize("space", ["", "space-nobody-made"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_on_what_is_not_there_creates_nothing(
    driver: ShardDriver, probe: Probe, name: str, space: str
) -> None:
    """An unknown group, in a known space or an unknown one, leaves no graph, node, label or property."""
    before = await probe.containers()
    for _ in range(2):
        await CALLS[name](driver, _fresh(space))
    assert await probe.containers() == before


async def test_dropping_a_space_that_is_not_there_creates_nothing(driver: ShardDriver, probe: Probe) -> None:
    """It is answered with: not done."""
    before = await probe.containers()
    assert not await driver.drop_space("space-nobody-made", soon())
    assert await probe.containers() == before
