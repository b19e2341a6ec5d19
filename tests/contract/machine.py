"""Runs programs on a driver and gives its answers in a form in which two drivers can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivers.graph_model import Kind
from drivers.reads import ListCursor
from drivers.row_codec import kind_of
from drivers.search_reads import ExpandQuery, KeywordQuery, SemanticQuery
from drivers.write_plan import WriteOutcome, WritePlan, WriteStatus
from gateway.writes.errors import WriteRefused
from gateway.writes.intent import WriteMode
from tests.contract.programs import (
    VECTORS,
    Delay,
    Expand,
    Feed,
    Get,
    Keyword,
    List,
    Overdue,
    Retry,
    Semantic,
    Step,
    Write,
    founding_rows,
)
from tests.contract.rows import canonical
from tests.contract.tenant import Tenant, soon


@dataclass(frozen=True, slots=True, eq=False)
class _Score:
    """Equal when an engine's float32 arithmetic and rounding to six decimals may have made the difference."""

    value: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Score) and abs(self.value - other.value) <= 1e-6

    def __hash__(self) -> int:
        return 0


class Machine:
    """Runs the same program on one driver as another machine does on another."""

    def __init__(self, tenants: Sequence[Tenant]) -> None:
        self._tenants = tenants
        self._applied: list[list[WritePlan]] = [[] for _ in tenants]
        self._delayed: list[list[WritePlan]] = [[] for _ in tenants]
        self._op_count = 0

    async def begin(self) -> None:
        for tenant in self._tenants:
            await tenant.write(*founding_rows(), op_id="founding")

    async def run(self, step: Step) -> object:
        """The answer, comparable with == to that of another machine."""
        group, call = step
        tenant = self._tenants[group]
        match call:
            case Write():
                plan = await self._plan(tenant, call)
                return plan if isinstance(plan, str) else await self._apply(group, plan)
            case Delay(write):
                plan = await self._plan(tenant, write)
                if isinstance(plan, WritePlan):
                    self._delayed[group].append(plan)
                    return "planned"
                return plan
            case Overdue():
                return [
                    await self._apply(group, self._delayed[group].pop()) for _ in self._delayed[group][:1]
                ]
            case Retry(back, epoch_off):
                plans = self._applied[group][-1 - back :][:1]
                return [
                    _outcome(await tenant.apply(replace(plan, epoch=plan.epoch + epoch_off)))
                    for plan in plans
                ]
            case Get(kind, uuids, with_vectors):
                read = await tenant.get(kind, *uuids, with_vectors=with_vectors)
                return [canonical(row) for row in read.rows], read.fence
            case List():
                return await _pages(tenant, call)
            case Feed(after):
                changes = await tenant.changes(after)
                return (
                    {canonical(row) for row in changes.rows},
                    set(changes.tombstones),
                    changes.bound,
                    changes.fence,
                )
            case Semantic(kind, vector, limit, score_min):
                query = SemanticQuery(kind, VECTORS[vector], limit, score_min)
                read = await tenant.driver.semantic([t.ref for t in self._tenants], query, soon())
                return [hit.key for hit in read.hits], [_Score(hit.score) for hit in read.hits], read.fences
            case Keyword(kind, terms):
                query = KeywordQuery(kind, terms, 1_000)
                read = await tenant.driver.keyword([t.ref for t in self._tenants], query, soon())
                return set(read.hits), len(read.hits), dict(read.document_frequency), read.fences
            case Expand(entities, along, most):
                query = ExpandQuery(tenant.ref.group_id, tenant.ref.space, entities, along, most)
                read = await tenant.driver.expand([query], soon())
                edges = read.edges.get(tenant.ref.group_id, ())
                return edges if len(entities) == 1 else set(edges), len(edges), read.fences

    async def settle(self) -> object:
        """The whole state at the end, with the fences' statistics proven by a recount."""
        state: list[object] = []
        for tenant in self._tenants:
            snapshot = await tenant.snapshot()
            assert snapshot.fence is not None
            assert snapshot.fence.stats == await tenant.recount()
            state.append(snapshot)
        return state

    async def _plan(self, tenant: Tenant, write: Write) -> WritePlan | str:
        """The plan, or why the planner refused."""
        self._op_count += 1
        tenant.now += write.clock_us
        fence = await tenant.fence()
        patched = {kind_of(row) for row in write.rows} if write.mode is WriteMode.PATCH else set[Kind]()
        intent = tenant.intent(
            *write.rows,
            deletions=write.deletions,
            mode=write.mode,
            masks=dict.fromkeys(patched, write.masked),
            op_id=f"op {self._op_count}",
            if_version=None if write.if_version_off is None else fence.version + write.if_version_off,
            episode_uuid=write.episode_uuid,
        )
        try:
            return await tenant.plan(intent)
        except WriteRefused as refused:
            return str(refused)

    async def _apply(self, group: int, plan: WritePlan) -> object:
        outcome = await self._tenants[group].apply(plan)
        if outcome.status is WriteStatus.APPLIED:
            self._applied[group].append(plan)
        return _outcome(outcome)


async def _pages(tenant: Tenant, call: List) -> object:
    after: ListCursor | None = None
    pages: list[object] = []
    for _ in range(call.pages):
        page = await tenant.page(call.kind, call.limit, order=call.order, after=after, anchor=call.anchor)
        pages.append(([canonical(row) for row in page.rows], page.fence))
        if not page.rows:
            break
        after = ListCursor(page.rows[-1].uuid, page.rows[-1].created_at)
    return pages


def _outcome(outcome: WriteOutcome) -> object:
    return outcome.status, outcome.fence, outcome.operation
