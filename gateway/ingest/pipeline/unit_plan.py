"""What one unit writes: its entities resolved, its facts judged, all of it as rows of one write."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.deadline import Deadline
from drivers.graph_model import Entity, Kind, Vector
from gateway.embedding.port import Embedder
from gateway.ingest.extraction import ExtractedFact, Extraction, ProblemKind, Problems
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline import composing
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.attributes import of_known_types
from gateway.ingest.pipeline.entities import NewEntity, resolve
from gateway.ingest.pipeline.facts import EpisodeTime, Judged, NewFact, judge
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.saga_summaries import saga_changes
from gateway.ingest.pipeline.summaries import summaries
from gateway.ingest.pipeline.written_before import written_note
from gateway.ingest.prompts.material import Budget
from gateway.ingest.queue.status import Counts
from gateway.ingest.resolution.resolve import FollowedFact, follow, renumbered
from gateway.writes.intent import RowChange, WriteIntent, row_uuid
from gateway.writes.row_text import embedded_text


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """`counts` are those of each episode."""

    intent: WriteIntent
    counts: Sequence[Counts]
    problems: Problems


class UnitPlanner:
    """Shared by all units of a worker."""

    def __init__(self, embedder: Embedder, budget: Budget) -> None:
        self._embedder = embedder
        self._budget = budget

    async def plan(
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
    ) -> UnitPlan:
        """`extractions`: of each job. `whole`: the write is refused if anything in the group has changed
        since `view`; else, if a row that it touches has. Raises ModelError and what embedder, router and
        drivers raise."""
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
            note=written_note(jobs),
        )
        return UnitPlan(intent, _counts(jobs, new, placed, new_facts, judged), problems)

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
