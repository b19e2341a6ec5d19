"""Expand and FindPaths: reading along facts, from one group's shard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.filters import RowFilter
from drivers.graph_model import Entity, Fact, Kind
from drivers.reads import RowsRead
from drivers.row_key import RowKey
from drivers.search_reads import PATH_HOPS_MAX, PATHS_MAX, ExpandQuery, GraphPath, PathQuery, PathsRead
from gateway.rpc.call import CallLimits
from gateway.rpc.errors import VersionNotReached
from gateway.rpc.filter_reading import held_facts, row_filter
from gateway.rpc.row_messages import entity_message, fact_message
from gateway.rpc.row_reads import check_read, owned
from gateway.rpc.validation import Violations
from gateway.search.walk import Walk, ranked, walk_facts
from gateway.writes.errors import RowsMissing
from graphgate.v1 import graph_pb2
from graphgate.v1 import graph_service_pb2 as pb
from shard_router.errors import StalePlacement
from shard_router.expansion import Expansion
from shard_router.placement import Placement
from shard_router.router import Router

ORIGINS_MAX = 100
HOPS_MAX = 5
FACTS_PER_ENTITY_DEFAULT = 100
FACTS_PER_ENTITY_MAX = 1_000
LIMIT_DEFAULT = 100
LIMIT_MAX = 400
"""With their ends and the given entities they are read at once."""
PATHS_DEFAULT = 10


@dataclass(frozen=True, slots=True)
class _Expanded:
    walk: Walk
    near: Sequence[RowKey]
    """The nearest facts, as many as asked for."""
    facts: Mapping[str, Fact]
    entities: Mapping[str, Entity]
    version: int


@dataclass(frozen=True, slots=True)
class _Found:
    read: PathsRead
    facts: Mapping[str, Fact]
    entities: Mapping[str, Entity]
    version: int


class GraphReads:
    def __init__(self, router: Router, limits: CallLimits) -> None:
        self._router = router
        self._limits = limits

    async def expand(self, request: pb.ExpandRequest, deadline: Deadline) -> pb.ExpandResponse:
        """Raises InvalidRequest, GroupNotFound, VersionNotReached."""
        v = Violations()
        check_read(v, request.group_id, request.min_version)
        origins = tuple(dict.fromkeys(v.uuids("entity_uuids", request.entity_uuids, at_most=ORIGINS_MAX)))
        if not origins:
            v.add("entity_uuids", "needs at least 1 item(s)")
        hops = _bounded(v, "hops", request.hops, 1, HOPS_MAX)
        per_entity = _bounded(
            v,
            "facts_per_entity_max",
            request.facts_per_entity_max,
            FACTS_PER_ENTITY_DEFAULT,
            FACTS_PER_ENTITY_MAX,
        )
        limit = _bounded(v, "limit", request.limit, LIMIT_DEFAULT, LIMIT_MAX)
        wanted = row_filter(v, "filter", request.filter, Kind.FACT, held_facts(v, request))
        v.raise_if_any()

        async def read(driver: ShardDriver, placement: Placement) -> _Expanded:
            walk = await _walk(driver, placement, origins, hops, per_entity, wanted, deadline)
            near = [row.key for row in ranked(walk.facts)[:limit]]
            facts = await _rows(
                driver, placement, Kind.FACT, [key.uuid for key in near], request.with_embedding, deadline
            )
            found = {row.uuid: row for row in facts.rows if isinstance(row, Fact)}
            ends = {end for fact in found.values() for end in (fact.source_uuid, fact.target_uuid)}
            entities = await _rows(
                driver,
                placement,
                Kind.ENTITY,
                tuple(dict.fromkeys((*origins, *sorted(ends)))),
                request.with_embedding,
                deadline,
            )
            assert entities.fence is not None
            return _Expanded(walk, near, found, _entities(entities), entities.fence.version)

        expanded = await self._router.on_owner(request.group_id, deadline, read, create=False, writes=False)
        _check_version(request.group_id, request.min_version, expanded.version)
        return self._expand_response(request.group_id, origins, expanded)

    async def paths(self, request: pb.FindPathsRequest, deadline: Deadline) -> pb.FindPathsResponse:
        """Raises InvalidRequest, GroupNotFound, RowsMissing, VersionNotReached."""
        v = Violations()
        check_read(v, request.group_id, request.min_version)
        query = PathQuery(
            source_uuid=v.uuid("source_uuid", request.source_uuid),
            target_uuid=v.uuid("target_uuid", request.target_uuid),
            hops_max=_bounded(v, "hops_max", request.hops_max, PATH_HOPS_MAX, PATH_HOPS_MAX),
            paths_max=_bounded(v, "paths_max", request.paths_max, PATHS_DEFAULT, PATHS_MAX),
            filter=row_filter(v, "filter", request.filter, Kind.FACT, held_facts(v, request)),
        )
        v.raise_if_any()

        async def read(driver: ShardDriver, placement: Placement) -> _Found:
            found = await driver.paths(placement.ref, query, deadline)
            if found.fence is None or not found.fence.owned_throughout(placement.ref):
                raise StalePlacement(found.fence)
            on_paths = dict.fromkeys(uuid for path in found.paths for uuid in path.entities)
            ends = dict.fromkeys((query.source_uuid, query.target_uuid))
            entities = await _rows(driver, placement, Kind.ENTITY, tuple(ends | on_paths), False, deadline)
            by_uuid = _entities(entities)
            missing = tuple(uuid for uuid in ends if uuid not in by_uuid)
            if missing:
                raise RowsMissing(Kind.ENTITY, missing)
            used = tuple(dict.fromkeys(fact.uuid for path in found.paths for fact in path.facts))
            facts = await _rows(driver, placement, Kind.FACT, used, False, deadline)
            rows = {row.uuid: row for row in facts.rows if isinstance(row, Fact)}
            return _Found(found, rows, by_uuid, found.fence.version)

        found = await self._router.on_owner(request.group_id, deadline, read, create=False, writes=False)
        _check_version(request.group_id, request.min_version, found.version)
        return self._paths_response(found)

    def _expand_response(
        self, group_id: str, origins: Sequence[str], expanded: _Expanded
    ) -> pb.ExpandResponse:
        """Facts with their ends, as many as fit."""
        walk, budget = expanded.walk, self._limits.reply_bytes_max
        entities: dict[str, graph_pb2.Entity] = {}
        for uuid in origins:
            if uuid in expanded.entities:
                message = entity_message(expanded.entities[uuid])
                budget -= message.ByteSize() + 8
                if budget < 0:
                    break
                entities[uuid] = message
        facts: list[pb.ReachedFact] = []
        for key in expanded.near:
            fact = expanded.facts.get(key.uuid)
            if fact is None:
                continue
            ends = {
                end: entity_message(expanded.entities[end])
                for end in (fact.source_uuid, fact.target_uuid)
                if end in expanded.entities and end not in entities
            }
            reached = pb.ReachedFact(fact=fact_message(fact), distance=walk.facts[key].distance)
            budget -= reached.ByteSize() + sum(message.ByteSize() for message in ends.values()) + 32
            if budget < 0:
                break
            facts.append(reached)
            entities |= ends
        given = set(origins)

        def distance(uuid: str) -> int:
            at = walk.entities.get(RowKey(group_id, uuid))
            return 0 if uuid in given or at is None else at.distance

        return pb.ExpandResponse(
            facts=facts,
            entities=[
                pb.ReachedEntity(entity=entities[uuid], distance=distance(uuid))
                for uuid in sorted(entities, key=lambda uuid: (distance(uuid), uuid))
            ],
            missing_uuids=[uuid for uuid in origins if uuid not in expanded.entities],
            cut=walk.cut,
            facts_left_out=len(walk.facts) - len(facts),
            version=expanded.version,
        )

    def _paths_response(self, found: _Found) -> pb.FindPathsResponse:
        """Whole paths, as many as fit; one whose rows went meanwhile is passed over."""
        budget = self._limits.reply_bytes_max
        paths: list[pb.GraphPath] = []
        entities: dict[str, graph_pb2.Entity] = {}
        facts: dict[str, graph_pb2.Fact] = {}
        whole = [path for path in found.read.paths if _is_whole(path, found)]
        for path in whole:
            message = pb.GraphPath(entity_uuids=path.entities, fact_uuids=[fact.uuid for fact in path.facts])
            new_entities = {
                uuid: entity_message(found.entities[uuid]) for uuid in path.entities if uuid not in entities
            }
            new_facts = {
                fact.uuid: fact_message(found.facts[fact.uuid])
                for fact in path.facts
                if fact.uuid not in facts
            }
            budget -= message.ByteSize() + _bytes(new_entities.values()) + _bytes(new_facts.values()) + 8
            if budget < 0:
                break
            paths.append(message)
            entities |= new_entities
            facts |= new_facts
        return pb.FindPathsResponse(
            paths=paths,
            entities=list(entities.values()),
            facts=list(facts.values()),
            complete=found.read.complete,
            paths_left_out=len(whole) - len(paths),
            version=found.version,
        )


async def _walk(
    driver: ShardDriver,
    placement: Placement,
    origins: Sequence[str],
    hops: int,
    per_entity: int,
    wanted: RowFilter,
    deadline: Deadline,
) -> Walk:
    ref = placement.ref

    async def expand(entities: Mapping[str, Sequence[str]]) -> Expansion:
        uuids = tuple(entities[ref.group_id])
        query = ExpandQuery(ref.group_id, ref.space, uuids, Kind.FACT, per_entity, wanted)
        read = await driver.expand([query], deadline)
        fence = read.fences.get(ref.group_id)
        if fence is None or not fence.owned_throughout(ref):
            raise StalePlacement(fence)
        return Expansion(read.edges, ref.group_id in read.cut)

    return await walk_facts({RowKey(ref.group_id, uuid): 1.0 for uuid in origins}, hops, expand)


async def _rows(
    driver: ShardDriver,
    placement: Placement,
    kind: Kind,
    uuids: Sequence[str],
    with_vectors: bool,
    deadline: Deadline,
) -> RowsRead:
    return owned(await driver.get_rows(placement.ref, kind, uuids, with_vectors, deadline), placement.ref)


def _entities(read: RowsRead) -> Mapping[str, Entity]:
    return {row.uuid: row for row in read.rows if isinstance(row, Entity)}


def _is_whole(path: GraphPath, found: _Found) -> bool:
    return all(uuid in found.entities for uuid in path.entities) and all(
        fact.uuid in found.facts for fact in path.facts
    )


def _bounded(v: Violations, field: str, value: int, default: int, most: int) -> int:
    """0 is the default."""
    if value:
        v.number(field, value, 1, most)
    return min(max(value or default, 1), most)


def _check_version(group_id: str, asked: int, found: int) -> None:
    if found < asked:
        raise VersionNotReached(group_id, asked, found)


def _bytes(messages: Iterable[graph_pb2.Entity | graph_pb2.Fact]) -> int:
    return sum(message.ByteSize() + 8 for message in messages)
