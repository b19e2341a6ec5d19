"""Attributes of typed entities and facts: from the extraction, and from questions of their own."""

from collections.abc import Mapping

from gateway.bench.model_server.knowledge import KnownEntity, KnownFact
from gateway.bench.model_server.replies import Fault, Faulty, Reply, Request
from graphgate.v1 import graph_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.integration.ingest.world import PATIENCE_S, World, known

PERSON = pb.CustomType(
    name="Person",
    description="a human being",
    fields=[
        pb.TypeField(name="age", kind=pb.TYPE_FIELD_KIND_INTEGER),
        pb.TypeField(name="job"),
    ],
)
EMPLOYS = pb.CustomType(name="EMPLOYS", fields=[pb.TypeField(name="salary", kind=pb.TYPE_FIELD_KIND_NUMBER)])


async def tell(world: World, group: str, text: str) -> pb.EpisodeStatus:
    request = world.request(group, text)
    request.extraction.entity_types.append(PERSON)
    request.extraction.fact_types.append(EMPLOYS)
    answer = await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
    assert answer.state == pb.EPISODE_STATE_APPLIED, answer.status
    return answer.status


def asked(world: World) -> int:
    return world.server.counts.requests.get("attributes", 0)


def plain(attributes: Mapping[str, graph_pb2.AttributeValue]) -> dict[str, object]:
    return {
        name: getattr(one.scalar, str(one.scalar.WhichOneof("value"))) for name, one in attributes.items()
    }


async def stored(world: World, group: str, name: str) -> dict[str, object]:
    return plain((await world.entities(group))[name].attributes)


async def test_what_the_extraction_tells_needs_no_further_question(world: World, group: str) -> None:
    """Later episodes change single fields."""
    before = asked(world)
    for text, attributes in (("One.", {"age": "36", "job": "clerk"}), ("Two.", {"job": "pilot"})):
        ada = KnownEntity("Ada", "Person", attributes=attributes)
        world.server.knowledge.learn(f"{text} {group}", known(entities=[ada]))
        await tell(world, group, f"{text} {group}")
    assert await stored(world, group, "Ada") == {"age": 36, "job": "pilot"}
    assert asked(world) == before


async def test_a_value_that_its_field_cannot_hold_is_asked_about_again(world: World, group: str) -> None:
    """In a form of the type's own fields, which models hold to; also of facts."""
    before = asked(world)
    ada = KnownEntity("Ada", "Person", attributes={"age": "about forty", "job": "clerk"})
    works = KnownFact("Acme", "Ada", "EMPLOYS", f"Acme employs Ada, {group}", attributes={"salary": "a lot"})
    world.server.knowledge.learn(f"Odd. {group}", known(works, entities=[ada]))

    def chooses(request: Request) -> Reply | None:
        # The second answer is of another kind than the first one.
        if request.schema_name == "attributes":
            told = KnownEntity("Ada", "Person", attributes={"age": "40"})
            world.server.knowledge.learn(f"Odd. {group}", known(works, entities=[told]))
        return None

    world.server.chooses = chooses
    await tell(world, group, f"Odd. {group}")
    assert await stored(world, group, "Ada") == {"age": 40, "job": "clerk"}
    assert asked(world) - before == 2


async def test_an_entity_of_a_known_type_is_asked_about_when_its_type_is_not_told(
    world: World, group: str
) -> None:
    """What an episode says of "Ada" is about the person that she is known to be."""
    ada = KnownEntity("Ada", "Person", attributes={"age": "36"})
    world.server.knowledge.learn(f"Known. {group}", known(entities=[ada]))
    await tell(world, group, f"Known. {group}")
    before = asked(world)
    untyped = KnownEntity("Ada", attributes={"job": "pilot"})
    world.server.knowledge.learn(f"Untyped. {group}", known(entities=[untyped, KnownEntity("Bob")]))
    await tell(world, group, f"Untyped. {group}")
    assert await stored(world, group, "Ada") == {"age": 36, "job": "pilot"}
    assert asked(world) - before == 1


async def test_a_question_without_a_usable_answer_fails_no_episode(world: World, group: str) -> None:
    """What could be read stays; the status says what could not."""
    ada = KnownEntity("Ada", "Person", attributes={"age": "old", "job": "clerk"})
    world.server.knowledge.learn(f"Broken. {group}", known(entities=[ada]))

    def chooses(request: Request) -> Reply | None:
        return Faulty(Fault.NOT_JSON) if request.schema_name == "attributes" else None

    world.server.chooses = chooses
    status = await tell(world, group, f"Broken. {group}")
    assert {one.kind for one in status.problems} == {"BAD_ATTRIBUTE", "NOT_ANSWERED"}
    assert await stored(world, group, "Ada") == {"job": "clerk"}
