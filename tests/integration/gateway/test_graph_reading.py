"""Reading along the graph over gRPC, on both engines: Expand, FindPaths, facts between two, provenance."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from graphgate.v1 import filter_pb2, graph_pb2, search_service_pb2
from graphgate.v1 import graph_service_pb2 as pb
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.people import ENDED_S, People, write_people

Code = grpc.StatusCode
HUB_FACTS = 10_000
SPOKES = 100
FACTS_PER_WRITE = 350
HUB_TIMEOUT_S = 10
BEFORE_END = TimestampMessage(seconds=ENDED_S - 1)


@pytest.fixture(scope="module", params=["FALKORDB", "NEO4J"])
async def people(request: pytest.FixtureRequest, client: Client) -> People:
    return await write_people(client, await group_on(client, str(request.param)))


async def expand(client: Client, people: People, *names: str, **given: object) -> pb.ExpandResponse:
    uuids = [people.uuid[name] for name in names]
    return await client.graph.Expand(
        pb.ExpandRequest(group_id=people.group_id, entity_uuids=uuids, **given)  # pyright: ignore[reportArgumentType]
    )


def facts_of(people: People, answer: pb.ExpandResponse) -> dict[str, int]:
    return {people.name_of(reached.fact.uuid): reached.distance for reached in answer.facts}


def entities_of(people: People, answer: pb.ExpandResponse) -> dict[str, int]:
    return {people.name_of(reached.entity.uuid): reached.distance for reached in answer.entities}


async def test_expand_goes_hop_by_hop(client: Client, people: People) -> None:
    """Facts and entities with their distances, no further than asked, the given ones at 0."""
    one = await expand(client, people, "ada")
    assert facts_of(people, one) == {"ada-bob": 1}
    assert entities_of(people, one) == {"ada": 0, "bob": 1}
    three = await expand(client, people, "ada", hops=3)
    assert facts_of(people, three) == {"ada-bob": 1, "bob-cid": 2, "cid-dan": 3}
    assert entities_of(people, three) == {"ada": 0, "bob": 1, "cid": 2, "dan": 3}
    both = await expand(client, people, "ada", "eve", hops=5)
    assert facts_of(people, both) == {"ada-bob": 1, "dan-eve": 1, "bob-cid": 2, "cid-dan": 2}
    assert (both.cut, both.facts_left_out, list(both.missing_uuids)) == (False, 0, [])
    assert not both.facts[0].fact.embedding
    assert (await expand(client, people, "ada", with_embedding=True)).facts[0].fact.embedding


async def test_expand_follows_what_holds_and_passes(client: Client, people: People) -> None:
    """Time and filters decide which facts lead on."""
    then = await expand(client, people, "ada", as_of=BEFORE_END)
    assert facts_of(people, then) == {"ada-bob": 1, "ada-cid": 1}
    ended = filter_pb2.RowFilter(names=["WORKED_WITH"])
    assert facts_of(people, await expand(client, people, "ada", filter=ended, hops=5)) == {}
    always = await expand(client, people, "ada", filter=ended, hops=5, all_times=True)
    assert facts_of(people, always) == {"ada-cid": 1}


async def test_expand_says_what_it_left_out(client: Client, people: People) -> None:
    """Facts past the limit are counted, entities that do not exist named, an unknown group is an error."""
    few = await expand(client, people, "ada", hops=4, limit=1)
    assert (facts_of(people, few), few.facts_left_out) == ({"ada-bob": 1}, 3)
    lost = new_uuid()
    answer = await client.graph.Expand(
        pb.ExpandRequest(group_id=people.group_id, entity_uuids=[lost, people.uuid["ada"]])
    )
    assert list(answer.missing_uuids) == [lost]
    refusal = await refused(client.graph.Expand(pb.ExpandRequest(group_id=f"no-{lost}", entity_uuids=[lost])))
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND")
    refusal = await refused(client.graph.Expand(pb.ExpandRequest(group_id="g", hops=6, limit=401)))
    assert set(refusal.fields) == {"entity_uuids", "hops", "limit"}
    ahead = pb.ExpandRequest(group_id=people.group_id, entity_uuids=[people.uuid["ada"]], min_version=1_000)
    assert (await refused(client.graph.Expand(ahead))).reason == "VERSION_NOT_REACHED"


async def paths(
    client: Client, people: People, source: str, target: str, **given: object
) -> pb.FindPathsResponse:
    return await client.graph.FindPaths(
        pb.FindPathsRequest(
            group_id=people.group_id,
            source_uuid=people.uuid[source],
            target_uuid=people.uuid[target],
            **given,  # pyright: ignore[reportArgumentType]
        )
    )


async def test_shortest_paths(client: Client, people: People) -> None:
    """In either direction of the facts, with the rows on the way; shorter ones where more facts hold."""
    now = await paths(client, people, "eve", "ada")
    (path,) = now.paths
    assert people.names_of(list(path.entity_uuids)) == ["eve", "dan", "cid", "bob", "ada"]
    assert people.names_of(list(path.fact_uuids)) == ["dan-eve", "cid-dan", "bob-cid", "ada-bob"]
    assert {entity.name for entity in now.entities} == {"ada", "bob", "cid", "dan", "eve"}
    assert {fact.uuid for fact in now.facts} == set(path.fact_uuids)
    assert (now.complete, now.paths_left_out) == (True, 0)
    (short,) = (await paths(client, people, "ada", "eve", as_of=BEFORE_END)).paths
    assert people.names_of(list(short.fact_uuids)) == ["ada-cid", "cid-dan", "dan-eve"]
    assert not (await paths(client, people, "ada", "eve", hops_max=3)).paths
    knows = filter_pb2.RowFilter(names=["WORKED_WITH"])
    assert not (await paths(client, people, "ada", "eve", filter=knows, all_times=True)).paths


async def test_a_path_to_itself_and_to_nobody(client: Client, people: People) -> None:
    """The same entity is a path without facts; one that does not exist is named."""
    (path,) = (await paths(client, people, "ada", "ada")).paths
    assert (people.names_of(list(path.entity_uuids)), list(path.fact_uuids)) == (["ada"], [])
    lost = new_uuid()
    request = pb.FindPathsRequest(group_id=people.group_id, source_uuid=people.uuid["ada"], target_uuid=lost)
    refusal = await refused(client.graph.FindPaths(request))
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "ROW_NOT_FOUND")
    refusal = await refused(client.graph.FindPaths(pb.FindPathsRequest(group_id="g", paths_max=101)))
    assert set(refusal.fields) == {"source_uuid", "target_uuid", "paths_max"}


async def test_facts_between_two_entities(client: Client, people: People) -> None:
    """In either direction, page by page; the second end needs the first."""
    for one, other, expected in (
        ("bob", "ada", {"ada-bob"}),
        ("ada", "cid", {"ada-cid"}),
        ("ada", "eve", set()),
    ):
        listed = await client.graph.ListFacts(
            pb.ListFactsRequest(
                group_id=people.group_id,
                entity_uuid=people.uuid[one],
                other_entity_uuid=people.uuid[other],
            )
        )
        assert {people.name_of(fact.uuid) for fact in listed.facts} == expected
    alone = pb.ListFactsRequest(group_id=people.group_id, other_entity_uuid=people.uuid["ada"])
    assert (await refused(client.graph.ListFacts(alone))).fields == ["other_entity_uuid"]


async def test_provenance_both_ways(client: Client, people: People) -> None:
    """Episodes of a fact in the fact's order, page by page, without those that are gone; facts of an
    episode."""
    tales = [people.uuid[name] for name in ("tale-eve", "more-1", "tale-ada", "more-0", "tale-bob")]
    supported = graph_pb2.Fact(
        uuid=new_uuid(),
        source_uuid=people.uuid["ada"],
        target_uuid=people.uuid["ada"],
        name="IS",
        fact="ada is",
        episode_uuids=[*tales[:2], new_uuid(), *tales[2:]],
    )
    await client.graph.WriteGraph(pb.WriteGraphRequest(group_id=people.group_id, facts=[supported]))
    found: list[str] = []
    token, pages = "", 0
    while True:
        page = await client.graph.ListEpisodes(
            pb.ListEpisodesRequest(
                group_id=people.group_id, fact_uuid=supported.uuid, page_size=2, page_token=token
            )
        )
        found += [episode.uuid for episode in page.episodes]
        token, pages = page.next_page_token, pages + 1
        if not token:
            break
    assert (found, pages) == (tales, 3)
    for name, expected in (("tale-eve", [supported.uuid]), ("tale-cid", [])):
        listed = await client.graph.ListFacts(
            pb.ListFactsRequest(group_id=people.group_id, episode_uuid=people.uuid[name])
        )
        assert [fact.uuid for fact in listed.facts] == expected
    await client.graph.DeleteFacts(pb.DeleteFactsRequest(group_id=people.group_id, uuids=[supported.uuid]))
    gone = pb.ListEpisodesRequest(group_id=people.group_id, fact_uuid=supported.uuid)
    assert (await refused(client.graph.ListEpisodes(gone))).reason == "ROW_NOT_FOUND"
    both = pb.ListEpisodesRequest(
        group_id=people.group_id,
        fact_uuid=supported.uuid,
        saga_uuid=new_uuid(),
        order=pb.ROW_ORDER_NEWEST,
    )
    assert set((await refused(client.graph.ListEpisodes(both))).fields) == {"order", "saga_uuid"}


async def test_a_hub_stays_bounded(client: Client, people: People) -> None:
    """Of a hub with 10,000 facts the newest are followed, in time that a caller can wait for, and Expand and
    the graph method of a search say that there are more; of entities that have just as many facts as are
    followed they say no such thing. Paths through the hub are found, as many as asked for."""
    hub = graph_pb2.Entity(uuid=new_uuid(), name="hub")
    spokes = [graph_pb2.Entity(uuid=new_uuid(), name=f"spoke {number}") for number in range(SPOKES)]
    facts = [
        graph_pb2.Fact(
            uuid=new_uuid(), source_uuid=hub.uuid, target_uuid=spokes[number % SPOKES].uuid, name="HAS"
        )
        for number in range(HUB_FACTS)
    ]
    await client.graph.WriteGraph(pb.WriteGraphRequest(group_id=people.group_id, entities=[hub, *spokes]))
    for start in range(0, HUB_FACTS, FACTS_PER_WRITE):
        await client.graph.WriteGraph(
            pb.WriteGraphRequest(group_id=people.group_id, facts=facts[start : start + FACTS_PER_WRITE])
        )
    newest = {fact.uuid for fact in facts[-FACTS_PER_WRITE:]}

    request = pb.ExpandRequest(
        group_id=people.group_id, entity_uuids=[hub.uuid], hops=2, facts_per_entity_max=50, limit=20
    )
    answer = await client.graph.Expand(request, timeout=HUB_TIMEOUT_S)
    assert (answer.cut, len(answer.facts)) == (True, 20)
    assert {reached.fact.uuid for reached in answer.facts if reached.distance == 1} <= newest
    at_bound = pb.ExpandRequest(
        group_id=people.group_id, entity_uuids=[spokes[0].uuid], facts_per_entity_max=HUB_FACTS // SPOKES
    )
    answer = await client.graph.Expand(at_bound, timeout=HUB_TIMEOUT_S)
    assert (answer.cut, len(answer.facts)) == (False, HUB_FACTS // SPOKES)

    far = await client.graph.FindPaths(
        pb.FindPathsRequest(
            group_id=people.group_id, source_uuid=spokes[0].uuid, target_uuid=spokes[1].uuid, paths_max=7
        ),
        timeout=HUB_TIMEOUT_S,
    )
    assert (len(far.paths), far.complete) == (7, True)
    assert {len(path.fact_uuids) for path in far.paths} == {2}

    for origin, hops, cut in ((hub, 1, True), (spokes[0], 1, False), (spokes[0], 2, True)):
        walked = await client.search.Search(_graph_search(people, origin, hops), timeout=HUB_TIMEOUT_S)
        (found,) = walked.results
        assert (found.graph.cut, found.graph.hops) == (cut, hops), origin.name
        assert sum(hit.methods[0].distance == 1 for hit in found.hits) == 100
        assert (len(found.hits) > 100) == (hops == 2)
        if origin is hub:
            assert {hit.fact.uuid for hit in found.hits} <= newest


def _graph_search(people: People, origin: graph_pb2.Entity, hops: int) -> search_service_pb2.SearchRequest:
    methods = [search_service_pb2.MethodWeight(method="SEARCH_METHOD_GRAPH", weight=1)]
    return search_service_pb2.SearchRequest(
        group_id=people.group_id,
        origins=[search_service_pb2.EntityRef(uuid=origin.uuid)],
        graph_hops=hops,
        results=[
            search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_FACT, limit=200, methods=methods),
        ],
    )
