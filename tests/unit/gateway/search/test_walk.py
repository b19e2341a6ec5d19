"""The walk over facts: least distances, exact supports, bounds."""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import fsum

import pytest

from drivers.graph_model import Kind
from drivers.row_key import RowKey
from drivers.search_reads import ExpandedEdge
from gateway.search import walk as walk_module
from gateway.search.rerankers.node_distance import distances
from gateway.search.walk import attached, ranked, walk_facts
from shard_router.expansion import Expansion

GROUP = "g"


def key(name: str) -> RowKey:
    return RowKey(GROUP, name)


class Graph:
    """Edges by name; counts the hops that were asked for."""

    def __init__(self, edges: Sequence[tuple[str, str, str]]) -> None:
        self.edges = [ExpandedEdge(*edge) for edge in edges]
        self.asked: list[list[str]] = []

    async def expand(self, entities: Mapping[str, Sequence[str]]) -> Expansion:
        uuids = entities[GROUP]
        self.asked.append(sorted(uuids))
        found = [edge for edge in self.edges if edge.source_uuid in uuids or edge.target_uuid in uuids]
        return Expansion({GROUP: found})


async def test_rows_rank_by_distance_then_support() -> None:
    """a-b, a-c, b-c, b-d, d-e: what two origins lead to comes before what one does, what is near before what
    is far; an origin that another leads to is reached."""
    graph = Graph([("ab", "a", "b"), ("ac", "a", "c"), ("bc", "c", "b"), ("bd", "b", "d"), ("de", "d", "e")])
    walk = await walk_facts({key("a"): 1.0, key("b"): 0.5}, 3, graph.expand)
    assert [(row.key.uuid, row.distance, row.score) for row in ranked(walk.entities)] == [
        ("c", 1, 1.5),
        ("b", 1, 1.0),
        ("a", 1, 0.5),
        ("d", 1, 0.5),
        ("e", 2, 0.25),
    ]
    assert [(row.key.uuid, row.distance) for row in ranked(walk.facts)] == [
        ("ab", 1),
        ("ac", 1),
        ("bc", 1),
        ("bd", 1),
        ("de", 2),
    ]
    assert walk.facts[key("ab")].support == 1.5
    assert graph.asked == [["a", "b"], ["c", "d"], ["e"]]


async def test_distances_are_those_of_breadth_first_search() -> None:
    """On random graphs every entity within the hops is found at its least distance, and no other."""
    rng = random.Random(5)
    for _ in range(50):
        names = [f"n{number}" for number in range(20)]
        pairs = [rng.sample(names, 2) for _ in range(rng.randrange(40))]
        edges = [(f"e{number}", source, target) for number, (source, target) in enumerate(pairs)]
        neighbours: dict[str, set[str]] = defaultdict(set)
        for _, source, target in edges:
            neighbours[source].add(target)
            neighbours[target].add(source)
        distances = {names[0]: 0}
        frontier = [names[0]]
        for distance in range(1, 4):
            frontier = sorted({n for f in frontier for n in neighbours[f]} - distances.keys())
            distances |= dict.fromkeys(frontier, distance)
        walk = await walk_facts({key(names[0]): 1.0}, 3, Graph(edges).expand)
        assert {k.uuid: at.distance for k, at in walk.entities.items()} == {
            name: distance for name, distance in distances.items() if distance
        }


async def test_support_does_not_depend_on_the_order_of_the_edges() -> None:
    """Engines list edges differently: sums are exact before they are rounded, so the ranking is the same."""
    rng = random.Random(3)
    origins = {key(f"o{number}"): 1 / (number + 1) for number in range(60)}
    edges = [(f"e{number}", f"o{number}", "hub") for number in range(60)]
    rankings: set[float] = set()
    for _ in range(20):
        rng.shuffle(edges)
        walk = await walk_facts(origins, 1, Graph(edges).expand)
        rankings.add(walk.entities[key("hub")].support)
    assert rankings == {fsum(origins.values())}


async def test_a_self_loop_counts_once_and_leads_nowhere() -> None:
    """A fact of an entity about itself is reached with the weight of that entity."""
    walk = await walk_facts({key("a"): 1.0}, 2, Graph([("aa", "a", "a")]).expand)
    assert walk.facts[key("aa")].support == 1.0
    assert walk.entities == {}
    assert walk.hops == 1


async def test_a_hop_starts_from_a_bounded_number_of_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub with many neighbours widens the next hop to its bound, and the walk says that it was cut."""
    monkeypatch.setattr(walk_module, "ENTITIES_PER_HOP_MAX", 3)
    edges = [(f"e{number}", "hub", f"n{number}") for number in range(10)]
    graph = Graph([*edges, ("x", "n9", "n0")])
    walk = await walk_facts({key("hub"): 1.0}, 2, graph.expand)
    assert graph.asked == [["hub"], ["n0", "n1", "n2"]]
    assert walk.cut
    assert not (await walk_facts({key("hub"): 1.0}, 1, graph.expand)).cut


async def test_episodes_are_reached_over_mentions_of_every_hop() -> None:
    """A mention counts as a hop: episodes of the origins are at 1, of their neighbours at 2; without hops for
    facts only the first are found."""
    mentions = Graph([("m1", "near", "a"), ("m2", "near", "b"), ("m3", "far", "b")])
    for hops, expected in ((1, [("near", 1)]), (2, [("near", 1), ("far", 2)])):
        walk = await walk_facts({key("a"): 1.0}, hops - 1, Graph([("ab", "a", "b")]).expand)
        found = await attached(walk, hops, Kind.EPISODE, mentions.expand)
        assert [(row.key.uuid, row.distance) for row in ranked(found.rows)] == expected
        assert (found.hops, found.cut) == (hops, False)


async def test_what_hangs_on_a_walk_is_what_a_longer_walk_finds() -> None:
    """With a filter that all rows pass, facts and entities have the distances and supports that they have
    without one, on random graphs from several origins."""
    rng = random.Random(7)
    for _ in range(50):
        names = [f"n{number}" for number in range(15)]
        pairs = [(rng.choice(names), rng.choice(names)) for _ in range(rng.randrange(30))]
        graph = Graph([(f"e{number:02}", *pair) for number, pair in enumerate(pairs)])
        origins = {key(name): weight for name, weight in zip(names, (1.0, 0.5, 0.25), strict=False)}
        for hops in (1, 2, 3):
            whole = await walk_facts(origins, hops, graph.expand)
            shorter = await walk_facts(origins, hops - 1, graph.expand)
            for kind, expected in ((Kind.FACT, whole.facts), (Kind.ENTITY, whole.entities)):
                found = await attached(shorter, hops, kind, graph.expand)
                assert ranked(found.rows) == ranked(expected)
                assert not found.cut


class Hub:
    """An expansion that gives of each entity the first 3 facts that lead to one of `to`."""

    def __init__(self, edges: Sequence[tuple[str, str, str]], to: Collection[str] | None = None) -> None:
        self.edges_as_given = edges
        self.edges = [ExpandedEdge(*edge) for edge in edges]
        self.to = to

    async def expand(self, entities: Mapping[str, Sequence[str]]) -> Expansion:
        found: dict[str, ExpandedEdge] = {}
        cut = False
        for near in entities[GROUP]:
            hanging = [edge for edge in self.edges if near in (edge.source_uuid, edge.target_uuid)]
            if self.to is not None:
                leads = {edge.uuid: {edge.source_uuid, edge.target_uuid} - {near} for edge in hanging}
                hanging = [edge for edge in hanging if not leads[edge.uuid].isdisjoint(self.to)]
            cut |= len(hanging) > 3
            found |= {edge.uuid: edge for edge in hanging[:3]}
        return Expansion({GROUP: list(found.values())}, cut)


async def test_distances_are_right_next_to_a_hub() -> None:
    """A neighbour of the centre is at distance 1 whatever bound its facts fall under; further away a bound
    that may have hidden a shorter way is told."""
    edges = [(f"e{number}", "hub", f"n{number}") for number in range(9)]
    every = Hub([*edges, ("x", "n8", "far")])
    for wanted, expected, cut in (
        ({"n7", "n8"}, {"n7": 1, "n8": 1}, False),
        ({"hub", "n8"}, {"n8": 1}, False),
        ({"n8", "far"}, {"n8": 1}, True),
        ({"lost"}, {}, True),
        (set[str](), {}, False),
    ):
        to_wanted = Hub(every.edges_as_given, wanted)
        found, is_cut = await distances(key("hub"), wanted, every.expand, to_wanted.expand)
        assert {at.uuid: reached.distance for at, reached in found.items()} == expected
        assert is_cut == cut
