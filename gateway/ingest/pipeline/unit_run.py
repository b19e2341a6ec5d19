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
from dataclasses import dataclass, field, replace

from drivers.deadline import Deadline
from drivers.errors import GraphgateError, WriteTooHeavy
from drivers.graph_model import Entity, Kind, Vector
from drivers.write_plan import OpRecord
from gateway.embedding.port import Embedder
from gateway.ingest.extraction import ExtractedFact, Extraction, Problem, ProblemKind, Problems
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline import composing
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.attributes import of_known_types
from gateway.ingest.pipeline.entities import NewEntity, resolve
from gateway.ingest.pipeline.facts import EpisodeTime, Judged, NewFact, judge
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.previous import previous_of
from gateway.ingest.pipeline.reading import Reading
from gateway.ingest.pipeline.saga_summaries import saga_changes
from gateway.ingest.pipeline.summaries import summaries
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.pipeline.written_before import each_once, written_before
from gateway.ingest.prompts.material import Budget
from gateway.ingest.queue.status import Counts, EpisodeState
from gateway.ingest.resolution.resolve import FollowedFact, follow, renumbered
from gateway.llm.port import LanguageModel
from gateway.llm.usage import Usage
from gateway.writes.errors import (
    GroupVersionMismatch,
    RequestIdReused,
    RowVersionMismatch,
    WriteContended,
)
from gateway.writes.intent import RowChange, WriteIntent, row_uuid
from gateway.writes.row_text import embedded_text
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
class EpisodeResult:
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    cache_hits: int = 0
    problems: tuple[Problem, ...] = ()
    problems_found: int = 0
    failure: GraphgateError | None = None
    """Why it is not in the graph, while the others of its unit are."""
    again: bool = False
    """It is still to be worked on, in another unit."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    episodes: tuple[EpisodeResult, ...]
    version: int
    """0: none of them was written."""
    extraction_ms: float
    resolution_ms: float
    writing_ms: float
    tried: int
    """Of the episodes: those that would have been written if there were room for all."""


@dataclass(slots=True)
class _Found:
    """Of one plan."""

    new: list[NewEntity]
    problems: Problems
    account: Account
    counts: list[Counts] = field(default_factory=list[Counts])
    intent: WriteIntent | None = None


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
        self._budget = budget or Budget()
        self._reading = Reading(limits.extractions, self._budget)
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
        view = await reads.begin(op_id)
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
        previous = await previous_of(jobs, reads, view)
        read = await self._reading.first(jobs, previous, asker, room)
        jobs, left = jobs[: len(read)], waiting - len(read)
        extracted = [one.found for one in read]
        accounts = [one.account for one in read]
        failed = {at: one for at, one in enumerate(extracted) if isinstance(one, GraphgateError)}
        kept = [at for at in range(len(jobs)) if at not in failed]
        extractions = [one for one in extracted if isinstance(one, Extraction)]
        if len(kept) == 1:
            extractions = [room.fitted(jobs[kept[0]], extractions[0])]
        extraction_ms = _ms_since(started)
        resolution_ms = writing_ms = 0.0
        version = 0
        found: _Found | None = None
        shared = Account()
        if kept:
            staying = [jobs[at] for at in kept]
            for plan in range(PLANS_MAX):
                if plan:
                    view = await reads.begin(op_id)
                begun = time.perf_counter()
                told(EpisodeState.RESOLVING, len(jobs))
                async with self._resolutions:
                    found = await self._planned(
                        staying, extractions, op_id, content_hash, reads, view, asker, shared,
                        whole=plan < WHOLE_GROUP_PLANS,
                    )  # fmt: skip
                resolution_ms += _ms_since(begun)
                begun = time.perf_counter()
                told(EpisodeState.WRITING, len(jobs))
                assert found.intent is not None
                try:
                    async with self._writes:
                        receipt = await self._writer.write(found.intent, deadline)
                except (GroupVersionMismatch, RowVersionMismatch):
                    deadline.check(f"the episodes of group {group_id} were planned anew")
                    continue
                except WriteTooHeavy:
                    lighter = room.lighter(extractions[0]) if len(kept) == 1 else None
                    if lighter is None:
                        raise
                    extractions = [lighter]
                    continue
                finally:
                    writing_ms += _ms_since(begun)
                version = receipt.version
                break
            else:
                raise WriteContended(group_id, PLANS_MAX)
        self._reading.forget(jobs)
        results = _results(len(jobs), kept, failed, extractions, accounts, shared, found)
        results += (EpisodeResult(again=True),) * left
        return UnitResult(results, version, extraction_ms, resolution_ms, writing_ms, tried)

    async def applied(
        self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, deadline: Deadline
    ) -> UnitResult | None:
        """What run() gives for a unit that was written before; None: it was not, or `op_id` stands for a
        write of other content. Raises what router and drivers raise."""
        reads = GroupReads(self._router, self._scatter, jobs[0].group_id, deadline)
        operation = (await reads.begin(op_id)).operation
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

    async def _planned(
        self,
        jobs: Sequence[EpisodeJob],
        extractions: Sequence[Extraction],
        op_id: str,
        content_hash: str,
        reads: GroupReads,
        view: GroupView,
        asker: Asker,
        account: Account,
        *,
        whole: bool,
    ) -> _Found:
        """Everything but the write."""
        problems = Problems()
        new, facts = _joined(extractions)
        vectors = await self._vectors(
            [
                *(_entity_text(one) for one in new),
                *(fact.text for _, fact in facts),
            ],
            asker.deadline,
        )
        new = [replace(one, vector=vectors.get(_entity_text(one))) for one in new]
        model = None if self._embedder.model is None else self._embedder.model.name
        contexts = [job.content for job in jobs]
        resolved = await resolve(new, contexts, reads, view, model, asker, account, problems, self._budget)
        placed = composing.place(reads.group_id, op_id, new, resolved)
        followed: list[FollowedFact] = []
        for episode in range(len(jobs)):
            # Each by itself: what is said again in a later episode may have become so again.
            own, looped = follow((one for one in facts if one[0] == episode), resolved.resolution)
            followed += own
            for _ in looped:
                problems.add(ProblemKind.SAME_ENDS, f"a fact of episode {episode}")
        new_facts = [
            NewFact(
                uuid=row_uuid(reads.group_id, op_id, Kind.FACT, number),
                source_uuid=placed.uuids[one.fact.source],
                target_uuid=placed.uuids[one.fact.target],
                fact=one.fact,
                episode=one.episodes[0],
                vector=vectors.get(one.fact.text),
            )
            for number, one in enumerate(followed)
        ]
        judged, texts, attributes, sagas = await asyncio.gather(
            judge(
                new_facts,
                frozenset(placed.joined),
                placed.names(new),
                [EpisodeTime(job.episode_uuid, job.reference_time) for job in jobs],
                reads,
                view,
                model,
                asker,
                account,
                problems,
                self._budget,
            ),
            summaries(composing.growing(new, placed), asker, account, problems, self._budget),
            of_known_types(jobs, new, placed, asker, account, problems, self._budget),
            saga_changes(jobs, reads, view, asker, account, problems, self._budget),
        )
        entities = composing.entity_rows(new, placed, texts, attributes)
        changes = (
            *(RowChange(composing.episode_row(job)) for job in jobs),
            *(RowChange(row) for row in entities),
            *composing.fact_changes(new_facts, judged),
            *(RowChange(row) for row in composing.mention_rows(jobs, new, placed)),
            *(RowChange(row) for row in sagas.rows),
        )
        stored = {(Kind.ENTITY, uuid): row.version for uuid, row in placed.known.items()}
        stored |= {(Kind.FACT, uuid): row.version for uuid, row in judged.stored.items()}
        stored |= sagas.stored
        intent = WriteIntent(
            group_id=reads.group_id,
            op_id=op_id,
            content_hash=content_hash,
            changes=changes,
            if_version=view.version if whole else None,
            conditions=() if whole else composing.conditions(changes, stored),
            episode_uuid=jobs[0].episode_uuid,
        )
        return _Found(new, problems, account, _counts(jobs, new, placed, new_facts, judged), intent)

    async def _vectors(self, texts: Sequence[str], deadline: Deadline) -> Mapping[str, Vector]:
        wanted = [text for text in dict.fromkeys(texts) if text.strip()]
        if self._embedder.model is None or not wanted:
            return {}
        made = await self._embedder.embed(wanted, deadline=deadline.at_s)
        return dict(zip(wanted, made, strict=True))


def _joined(extractions: Sequence[Extraction]) -> tuple[list[NewEntity], list[tuple[int, ExtractedFact]]]:
    """Entities of all episodes, and facts with their ends numbered among these."""
    new: list[NewEntity] = []
    facts: list[tuple[int, ExtractedFact]] = []
    for episode, one in enumerate(extractions):
        facts += [(episode, fact) for fact in renumbered(one.facts, len(new))]
        new += [NewEntity(entity, episode, None) for entity in one.entities]
    return new, facts


def _entity_text(one: NewEntity) -> str:
    return embedded_text(Entity(uuid="", name=one.entity.name, summary=one.entity.summary))


def _counts(
    jobs: Sequence[EpisodeJob],
    new: Sequence[NewEntity],
    placed: composing.Placed,
    facts: Sequence[NewFact],
    judged: Judged,
) -> list[Counts]:
    """Of each episode. What several of them found counts for the first of them."""
    created: list[set[str]] = [set() for _ in jobs]
    joined: list[set[str]] = [set() for _ in jobs]
    first: dict[str, int] = {}
    for one, uuid in zip(new, placed.uuids, strict=True):
        owner = first.setdefault(uuid, one.episode)
        (created if uuid in placed.created and owner == one.episode else joined)[one.episode].add(uuid)
    repeated = judged.outcome.repeated_by
    number = {job.episode_uuid: at for at, job in enumerate(jobs)}
    closed = [0] * len(jobs)
    for dated in judged.outcome.changed:
        before = judged.stored[dated.uuid].closures
        for cause in {one.episode_uuid for one in dated.closures} - {one.episode_uuid for one in before}:
            if cause in number:
                closed[number[cause]] += 1
    return [
        Counts(
            entities_created=len(created[at]),
            entities_joined=len(joined[at]),
            facts_created=sum(one.episode == at and one.uuid not in repeated for one in facts),
            facts_repeated=sum(one.episode == at and one.uuid in repeated for one in facts),
            facts_closed=closed[at],
        )
        for at in range(len(jobs))
    ]


def _results(
    count: int,
    kept: Sequence[int],
    failed: Mapping[int, GraphgateError],
    extractions: Sequence[Extraction],
    accounts: Sequence[Account],
    shared: Account,
    found: _Found | None,
) -> tuple[EpisodeResult, ...]:
    results: list[EpisodeResult] = []
    for at in range(count):
        usage, hits = accounts[at].usage, accounts[at].cache_hits
        if at in failed or found is None:
            results.append(EpisodeResult(usage=usage, cache_hits=hits, failure=failed.get(at)))
            continue
        number = kept.index(at)
        own = extractions[number]
        of_unit = found.problems if number == 0 else Problems()
        results.append(
            EpisodeResult(
                counts=found.counts[number],
                usage=usage + _share(shared.usage, number, len(kept)),
                cache_hits=hits + _part(shared.cache_hits, number, len(kept)),
                problems=(*own.problems, *of_unit.kept),
                problems_found=own.problems_found + of_unit.found,
            )
        )
    return tuple(results)


def _share(usage: Usage, number: int, of: int) -> Usage:
    return Usage(
        _part(usage.requests, number, of),
        _part(usage.input_tokens, number, of),
        _part(usage.output_tokens, number, of),
        usage.cost_usd / of,
    )


def _part(total: int, number: int, of: int) -> int:
    """So that all parts together are the total."""
    return total // of + (number < total % of)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
