"""Taking an episode out of a group, with what only it supports.

A plan reads what the episode states, mentions and has ended, never all facts of an entity. The first plans
hold only if nothing in the group has changed, later ones if nothing that they rest on has. What the later
ones cannot see is another episode that is removed at the same moment: an entity that only these two mention
may stay, for each leaves it to the other.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from drivers.deadline import Deadline
from drivers.graph_model import OPEN_END, AnyRow, Episode, Fact, Kind, Mention, NextEpisode
from drivers.reads import Anchor
from drivers.row_codec import kind_of
from drivers.write_plan import ROWS_PER_WRITE_MAX
from gateway.ingest.closures import DatedFact, ended_by, reopen
from gateway.ingest.pipeline.composing import dated_change
from gateway.ingest.pipeline.facts import EPISODES_READ_MAX, dated_row
from gateway.ingest.pipeline.group_reads import GroupReads
from gateway.writes.errors import (
    EndpointsMissing,
    GroupVersionMismatch,
    RowsMissing,
    RowVersionMismatch,
    WriteContended,
    WriteTooLarge,
)
from gateway.writes.intent import RowChange, RowCondition, WriteIntent, edge_uuid
from gateway.writes.writer import GraphWriter, WriteReceipt
from shard_router.errors import GroupNotFound
from shard_router.router import Router
from shard_router.scatter import Scatter

READS_AT_ONCE_MAX = 8
WHOLE_GROUP_PLANS = 4
PLANS_MAX = 12
"""In all."""


@dataclass(frozen=True, slots=True)
class Removed:
    receipt: WriteReceipt
    facts_kept: int
    """Without this episode as their support. 0 in the answer to a retry, as facts_reopened."""
    facts_reopened: int


@dataclass(frozen=True, slots=True)
class _Plan:
    deletions: tuple[tuple[Kind, str], ...]
    changes: tuple[RowChange, ...] = ()
    kept: int = 0
    reopened: int = 0
    heirs: tuple[RowChange, ...] = ()
    """Facts that stay as they are and by which others were changed: written again where rows are the
    conditions, for only rows that are written can be conditions."""
    conditions: tuple[RowCondition, ...] = ()
    cascade: Mapping[Kind, frozenset[str]] = field(default_factory=dict[Kind, frozenset[str]])
    """Edges that go with their nodes."""


class Removal:
    def __init__(self, router: Router, writer: GraphWriter) -> None:
        self._router = router
        self._scatter = Scatter(router)
        self._writer = writer

    async def remove(self, group_id: str, episode_uuid: str, op_id: str, deadline: Deadline) -> Removed:
        """Raises RowsMissing, WriteTooLarge and what reads and writes raise."""
        reads = GroupReads(self._router, self._scatter, group_id, deadline)
        for number in range(PLANS_MAX):
            view = await reads.begin(op_id)
            if view.fence is None:
                raise GroupNotFound(group_id)
            intent = WriteIntent(
                group_id=group_id,
                op_id=op_id,
                content_hash=f"remove:{episode_uuid}",
                deletions=((Kind.EPISODE, episode_uuid),),
                allow_missing=True,
            )
            plan = _Plan(intent.deletions)
            if view.operation is None:
                plan = await _planned(episode_uuid, reads)
                intent = replace(intent, deletions=plan.deletions, changes=plan.changes)
                if number < WHOLE_GROUP_PLANS:
                    intent = replace(intent, if_version=view.version)
                else:
                    intent = replace(
                        intent,
                        changes=(*plan.changes, *plan.heirs),
                        conditions=plan.conditions,
                        cascade=plan.cascade,
                    )
            try:
                receipt = await self._writer.write(intent, deadline)
            except (GroupVersionMismatch, RowVersionMismatch, EndpointsMissing):
                deadline.check(f"the removal from group {group_id} was planned anew")
                continue
            return Removed(receipt, plan.kept, plan.reopened)
        raise WriteContended(group_id, PLANS_MAX)


async def _planned(episode_uuid: str, reads: GroupReads) -> _Plan:
    rows = await reads.rows(Kind.EPISODE, [episode_uuid])
    if episode_uuid not in rows:
        raise RowsMissing(Kind.EPISODE, (episode_uuid,))
    anchor = Anchor(Kind.EPISODE, episode_uuid)
    mentions, stated, next_links = await asyncio.gather(
        reads.all_of(Kind.MENTION, anchor, ROWS_PER_WRITE_MAX),
        reads.all_of(Kind.FACT, anchor, ROWS_PER_WRITE_MAX),
        reads.all_of(Kind.NEXT_EPISODE, anchor, ROWS_PER_WRITE_MAX),
    )
    _check_rows(len(mentions) + len(stated) + len(next_links))
    own = {row.uuid: row for row in stated if isinstance(row, Fact)}
    gone = {uuid for uuid, row in own.items() if row.episodes == (episode_uuid,)}
    staying = await _staying(own, gone, episode_uuid, reads)
    changed, heirs = await _changed(staying, episode_uuid, reads)
    orphans = await _orphans(
        [one for one in mentions if isinstance(one, Mention)],
        [own[uuid] for uuid in gone],
        episode_uuid,
        reads,
    )
    changes = tuple(dated_change(replace(staying[one.uuid], embedding=None), one) for one in changed.values())
    heirs_only = [staying[uuid] for uuid in sorted(heirs - changed.keys())]
    resting_on = (
        rows[episode_uuid],
        *(own[uuid] for uuid in gone),
        *orphans,
        *(staying[uuid] for uuid in changed),
        *heirs_only,
    )
    return _Plan(
        deletions=(
            (Kind.EPISODE, episode_uuid),
            *((Kind.FACT, uuid) for uuid in sorted(gone)),
            *((Kind.ENTITY, one.uuid) for one in orphans),
        ),
        changes=(*changes, *(RowChange(row) for row in _relinked(episode_uuid, next_links))),
        kept=len(own) - len(gone),
        reopened=sum(one.invalid_at != staying[uuid].invalid_at for uuid, one in changed.items()),
        heirs=tuple(dated_change(replace(row, embedding=None), dated_row(row, 0)) for row in heirs_only),
        conditions=tuple(RowCondition(kind_of(row), row.uuid, row.version) for row in resting_on),
        cascade={
            Kind.FACT: frozenset(gone),
            Kind.MENTION: frozenset(one.uuid for one in mentions),
            Kind.NEXT_EPISODE: frozenset(one.uuid for one in next_links),
        },
    )


async def _staying(
    own: Mapping[str, Fact], gone: set[str], episode_uuid: str, reads: GroupReads
) -> Mapping[str, Fact]:
    """What the episode supports beside others, what it or one of these has ended, and the facts in whose name
    it has."""
    kept = {uuid: row for uuid, row in own.items() if uuid not in gone}
    anchor = Anchor(Kind.EPISODE, episode_uuid)
    ended = await reads.all_of(Kind.FACT, anchor, ROWS_PER_WRITE_MAX, closed_by_facts=tuple(sorted(kept)))
    _check_rows(len(ended))
    staying = {row.uuid: row for row in ended if isinstance(row, Fact) and row.uuid not in gone} | kept
    causes = _causes(staying.values(), episode_uuid) - gone - staying.keys()
    read = await reads.rows(Kind.FACT, sorted(causes))
    return staying | {uuid: row for uuid, row in read.items() if isinstance(row, Fact)}


def _causes(facts: Iterable[Fact], episode_uuid: str) -> set[str]:
    """Facts in whose name the episode has ended these."""
    return {
        one.fact_uuid
        for row in facts
        for one in row.closures
        if one.episode_uuid == episode_uuid and one.fact_uuid
    }


async def _orphans(
    mentions: Sequence[Mention], gone: Sequence[Fact], episode_uuid: str, reads: GroupReads
) -> Sequence[AnyRow]:
    """Entities that no other episode mentions and on which no other fact hangs."""
    entities = list(dict.fromkeys(one.target_uuid for one in mentions))
    going: dict[str, set[str]] = {}
    for fact in gone:
        for end in (fact.source_uuid, fact.target_uuid):
            going.setdefault(end, set()).add(fact.uuid)
    slots = asyncio.Semaphore(READS_AT_ONCE_MAX)

    async def left_alone(entity: str) -> bool:
        own, anchor = going.get(entity, set()), Anchor(Kind.ENTITY, entity)
        async with slots:
            # One more than those that go: if there is another one, it is read.
            facts = await reads.all_of(Kind.FACT, anchor, len(own))
            if any(row.uuid not in own for row in facts):
                return False
            found = await reads.newest(Kind.MENTION, 2, anchor)
            return all(isinstance(one, Mention) and one.source_uuid == episode_uuid for one in found)

    alone = await asyncio.gather(*(left_alone(one) for one in entities))
    wanted = [entity for entity, orphan in zip(entities, alone, strict=True) if orphan]
    rows = await reads.rows(Kind.ENTITY, wanted)
    return [rows[uuid] for uuid in wanted if uuid in rows]


async def _changed(
    staying: Mapping[str, Fact], episode_uuid: str, reads: GroupReads
) -> tuple[Mapping[str, DatedFact], set[str]]:
    """Facts that are not the same without the episode, and those by which they were dated."""
    supported = {uuid for uuid, row in staying.items() if episode_uuid in row.episodes}
    dating = (supported | _causes(staying.values(), episode_uuid)) & staying.keys()
    stated_at = await _stated_at({uuid: staying[uuid] for uuid in dating}, episode_uuid, reads)
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
    return found, dating


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


def _relinked(episode_uuid: str, read: Sequence[AnyRow]) -> Sequence[NextEpisode]:
    """In each saga: the episode before it is followed by the one after it."""
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
