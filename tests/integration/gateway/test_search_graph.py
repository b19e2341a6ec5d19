"""The graph method and what orders by the graph, at a hub with more neighbours than a bound."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from graphgate.v1 import filter_pb2, graph_pb2, graph_service_pb2
from graphgate.v1 import search_service_pb2 as pb
from tests.integration.gateway.calls import new_uuid
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.people import People
from tests.integration.gateway.test_search_request import (
    COMMUNITY,
    ENTITY,
    EPISODE,
    FACT,
    ROW,
    method,
    names,
    search,
    spec,
)

RowFilter = filter_pb2.RowFilter
ENGINES = ("FALKORDB", "NEO4J")
OLD, NEW = 30, 110
"""Neighbours of the hub; those that are new are more than a walk follows."""
CHAIN = (("alice", "KNOWS", "bob"), ("bob", "LIKES", "carl"), ("carl", "KNOWS", "dora"))


@dataclass(frozen=True, slots=True)
class Worlds:
    """The same rows on each engine, with the same uuids."""

    on: Mapping[str, People]

    def ref(self, name: str) -> pb.EntityRef:
        return pb.EntityRef(uuid=self.on[ENGINES[0]].uuid[name])


@pytest.fixture(scope="module")
async def worlds(client: Client) -> Worlds:
    uuid: dict[str, str] = {}
    first = graph_pb2.Entity(uuid=new_uuid(), name="First")
    on = {engine: People(await group_on(client, engine, first), uuid) for engine in ENGINES}
    old, new = ([f"{age}-{n}" for n in range(count)] for age, count in (("old", OLD), ("new", NEW)))
    ends = {name for one, _, other in CHAIN for name in (one, other)}
    tales = [f"tale-{n}" for n in range(4)]
    later = [f"later-{n}" for n in range(101)]
    keys = [*old, *new, *sorted(ends), *tales, *later, "hub", "circle"]
    for name in (*keys, *(f"fact-{key}" for key in keys), *(f"mention-{key}" for key in keys), "member"):
        uuid[name] = new_uuid()

    def entity(name: str, *labels: str) -> graph_pb2.Entity:
        neighbour = "neighbour" if name.startswith(("old", "new")) else name
        return graph_pb2.Entity(uuid=uuid[name], name=name, summary=neighbour, labels=labels)

    def fact(name: str, one: str, label: str, other: str) -> graph_pb2.Fact:
        text = f"{one} {label.lower()} {other}"
        row = graph_pb2.Fact(uuid=uuid[f"fact-{name}"], name=label, fact=text)
        row.source_uuid, row.target_uuid = uuid[one], uuid[other]
        return row

    def told(
        names: Iterable[str], source: graph_pb2.EpisodeSource
    ) -> tuple[list[graph_pb2.Episode], list[graph_pb2.Mention]]:
        given = {"content": "heard", "source": source}
        episodes = [graph_pb2.Episode(uuid=uuid[name], name=name, **given) for name in names]  # pyright: ignore[reportArgumentType]
        mentions = [
            graph_pb2.Mention(
                uuid=uuid[f"mention-{one.name}"], episode_uuid=one.uuid, entity_uuid=uuid["hub"]
            )
            for one in episodes
        ]
        return episodes, mentions

    chained = [fact(one, one, label, other) for one, label, other in CHAIN]
    early, early_mentions = told(tales, graph_pb2.EPISODE_SOURCE_JSON)
    late, late_mentions = told(later, graph_pb2.EPISODE_SOURCE_TEXT)
    circle = graph_pb2.Community(uuid=uuid["circle"], name="circle", summary="hub and neighbours")
    member = graph_pb2.Membership(uuid=uuid["member"], community_uuid=circle.uuid, entity_uuid=uuid["hub"])
    writes: Sequence[Mapping[str, object]] = (
        {
            "entities": [
                entity("hub", "Hub"),
                *(entity(name, "Old") for name in old),
                *map(entity, sorted(ends)),
            ],
            "facts": [*(fact(name, "hub", "KNOWS", name) for name in old), *chained],
            "episodes": early,
            "mentions": early_mentions,
            "communities": [circle],
            "memberships": [member],
        },
        {
            "entities": [entity(name, "New") for name in new],
            "facts": [fact(name, name, "LIKES", "hub") for name in new],
        },
        {"episodes": late, "mentions": late_mentions},
    )
    for people in on.values():
        for rows in writes:
            await client.graph.WriteGraph(
                graph_service_pb2.WriteGraphRequest(group_id=people.group_id, **rows)  # pyright: ignore[reportArgumentType]
            )
    return Worlds(on)


@pytest.fixture(params=ENGINES)
def hub(request: pytest.FixtureRequest, worlds: Worlds) -> People:
    return worlds.on[str(request.param)]


async def test_a_filter_acts_before_a_hub_is_cut(client: Client, hub: People, worlds: Worlds) -> None:
    """All that pass come, however many newer neighbours and episodes do not, and nothing is called cut."""
    old = {f"old-{n}" for n in range(OLD)}
    cases = (
        (ENTITY, RowFilter(labels_any=["Old"]), old),
        (FACT, RowFilter(names=["KNOWS"]), {f"fact-{name}" for name in old}),
        (EPISODE, RowFilter(sources=["EPISODE_SOURCE_JSON"]), {f"tale-{n}" for n in range(4)}),
    )
    for kind, wanted, expected in cases:
        given = spec(kind, "GRAPH", filter=wanted, limit=50)
        answer = await search(client, hub, given, query="", origins=[worlds.ref("hub")])
        (found,) = answer.results
        assert set(names(hub, found)) == expected
        assert (found.graph.cut, found.graph.empty_reason, found.graph.hops) == (False, "", 1)
    everyone = await search(client, hub, spec(ENTITY, "GRAPH"), query="", origins=[worlds.ref("hub")])
    assert everyone.results[0].graph.cut


async def test_an_origin_is_found_only_if_it_passes(client: Client, hub: People, worlds: Worlds) -> None:
    """Of two origins that lead to each other, the one with the label comes, the other does not."""
    given = spec(ENTITY, "GRAPH", filter=RowFilter(labels_any=["Old"]), limit=50)
    origins = [worlds.ref("hub"), worlds.ref("old-3")]
    answer = await search(client, hub, given, query="", origins=origins, graph_hops=2)
    assert set(names(hub, answer.results[0])) == {f"old-{n}" for n in range(OLD)}
    assert {hit.methods[0].distance for hit in answer.results[0].hits} == {1}


async def test_facts_are_filtered_where_they_are_found_not_where_they_are_walked(
    client: Client, hub: People, worlds: Worlds
) -> None:
    """A fact that passes is found behind one that does not."""
    given = spec(FACT, "GRAPH", filter=RowFilter(names=["KNOWS"]))
    answer = await search(client, hub, given, query="", origins=[worlds.ref("alice")], graph_hops=3)
    found = {hub.name_of(hit.fact.uuid): hit.methods[0].distance for hit in answer.results[0].hits}
    assert found == {"fact-alice": 1, "fact-carl": 3}


async def test_results_are_ranked_apart(client: Client, hub: People) -> None:
    """A list is the same whatever else is asked for: filters, minimum scores, methods and limits of another
    result change nothing in it."""
    others = (
        pb.ResultSpec(kind=ENTITY, limit=200, filter=RowFilter(labels_any=["Old"])),
        pb.ResultSpec(kind=ENTITY, methods=[method("SEMANTIC", min_score=0.99)]),
        pb.ResultSpec(
            kind=FACT, methods=[method("KEYWORD", min_score=1e6)], filter=RowFilter(names=["KNOWS"])
        ),
        pb.ResultSpec(kind=EPISODE),
        pb.ResultSpec(kind=EPISODE, filter=RowFilter(sources=["EPISODE_SOURCE_TEXT"])),
    )
    for query in ("alice knows bob", "heard"):
        for kind in (ENTITY, FACT, EPISODE):
            plain = spec(kind, "GRAPH", limit=20)
            alone = (await search(client, hub, plain, query=query)).results[0]
            assert alone.hits
            for other in others:
                if other.kind != kind:
                    beside = (await search(client, hub, plain, other, query=query)).results[0]
                    assert list(beside.hits) == list(alone.hits), (query, kind, other)


async def test_a_minimum_that_leaves_nothing_is_told(client: Client, hub: People, worlds: Worlds) -> None:
    """What the minimum removed was attached."""
    given = pb.ResultSpec(kind=ENTITY, methods=[method("GRAPH", min_score=100)])
    answer = await search(client, hub, given, query="", origins=[worlds.ref("hub")])
    assert answer.results[0].graph.empty_reason == "BELOW_MINIMUM"


async def test_every_neighbour_of_a_hub_is_at_distance_one(
    client: Client, hub: People, worlds: Worlds
) -> None:
    """Node distance knows no bound of the hub's own facts; from a neighbour the others are two facts away,
    and the answer says that the hub was not followed everywhere."""
    near = pb.Reranker(node_distance=pb.NodeDistanceReranker())
    given = spec(ENTITY, "KEYWORD", reranker=near, limit=200)
    for center, score, cut in (("hub", 1 / 2, False), ("old-0", 1 / 3, True)):
        answer = await search(client, hub, given, query="neighbour", center=worlds.ref(center))
        (found,) = answer.results
        scores = {name: hit.score for name, hit in zip(names(hub, found), found.hits, strict=True)}
        assert scores.pop("old-0") == (1.0 if center == "old-0" else score)
        assert len(scores) == OLD + NEW - 1
        assert set(scores.values()) == {score}
        assert (found.rerank.reranked, found.rerank.cut) == (True, cut)


async def test_a_mention_written_later_is_not_known_before(client: Client, group: str) -> None:
    """At a known_at before it, it leads to no episode and counts for nothing."""
    people = People(group, {"who": new_uuid(), "tale": new_uuid()})
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group,
            entities=[graph_pb2.Entity(uuid=people.uuid["who"], name="who")],
            episodes=[graph_pb2.Episode(uuid=people.uuid["tale"], content="tale")],
        )
    )
    request = graph_service_pb2.GetEntityRequest(group_id=group, uuid=people.uuid["who"])
    before = (await client.graph.GetEntity(request)).entity.created_at
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group,
            mentions=[graph_pb2.Mention(episode_uuid=people.uuid["tale"], entity_uuid=people.uuid["who"])],
        )
    )
    often = pb.Reranker(episode_mentions=pb.EpisodeMentionsReranker())
    for given, reason, mentions in (({}, "", 1.0), ({"known_at": before}, "NOTHING_ATTACHED", 0.0)):
        answer = await search(
            client,
            people,
            spec(EPISODE, "GRAPH"),
            spec(ENTITY, "KEYWORD", reranker=often),
            query="who",
            origins=[pb.EntityRef(uuid=people.uuid["who"])],
            **given,
        )
        episodes, entities = answer.results
        assert names(people, episodes) == ([] if reason else ["tale"])
        assert episodes.graph.empty_reason == reason
        assert [hit.score for hit in entities.hits] == [mentions]


async def test_both_engines_give_the_same_lists(client: Client, worlds: Worlds) -> None:
    """Rows, ranks in every method, distances and supports of the same rows are the same on either engine: of
    all kinds, by the graph alone and by all methods, filtered or not, reranked or not."""
    near = pb.Reranker(node_distance=pb.NodeDistanceReranker())
    often = pb.Reranker(episode_mentions=pb.EpisodeMentionsReranker())
    narrow = {
        ENTITY: RowFilter(labels_any=["Old", "New"], labels_none=["Hub"]),
        FACT: RowFilter(names=["LIKES"]),
        EPISODE: RowFilter(sources=["EPISODE_SOURCE_JSON"]),
        COMMUNITY: RowFilter(),
    }
    kinds = (ENTITY, FACT, EPISODE)
    by_graph = [spec(kind, "GRAPH", limit=200) for kind in kinds]
    filtered = [spec(kind, "GRAPH", limit=200, filter=narrow[kind]) for kind in kinds]
    hybrid = [pb.ResultSpec(kind=kind, limit=200) for kind in (*kinds, COMMUNITY)]
    narrowed = [pb.ResultSpec(kind=kind, limit=50, filter=wanted) for kind, wanted in narrow.items()]
    reranked = [spec(ENTITY, reranker=near, limit=100), spec(FACT, reranker=often, limit=100)]
    asked: list[tuple[Sequence[pb.ResultSpec], dict[str, object]]] = [
        (results, {"graph_hops": hops, "query": query, "origins": origins})
        for results in (by_graph, filtered)
        for hops in (1, 3)
        for query, origins in (("", [worlds.ref("old-1"), worlds.ref("alice")]), ("hub knows old-3", []))
    ]
    asked.append((hybrid, {"query": "alice likes the hub"}))
    asked.append((narrowed, {"query": "new-7 neighbour"}))
    asked.append((reranked, {"query": "neighbour", "center": worlds.ref("new-3")}))
    found = 0
    for results, given in asked:
        answers = [await search(client, people, *results, **given) for people in worlds.on.values()]  # pyright: ignore[reportArgumentType]
        one, other = map(_comparable, answers)
        found += any(hits for _, hits, _, _ in one)
        assert one == other, given
        assert _scores(answers[0]) == pytest.approx(_scores(answers[1]), abs=2e-5), given
    # One hop from old-1 and alice nothing passes the filters.
    assert found == len(asked) - 1


def _comparable(answer: pb.SearchResponse) -> list[tuple[int, list[object], str, bool]]:
    """What does not depend on where a group lies."""
    return [
        (
            found.kind,
            [
                (
                    getattr(hit, ROW[found.kind]).uuid,
                    [(m.method, m.rank, m.distance) for m in hit.methods],
                )
                for hit in found.hits
            ],
            str(found.graph),
            found.rerank.cut,
        )
        for found in answer.results
    ]


def _scores(answer: pb.SearchResponse) -> list[float]:
    """Cosines may differ in their last digits between engines."""
    hits = [hit for found in answer.results for hit in found.hits]
    return [score for hit in hits for score in (hit.score, *(m.score for m in hit.methods))]
