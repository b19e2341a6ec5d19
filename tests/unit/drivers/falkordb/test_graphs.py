"""Which graph holds a group."""

from collections import Counter

from drivers.falkordb.graphs import by_graph, graph_of, pooled_graphs
from drivers.fence import GroupRef


def test_the_pooled_graph_of_a_group_never_changes() -> None:
    """Recorded values: another choice would lose the groups that are stored."""
    assert [graph_of(GroupRef(name), 16) for name in ("a", "tenant-1", "A:b", "x" * 128)] == [
        "graphgate:pool:15",
        "graphgate:pool:3",
        "graphgate:pool:15",
        "graphgate:pool:2",
    ]


def test_groups_spread_over_the_pool() -> None:
    """Each pooled graph gets about its share."""
    spread = Counter(graph_of(GroupRef(f"group-{n}"), 16) for n in range(16_000))
    assert set(spread) == set(pooled_graphs(16))
    assert 800 < min(spread.values()) <= max(spread.values()) < 1_200


def test_a_space_of_its_own_is_a_graph_of_that_name() -> None:
    """Whatever the pool's size; no space can be named so that it meets a pooled graph or the marker's."""
    for space in ("large", "graphgate", "graphgate:pool:1"):
        assert graph_of(GroupRef("a", space), 16) == f"graphgate:own:{space}"


def test_refs_are_gathered_by_graph() -> None:
    """One entry per graph with its groups in order, each once."""
    refs = [GroupRef("b"), GroupRef("a"), GroupRef("b"), GroupRef("c", "own")]
    assert by_graph(refs, 1) == {"graphgate:pool:0": ["a", "b"], "graphgate:own:own": ["c"]}
