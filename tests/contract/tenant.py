"""One group on one driver, as tests use it: writes through the real planner, whole state for comparison."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef, KindStats
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.reads import ROWS_PER_READ_MAX, Anchor, Changes, ListCursor, ListOrder, ListQuery, RowsRead
from drivers.row_codec import term_count_of
from drivers.write_plan import Images, WriteOutcome, WritePlan, WriteStatus
from gateway.search.analyzer import row_terms
from gateway.writes import planner
from gateway.writes.intent import RowChange, WriteIntent, WriteMode
from tests.contract.rows import Canonical, canonical

CALL_S = 30.0
SCHEMA_S = 100.0
FOUNDED_AT = 1_750_000_000_000_000
"""Clock of the first write of a tenant."""
TICK_US = 1_000
MODEL = planner.VectorModel("test-model", "1")
MODELS = planner.VectorModels(given=MODEL, made=MODEL)


def soon() -> Deadline:
    return Deadline.after(CALL_S)


def schema_time() -> Deadline:
    """Making a schema may have to wait for indexes and compilers on a busy machine."""
    return Deadline.after(SCHEMA_S)


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """All that the contract shows of one group."""

    fence: Fence | None
    rows: frozenset[Canonical]
    tombstones: frozenset[tuple[Kind, str, int]]
    changed: frozenset[Canonical]
    """Rows as the change feed from version 0 has them."""


@dataclass(slots=True)
class Tenant:
    driver: ShardDriver
    ref: GroupRef
    epoch: int = 1
    now: int = FOUNDED_AT
    """The gateway's clock; goes forward by TICK_US with every plan."""

    # --- writing ----------------------------------------------------------------------------------

    def intent(
        self,
        *rows: AnyRow,
        deletions: Sequence[tuple[Kind, str]] = (),
        mode: WriteMode = WriteMode.UPSERT,
        masks: Mapping[Kind, frozenset[str]] | None = None,
        op_id: str = "",
        if_version: int | None = None,
        episode_uuid: str = "",
    ) -> WriteIntent:
        op_id = op_id or secrets.token_hex(8)
        return WriteIntent(
            group_id=self.ref.group_id,
            op_id=op_id,
            content_hash=f"hash of {op_id}",
            mode=mode,
            changes=tuple(RowChange(row) for row in rows),
            deletions=tuple(deletions),
            masks=masks or {},
            allow_missing=True,
            if_version=if_version,
            episode_uuid=episode_uuid,
        )

    async def images(self, intent: WriteIntent) -> Images:
        return await self.driver.read_images(self.ref, planner.image_request(intent), soon())

    def plan_from(self, intent: WriteIntent, images: Images) -> WritePlan:
        self.now += TICK_US
        drafted = planner.draft(intent, images, row_terms, embeds=False, models=MODELS)
        return planner.finish(drafted, {}, self.epoch, self.now, f"result of {intent.op_id}")

    async def plan(self, intent: WriteIntent) -> WritePlan:
        return self.plan_from(intent, await self.images(intent))

    async def apply(self, plan: WritePlan) -> WriteOutcome:
        return await self.driver.apply(self.ref, plan, soon())

    async def write(
        self,
        *rows: AnyRow,
        deletions: Sequence[tuple[Kind, str]] = (),
        mode: WriteMode = WriteMode.UPSERT,
        masks: Mapping[Kind, frozenset[str]] | None = None,
        op_id: str = "",
        episode_uuid: str = "",
    ) -> WriteOutcome:
        """Plans and applies; nothing else writes meanwhile, so it must be APPLIED."""
        intent = self.intent(
            *rows, deletions=deletions, mode=mode, masks=masks, op_id=op_id, episode_uuid=episode_uuid
        )
        outcome = await self.apply(await self.plan(intent))
        assert outcome.status is WriteStatus.APPLIED, outcome
        return outcome

    async def patch(self, row: AnyRow, kind: Kind, *names: str) -> WriteOutcome:
        return await self.write(row, mode=WriteMode.PATCH, masks={kind: frozenset(names)})

    async def write_contended(self, intent: WriteIntent) -> WriteOutcome:
        """Plans again while other writers overtake it."""
        for _ in range(200):
            outcome = await self.apply(await self.plan(intent))
            if outcome.status is not WriteStatus.CONFLICT:
                return outcome
        raise AssertionError(f"{intent.op_id} was overtaken 200 times")

    # --- reading ----------------------------------------------------------------------------------

    async def fence(self) -> Fence:
        return (await self.driver.read_fences([self.ref], soon()))[self.ref.group_id]

    async def get(self, kind: Kind, *uuids: str, with_vectors: bool = False) -> RowsRead:
        return await self.driver.get_rows(self.ref, kind, uuids, with_vectors, soon())

    async def one(self, kind: Kind, uuid: str) -> AnyRow:
        """With its vector."""
        (row,) = (await self.get(kind, uuid, with_vectors=True)).rows
        return row

    async def vector(self, kind: Kind, uuid: str) -> Vector | None:
        return getattr(await self.one(kind, uuid), "embedding", None)

    async def page(
        self,
        kind: Kind,
        limit: int = ROWS_PER_READ_MAX,
        *,
        order: ListOrder = ListOrder.UUID,
        after: ListCursor | None = None,
        anchor: Anchor | None = None,
        with_vectors: bool = False,
    ) -> RowsRead:
        query = ListQuery(kind, limit, order, after, anchor, with_vectors)
        return await self.driver.list_rows(self.ref, query, soon())

    async def listed(
        self,
        kind: Kind,
        page_size: int = ROWS_PER_READ_MAX,
        *,
        order: ListOrder = ListOrder.UUID,
        anchor: Anchor | None = None,
        with_vectors: bool = False,
    ) -> list[AnyRow]:
        """All pages."""
        rows: list[AnyRow] = []
        while True:
            after = ListCursor(rows[-1].uuid, rows[-1].created_at) if rows else None
            page = await self.page(
                kind, page_size, order=order, after=after, anchor=anchor, with_vectors=with_vectors
            )
            # The fence is read last: no row can be newer.
            assert page.fence is not None
            assert all(row.version <= page.fence.version for row in page.rows)
            rows += page.rows
            if len(page.rows) < page_size:
                return rows

    async def changes(self, after_version: int = 0, limit: int = 10_000) -> Changes:
        return await self.driver.changes(self.ref, after_version, limit, soon())

    async def recount(self) -> dict[Kind, KindStats]:
        """What the fence's statistics should be."""
        return {
            kind: KindStats(len(rows), sum(map(term_count_of, rows)))
            for kind in Kind
            for rows in [await self.listed(kind)]
        }

    async def snapshot(self) -> GroupSnapshot:
        changes = await self.changes()
        rows = [row for kind in Kind for row in await self.listed(kind, with_vectors=True)]
        return GroupSnapshot(
            fence=changes.fence,
            rows=frozenset(map(canonical, rows)),
            tombstones=frozenset((t.kind, t.uuid, t.version) for t in changes.tombstones),
            changed=frozenset(map(canonical, changes.rows)),
        )
