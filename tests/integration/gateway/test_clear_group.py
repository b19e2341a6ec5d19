"""ClearGroup over real gRPC and engines: what goes, what stays, and what others see. Episodes that wait:
tests/integration/ingest/test_clear_group.py."""

import asyncio
from collections.abc import Callable

import grpc
import pytest
from google.longrunning import operations_pb2

from gateway.server import GatewayServer
from gateway.writes import clearing
from graphgate.v1 import (
    graph_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    move_pb2,
    search_service_pb2,
)
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.people import write_people
from tests.integration.gateway.watching import Replica

Code = grpc.StatusCode
PATIENCE_S = 60.0
SMALL = 3


@pytest.fixture
def small_writes(gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows at once that every clear takes many writes."""
    monkeypatch.setattr(gateway._ingestion.clearing._rows, "_rows_max", SMALL)


@pytest.fixture
async def told(client: Client, group: str) -> str:
    """A group that has rows of every kind."""
    await write_people(client, group)
    saga = graph_pb2.Saga(uuid=new_uuid(), name="story")
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, sagas=[saga]))
    previous = ""
    for number in range(2):
        added = await client.ingest.AddEpisode(
            pb.AddEpisodeRequest(
                group_id=group,
                episode=graph_pb2.Episode(content=f"Part {number}."),
                mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
                saga_uuid=saga.uuid,
                previous_episode_uuid=previous,
            )
        )
        previous = added.episode_uuid
    return group


async def clear(client: Client, group: str, **given: object) -> pb.ClearGroupResponse:
    request = pb.ClearGroupRequest(group_id=group, **given)  # pyright: ignore[reportArgumentType]
    return await client.ingest.ClearGroup(request, timeout=PATIENCE_S)


async def counts(client: Client, group: str) -> dict[int, int]:
    """Rows by kind, as the group's statistics say."""
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    return {one.kind: one.rows for one in described.group.counts if one.rows}


async def found(client: Client, group: str) -> int:
    """By a search that is asked the same way each time, so that its answer may be a kept one."""
    kinds = (graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT, graph_pb2.ROW_KIND_EPISODE)
    specs = [search_service_pb2.ResultSpec(kind=kind) for kind in kinds]
    request = search_service_pb2.SearchRequest(group_id=group, query="ada sea", results=specs)
    answer = await client.search.Search(request)
    return sum(len(one.hits) for one in answer.results)


@pytest.mark.usefixtures("small_writes")
async def test_all_rows_of_every_kind_go_and_readers_see_it(client: Client, told: str) -> None:
    """Statistics, searches with kept answers, Watch; another group keeps what it has, the group goes on."""
    other = await group_on(client, "FALKORDB")
    await write_people(client, other)
    before, of_other = await counts(client, told), await counts(client, other)
    assert len(before) == len(graph_pb2.RowKind.values()) - 1
    assert await found(client, told) == await found(client, told) > 0
    async with Replica(client, told) as replica:
        await eventually(lambda: len(replica.rows) == sum(before.values()), PATIENCE_S)
        cleared = await clear(client, told)
        assert cleared.done
        assert {one.kind: one.rows for one in cleared.deleted} == before
        assert cleared.version - cleared.up_to_version >= sum(before.values()) / SMALL
        await replica.reaches(cleared.version)
        assert replica.rows == {}
    assert await counts(client, told) == {}
    assert await found(client, told) == 0
    assert await counts(client, other) == of_other
    assert await found(client, other) > 0
    await write_people(client, told)
    assert await found(client, told) > 0


async def test_newer_rows_stay(client: Client, told: str) -> None:
    """But for edges of what goes; a version that is not reached is the group's own."""
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=told))
    (old, *_) = (
        await client.graph.ListEntities(graph_service_pb2.ListEntitiesRequest(group_id=told))
    ).entities
    new = graph_pb2.Entity(uuid=new_uuid(), name="New")
    hangs = graph_pb2.Fact(source_uuid=new.uuid, target_uuid=old.uuid, name="KNOWS", fact="new knows old")
    own = graph_pb2.Fact(source_uuid=new.uuid, target_uuid=new.uuid, name="IS", fact="new is new")
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=told, entities=[new], facts=[hangs, own])
    )
    cleared = await clear(client, told, up_to_version=described.group.version)
    assert (cleared.done, cleared.request_id) == (True, "")
    assert await counts(client, told) == {graph_pb2.ROW_KIND_ENTITY: 1, graph_pb2.ROW_KIND_FACT: 1}
    rest = await clear(client, told, up_to_version=2**62)
    assert rest.up_to_version == cleared.version
    assert await counts(client, told) == {}


async def test_a_repeat_under_its_request_id_takes_nothing_newer(client: Client, told: str) -> None:
    """Whoever did not hear the answer may ask again, although others have written."""
    first = await clear(client, told, request_id="clear-1")
    people = await write_people(client, told)
    after = await counts(client, told)
    again = await clear(client, told, request_id="clear-1")
    assert (again.done, again.up_to_version, list(again.deleted)) == (True, first.up_to_version, [])
    assert await counts(client, told) == after
    assert people.uuid
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=told, entities=[graph_pb2.Entity(name="x")], request_id="used"
        )
    )
    refusal = await refused(clear(client, told, request_id="used"))
    assert (refusal.code, refusal.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


@pytest.mark.usefixtures("small_writes")
async def test_near_its_deadline_it_is_not_done_and_repeats_end_it(
    client: Client, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each repeat with the version of the first answer; what is written between them stays."""
    # Every deadline is near.
    monkeypatch.setattr(clearing, "RESERVE_S", 1_000.0)
    before = sum((await counts(client, told)).values())
    first = await clear(client, told)
    assert not first.done
    assert sum(one.rows for one in first.deleted) <= SMALL
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=told, entities=[graph_pb2.Entity(name="later")])
    )
    answers = [first]
    while not answers[-1].done:
        answers.append(await clear(client, told, up_to_version=first.up_to_version))
        assert answers[-1].up_to_version == first.up_to_version
        assert len(answers) <= before + 1
    assert sum(one.rows for answer in answers for one in answer.deleted) == before
    assert await counts(client, told) == {graph_pb2.ROW_KIND_ENTITY: 1}


@pytest.mark.usefixtures("small_writes")
async def test_beside_writers_exactly_what_they_wrote_after_it_is_left(client: Client, told: str) -> None:
    """And two clears at once are as good as one."""
    versions: dict[str, int] = {}
    done = asyncio.Event()

    async def writes() -> None:
        while not done.is_set():
            row = graph_pb2.Entity(uuid=new_uuid(), name="Busy")
            written = await client.graph.WriteGraph(
                graph_service_pb2.WriteGraphRequest(group_id=told, entities=[row])
            )
            versions[row.uuid] = written.version

    writers = [asyncio.create_task(writes()) for _ in range(3)]
    await eventually(lambda: len(versions) > 10, PATIENCE_S)
    both = await asyncio.gather(clear(client, told), clear(client, told))
    done.set()
    await asyncio.gather(*writers)
    assert all(one.done for one in both)
    bound = max(one.up_to_version for one in both)
    listed = await client.graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(group_id=told, page_size=1_000)
    )
    assert {one.uuid for one in listed.entities} == {uuid for uuid, at in versions.items() if at > bound}
    assert set(await counts(client, told)) <= {graph_pb2.ROW_KIND_ENTITY}


@pytest.mark.usefixtures("small_writes")
async def test_a_group_that_moves_meanwhile_is_cleared(client: Client, told: str) -> None:
    """To the other engine; nothing comes back with the copy."""
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=told))
    shard = described.group.shard
    target = "neo4j-0" if shard.startswith("falkordb") else "falkordb-0"
    moved = await client.admin.MoveGroup(move_pb2.MoveGroupRequest(group_id=told, to_shard=target))
    cleared = await clear(client, told)
    assert cleared.done

    async def there() -> bool:
        now = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=told))
        return now.group.shard == target

    await eventually(there, PATIENCE_S)
    assert await counts(client, told) == {}
    for kind in ("Entities", "Facts", "Episodes", "Mentions", "Communities", "Sagas"):
        request = getattr(graph_service_pb2, f"List{kind}Request")(group_id=told)
        answer = await getattr(client.graph, f"List{kind}")(request)
        assert not getattr(answer, kind.lower())
    await client.operations.GetOperation(operations_pb2.GetOperationRequest(name=moved.name))


async def test_refusals_name_the_field(client: Client, new_group: Callable[[], str]) -> None:
    """An unknown group is not found, as for RemoveEpisode."""
    unknown = await refused(clear(client, new_group()))
    removal = await refused(
        client.ingest.RemoveEpisode(pb.RemoveEpisodeRequest(group_id=new_group(), episode_uuid=new_uuid()))
    )
    assert (unknown.code, unknown.reason) == (removal.code, removal.reason)
    assert unknown.reason == "GROUP_NOT_FOUND"
    assert (await refused(clear(client, new_group(), up_to_version=3))).reason == "GROUP_NOT_FOUND"
    bad = await refused(clear(client, "", request_id="a b", up_to_version=-1))
    assert bad.fields == ["group_id", "request_id", "up_to_version"]
