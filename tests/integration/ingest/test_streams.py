"""StreamEpisodes and AddEpisodes: offsets, acks in order, credits, resuming; WatchEpisode."""

from collections.abc import AsyncIterator, Sequence

import grpc
import pytest

from graphgate.v1 import graph_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.ingest.world import PATIENCE_S, World


def start(stream_id: str) -> pb.StreamEpisodesRequest:
    return pb.StreamEpisodesRequest(start=pb.StreamEpisodesRequest.Start(stream_id=stream_id))


def item(world: World, group: str, offset: int, content: str = "") -> pb.StreamEpisodesRequest:
    request = world.request(group, content or f"Item {offset} of {group}.", wait=False)
    return pb.StreamEpisodesRequest(item=pb.StreamEpisodesRequest.Item(offset=offset, request=request))


async def answers(
    world: World, messages: Sequence[pb.StreamEpisodesRequest]
) -> list[pb.StreamEpisodesResponse]:
    """All of one connection that sends these messages, each item once it has the credit."""

    async def sent() -> AsyncIterator[pb.StreamEpisodesRequest]:
        for one in messages:
            yield one

    return [one async for one in world.ingest.StreamEpisodes(sent())]


async def test_acks_come_in_order_and_a_new_connection_goes_on(world: World, group: str) -> None:
    """Items that are sent again are added once."""
    stream_id = new_uuid()
    first = await answers(world, [start(stream_id), *(item(world, group, n) for n in range(1, 6))])
    assert (first[0].started.resume_offset, first[0].started.credits > 0) == (0, True)
    assert [one.ack.offset for one in first[1:]] == [1, 2, 3, 4, 5]
    assert all(one.ack.WhichOneof("result") == "response" for one in first[1:])
    assert all(one.ack.credits == 1 for one in first[1:])
    second = await answers(world, [start(stream_id), *(item(world, group, n) for n in range(4, 8))])
    assert second[0].started.resume_offset == 5
    assert [one.ack.offset for one in second[1:]] == [4, 5, 6, 7]
    same = {one.ack.offset: one.ack.response.episode_uuid for one in first[1:]}
    assert [one.ack.response.episode_uuid for one in second[1:3]] == [same[4], same[5]]

    async def all_applied() -> bool:
        uuids = {one.ack.response.episode_uuid for one in (*first[1:], *second[1:])}
        assert len(uuids) == 7
        states = [
            (
                await world.ingest.GetEpisodeStatus(
                    pb.GetEpisodeStatusRequest(group_id=group, episode_uuid=uuid)
                )
            ).status.state
            for uuid in uuids
        ]
        return set(states) == {pb.EPISODE_STATE_APPLIED}

    await eventually(all_applied, PATIENCE_S)


async def test_a_refused_item_is_acknowledged_in_its_place(world: World, group: str) -> None:
    bad = item(world, group, 2)
    bad.item.request.group_id = "not a group"
    stream_id = new_uuid()
    found = await answers(world, [start(stream_id), item(world, group, 1), bad, item(world, group, 3)])
    assert [one.ack.WhichOneof("result") for one in found[1:]] == ["response", "error", "response"]
    assert (found[2].ack.error.reason, found[2].ack.error.request_id) == ("INVALID_FIELDS", "")
    (again,) = await answers(world, [start(stream_id)])
    assert again.started.resume_offset == 1


async def _broken(world: World, messages: Sequence[pb.StreamEpisodesRequest]) -> None:
    await answers(world, messages)


@pytest.mark.parametrize("case", ["no start", "empty id", "start twice", "offset back", "offset zero"])
async def test_a_stream_that_breaks_the_rules_ends(world: World, group: str, case: str) -> None:
    messages = {
        "no start": [item(world, group, 1)],
        "empty id": [start("")],
        "start twice": [start("s"), start("s")],
        "offset back": [start(new_uuid()), item(world, group, 2), item(world, group, 2)],
        "offset zero": [start(new_uuid()), item(world, group, 0)],
    }[case]
    refusal = await refused(_broken(world, messages))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")


async def test_many_at_once_succeed_and_fail_each_by_itself(world: World, group: str) -> None:
    requests = [world.request(group, f"Bulk {number}, {group}.", wait=False) for number in range(30)]
    requests[7].episode.content = ""
    requests[9].mode = pb.EXTRACTION_MODE_NONE
    answer = await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=requests))
    results = [one.WhichOneof("result") for one in answer.results]
    assert results == ["error" if number == 7 else "response" for number in range(30)]
    assert answer.results[7].error.reason == "INVALID_FIELDS"
    assert answer.results[9].response.state == pb.EPISODE_STATE_APPLIED

    async def sizes() -> list[int]:
        """Of the units, once all are applied."""
        found: list[int] = []
        for number, one in enumerate(answer.results):
            if number not in (7, 9):
                asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=one.response.request_id)
                status = (await world.ingest.GetEpisodeStatus(asked)).status
                if status.state != pb.EPISODE_STATE_APPLIED:
                    return []
                found.append(status.unit_size)
        return found

    found = await eventually(sizes, PATIENCE_S)
    assert max(found) > 1


async def test_a_watch_ends_with_the_episode(world: World, group: str) -> None:
    """States only go forward, and the last one tells all."""
    added = await world.ingest.AddEpisode(world.request(group, f"Watched. {group}", wait=False))
    request = pb.WatchEpisodeRequest(group_id=group, episode_uuid=added.episode_uuid)
    seen = [one.status async for one in world.ingest.WatchEpisode(request, timeout=PATIENCE_S)]
    assert seen[-1].state == pb.EPISODE_STATE_APPLIED
    assert seen[-1].version >= 1
    assert len({one.SerializeToString() for one in seen}) == len(seen)
    unknown = pb.GetEpisodeStatusRequest(group_id=group, request_id="never")
    refusal = await refused(world.ingest.GetEpisodeStatus(unknown))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "EPISODE_UNKNOWN")


async def test_only_mode_llm_takes_what_is_for_models(world: World, group: str) -> None:
    """And mode LLM takes nothing that is for other modes: no field is ignored."""
    request = pb.AddEpisodeRequest(
        group_id=group,
        episode=graph_pb2.Episode(content="x"),
        wait=True,
        saga_name="s",
        extraction=pb.ExtractionOptions(instructions="i"),
    )
    refusal = await refused(world.ingest.AddEpisode(request))
    assert set(refusal.fields) == {"wait", "saga_name", "extraction"}
    request = world.request(group, "x")
    request.if_version = 3
    request.embedding_model = "m"
    request.entities.add(name="E")
    request.extraction.reflexion_passes = 9
    request.extraction.excluded_entity_types.append("Nobody")
    refusal = await refused(world.ingest.AddEpisode(request))
    assert {one.split("[")[0] for one in refusal.fields} == {
        "entities",
        "if_version",
        "episode.embedding",
        "extraction.reflexion_passes",
        "extraction.excluded_entity_types",
    }
