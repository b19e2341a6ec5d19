"""Rows near a centre entity first."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from drivers.graph_model import Fact, Kind
from drivers.row_key import RowKey
from gateway.search.rerankers.order import Candidate, Reranking, by_score
from gateway.search.walk import Expand, Reached, attached, walk_facts

HOPS = 3
"""Further away is as far as not connected."""
EDGES_TO_CANDIDATES_MAX = 2_000
"""Facts between one entity and the candidates; the newest are taken."""


def entities_of(candidates: Iterable[Candidate], group_id: str) -> set[str]:
    """uuids of the entities of a group whose distances decide: candidates, or the ends of facts that are."""
    return {uuid for one in candidates if one.key.group_id == group_id for uuid in _entities(one)}


async def distances(
    center: RowKey, wanted: Collection[str], expand: Expand, expand_to_wanted: Expand
) -> tuple[Mapping[RowKey, Reached], bool]:
    """Of the `wanted` entities of the centre's group that are within HOPS, and whether a bound left out what
    might have led to one of the others, or to one of these over fewer facts.

    `expand`: facts of entities; `expand_to_wanted`: those of them that lead to a wanted one. So what lies
    next to the centre, or to any other entity that the walk goes on from, is found however many facts that
    one has; bounds narrow only what the walk goes on from.
    """
    if not wanted:
        return {}, False
    walk = await walk_facts({center: 1.0}, HOPS - 1, expand)
    found = await attached(walk, HOPS, Kind.ENTITY, expand_to_wanted)
    far = [key for key in (RowKey(center.group_id, uuid) for uuid in wanted) if key != center]
    all_next = all(key in found.rows and found.rows[key].distance == 1 for key in far)
    return found.rows, found.cut and not all_next


def by_distance(
    candidates: Sequence[Candidate], center: RowKey, reached: Mapping[RowKey, Reached], *, cut: bool = False
) -> Reranking:
    """Score 1 / (1 + facts between the centre and the entity, of a fact its nearer end); 0: not reached.

    `reached` and `cut`: what `distances` found.
    """

    def of_entity(key: RowKey) -> float:
        if key == center:
            return 1.0
        at = reached.get(key)
        return 0.0 if at is None else 1 / (1 + at.distance)

    def score(candidate: Candidate) -> float:
        group_id = candidate.key.group_id
        return max(of_entity(RowKey(group_id, uuid)) for uuid in _entities(candidate))

    return by_score(candidates, score, cut=cut)


def _entities(candidate: Candidate) -> tuple[str, ...]:
    row = candidate.row
    return (row.source_uuid, row.target_uuid) if isinstance(row, Fact) else (candidate.key.uuid,)
