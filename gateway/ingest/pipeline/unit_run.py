"""One unit through all stages, up to its one atomic write.

Each stage has its own slots, so that units in different stages overlap and none waits for a stage that it is
not in: that is what bounds the queues between the stages. What models have answered is kept for the unit: if
another writer changes the group between the reads and the write, only the reads are made again. A unit ends
where its write is full: the episodes behind are read meanwhile, and are the next unit's. It also ends before
an episode that it has already: a write holds each row once, and the later one is to replace the earlier.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.errors import GraphgateError, WriteTooHeavy
from drivers.write_plan import OpRecord
from gateway.embedding.port import Embedder
from gateway.ingest.extraction import Extraction
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.previous import previous_of
from gateway.ingest.pipeline.reading import Reading
from gateway.ingest.pipeline.unit_operation import unit_operation
from gateway.ingest.pipeline.unit_plan import UnitPlan, UnitPlanner
from gateway.ingest.pipeline.unit_result import EpisodeResult, UnitResult, episode_results
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.pipeline.written_before import each_once, written_before
from gateway.ingest.prompts.material import Budget
from gateway.ingest.queue.status import EpisodeState
from gateway.llm.port import LanguageModel
from gateway.writes.errors import (
    GroupVersionMismatch,
    RequestIdReused,
    RowVersionMismatch,
    WriteContended,
)
from gateway.writes.writer import GraphWriter
from shard_router.router import Router
from shard_router.scatter import Scatter
from shard_router.slot_search import SlotDirectory

WHOLE_GROUP_PLANS = 4
"""Plans that hold only if nothing in the group has changed."""
PLANS_MAX = 12
"""In all; the later ones hold if the rows that they touch have not changed, so that a group into which others
write all the time does not keep an episode out."""

type Told = Callable[[EpisodeState, int], None]
"""How far so many of the first episodes of the unit have come."""


@dataclass(frozen=True, slots=True)
class StageLimits:
    """Units in a stage at once."""

    extractions: int = 10
    """Episodes, not units: each is a call of a model."""
    resolutions: int = 10
    writes: int = 10


@dataclass(frozen=True, slots=True)
class _Read:
    """The first episodes of a unit, for which its write has room."""

    jobs: Sequence[EpisodeJob]
    accounts: Sequence[Account]
    failed: Mapping[int, GraphgateError]
    """Number of the episode: why no model can read it."""
    kept: Sequence[int]
    """Numbers of the others."""
    extractions: Sequence[Extraction]
    """Of the others."""


@dataclass(frozen=True, slots=True)
class _Written:
    """As it is made: nothing was."""

    plan: UnitPlan | None = None
    extractions: Sequence[Extraction] = ()
    """Of a single episode perhaps not all that was read."""
    version: int = 0
    resolution_ms: float = 0.0
    writing_ms: float = 0.0


class UnitRun:
    """Shared by all units of a worker."""

    def __init__(
        self,
        router: Router,
        writer: GraphWriter,
        embedder: Embedder,
        model: LanguageModel,
        limits: StageLimits,
        slots: SlotDirectory | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._router = router
        self._scatter = Scatter(router, slots)
        self._writer = writer
        self._embedder = embedder
        self._model = model
        budget = budget or Budget()
        self._reading = Reading(limits.extractions, budget)
        self._planner = UnitPlanner(embedder, budget)
        self._resolutions = asyncio.Semaphore(limits.resolutions)
        self._writes = asyncio.Semaphore(limits.writes)

    async def close(self) -> None:
        """Gives up what is being read. Idempotent."""
        await self._reading.close()

    async def run(
        self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, told: Told, deadline: Deadline
    ) -> UnitResult:
        """Applies the first jobs, all of one group, in their order, as one write under `op_id`; once, however
        often it is run. The others, for which there is no room in the write, are to be worked on again. An
        episode that no model can read is left out, and its result says why; so is one whose text leaves no
        room for its graph. What a write does not take beside the row of a single episode is a problem of it.

        Raises RequestIdReused when `op_id` stands for a write of other content, ModelError, and what
        embedder, router, writer and drivers raise; then nothing is written, unless it is OutcomeUnknown.
        """
        group_id = jobs[0].group_id
        reads = GroupReads(self._router, self._scatter, group_id, deadline)
        operation = await unit_operation(reads, op_id)
        op_id, view = operation.op_id, operation.view
        if view.operation is not None:
            if view.operation.content_hash != content_hash:
                raise RequestIdReused(op_id)
            return await self._applied_before(jobs, view.operation, reads)
        waiting, jobs = len(jobs), each_once(jobs)
        room = WriteRoom(await self._weight_max(group_id, deadline), self._dimension)
        jobs = jobs[: room.first_long(jobs)]
        refusal = await asyncio.to_thread(room.refusal, jobs[0])
        if refusal is not None:
            results = (EpisodeResult(failure=refusal), *(EpisodeResult(again=True),) * (waiting - 1))
            return UnitResult(results, 0, 0.0, 0.0, 0.0, 1)
        tried = len(jobs)
        started = time.perf_counter()
        asker = Asker(self._model, deadline)
        told(EpisodeState.EXTRACTING, len(jobs))
        read = await self._read(jobs, reads, view, asker, room)
        extraction_ms = _ms_since(started)
        shared = Account()
        written = _Written()
        if read.kept:
            written = await self._written(read, op_id, content_hash, reads, view, asker, shared, room, told)
        self._reading.forget(read.jobs)
        results = episode_results(
            read.accounts, read.kept, read.failed, written.extractions, shared, written.plan
        )
        results += (EpisodeResult(again=True),) * (waiting - len(read.jobs))
        return UnitResult(
            results, written.version, extraction_ms, written.resolution_ms, written.writing_ms, tried
        )

    async def applied(
        self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, deadline: Deadline
    ) -> UnitResult | None:
        """What run() gives for a unit that was written before; None: it was not, or `op_id` stands for a
        write of other content. Raises what router and drivers raise."""
        reads = GroupReads(self._router, self._scatter, jobs[0].group_id, deadline)
        operation = (await unit_operation(reads, op_id)).view.operation
        if operation is None or operation.content_hash != content_hash:
            return None
        return await self._applied_before(jobs, operation, reads)

    async def _applied_before(
        self, jobs: Sequence[EpisodeJob], operation: OpRecord, reads: GroupReads
    ) -> UnitResult:
        """Of a unit whose worker ended after the write. What it found is not known any more."""
        results = [EpisodeResult(again=not one) for one in await written_before(jobs, operation, reads)]
        return UnitResult(tuple(results), operation.version, 0.0, 0.0, 0.0, len(each_once(jobs)))

    async def _weight_max(self, group_id: str, deadline: Deadline) -> int:
        """Of one write of the group, 0: no bound."""
        placement = await self._router.find(group_id, deadline)
        if placement is not None:
            return self._router.write_weight_max(placement.shard_id)
        return self._router.write_weight_max(await self._router.shard_for_new(group_id, deadline))

    @property
    def _dimension(self) -> int:
        return 0 if self._embedder.model is None else self._embedder.model.dimension

    async def _read(
        self,
        jobs: Sequence[EpisodeJob],
        reads: GroupReads,
        view: GroupView,
        asker: Asker,
        room: WriteRoom,
    ) -> _Read:
        previous = await previous_of(jobs, reads, view)
        read = await self._reading.first(jobs, previous, asker, room)
        jobs = jobs[: len(read)]
        found = [one.found for one in read]
        failed = {at: one for at, one in enumerate(found) if isinstance(one, GraphgateError)}
        kept = [at for at in range(len(jobs)) if at not in failed]
        extractions = [one for one in found if isinstance(one, Extraction)]
        if len(kept) == 1:
            extractions = [room.fitted(jobs[kept[0]], extractions[0])]
        return _Read(jobs, [one.account for one in read], failed, kept, extractions)

    async def _written(
        self,
        read: _Read,
        op_id: str,
        content_hash: str,
        reads: GroupReads,
        view: GroupView,
        asker: Asker,
        account: Account,
        room: WriteRoom,
        told: Told,
    ) -> _Written:
        """Planned anew until no other writer has come between."""
        jobs = [read.jobs[at] for at in read.kept]
        extractions = read.extractions
        resolution_ms = writing_ms = 0.0
        for number in range(PLANS_MAX):
            if number:
                view = await reads.begin(op_id)
            begun = time.perf_counter()
            told(EpisodeState.RESOLVING, len(read.jobs))
            async with self._resolutions:
                plan = await self._planner.plan(
                    jobs, extractions, op_id, content_hash, reads, view, asker, account,
                    whole=number < WHOLE_GROUP_PLANS,
                )  # fmt: skip
            resolution_ms += _ms_since(begun)
            begun = time.perf_counter()
            told(EpisodeState.WRITING, len(read.jobs))
            try:
                async with self._writes:
                    receipt = await self._writer.write(plan.intent, asker.deadline)
            except (GroupVersionMismatch, RowVersionMismatch):
                asker.deadline.check(f"the episodes of group {reads.group_id} were planned anew")
                continue
            except WriteTooHeavy:
                lighter = room.lighter(extractions[0]) if len(jobs) == 1 else None
                if lighter is None:
                    raise
                extractions = [lighter]
                continue
            finally:
                writing_ms += _ms_since(begun)
            return _Written(plan, extractions, receipt.version, resolution_ms, writing_ms)
        raise WriteContended(reads.group_id, PLANS_MAX)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
