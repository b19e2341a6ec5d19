"""Shortest paths between two entities, hop by hop from both ends, for any engine that can expand.

From both ends, because a path of five hops then needs what lies within three of one and two of the other;
hop by hop, because the engines' own path functions either take no condition on the edges or enumerate paths.
An edge is looked at at most twice, so that the work is bounded by the group's facts, whatever number of paths
there are; `edges_max` bounds it further. Each hop sees the group as it then is: beside a writer, facts of one
path need not have been there all at the same instant.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice

from drivers.fence import GroupRef
from drivers.graph_model import Kind
from drivers.search_reads import (
    PATH_HOPS_MAX,
    PATHS_MAX,
    ExpandedEdge,
    ExpandQuery,
    ExpandRead,
    GraphPath,
    PathQuery,
    PathsRead,
)

type Hop = Callable[[ExpandQuery], Awaitable[ExpandRead]]
type _Step = tuple[ExpandedEdge, str]
"""A fact and the entity to which it leads."""


class _Side:
    """What is known from one end: each entity's distance, and the steps that lead back."""

    def __init__(self, uuid: str) -> None:
        self.distance = {uuid: 0}
        self.frontier = [uuid]
        self.depth = 0
        self.edges_of_frontier = 1
        """Estimate of the next hop's work: the edges over which the frontier was reached."""
        self.back: dict[str, dict[str, list[ExpandedEdge]]] = defaultdict(lambda: defaultdict(list))

    def grow(self, edges: tuple[ExpandedEdge, ...]) -> None:
        frontier = set(self.frontier)
        self.depth += 1
        self.edges_of_frontier = len(edges)
        reached: dict[str, None] = {}
        for edge in edges:
            for here, there in (
                (edge.source_uuid, edge.target_uuid),
                (edge.target_uuid, edge.source_uuid),
            ):
                if here in frontier and self.distance.setdefault(there, self.depth) == self.depth:
                    reached[there] = None
                    self.back[there][here].append(edge)
        self.frontier = list(reached)


async def shortest_paths(ref: GroupRef, query: PathQuery, hop: Hop) -> PathsRead:
    """At most hops_max calls of `hop`, at least one, so that the fence is known."""
    if not (1 <= query.hops_max <= PATH_HOPS_MAX and 1 <= query.paths_max <= PATHS_MAX):
        raise ValueError(f"{query.paths_max} paths of {query.hops_max} hops are out of range")
    source, target = _Side(query.source_uuid), _Side(query.target_uuid)
    left, fence, complete = query.edges_max, None, True
    if query.source_uuid == query.target_uuid:
        read = await hop(_query(ref, query, source, 1))
        return PathsRead((GraphPath((query.source_uuid,), ()),), read.fences.get(ref.group_id))
    while source.depth + target.depth < query.hops_max and source.frontier and target.frontier and complete:
        side = min(source, target, key=lambda one: (len(one.frontier), one.edges_of_frontier, one.depth))
        read = await hop(_query(ref, query, side, left))
        fence = read.fences.get(ref.group_id)
        edges = read.edges.get(ref.group_id, ())
        left -= len(edges)
        complete = ref.group_id not in read.cut and left > 0
        side.grow(edges)
        if not source.distance.keys().isdisjoint(target.distance):
            break
    steps = _steps(source, target)
    paths = islice(_walks(steps, query.source_uuid, query.target_uuid), query.paths_max)
    return PathsRead(tuple(paths), fence, complete)


def _query(ref: GroupRef, query: PathQuery, side: _Side, edges_max: int) -> ExpandQuery:
    return ExpandQuery(
        group_id=ref.group_id,
        space=ref.space,
        entities=tuple(side.frontier),
        along=Kind.FACT,
        edges_per_entity_max=edges_max,
        filter=query.filter,
        edges_max=edges_max,
    )


def _steps(source: _Side, target: _Side) -> Mapping[str, list[_Step]]:
    """The steps of all shortest paths by the entity where they start, in the order of their facts.

    The sides were disjoint before the last hop, so each shortest path has exactly one entity that both
    reached: the steps towards the source are turned round, those towards the target are right already.
    """
    meeting = source.distance.keys() & target.distance.keys()
    steps: dict[str, list[_Step]] = defaultdict(list)
    for side in (source, target):
        waiting, seen = list(meeting), set(meeting)
        while waiting:
            here = waiting.pop()
            for there, facts in side.back.get(here, {}).items():
                start, end = (there, here) if side is source else (here, there)
                steps[start] += [(fact, end) for fact in facts]
                if there not in seen:
                    seen.add(there)
                    waiting.append(there)
    for leading in steps.values():
        leading.sort(key=lambda step: step[0].uuid)
    return steps


def _walks(steps: Mapping[str, Sequence[_Step]], source: str, target: str) -> Iterator[GraphPath]:
    """Every walk along the steps: none of them is a dead end, so that the first few cost only themselves."""
    trail: list[_Step] = []
    open_steps = [iter(steps.get(source, ()))]
    while open_steps:
        step = next(open_steps[-1], None)
        if step is None:
            open_steps.pop()
            if trail:
                trail.pop()
        elif step[1] == target:
            whole = (*trail, step)
            yield GraphPath((source, *(end for _, end in whole)), tuple(fact for fact, _ in whole))
        else:
            trail.append(step)
            open_steps.append(iter(steps[step[1]]))
