"""What only FalkorDB has: fences from before moves, spaces that come and go, texts that are few."""

import asyncio
import secrets

import pytest

from drivers.falkordb import FalkorDBDriver, queries_moving
from drivers.falkordb.client import GraphClient
from drivers.falkordb.connection import Connection
from drivers.falkordb.graphs import own_graph
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import COMMIT, FREEZE, PREPARE, PREPARE_DELTA, TAKE, Value
from drivers.graph_model import Kind
from drivers.moving import CURSOR_END
from tests.contract.falkordb_specific.conftest import OpenGroup
from tests.contract.moving_steps import change, incoming, taken_in
from tests.contract.rows import entity, vector
from tests.contract.tenant import schema_time, soon

STEP: dict[str, Value] = {"token": 3, "move_id": "m"}


async def test_a_fence_from_before_moves(
    falkordb: FalkorDBDriver, client: GraphClient, open_group: OpenGroup
) -> None:
    """Without the properties that moves brought it reads as untouched, goes away and comes back."""
    tenant = await open_group()
    graph = falkordb.graph_of(tenant.ref)
    text = "MATCH (f:_Fence {group_id: $group}) SET f.applied = null, f.cursor = null"
    await client.write(graph, text, {"group": tenant.ref.group_id}, soon(), "making a fence old")
    fence = await falkordb.locked_fence(tenant.ref, soon())
    assert fence is not None
    assert fence == await tenant.fence()
    assert (fence.applied, fence.cursor) == (0, "")
    place = {"to_shard": "b", "to_space": ""}
    await change(falkordb, tenant.ref, TAKE, {**STEP, "seen_move_id": "", **place})
    frozen = await change(falkordb, tenant.ref, FREEZE, STEP)
    await change(falkordb, tenant.ref, COMMIT, {**STEP, "frozen_epoch": frozen.epoch, **place})
    back = {
        "token": 4,
        "move_id": "n",
        "from_shard": "b",
        "from_space": "",
        "owner_prune_floor": 0,
        "cursor_end": CURSOR_END,
    }
    fence = await change(falkordb, tenant.ref, PREPARE_DELTA, back)
    assert (fence.state, fence.applied, fence.cursor) == (FenceState.INCOMING, fence.version, CURSOR_END)


async def test_preparing_makes_the_space(falkordb: FalkorDBDriver) -> None:
    """With its indexes, for many coordinators at once: one of them prepares."""
    ref = GroupRef(f"group-{secrets.token_hex(6)}", f"own-{secrets.token_hex(4)}")
    given = {**STEP, "from_shard": "a", "from_space": "", "space": ref.space}
    answers = await asyncio.gather(
        *(falkordb.change_fence(ref, PREPARE, given, schema_time()) for _ in range(6))
    )
    assert sum(changed.applied for changed in answers) == 1
    assert len({changed.fence is not None and changed.fence.token for changed in answers}) == 1
    report = await falkordb.describe_schema(soon())
    own = [item for item in report.items if item.space == own_graph(ref.space)]
    assert own
    assert {item.state for item in own} == {"READY"}


async def test_a_space_is_described_until_it_goes(falkordb: FalkorDBDriver) -> None:
    """Its indexes are in the shard's report, and no more when it is dropped."""
    space = f"own-{secrets.token_hex(4)}"
    await falkordb.ensure_space(space, schema_time())
    spaces = {item.space for item in (await falkordb.describe_schema(soon())).items}
    assert own_graph(space) in spaces
    assert await falkordb.drop_space(space, soon())
    spaces = {item.space for item in (await falkordb.describe_schema(soon())).items}
    assert own_graph(space) not in spaces


async def test_a_late_deletion_of_a_space_does_nothing(
    falkordb: FalkorDBDriver, client: GraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written between the look and the deletion keeps the space."""
    ref = GroupRef(f"group-{secrets.token_hex(6)}", f"own-{secrets.token_hex(4)}")
    graph = own_graph(ref.space)
    await client.write(graph, "CREATE (:_Fence {state: 'TOMB'})", {}, soon(), "a space")
    call, came = Connection.call, asyncio.Event()

    async def call_after_a_write(self: Connection, *command: str | bytes) -> object:
        if command[0] == "MULTI":
            text = "MERGE (f:_Fence {group_id: $group}) SET f.state = 'OPEN'"
            await client.write(graph, text, {"group": ref.group_id}, soon(), "a fence")
            came.set()
        return await call(self, *command)

    monkeypatch.setattr(Connection, "call", call_after_a_write)
    assert not await falkordb.drop_space(ref.space, soon())
    assert came.is_set()
    found = await client.read(graph, "MATCH (f:_Fence {state: 'OPEN'}) RETURN 1", {}, soon(), "looking")
    assert len(found) == 1, "a fence that was written is lost"


async def test_a_connection_watches_nothing_afterwards(falkordb: FalkorDBDriver) -> None:
    """A space that stays does not keep the next one from going."""
    ref = GroupRef(f"group-{secrets.token_hex(6)}", f"own-{secrets.token_hex(4)}")
    other = f"own-{secrets.token_hex(4)}"
    await falkordb.ensure_space(other, schema_time())
    await falkordb.create_fence(Fence(ref.group_id, 1, FenceState.OPEN, space=ref.space), schema_time())
    for _ in range(3):
        assert not await falkordb.drop_space(ref.space, soon())
    assert await falkordb.drop_space(other, soon())
    assert not await falkordb.drop_space("nobody-made-it", soon())


async def test_texts_are_few(falkordb: FalkorDBDriver) -> None:
    """The text of a batch depends on its kinds alone: the engine keeps the plans of so many texts only."""
    queries_moving.intake_text.cache_clear()
    for n in range(4):
        ref = GroupRef(f"group-{secrets.token_hex(6)}")
        await incoming(falkordb, ref)
        rows = [entity(f"{m}", version=1, embedding=vector([1, m])) for m in range(n + 1)]
        await taken_in(falkordb, ref, *rows)
        assert len(
            (await falkordb.get_rows(ref, Kind.ENTITY, [r.uuid for r in rows], False, soon())).rows
        ) == (n + 1)
    assert queries_moving.intake_text.cache_info().currsize == 1


async def test_a_step_without_a_value_is_a_mistake_of_the_caller(falkordb: FalkorDBDriver) -> None:
    """Nothing is sent, so that nothing is compared with null."""
    ref = GroupRef(f"group-{secrets.token_hex(6)}")
    with pytest.raises(ValueError, match="FREEZE needs move_id"):
        await falkordb.change_fence(ref, FREEZE, {"token": 1}, soon())
