"""Names of a shard's graphs, the Redis keys that hold its groups."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from drivers.fence import POOLED, GroupRef

MARKER_GRAPH = "graphgate"
POOL_PREFIX = "graphgate:pool:"
OWN_PREFIX = "graphgate:own:"


def pooled_graph(group_id: str, pool_graphs: int) -> str:
    """The same on every gateway and for ever: pool_graphs is written once, in the shard's marker."""
    number = int.from_bytes(blake2b(group_id.encode(), digest_size=8).digest(), "big")
    return f"{POOL_PREFIX}{number % pool_graphs}"


def pooled_graphs(pool_graphs: int) -> tuple[str, ...]:
    return tuple(f"{POOL_PREFIX}{number}" for number in range(pool_graphs))


def own_graph(space: str) -> str:
    assert space != POOLED, "the pooled space is no graph of its own"
    return OWN_PREFIX + space


def graph_of(ref: GroupRef, pool_graphs: int) -> str:
    return pooled_graph(ref.group_id, pool_graphs) if ref.space == POOLED else own_graph(ref.space)


def by_graph(refs: Iterable[GroupRef], pool_graphs: int) -> Mapping[str, list[str]]:
    """The group_ids of every graph that holds one of the groups, sorted, without repeats."""
    graphs: dict[str, set[str]] = {}
    for ref in refs:
        graphs.setdefault(graph_of(ref, pool_graphs), set()).add(ref.group_id)
    return {graph: sorted(group_ids) for graph, group_ids in graphs.items()}
