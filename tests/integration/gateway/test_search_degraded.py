"""Searches when a part does not answer in time: a shard, a cross-encoder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest
from pydantic import SecretStr

from gateway.embedded.fleet import EmbeddedFleet
from gateway.server import GatewayServer
from gateway.settings.service import CrossEncoderSection
from graphgate.v1 import graph_pb2, graph_service_pb2, graph_service_pb2_grpc, search_service_pb2_grpc
from graphgate.v1 import search_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.fakes.openai_server import FakeOpenAI, Held, Status
from tests.fault_proxy import FaultProxy, proxy_to
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import settings_for

Code = grpc.StatusCode
ENTITY, FACT = graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT
SLOW = "falkordb-0"


@dataclass(frozen=True, slots=True)
class Rig:
    proxy: FaultProxy
    judge: FakeOpenAI
    search: Callable[[pb.SearchRequest], Awaitable[pb.SearchResponse]]
    shard_of: dict[str, str]
    """By group."""

    @property
    def lost(self) -> set[str]:
        return {group_id for group_id, shard in self.shard_of.items() if shard == SLOW}

    def request(self, **given: object) -> pb.SearchRequest:
        return pb.SearchRequest(
            groups=pb.GroupList(group_ids=sorted(self.shard_of)),
            query="amber lamp",
            # An answer from before would hide what fails.
            cache=pb.SEARCH_CACHE_USE_BYPASS,
            results=[pb.ResultSpec(kind=ENTITY, limit=50)],
            **given,  # pyright: ignore[reportArgumentType]
        )


@pytest.fixture(scope="module")
async def rig(mixed_fleet: EmbeddedFleet) -> AsyncIterator[Rig]:
    """A gateway with a cross-encoder over the fleet, one shard of it behind a proxy."""
    behind = next(shard for shard in mixed_fleet.shards if shard.id == SLOW)
    async with proxy_to(behind.url) as proxy:
        with FakeOpenAI() as judge:
            plain = settings_for(mixed_fleet)
            shards = tuple(
                shard.model_copy(update={"url": proxy.url}) if shard.id == SLOW else shard
                for shard in plain.shards
            )
            chosen = CrossEncoderSection(
                model="judge", base_url=judge.base_url, api_key=SecretStr(judge.api_key), timeout_s=10
            )
            settings = plain.model_copy(update={"shards": shards, "cross_encoder": chosen})
            server = GatewayServer(settings, HashingEmbedder())
            try:
                await server.start()
                async with grpc.aio.insecure_channel(server.address) as channel:
                    yield await _rig(channel, proxy, judge)
            finally:
                proxy.delay_s = 0.0
                await server.stop(0)


async def _rig(channel: grpc.aio.Channel, proxy: FaultProxy, judge: FakeOpenAI) -> Rig:
    graph: graph_service_pb2_grpc.GraphServiceAsyncStub = graph_service_pb2_grpc.GraphServiceStub(channel)  # pyright: ignore[reportAssignmentType]
    stub: search_service_pb2_grpc.SearchServiceAsyncStub = search_service_pb2_grpc.SearchServiceStub(channel)  # pyright: ignore[reportAssignmentType]
    shard_of: dict[str, str] = {}
    for number in range(24):
        group_id = f"degraded-{new_uuid()[:12]}"
        lamp, sea = (graph_pb2.Entity(uuid=new_uuid(), name=f"{name} {number}") for name in ("lamp", "sea"))
        fact = graph_pb2.Fact(
            source_uuid=lamp.uuid, target_uuid=sea.uuid, name="NEAR", fact=f"amber lamp {number}"
        )
        await graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[lamp, sea], facts=[fact])
        )
        described = await graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        shard_of[group_id] = described.group.shard
    assert len(set(shard_of.values())) == 3

    async def search(request: pb.SearchRequest) -> pb.SearchResponse:
        return await stub.Search(request, timeout=2.0)

    return Rig(proxy, judge, search, shard_of)


@pytest.fixture
async def slow_shard(rig: Rig) -> AsyncIterator[None]:
    """The proxied shard answers only after the deadline of a search."""
    rig.proxy.hang()
    yield
    rig.proxy.resume()

    async def answers() -> bool:
        try:
            await rig.search(rig.request())
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(answers, 60)


async def test_a_shard_after_the_deadline_fails_the_whole_search_by_default(
    rig: Rig, slow_shard: None
) -> None:
    """Nobody takes a part for the whole without having asked for that."""
    refusal = await refused(rig.search(rig.request()))
    assert refusal.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE)
    assert refusal.reason in ("SHARD_TIMEOUT", "DEADLINE_EXCEEDED", "SHARD_UNAVAILABLE")


async def test_a_partial_answer_says_what_is_missing_and_why(rig: Rig, slow_shard: None) -> None:
    """The other shards' hits in time, the share that answered, the missing groups, and of every shard what
    became of it."""
    answer = await rig.search(rig.request(partial=pb.PartialPolicy(min_coverage=0.1)))
    present = set(rig.shard_of) - rig.lost
    assert {hit.group_id for hit in answer.results[0].hits} == present
    assert answer.coverage == pytest.approx(len(present) / len(rig.shard_of))
    assert set(answer.missing_groups) == rig.lost
    assert {version.group_id for version in answer.versions} == present
    outcomes = {outcome.shard: outcome for outcome in answer.shards}
    assert outcomes.keys() == set(rig.shard_of.values())
    for shard, outcome in outcomes.items():
        if shard == SLOW:
            assert outcome.status in (pb.SHARD_OUTCOME_STATUS_TIMEOUT, pb.SHARD_OUTCOME_STATUS_ERROR)
            assert outcome.reason in ("SHARD_TIMEOUT", "DEADLINE_EXCEEDED", "SHARD_UNAVAILABLE")
            assert outcome.groups == len(rig.lost)
        else:
            assert (outcome.status, outcome.reason) == (pb.SHARD_OUTCOME_STATUS_OK, "")


async def test_less_than_the_minimum_coverage_fails(rig: Rig, slow_shard: None) -> None:
    """A caller that needs all but a few groups gets an error that says what is missing, not a thin answer."""
    refusal = await refused(rig.search(rig.request(partial=pb.PartialPolicy(min_coverage=0.99))))
    assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "COVERAGE_TOO_LOW")
    shard, _, reason = refusal.metadata["shards"].partition("=")
    assert shard == SLOW
    assert reason in ("SHARD_TIMEOUT", "DEADLINE_EXCEEDED", "SHARD_UNAVAILABLE")
    assert refusal.metadata["min_coverage"] == "0.99"
    assert float(refusal.metadata["coverage"]) == pytest.approx(
        1 - len(rig.lost) / len(rig.shard_of), abs=1e-5
    )
    assert set(refusal.metadata["missing_groups"].split(",")) <= rig.lost


async def test_a_whole_answer_has_full_coverage_under_the_same_policy(rig: Rig) -> None:
    """The policy changes nothing while all shards answer."""
    answer = await rig.search(rig.request(partial=pb.PartialPolicy(min_coverage=1)))
    whole = await rig.search(rig.request())
    assert answer.coverage == 1.0
    assert len(answer.missing_groups) == 0
    assert list(answer.results) == list(whole.results)


def by_judge(rig: Rig, **given: object) -> pb.SearchRequest:
    request = rig.request(recipe="facts_cross_encoder")
    del request.results[:]
    spec = pb.ResultSpec(
        kind=FACT,
        limit=10,
        methods=[pb.MethodWeight(method=pb.SEARCH_METHOD_SEMANTIC, weight=1)],
        **given,  # pyright: ignore[reportArgumentType]
    )
    request.results.append(spec)
    request.query = "lamp 7 amber"
    return request


async def test_a_cross_encoder_orders_the_best_of_the_fusion(rig: Rig) -> None:
    """Its score is the hit's; it read 2 x limit rows, in batches; the fused scores stay in the answer."""
    asked_before = len(rig.judge.requests)
    (found,) = (await rig.search(by_judge(rig))).results
    assert (found.rerank.reranked, found.rerank.reason) == (True, "")
    assert found.hits[0].fact.fact == "amber lamp 7"
    assert [hit.score for hit in found.hits] == pytest.approx([1.0] + [2 / 3] * 9)
    assert all(0 < hit.fused_score < 0.1 for hit in found.hits)
    requests = rig.judge.requests[asked_before:]
    assert sum(len(request.inputs) for request in requests) == 20
    bounded = (await rig.search(by_judge(rig, min_score=0.9))).results[0]
    assert [hit.fact.fact for hit in bounded.hits] == ["amber lamp 7"]


async def test_a_cross_encoder_after_its_deadline_leaves_the_fused_order_and_is_marked(rig: Rig) -> None:
    """The answer comes in time, in the order of the fusion, and says that it was not reranked; a minimum for
    the model's scores is not applied to the fusion's."""
    held = Held()
    rig.judge.script(held)
    request = by_judge(rig, min_score=0.9)
    request.results[0].reranker.cross_encoder.timeout.FromMilliseconds(200)
    (found,) = (await rig.search(request)).results
    held.release.set()
    assert (found.rerank.reranked, found.rerank.reason) == (False, "CROSS_ENCODER_TIMEOUT")
    plain = by_judge(rig, reranker=pb.Reranker(rrf=pb.RrfReranker()))
    (fused,) = (await rig.search(plain)).results
    assert fused.rerank.reason == "NOT_ASKED"
    assert list(found.hits) == list(fused.hits)
    assert len(found.hits) == 10


async def test_a_cross_encoder_that_fails_is_no_reason_to_fail(rig: Rig) -> None:
    """An error of the provider is named; the search has an answer."""
    rig.judge.script(Status(503))
    (found,) = (await rig.search(by_judge(rig))).results
    assert (found.rerank.reranked, found.rerank.reason) == (False, "CROSS_ENCODER_UNAVAILABLE")
    assert len(found.hits) == 10
