"""Removing an episode: what only it supports goes, what it ended holds again."""

import grpc

from gateway.bench.model_server.knowledge import KnownFact
from gateway.bench.model_server.replies import Status
from graphgate.v1 import graph_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.ingest.world import World, known


def lives(group: str, city: str, at: str, *, supersedes: tuple[str, ...] = ()) -> KnownFact:
    text = f"Ada lives in {city}, {group}"
    return KnownFact("Ada", city, "LIVES_IN", text, valid_at=at, supersedes=supersedes)


async def remove(world: World, group: str, episode: str, request_id: str = "") -> pb.RemoveEpisodeResponse:
    request = pb.RemoveEpisodeRequest(group_id=group, episode_uuid=episode, request_id=request_id)
    return await world.ingest.RemoveEpisode(request)


async def test_what_only_the_episode_supports_goes_and_what_it_ended_holds_again(
    world: World, group: str
) -> None:
    berlin = lives(group, "Berlin", "2020-01-01")
    munich = lives(group, "Munich", "2022-01-01", supersedes=(berlin.text,))
    world.server.knowledge.learn(f"Berlin. {group}", known(berlin))
    world.server.knowledge.learn(f"Munich. {group}", known(munich))
    await world.tell(group, f"Berlin. {group}", "2020-01-01T00:00:00")
    second = await world.tell(group, f"Munich. {group}", "2022-01-01T00:00:00")
    assert second.counts.facts_closed == 1
    assert await world.holding(group, "2023-01-01T00:00:00") == {munich.text}
    removed = await remove(world, group, second.episode_uuid, "remove-1")
    assert removed.facts_reopened == 1
    assert await world.holding(group, "2023-01-01T00:00:00") == {berlin.text}
    assert set(await world.entities(group)) == {"Ada", "Berlin"}
    (fact,) = (await world.facts(group)).values()
    assert not fact.HasField("expired_at")
    assert list(fact.closures) == []
    again = await remove(world, group, second.episode_uuid, "remove-1")
    assert (again.version, again.request_id) == (removed.version, "remove-1")


async def test_what_others_support_stays(world: World, group: str) -> None:
    """Its facts lose one support, its entities a mention."""
    fact = lives(group, "Berlin", "2020-01-01")
    statuses: list[pb.EpisodeStatus] = []
    for text in ("One.", "Two."):
        world.server.knowledge.learn(f"{text} {group}", known(fact))
        statuses.append(await world.tell(group, f"{text} {group}"))
    removed = await remove(world, group, statuses[0].episode_uuid)
    assert (removed.facts_kept, removed.facts_reopened) == (1, 0)
    (stored,) = (await world.facts(group)).values()
    assert list(stored.episode_uuids) == [statuses[1].episode_uuid]
    assert set(await world.entities(group)) == {"Ada", "Berlin"}


async def test_an_unknown_episode_and_one_in_the_queue_cannot_be_removed(world: World, group: str) -> None:
    await world.tell(group, f"Something. {group}")
    assert (await refused(remove(world, group, new_uuid()))).code is grpc.StatusCode.NOT_FOUND
    world.server.failing = Status(500)
    waiting = await world.ingest.AddEpisode(world.request(group, f"Later. {group}", wait=False))
    refusal = await refused(remove(world, group, waiting.episode_uuid))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EPISODE_WAITING")
    world.server.failing = None


async def test_a_saga_stays_in_one_piece(world: World, group: str) -> None:
    """The episode before the removed one is followed by the one after it, and the next one joins the last."""
    uuids: list[str] = []
    for number in range(3):
        request = world.request(group, f"Part {number}. {group}")
        request.saga_name = "story"
        uuids.append((await world.ingest.AddEpisode(request)).episode_uuid)
    removed = await remove(world, group, uuids[1])
    assert graph_pb2.ROW_KIND_EPISODE in {one.kind for one in removed.deleted}
    request = world.request(group, f"Part 3. {group}")
    request.saga_name = "story"
    answer = await world.ingest.AddEpisode(request)
    assert answer.state == pb.EPISODE_STATE_APPLIED, answer.status
