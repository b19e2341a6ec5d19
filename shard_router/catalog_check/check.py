"""Checks the catalog against the fences of all shards, and writes its records anew.

The shards are read one beside the other, not at one instant: a group of which something is wrong is read once
more, and only what is wrong then, too, is told. Memory holds a page of fences per shard and one batch of
groups.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from shard_router.catalog_check.findings import CheckReport, Finding, FindingKind, Findings
from shard_router.catalog_check.judging import FleetView, Judgement, Seen, compare, judge, moves_of
from shard_router.catalog_check.merging import FencesByGroup
from shard_router.catalog_port import PlacementRecords
from shard_router.fleet import Fleet
from shard_router.moves.record import MoveRecord
from shard_router.parallel import outcomes_in_parallel
from shard_router.placement import Placement
from shard_router.shard_map import ShardState
from shard_router.shards.fence_pages import CALL_S_MAX, FENCES_PER_PAGE, timed

GROUPS_PER_BATCH: Final = 500
LOOKED_AT_AGAIN_MAX: Final = 1_000
"""Groups of which something is wrong that are read once more; of those beyond it the first look is told."""
CATALOG_S_MAX: Final = 5.0
_REBUILT: Final = (FindingKind.RECORD_MISSING, FindingKind.RECORD_DIFFERS, FindingKind.MOVE_WITHOUT_RECORD)


class KnownMoves(Protocol):
    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None: ...

    async def adopt(self, shard_id: str, fence: Fence, deadline: Deadline) -> MoveRecord | None:
        """Makes the record anew, and the move goes on; None: the fence has changed, or another move of the
        group takes its place. Raises what the shards raise."""
        ...


class CatalogCheck:
    def __init__(
        self, fleet: Fleet, catalog: PlacementRecords, moves: KnownMoves, page_size: int = FENCES_PER_PAGE
    ) -> None:
        self._fleet = fleet
        self._catalog = catalog
        self._moves = moves
        self._page_size = page_size

    async def check(self, findings_max: int, deadline: Deadline) -> CheckReport:
        """Raises CatalogUnavailable, FleetNotFounded, DeadlinePassed; a shard that is away is a finding."""
        return await self._run(findings_max, deadline, writes=False)

    async def rebuild(self, findings_max: int, deadline: Deadline, *, dry_run: bool) -> CheckReport:
        """As check; and records that are missing or differ are written. Fences are never changed."""
        report = await self._run(findings_max, deadline, writes=not dry_run)
        if not dry_run:
            return report
        counts = report.counts
        would = sum(counts.get(kind, 0) for kind in _REBUILT)
        return CheckReport(
            report.groups, report.fences, report.records, counts, report.findings, report.unreachable, would
        )

    async def _run(self, findings_max: int, deadline: Deadline, *, writes: bool) -> CheckReport:
        run = _Run(self._fleet, self._catalog, self._moves, Findings(findings_max), deadline, writes)
        await run.look_at_shards()
        walk = FencesByGroup(self._fleet, run.answering, self._page_size)
        batch: dict[str, list[Seen]] = {}
        async for group_id, seen in walk.groups():
            batch[group_id] = seen
            if len(batch) >= GROUPS_PER_BATCH:
                run.note_failures(walk.failed)
                await run.judge_groups(batch)
                batch = {}
        run.note_failures(walk.failed)
        await run.judge_groups(batch)
        await run.look_at_records()
        return CheckReport(
            groups=run.groups,
            fences=walk.fences,
            records=run.records,
            counts=dict(run.findings.counts),
            findings=run.findings.listed,
            unreachable=tuple(sorted(run.away)),
            written=run.written,
        )


class _Run:
    """One check."""

    def __init__(
        self,
        fleet: Fleet,
        catalog: PlacementRecords,
        moves: KnownMoves,
        findings: Findings,
        deadline: Deadline,
        writes: bool,
    ) -> None:
        self._fleet = fleet
        self._catalog = catalog
        self._moves = moves
        self._deadline = deadline
        self._writes = writes
        self._identity = fleet.identity
        self._engines = {s.shard_id: s.engine for s in fleet.map.shards if s.state is not ShardState.REMOVED}
        self._again_left = LOOKED_AT_AGAIN_MAX
        self.findings = findings
        self.away: dict[str, str] = {}
        self.groups = self.records = self.written = 0

    @property
    def answering(self) -> list[str]:
        return [shard_id for shard_id in self._engines if shard_id not in self.away]

    @property
    def _view(self) -> FleetView:
        return FleetView(self._engines, self.away.keys())

    # --- shards -----------------------------------------------------------------------------------

    async def look_at_shards(self) -> None:
        async def marker_of(shard_id: str) -> object:
            return await timed(self._fleet, shard_id, lambda driver, deadline: driver.read_marker(deadline))

        markers = await outcomes_in_parallel(
            {shard_id: partial(marker_of, shard_id) for shard_id in self._engines}
        )
        for shard_id, marker in markers.items():
            if isinstance(marker, GraphgateError):
                self.note_failures({shard_id: marker})
            elif marker is None:
                detail = "it has no marker: its data is gone; restore it"
                self.findings.add([Finding(FindingKind.MARKER_MISSING, "", (shard_id,), detail)])
        pending = self._fleet.roots.pending
        if pending is not None:
            detail = f"root ring {pending.root_description} is about to take over"
            self.findings.add([Finding(FindingKind.ROOT_CHANGE_PENDING, "", (), detail)])

    def note_failures(self, failed: dict[str, GraphgateError]) -> None:
        for shard_id, error in failed.items():
            if shard_id not in self.away:
                self.away[shard_id] = str(error)
                detail = f"{error}; its groups were not looked at"
                self.findings.add([Finding(FindingKind.SHARD_AWAY, "", (shard_id,), detail)])

    # --- groups -----------------------------------------------------------------------------------

    async def judge_groups(self, batch: dict[str, list[Seen]]) -> None:
        if not batch:
            return
        self._deadline.check("all groups were checked")
        judged: dict[str, Judgement] = {}
        for group_id, seen in batch.items():
            found = self._judge(group_id, seen)
            if found.findings:
                found = await self._again(group_id, seen, found)
            self.findings.add(found.findings)
            self.findings.add(await self._moves_without_record(group_id, seen))
            judged[group_id] = found
        await self._compare(judged)

    def _judge(self, group_id: str, seen: Sequence[Seen]) -> Judgement:
        return judge(group_id, seen, self._identity.home_of(group_id), self._view)

    async def _again(self, group_id: str, seen: Sequence[Seen], before: Judgement) -> Judgement:
        """The judgement of a fresh look at every shard."""
        if not self._again_left:
            return before
        self._again_left -= 1
        spaces = {POOLED, *(s.fence.space for s in seen), *(s.fence.moved_space for s in seen)}
        fresh: list[Seen] = []
        for shard_id in self.answering:
            found: dict[str, Seen] = {}
            for space in sorted(spaces):
                refs = [GroupRef(group_id, space)]
                try:
                    fences = await timed(self._fleet, shard_id, partial(_read, refs))
                except GraphgateError as error:
                    self.note_failures({shard_id: error})
                    return self._judge(group_id, seen)
                found |= {fence.space: Seen(shard_id, fence) for fence in fences.values()}
            fresh += found.values()
        return self._judge(group_id, fresh) if fresh else before

    async def _moves_without_record(self, group_id: str, seen: Sequence[Seen]) -> list[Finding]:
        found: list[Finding] = []
        for move_id, one in moves_of(seen).items():
            if await self._moves.get(move_id, self._catalog_deadline()) is not None:
                continue
            frozen = one.fence.state is FenceState.FROZEN
            stopped = ", and nobody can write to the group" if frozen else ""
            what_next = "a gateway makes it anew within some minutes; a rebuild does it now"
            if self._writes:
                failed = await self._adopt(one)
                frozen &= bool(failed)
                what_next = f"it was not made anew ({failed})" if failed else "it was made anew"
            detail = f"{one.text}: move {move_id} has no record{stopped}; {what_next}"
            found.append(
                Finding(
                    FindingKind.MOVE_WITHOUT_RECORD, group_id, (one.shard_id,), detail, stops_writes=frozen
                )
            )
        return found

    async def _adopt(self, one: Seen) -> str:
        """Why the record of its move was not made; empty: it was, or is not needed any more."""
        try:
            made = await self._moves.adopt(one.shard_id, one.fence, self._deadline.within(CALL_S_MAX))
        except GraphgateError as error:
            return str(error)
        self.written += made is not None
        return ""

    async def _compare(self, judged: dict[str, Judgement]) -> None:
        records = await self._catalog.get_placements(list(judged), self._catalog_deadline())
        wrong: list[Placement] = []
        for group_id, judgement in judged.items():
            owner = judgement.owner
            self.groups += owner is not None
            finding = compare(owner, records.get(group_id), group_id)
            if finding is not None:
                self.findings.add([finding])
                if owner is not None and finding.kind is not FindingKind.RECORD_AHEAD:
                    wrong.append(owner)
        if wrong and self._writes:
            await self._catalog.put_placements(wrong, self._catalog_deadline())
            self.written += len(wrong)

    # --- records ----------------------------------------------------------------------------------

    async def look_at_records(self) -> None:
        """Every record must be of a group that the register knows."""
        cursor = 0
        while True:
            self._deadline.check("all records were checked")
            cursor, page = await self._catalog.scan_placements(cursor, self._catalog_deadline())
            self.records += len(page)
            by_home: dict[str, list[Placement]] = {}
            for record in page:
                by_home.setdefault(self._identity.home_of(record.group_id), []).append(record)
            for home, records in by_home.items():
                if home not in self.away:
                    await self._look_at_home(home, records)
            if not cursor:
                return

    async def _look_at_home(self, home: str, records: Sequence[Placement]) -> None:
        refs = [GroupRef(record.group_id) for record in records]
        try:
            fences = await timed(self._fleet, home, partial(_read, refs))
        except GraphgateError as error:
            self.note_failures({home: error})
            return
        for record in records:
            if record.group_id not in fences:
                detail = (
                    f"the record says {record.shard_id} epoch {record.epoch}, and its home {home} has no "
                    "entry; restore that shard's newest copy"
                )
                self.findings.add(
                    [Finding(FindingKind.RECORD_WITHOUT_FENCE, record.group_id, (record.shard_id,), detail)]
                )

    def _catalog_deadline(self) -> Deadline:
        return self._deadline.within(CATALOG_S_MAX)


async def _read(refs: Sequence[GroupRef], driver: ShardDriver, deadline: Deadline) -> Mapping[str, Fence]:
    return await driver.read_fences(refs, deadline)
