"""Sagas: their episodes are a chain in the order of acceptance, and their summaries keep up."""

import grpc
import pytest

from gateway.bench.model_server.replies import Fault, Faulty, Reply, Request
from gateway.ingest.pipeline.sagas import saga_uuid
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.integration.ingest.world import PATIENCE_S, World

SAGA = "the story"


def part(world: World, group: str, number: int, *, wait: bool = True) -> pb.AddEpisodeRequest:
    request = world.request(group, f"Part {number} of {group}", wait=wait)
    request.saga_name = SAGA
    return request


async def tell(world: World, group: str, number: int) -> pb.EpisodeStatus:
    answer = await world.ingest.AddEpisode(part(world, group, number), timeout=PATIENCE_S)
    assert answer.state == pb.EPISODE_STATE_APPLIED, answer.status
    return answer.status


async def saga(world: World, group: str) -> graph_pb2.Saga:
    request = graph_service_pb2.GetSagaRequest(group_id=group, uuid=saga_uuid(group, SAGA))
    return (await world.graph.GetSaga(request)).saga


async def chain(world: World, group: str) -> list[str]:
    """Contents of the episodes, from the first one along the links."""
    follows: dict[str, str] = {}
    contents: dict[str, str] = {}
    async for answer in world.graph.Watch(graph_service_pb2.WatchRequest(group_id=group), timeout=PATIENCE_S):
        contents |= {one.uuid: one.content for one in answer.episodes}
        for link in answer.episode_links:
            assert link.episode_uuid not in follows, "two episodes follow one"
            follows[link.episode_uuid] = link.next_episode_uuid
        if answer.position == answer.group_version:
            break
    (at,) = contents.keys() - set(follows.values())
    found = [contents[at]]
    while at in follows:
        at = follows[at]
        found.append(contents[at])
    return found


async def test_a_bulk_keeps_its_order_and_the_next_episode_follows_its_last(world: World, group: str) -> None:
    """Episodes of one unit are written at one time; their links tell the order."""
    batch = pb.AddEpisodesRequest(requests=[part(world, group, number, wait=False) for number in range(12)])
    added = await world.ingest.AddEpisodes(batch)
    assert all(one.HasField("response") for one in added.results)
    for number in range(12, 15):
        await tell(world, group, number)
    assert await chain(world, group) == [f"Part {number} of {group}" for number in range(15)]


async def test_the_summary_keeps_up_with_few_calls(world: World, group: str) -> None:
    """Brought up to date after 1, 2, 4 and 8 episodes, each time with those that are new, in order."""
    before = world.server.counts.requests.get("summarise_saga", 0)
    summaries: list[str] = []
    for number in range(9):
        await tell(world, group, number)
        summaries.append((await saga(world, group)).summary)
    parts = [f"Part {number} of {group}." for number in range(9)]
    assert [one.count("Part") for one in summaries] == [1, 2, 2, 4, 4, 4, 4, 8, 8]
    assert summaries[-1].split(". ") == " ".join(parts[:8]).split(". ")
    assert world.server.counts.requests["summarise_saga"] - before == 4


async def test_a_summary_that_cannot_be_made_fails_no_episode(world: World, group: str) -> None:
    """It is listed with the episode, and what was missed is in the next summary."""

    def chooses(request: Request) -> Reply | None:
        return Faulty(Fault.NOT_JSON) if request.schema_name == "summarise_saga" else None

    world.server.chooses = chooses
    status = await tell(world, group, 0)
    assert "NOT_ANSWERED" in {one.kind for one in status.problems}
    assert (await saga(world, group)).summary == ""
    world.server.chooses = None
    await tell(world, group, 1)
    assert (await saga(world, group)).summary == f"Part 0 of {group}. Part 1 of {group}."


async def test_a_caller_may_write_the_summary(world: World, group: str) -> None:
    """What the caller has written is the beginning of the next one."""
    await tell(world, group, 0)
    written = await saga(world, group)
    written.summary = "So far."
    await world.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, sagas=[written]))
    await tell(world, group, 1)
    assert (await saga(world, group)).summary == f"So far. Part 1 of {group}."


async def test_a_saga_that_is_not_there_is_refused(world: World, group: str) -> None:
    """By its uuid only a stored one can be meant: the episode is a listed failure."""
    request = world.request(group, f"Alone. {group}")
    request.saga_uuid = saga_uuid(group, "nobody's")
    answer = await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
    assert answer.state == pb.EPISODE_STATE_FAILED, answer.status
    missing = graph_service_pb2.GetSagaRequest(group_id=group, uuid=request.saga_uuid)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await world.graph.GetSaga(missing)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
