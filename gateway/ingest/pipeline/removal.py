"""Taking an episode out of a group, with what only it supports.

Facts that it had closed share an entity with what it stated, for only such facts are ever compared; so they
hang on the entities that it mentions, and are found there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.deadline import Deadline
from drivers.graph_model import OPEN_END, AnyRow, Episode, Fact, Kind, Mention, NextEpisode
from drivers.reads import Anchor
from drivers.write_plan import ROWS_PER_WRITE_MAX
from gateway.ingest.closures import DatedFact, ended_by, reopen
from gateway.ingest.pipeline.composing import dated_change
from gateway.ingest.pipeline.facts import EPISODES_READ_MAX, dated_row
from gateway.ingest.pipeline.group_reads import GroupReads
from gateway.writes.errors import GroupVersionMismatch, RowsMissing, WriteContended, WriteTooLarge
from gateway.writes.intent import RowChange, WriteIntent, edge_uuid
from gateway.writes.writer import GraphWriter, WriteReceipt
from shard_router.errors import GroupNotFound
from shard_router.router import Router
from shard_router.scatter import Scatter

FACTS_READ_MAX = 20_000
"""Of one entity that the episode mentions."""
READS_AT_ONCE_MAX = 8
PLANS_MAX = 8


@dataclass(frozen=True, slots=True)
class Removed:
    receipt: WriteReceipt
    facts_kept: int
    """Without this episode as their support. 0 in the answer to a retry, as facts_reopened."""
    facts_reopened: int


@dataclass(frozen=True, slots=True)
class _Plan:
    deletions: tuple[tuple[Kind, str], ...]
    changes: tuple[RowChange, ...]
    kept: int
    reopened: int


class Removal:
    def __init__(self, router: Router, writer: GraphWriter) -> None:
        self._router = router
        self._scatter = Scatter(router)
        self._writer = writer

    async def remove(self, group_id: str, episode_uuid: str, op_id: str, deadline: Deadline) -> Removed:
        """Raises RowsMissing, WriteTooLarge and what reads and writes raise."""
        reads = GroupReads(self._router, self._scatter, group_id, deadline)
        for _ in range(PLANS_MAX):
            view = await reads.begin(op_id)
            if view.fence is None:
                raise GroupNotFound(group_id)
            plan = _Plan(((Kind.EPISODE, episode_uuid),), (), 0, 0)
            if view.operation is None:
                plan = await _planned(episode_uuid, reads)
            intent = WriteIntent(
                group_id=group_id,
                op_id=op_id,
                content_hash=f"remove:{episode_uuid}",
                changes=plan.changes,
                deletions=plan.deletions,
                allow_missing=True,
                if_version=None if view.operation is not None else view.version,
            )
            try:
                receipt = await self._writer.write(intent, deadline)
            except GroupVersionMismatch:
                deadline.check(f"the removal from group {group_id} was planned anew")
                continue
            return Removed(receipt, plan.kept, plan.reopened)
        raise WriteContended(group_id, PLANS_MAX)


async def _planned(episode_uuid: str, reads: GroupReads) -> _Plan:
    rows = await reads.rows(Kind.EPISODE, [episode_uuid])
    if episode_uuid not in rows:
        raise RowsMissing(Kind.EPISODE, (episode_uuid,))
    anchor = Anchor(Kind.EPISODE, episode_uuid)
    mentions, stated = await asyncio.gather(
        reads.all_of(Kind.MENTION, anchor, ROWS_PER_WRITE_MAX),
        reads.all_of(Kind.FACT, anchor, ROWS_PER_WRITE_MAX),
    )
    _check_rows(len(mentions) + len(stated))
    entities = list(dict.fromkeys(one.target_uuid for one in mentions if isinstance(one, Mention)))
    slots = asyncio.Semaphore(READS_AT_ONCE_MAX)

    async def facts_of(entity: str) -> Sequence[AnyRow]:
        async with slots:
            return await reads.all_of(Kind.FACT, Anchor(Kind.ENTITY, entity), FACTS_READ_MAX)

    async def mentioned_elsewhere(entity: str) -> bool:
        async with slots:
            found = await reads.newest(Kind.MENTION, 2, Anchor(Kind.ENTITY, entity))
            return any(isinstance(one, Mention) and one.source_uuid != episode_uuid for one in found)

    attached = await asyncio.gather(*(facts_of(one) for one in entities))
    facts = {row.uuid: row for some in (stated, *attached) for row in some if isinstance(row, Fact)}
    own = {uuid: row for uuid, row in facts.items() if episode_uuid in row.episodes}
    gone = {uuid for uuid, row in own.items() if row.episodes == (episode_uuid,)}
    changed = await _changed(facts, gone, episode_uuid, reads)
    left = [
        entity
        for entity, some in zip(entities, attached, strict=True)
        if all(row.uuid in gone for row in some)
    ]
    elsewhere = await asyncio.gather(*(mentioned_elsewhere(one) for one in left))
    orphans = [entity for entity, kept in zip(left, elsewhere, strict=True) if not kept]
    return _Plan(
        deletions=(
            (Kind.EPISODE, episode_uuid),
            *((Kind.FACT, uuid) for uuid in sorted(gone)),
            *((Kind.ENTITY, uuid) for uuid in orphans),
        ),
        changes=(
            *(dated_change(replace(facts[one.uuid], embedding=None), one) for one in changed.values()),
            *(RowChange(row) for row in await _relinked(episode_uuid, reads)),
        ),
        kept=len(own) - len(gone),
        reopened=sum(one.invalid_at != facts[uuid].invalid_at for uuid, one in changed.items()),
    )


async def _changed(
    facts: Mapping[str, Fact], gone: set[str], episode_uuid: str, reads: GroupReads
) -> Mapping[str, DatedFact]:
    """Facts that stay and are not the same without the episode."""
    staying = {uuid: row for uuid, row in facts.items() if uuid not in gone}
    supported = {uuid for uuid, row in staying.items() if episode_uuid in row.episodes}
    caused = {
        one.fact_uuid
        for row in staying.values()
        for one in row.closures
        if one.episode_uuid == episode_uuid and one.fact_uuid in staying
    }
    stated_at = await _stated_at({uuid: staying[uuid] for uuid in supported | caused}, episode_uuid, reads)
    heirs = [_without(staying[uuid], episode_uuid, at) for uuid, at in stated_at.items()]
    found: dict[str, DatedFact] = {}
    for uuid, row in staying.items():
        if (
            uuid in supported
            or ended_by(row.closures, supported)
            or any(one.episode_uuid == episode_uuid for one in row.closures)
        ):
            opened = reopen(_without(row, episode_uuid, stated_at.get(uuid, 0)), episode_uuid, heirs)
            if not opened.closures and opened.invalid_at != OPEN_END:
                # The end that it was stored with.
                opened = replace(opened, expired_at=row.created_at)
            if opened != dated_row(row, opened.stated_at):
                found[uuid] = opened
    return found


def _without(row: Fact, episode_uuid: str, stated_at: int) -> DatedFact:
    episodes = tuple(one for one in row.episodes if one != episode_uuid)
    return replace(dated_row(row, stated_at), episodes=episodes)


async def _stated_at(facts: Mapping[str, Fact], episode_uuid: str, reads: GroupReads) -> Mapping[str, int]:
    """When the other episodes of each fact stated it first."""
    wanted = {
        uuid: [one for one in row.episodes if one != episode_uuid][:EPISODES_READ_MAX]
        for uuid, row in facts.items()
    }
    episodes = await reads.rows(Kind.EPISODE, (one for some in wanted.values() for one in some))
    return {
        uuid: min(
            (row.reference_time for one in some if isinstance(row := episodes.get(one), Episode)),
            default=facts[uuid].created_at,
        )
        for uuid, some in wanted.items()
    }


async def _relinked(episode_uuid: str, reads: GroupReads) -> Sequence[NextEpisode]:
    """In each saga: the episode before it is followed by the one after it."""
    read = await reads.all_of(Kind.NEXT_EPISODE, Anchor(Kind.EPISODE, episode_uuid), ROWS_PER_WRITE_MAX)
    links = [one for one in read if isinstance(one, NextEpisode)]
    before = [one for one in links if one.target_uuid == episode_uuid]
    after = [one for one in links if one.source_uuid == episode_uuid]
    return [
        NextEpisode(
            uuid=edge_uuid(Kind.NEXT_EPISODE, one.saga_uuid, one.source_uuid, other.target_uuid),
            source_uuid=one.source_uuid,
            target_uuid=other.target_uuid,
            saga_uuid=one.saga_uuid,
        )
        for one in before
        for other in after
        if one.saga_uuid == other.saga_uuid and one.source_uuid != other.target_uuid
    ]


def _check_rows(rows: int) -> None:
    if rows > ROWS_PER_WRITE_MAX:
        raise WriteTooLarge(rows, ROWS_PER_WRITE_MAX)
