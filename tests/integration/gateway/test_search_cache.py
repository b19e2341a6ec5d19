"""Kept answers of searches over gRPC, with two gateways on one fleet of both engines."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import grpc
import pytest

from gateway.embedded.fleet import EmbeddedFleet
from gateway.embedding.port import Vector
from gateway.loopback.client import GatewayClient
from gateway.search_cache.search_cache import SearchCache
from gateway.server import GatewayServer
from gateway.settings.service import SearchCacheSettings
from graphgate.v1 import admin_service_pb2 as admin
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import search_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on, settings_for

Code = grpc.StatusCode
ENTITY, FACT = graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT
BYTES_MAX = 60_000
STEPS = 60


class GatedEmbedder(HashingEmbedder):
    """Makes no vector while it is shut, so that a search stays under way."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        return await super().embed(texts, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Other:
    """The gateway whose cache is looked at; `client` of the other tests is the one beside it."""

    stubs: GatewayClient
    cache: SearchCache
    embedder: GatedEmbedder
    server: GatewayServer


@pytest.fixture(scope="module")
async def other(mixed_fleet: EmbeddedFleet, client: Client) -> AsyncIterator[Other]:
    """A second gateway, with little room for answers. `client`: the first has founded the fleet."""
    settings = settings_for(mixed_fleet).model_copy(
        update={"search_cache": SearchCacheSettings(bytes_max=BYTES_MAX)}
    )
    embedder = GatedEmbedder()
    server = GatewayServer(settings, embedder)
    try:
        await server.start()
        async with GatewayClient(server.address) as stubs:
            await stubs.until_all_shards_answer(timeout_s=60)
            yield Other(stubs, server._search_cache, embedder, server)
    finally:
        await server.stop(0)


def entities(*group_ids: str, query: str = "amber", method: str = "KEYWORD") -> pb.SearchRequest:
    spec = pb.ResultSpec(
        kind=ENTITY,
        limit=200,
        methods=[pb.MethodWeight(method=f"SEARCH_METHOD_{method}", weight=1)],  # pyright: ignore[reportArgumentType]
    )
    return pb.SearchRequest(groups=pb.GroupList(group_ids=group_ids), query=query, results=[spec])


def found(answer: pb.SearchResponse) -> set[str]:
    return {hit.entity.uuid for hit in answer.results[0].hits}


def source(answer: pb.SearchResponse) -> tuple[str, str]:
    outcome = pb.SearchCacheOutcome.Name(answer.cache.outcome).removeprefix("SEARCH_CACHE_OUTCOME_")
    return outcome, answer.cache.reason


async def write(client: Client | GatewayClient, group_id: str, name: str = "amber") -> str:
    uuid = new_uuid()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group_id, entities=[graph_pb2.Entity(uuid=uuid, name=name)]
        )
    )
    return uuid


@dataclass(slots=True)
class Known:
    """What was acknowledged."""

    rows: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By group: uuids of its entities."""

    def of(self, group_ids: Sequence[str]) -> set[str]:
        return {uuid for group_id in group_ids for uuid in self.rows.get(group_id, ())}


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_acknowledged_write_is_hidden(client: Client, other: Other, seed: int) -> None:
    """Random writes and deletions through either gateway, with searches through both at the same time and
    after: what was acknowledged before a search began is in its answer, what was deleted is not."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    groups = [await group_on(client, engine) for engine in ("FALKORDB", "FALKORDB", "NEO4J")]
    groups.append(f"group-{new_uuid()[:12]}")
    known = Known()
    gateways: list[Client | GatewayClient] = [client, other.stubs]
    sources: set[str] = set()

    async def search(scope: Sequence[str]) -> set[str]:
        answer = await rng.choice(gateways).search.Search(entities(*scope))
        sources.add(answer.cache.reason)
        return found(answer)

    async def change(group_id: str) -> tuple[set[str], set[str]]:
        """Added and removed uuids."""
        rows = known.rows.get(group_id, set[str]())
        gateway = rng.choice(gateways)
        if rows and rng.random() < 0.3:
            uuid = rng.choice(sorted(rows))
            await gateway.graph.DeleteEntities(
                graph_service_pb2.DeleteEntitiesRequest(group_id=group_id, uuids=[uuid])
            )
            return set(), {uuid}
        return {await write(gateway, group_id)}, set()

    for step in range(STEPS):
        scope = rng.choice([groups[:1], groups[2:3], groups[1:], groups[3:], groups])
        if rng.random() < 0.6:
            group_id = rng.choice(groups)
            before = known.of(scope)
            (added, removed), *answers = await asyncio.gather(change(group_id), search(scope), search(scope))
            known.rows[group_id] = (known.rows.get(group_id, set()) | added) - removed
            for answer in answers:
                assert before - removed <= answer <= before | added, f"seed {seed}, step {step}"
        for _ in range(rng.randint(1, 3)):
            assert await search(scope) == known.of(scope), f"seed {seed}, step {step}"
    assert {"KEPT", "GROUP_CHANGED", "NOT_KEPT"} <= sources


async def test_a_group_that_did_not_exist_is_found_once_it_does(client: Client, other: Other) -> None:
    """An answer that names it as unknown is given again until another gateway has made it."""
    group_id = f"group-{new_uuid()[:12]}"
    for expected in (("MISS", "NOT_KEPT"), ("HIT", "KEPT")):
        answer = await other.stubs.search.Search(entities(group_id))
        assert (list(answer.unknown_groups), source(answer)) == ([group_id], expected)
    uuid = await write(client, group_id)
    answer = await other.stubs.search.Search(entities(group_id))
    assert (found(answer), source(answer)) == ({uuid}, ("MISS", "GROUP_CHANGED"))


@pytest.mark.parametrize("engine", ["FALKORDB", "NEO4J"])
async def test_a_fact_that_ends_is_not_found_after_its_end(client: Client, other: Other, engine: str) -> None:
    """Nothing is written when time passes; a kept answer knows when it ends."""
    group_id = await group_on(client, engine)
    lamp = graph_pb2.Entity(uuid=new_uuid(), name="lamp")
    fact = graph_pb2.Fact(
        uuid=new_uuid(), source_uuid=lamp.uuid, target_uuid=lamp.uuid, name="IS", fact="lamp"
    )
    request = pb.SearchRequest(group_id=group_id, query="lamp", results=[pb.ResultSpec(kind=FACT)])

    async def write_fact() -> None:
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[lamp], facts=[fact])
        )

    # An engine that does something for the first time may take a second for it.
    await write_fact()
    await other.stubs.search.Search(request)
    end_ns = (time.time_ns() + 700_000_000) // 1_000 * 1_000
    fact.invalid_at.FromNanoseconds(end_ns)
    await write_fact()
    seen: list[tuple[bool, str]] = []

    async def ended() -> bool:
        asked_ns = time.time_ns()
        answer = await other.stubs.search.Search(request)
        hits = len(answer.results[0].hits)
        seen.append((hits == 1, answer.cache.reason))
        assert hits == (1 if time.time_ns() < end_ns else hits)
        assert not (asked_ns >= end_ns and hits)
        return asked_ns >= end_ns

    await eventually(ended)
    assert (True, "KEPT") in seen
    assert (False, "EXPIRED") in seen


@pytest.mark.parametrize("engine", ["FALKORDB", "NEO4J"])
async def test_a_kept_answer_is_the_answer(client: Client, other: Other, engine: str) -> None:
    """But for its timings and what it says of itself; versions that a caller asks for are checked on it."""
    group_id = await group_on(client, engine)
    await write(client, group_id)
    request = entities(group_id, method="SEMANTIC")
    made, kept = [await other.stubs.search.Search(request) for _ in range(2)]
    assert [source(made), source(kept)] == [("MISS", "NOT_KEPT"), ("HIT", "KEPT")]
    assert (made.cache.kept, kept.cache.kept) == (True, True)
    assert [timing.stage for timing in kept.timings] == ["cache"]
    assert kept.cache.age_ms >= 0
    for answer in (made, kept):
        answer.ClearField("timings")
        answer.ClearField("cache")
    assert made == kept
    (version,) = [entry.version for entry in kept.versions]
    request.min_versions[group_id] = version
    assert source(await other.stubs.search.Search(request)) == ("HIT", "KEPT")
    request.min_versions[group_id] = version + 1
    assert (await refused(other.stubs.search.Search(request))).reason == "VERSION_NOT_REACHED"


async def test_callers_choose_and_operators_drop(client: Client, other: Other) -> None:
    """Bypass, refresh, invalidation by group, by pattern and of all, and a preload."""
    group_id, away = await group_on(client, "FALKORDB"), f"group-{new_uuid()[:12]}"
    request = entities(group_id, away)

    async def ask(use: pb.SearchCacheUse = pb.SEARCH_CACHE_USE_UNSPECIFIED) -> str:
        chosen = pb.SearchRequest()
        chosen.CopyFrom(request)
        chosen.cache = use
        return (await other.stubs.search.Search(chosen)).cache.reason

    async def dropped(**scope: object) -> int:
        message = admin.InvalidateSearchCacheRequest(**scope)  # pyright: ignore[reportArgumentType]
        return (await other.stubs.admin.InvalidateSearchCache(message)).dropped

    assert await ask(pb.SEARCH_CACHE_USE_BYPASS) == "REQUESTED"
    assert [await ask(), await ask()] == ["NOT_KEPT", "KEPT"]
    assert await ask(pb.SEARCH_CACHE_USE_REFRESH) == "REFRESH"
    assert await dropped(groups=pb.GroupList(group_ids=[away])) == 1
    assert [await ask(), await ask()] == ["NOT_KEPT", "KEPT"]
    assert await dropped(group_id_pattern=f"{away[:-3]}???") == 1
    assert await dropped(group_id_pattern="nothing*") == 0
    assert [await ask(), await ask()] == ["NOT_KEPT", "KEPT"]
    assert await dropped(all_groups=pb.AllGroups()) >= 1
    assert len(other.cache.kept) == 0

    preloaded = await other.stubs.admin.PreloadSearch(admin.PreloadSearchRequest(search=request))
    assert (preloaded.cache.reason, preloaded.cache.kept, preloaded.hits) == ("REFRESH", True, 0)
    assert await ask() == "KEPT"
    everything = pb.SearchRequest(all_groups=pb.AllGroups(), query="x")
    preloaded = await other.stubs.admin.PreloadSearch(admin.PreloadSearchRequest(search=everything))
    assert (preloaded.cache.reason, preloaded.cache.kept) == ("ALL_GROUPS", False)


async def test_bad_requests_name_their_fields(other: Other) -> None:
    """Every field of the cache's own calls is checked."""
    search = entities("g")
    search.cache = 9  # pyright: ignore[reportAttributeAccessIssue]
    assert (await refused(other.stubs.search.Search(search))).fields == ["cache"]
    search = entities("g", query="")
    search.cache = pb.SEARCH_CACHE_USE_BYPASS
    bad = admin.PreloadSearchRequest(search=search)
    refusal = await refused(other.stubs.admin.PreloadSearch(bad))
    assert set(refusal.fields) == {"search.cache", "search.query"}
    for invalid, field_name in (
        (admin.InvalidateSearchCacheRequest(), "scope"),
        (admin.InvalidateSearchCacheRequest(groups=pb.GroupList()), "groups.group_ids"),
        (admin.InvalidateSearchCacheRequest(groups=pb.GroupList(group_ids=["a b"])), "groups.group_ids[0]"),
        (admin.InvalidateSearchCacheRequest(group_id_pattern="[a]"), "group_id_pattern"),
        (admin.InvalidateSearchCacheRequest(group_id_pattern="x" * 129), "group_id_pattern"),
    ):
        refusal = await refused(other.stubs.admin.InvalidateSearchCache(invalid))
        assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, [field_name])


async def test_waiters_of_one_search_keep_their_own_deadlines(client: Client, other: Other) -> None:
    """A stampede is one search; who has little time gets DEADLINE_EXCEEDED, who hangs up takes nobody with
    it, and the others get the answer."""
    group_id = await group_on(client, "NEO4J")
    uuid = await write(client, group_id)
    request = entities(group_id, query="amber lamp", method="SEMANTIC")
    other.embedder.open.clear()
    try:
        calls = [asyncio.create_task(_search(other, request, 30)) for _ in range(12)]
        running = other.cache._shared._running
        await eventually(lambda: sum(search.callers for search in running.values()) == len(calls))
        refusal = await refused(other.stubs.search.Search(request, timeout=0.3))
        assert refusal.code is Code.DEADLINE_EXCEEDED
        calls[0].cancel()
        await eventually(lambda: sum(search.callers for search in running.values()) == len(calls) - 1)
        assert other.embedder.waiting == 1
    finally:
        other.embedder.open.set()
    answers = await asyncio.gather(*calls[1:])
    assert all(uuid in found(answer) for answer in answers)
    reasons = [answer.cache.reason for answer in answers]
    # Whoever came first may be the one who hung up.
    assert reasons.count("SHARED") >= len(reasons) - 1


async def test_the_room_is_bounded_and_shown(client: Client, other: Other) -> None:
    """However many different searches there are; the metrics tell how it goes."""
    group_id = await group_on(client, "FALKORDB")
    for number in range(60):
        await other.stubs.search.Search(entities(group_id, query=f"amber {number}"))
        assert other.cache.kept.bytes <= BYTES_MAX
    assert other.cache.kept.evictions > 0
    shown = {
        (sample.name, *sample.labels.values()): sample.value
        for family in other.server.telemetry.collect()
        for sample in family.samples
    }
    assert shown["graphgate_search_cache_bytes",] == other.cache.kept.bytes
    assert shown["graphgate_search_cache_entries",] == len(other.cache.kept)
    assert shown["graphgate_search_cache_evictions_total",] == other.cache.kept.evictions
    assert shown["graphgate_search_cache_answers_total", "miss", "not_kept"] >= 60
    assert shown["graphgate_search_cache_answers_total", "hit", "kept"] > 0


async def _search(other: Other, request: pb.SearchRequest, timeout_s: float) -> pb.SearchResponse:
    return await other.stubs.search.Search(request, timeout=timeout_s)
