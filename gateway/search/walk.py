"""Breadth-first over facts, hop by hop, every hop bounded; knows no database.

Each origin has a weight. A row one hop away has as support the sum of the weights of the entities that lead
to it; further out, the sum of their supports. A row counts at its least distance. Sums are exact before their
one rounding, so that the order in which a shard lists its edges decides nothing.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum

from drivers.graph_model import Kind
from drivers.row_key import RowKey
from drivers.search_reads import ExpandedEdge
from gateway.search.result import RankedRow
from shard_router.expansion import Expansion
from shard_router.fusion import SCORE_DECIMALS

ENTITIES_PER_HOP_MAX = 200
"""Entities that one hop starts from, those with most support."""


type Expand = Callable[[Mapping[str, Sequence[str]]], Awaitable[Expansion]]
"""The edges of these entities (by group_id), along one kind."""


@dataclass(frozen=True, slots=True)
class Reached:
    distance: int
    """In hops, from 1."""
    support: float


@dataclass(slots=True)
class Walk:
    origins: Mapping[RowKey, float]
    """With their weights."""
    entities: dict[RowKey, Reached] = field(default_factory=dict[RowKey, Reached])
    facts: dict[RowKey, Reached] = field(default_factory=dict[RowKey, Reached])
    hops: int = 0
    """That were walked; fewer than asked for when there was nothing left to reach."""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """What hangs on a walk."""

    rows: Mapping[RowKey, Reached]
    """The last edge counts as a hop."""
    hops: int
    """That were walked, the last edge with them."""
    cut: bool


async def walk_facts(origins: Mapping[RowKey, float], hops: int, expand: Expand) -> Walk:
    """What is within `hops` of the origins. An origin that another one leads to in one hop is reached too."""
    walk = Walk(origins)
    frontier = dict(origins)
    for distance in range(1, hops + 1):
        if not frontier:
            break
        weights = _by_group(frontier)
        found = await expand({group_id: tuple(near) for group_id, near in weights.items()})
        walk.hops = distance
        walk.cut |= found.cut
        reached: dict[RowKey, Reached] = {}
        for group_id, edges in found.by_group.items():
            facts, entities = _one_hop(edges, weights.get(group_id, {}))
            _record(walk.facts, group_id, facts, distance)
            reached |= _record(walk.entities, group_id, entities, distance, unless=origins)
        frontier, cut = _strongest(
            {key: at.support for key, at in reached.items()},
            without=origins,
        )
        walk.cut |= cut and distance < hops
    return walk


async def attached(walk: Walk, hops: int, kind: Kind, expand: Expand) -> Attached:
    """Rows of a kind that hang on an origin, or on an entity within hops - 1 of one.

    FACT: the edges that `expand` gives; EPISODE: the sources of those mentions; ENTITY: the ends that its
    facts lead to. An edge may lead from one origin to another that is not wanted: the caller looks at the
    origins among the entities.
    """
    stages = [walk.origins]
    for distance in range(1, hops):
        at = {
            key: reached.support
            for key, reached in walk.entities.items()
            if reached.distance == distance and key not in walk.origins
        }
        stages.append(at)
    rows: dict[RowKey, Reached] = {}
    walked, cut = 0, walk.cut
    for distance, entities in enumerate(stages, start=1):
        if not entities:
            break
        walked = distance
        strongest, too_many = _strongest(entities, without={})
        weights = _by_group(strongest)
        found = await expand({group_id: tuple(near) for group_id, near in weights.items()})
        cut |= found.cut or too_many
        for group_id, edges in found.by_group.items():
            hanging = _hanging(kind, edges, weights.get(group_id, {}))
            if kind is Kind.ENTITY and distance > 1:
                # Those that the hop starts from are nearer: what leads to them was at a smaller distance.
                known = weights.get(group_id, {})
                hanging = {uuid: led for uuid, led in hanging.items() if uuid not in known}
            _record(rows, group_id, hanging, distance, unless=walk.origins if kind is Kind.ENTITY else None)
    return Attached(rows, walked, cut)


def ranked(reached: Mapping[RowKey, Reached]) -> list[RankedRow]:
    """By distance, then by support (descending), group_id, uuid."""
    rows = [
        RankedRow(key, round(at.support / at.distance, SCORE_DECIMALS), at.distance)
        for key, at in reached.items()
    ]
    return sorted(rows, key=lambda row: (row.distance, -row.score, row.key.group_id, row.key.uuid))


def _one_hop(
    edges: Iterable[ExpandedEdge], weights: Mapping[str, float]
) -> tuple[Mapping[str, list[float]], Mapping[str, list[float]]]:
    """Of one group: the weights of the entities that lead to each fact, and to each entity. By uuid, for a
    hub's ten thousand edges are gone through on the event loop."""
    facts: dict[str, list[float]] = defaultdict(list)
    entities: dict[str, list[float]] = defaultdict(list)
    for edge in edges:
        source, target = edge.source_uuid, edge.target_uuid
        weight = weights.get(source)
        if weight is not None:
            facts[edge.uuid].append(weight)
            if source != target:
                entities[target].append(weight)
        weight = weights.get(target) if source != target else None
        if weight is not None:
            facts[edge.uuid].append(weight)
            entities[source].append(weight)
    return facts, entities


def _hanging(
    kind: Kind, edges: Iterable[ExpandedEdge], weights: Mapping[str, float]
) -> Mapping[str, list[float]]:
    """Of one group: the weights of the entities that lead to each row of the kind."""
    if kind is not Kind.EPISODE:
        facts, entities = _one_hop(edges, weights)
        return facts if kind is Kind.FACT else entities
    episodes: dict[str, list[float]] = defaultdict(list)
    for mention in edges:
        weight = weights.get(mention.target_uuid)
        if weight is not None:
            episodes[mention.source_uuid].append(weight)
    return episodes


def _record(
    known: dict[RowKey, Reached],
    group_id: str,
    found: Mapping[str, Sequence[float]],
    distance: int,
    *,
    unless: Mapping[RowKey, float] | None = None,
) -> dict[RowKey, Reached]:
    """Those that were not known yet. `unless`: origins, which only another origin leads to in one hop."""
    new: dict[RowKey, Reached] = {}
    for uuid, weights in found.items():
        key = RowKey(group_id, uuid)
        if key in known or (unless and distance > 1 and key in unless):
            continue
        new[key] = Reached(distance, weights[0] if len(weights) == 1 else fsum(weights))
    known.update(new)
    return new


def _strongest(
    support: Mapping[RowKey, float], *, without: Mapping[RowKey, float]
) -> tuple[dict[RowKey, float], bool]:
    """The entities that the next hop starts from, and whether some had to be left out."""
    candidates = [key for key in support if key not in without]
    candidates.sort(key=lambda key: (-round(support[key], SCORE_DECIMALS), key.group_id, key.uuid))
    kept = candidates[:ENTITIES_PER_HOP_MAX]
    return {key: support[key] for key in kept}, len(candidates) > len(kept)


def _by_group(weights: Mapping[RowKey, float]) -> Mapping[str, Mapping[str, float]]:
    groups: dict[str, dict[str, float]] = defaultdict(dict)
    for key, weight in weights.items():
        groups[key.group_id][key.uuid] = weight
    return groups
