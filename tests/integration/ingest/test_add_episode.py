"""AddEpisode in mode LLM over gRPC: from a text to a graph."""

from gateway.bench.model_server.knowledge import KnownEntity, KnownFact
from graphgate.v1 import graph_pb2, ingest_service_pb2
from tests.integration.ingest.world import World, known


async def test_an_episode_becomes_entities_and_facts(world: World, group: str) -> None:
    """The whole path: accepted, extracted, written, searchable."""
    text = f"Ada Lovelace works with Charles Babbage in {group}."
    world.server.knowledge.learn(
        text,
        known(
            KnownFact(
                "Ada Lovelace", "Charles Babbage", "WORKS_WITH", "Ada Lovelace works with Charles Babbage"
            ),
            entities=[KnownEntity("Ada Lovelace", summary="Ada Lovelace is a mathematician.")],
        ),
    )
    status = await world.tell(group, text)
    assert status.state == ingest_service_pb2.EPISODE_STATE_APPLIED, status
    assert (status.counts.entities_created, status.counts.facts_created) == (2, 1)
    assert status.usage.model_requests >= 1
    assert status.version >= 1
    entities = await world.entities(group)
    assert set(entities) == {"Ada Lovelace", "Charles Babbage"}
    assert entities["Ada Lovelace"].summary == "Ada Lovelace is a mathematician."
    facts = await world.facts(group)
    (fact,) = facts.values()
    assert fact.source_uuid == entities["Ada Lovelace"].uuid
    assert list(fact.episode_uuids) == [status.episode_uuid]


async def test_what_is_told_again_is_not_stored_again(world: World, group: str) -> None:
    """The same entities are joined, the same fact has two episodes."""
    fact = KnownFact("Ada", "London", "LIVES_IN", f"Ada lives in London, {group}")
    for text in ("First.", "Second."):
        world.server.knowledge.learn(f"{text} {group}", known(fact))
        status = await world.tell(group, f"{text} {group}")
        assert status.state == ingest_service_pb2.EPISODE_STATE_APPLIED, status
    assert (status.counts.entities_joined, status.counts.facts_repeated) == (2, 1)
    assert len(await world.entities(group)) == 2
    (stored,) = (await world.facts(group)).values()
    assert len(stored.episode_uuids) == 2


async def test_a_triple_needs_no_model(world: World, group: str) -> None:
    before = world.server.counts.chat_requests
    request = world.request(group, "Ada | lives in | London")
    request.episode.source = graph_pb2.EPISODE_SOURCE_FACT_TRIPLE
    answer = await world.ingest.AddEpisode(request)
    assert answer.state == ingest_service_pb2.EPISODE_STATE_APPLIED, answer
    assert set(await world.entities(group)) == {"Ada", "London"}
    assert [one.name for one in (await world.facts(group)).values()] == ["LIVES_IN"]
    assert world.server.counts.chat_requests == before
