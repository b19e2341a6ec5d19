"""The move of a group between two drivers, step by step, as a coordinator does it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.contract import ShardDriver
from drivers.fence import Fence, GroupRef
from drivers.fence_changes import (
    APPLY,
    COMMIT,
    FREEZE,
    LOAD,
    OPEN_UP,
    PREPARE,
    READY,
    TAKE,
    WIPED,
    FenceChange,
    Value,
)
from drivers.fence_codec import encode_embeddings
from drivers.graph_model import (
    ENDPOINT_KINDS,
    AnyRow,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    SagaEpisode,
)
from drivers.moving import (
    COPY_START,
    CURSOR_END,
    Changed,
    CopyCursor,
    GroupChanges,
    GroupPage,
    Intake,
    Settlement,
    arriving_specs,
)
from drivers.reads import Tombstone
from drivers.row_codec import kind_of
from drivers.write_plan import OpRecord
from tests.contract.tenant import Tenant, soon

TOKEN = 3
MOVE = "move-1"


async def change(
    driver: ShardDriver,
    ref: GroupRef,
    rule: FenceChange,
    given: Mapping[str, Value],
    settlement: Settlement | None = None,
) -> Fence:
    """It must be applied."""
    made = await driver.change_fence(ref, rule, given, soon(), settlement)
    assert made.applied, (rule.name, given, made.fence)
    assert made.fence is not None
    return made.fence


async def incoming(driver: ShardDriver, ref: GroupRef, applied: int = 0) -> Fence:
    """An empty target of MOVE with TOKEN."""
    await change(
        driver,
        ref,
        PREPARE,
        {
            "token": TOKEN,
            "move_id": MOVE,
            "from_shard": "a-source",
            "from_space": "",
            "space": ref.space,
        },
    )
    return await change(driver, ref, WIPED, {"token": TOKEN, "move_id": MOVE, "applied": applied})


def load(fence: Fence, cursor_after: str = "", owner_prune_floor: int = 0) -> dict[str, Value]:
    """What LOAD is given at a target with this fence."""
    return {
        "token": fence.token,
        "move_id": fence.move_id,
        "cursor": fence.cursor,
        "cursor_after": cursor_after or fence.cursor,
        "owner_prune_floor": owner_prune_floor,
    }


def apply(fence: Fence, applied_after: int, owner_prune_floor: int = 0) -> dict[str, Value]:
    """What APPLY is given at a target with this fence."""
    return {
        "token": fence.token,
        "move_id": fence.move_id,
        "applied": fence.applied,
        "applied_after": applied_after,
        "owner_prune_floor": owner_prune_floor,
    }


async def operations(driver: ShardDriver, ref: GroupRef) -> list[OpRecord]:
    return [record for page in await pages(driver, ref, 7) for record in page.operations]


async def pages(driver: ShardDriver, ref: GroupRef, rows_max: int) -> list[GroupPage]:
    """The whole group."""
    found: list[GroupPage] = []
    cursor: CopyCursor | None = COPY_START
    while cursor is not None:
        found.append(await driver.read_page(ref, cursor, rows_max, soon()))
        cursor = found[-1].next
    return found


@dataclass(slots=True)
class Move:
    source: Tenant
    target: Tenant
    rows_max: int = 100
    token: int = TOKEN
    move_id: str = field(default_factory=lambda: f"move-{secrets.token_hex(4)}")
    copied_from: int = 0

    async def begin(self) -> None:
        """TAKE, PREPARE, WIPED."""
        taken = await self._at_source(
            TAKE, {"seen_move_id": "", "to_shard": "b", "to_space": self.target.ref.space}
        )
        await self._at_target(
            PREPARE, {"from_shard": "a", "from_space": taken.space, "space": self.target.ref.space}
        )
        fence = await self.source.driver.locked_fence(self.source.ref, soon())
        assert fence is not None
        self.copied_from = fence.version
        await self._at_target(WIPED, {"applied": fence.version})

    async def load(self) -> bool:
        """The next page; False when the copy is complete."""
        fence = await self.target.fence()
        cursor = CopyCursor.of(fence.cursor)
        if cursor is None:
            return False
        page = await self.source.driver.read_page(self.source.ref, cursor, self.rows_max, soon())
        assert page.fence is not None
        after = page.next.text if page.next is not None else CURSOR_END
        given = load(fence, after, page.fence.prune_floor)
        homeless = await self._take_in(Intake(LOAD, given, page.rows, page.tombstones, page.operations))
        # What is left out comes again in a round.
        late = {(kind_of(row), row.uuid) for row in page.rows if row.version > self.copied_from}
        assert late.issuperset(homeless)
        return True

    async def round(self) -> bool:
        """The next changes; False when there are none."""
        fence = await self.target.fence()
        changes = await self.source.driver.read_changes(self.source.ref, fence.applied, self.rows_max, soon())
        assert changes.fence is not None
        assert changes.fence.prune_floor <= fence.applied
        if changes.bound == fence.applied:
            return False
        rows = await self._with_ends(changes)
        given = apply(fence, changes.bound, changes.fence.prune_floor)
        homeless = await self._take_in(Intake(APPLY, given, rows, changes.tombstones, changes.operations))
        assert homeless == ()
        return True

    async def copy(self) -> None:
        while await self.load():
            pass
        while await self.round():
            pass

    async def commit(self) -> None:
        """FREEZE, the last round, READY, COMMIT, OPEN_UP."""
        frozen = await self._at_source(FREEZE, {})
        while await self.round():
            pass
        ready: dict[str, Value] = {
            "epoch": frozen.epoch + 1,
            "version": frozen.version,
            "last_created_at": frozen.last_created_at,
            "created_at": frozen.created_at,
            "embeddings": encode_embeddings(arriving_specs(frozen.embeddings)),
        }
        await self._at_target(READY, ready, Settlement(frozen.stats))
        moved = await self._at_source(
            COMMIT, {"frozen_epoch": frozen.epoch, "to_shard": "b", "to_space": self.target.ref.space}
        )
        await change(self.target.driver, self.target.ref, OPEN_UP, {"epoch": moved.moved_epoch})
        self.target.epoch = moved.moved_epoch
        self.target.now = self.source.now

    async def _take_in(self, intake: Intake) -> Sequence[tuple[Kind, str]]:
        made = await self.target.driver.take_in(self.target.ref, intake, soon())
        assert made.applied, made
        return made.homeless

    async def _with_ends(self, changes: GroupChanges) -> tuple[AnyRow, ...]:
        """With the rows that the edges hang on, without edges that hang on nothing any more."""
        wanted: dict[Kind, set[str]] = {}
        for row in changes.rows:
            for kind, uuid in ends_of(row):
                wanted.setdefault(kind, set()).add(uuid)
        present: list[AnyRow] = []
        for kind, uuids in wanted.items():
            present += (await self.source.get(kind, *sorted(uuids), with_vectors=True)).rows
        there = {(kind_of(row), row.uuid) for row in present}
        standing = [row for row in changes.rows if there.issuperset(ends_of(row))]
        return (*present, *standing)

    async def _at_source(self, rule: FenceChange, given: Mapping[str, Value]) -> Fence:
        return await change(self.source.driver, self.source.ref, rule, self._named(given))

    async def _at_target(
        self, rule: FenceChange, given: Mapping[str, Value], settlement: Settlement | None = None
    ) -> Fence:
        return await change(self.target.driver, self.target.ref, rule, self._named(given), settlement)

    def _named(self, given: Mapping[str, Value]) -> dict[str, Value]:
        return {"token": self.token, "move_id": self.move_id, **given}


def ends_of(row: AnyRow) -> list[tuple[Kind, str]]:
    if not isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode):
        return []
    source, target = ENDPOINT_KINDS[kind_of(row)]
    return [(source, row.source_uuid), (target, row.target_uuid)]


async def held(tenant: Tenant) -> dict[str, object]:
    """All of a group but its fence's move fields, for comparison with a copy."""
    snapshot = await tenant.snapshot()
    fence = await tenant.fence()
    return {
        "rows": snapshot.rows,
        "tombstones": snapshot.tombstones,
        "operations": await operations(tenant.driver, tenant.ref),
        "version": fence.version,
        "stats": fence.stats,
        "embeddings": fence.embeddings,
        "times": (fence.last_created_at, fence.created_at, fence.prune_floor),
        "recounted": await tenant.recount(),
    }


async def taken_in(
    driver: ShardDriver,
    ref: GroupRef,
    *rows: AnyRow,
    tombstones: Sequence[Tombstone] = (),
    operations: Sequence[OpRecord] = (),
) -> Changed:
    """One more batch of a copy; it must be applied."""
    fence = (await driver.read_fences([ref], soon()))[ref.group_id]
    intake = Intake(LOAD, load(fence), rows, tuple(tombstones), tuple(operations))
    made = await driver.take_in(ref, intake, soon())
    assert made.applied, made
    return made
