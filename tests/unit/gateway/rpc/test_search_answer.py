"""The answer of a search stays within its size, and tells what it left out."""

from dataclasses import replace

from drivers.fence import EmbeddingSpec, Engine
from drivers.graph_model import Entity, Kind
from drivers.row_key import RowKey
from gateway.rpc.read_mask import ReadMask
from gateway.rpc.search_answer import NAMED_MAX, response
from gateway.search.request import ResultSpec, Search
from gateway.search.result import (
    Hit,
    KindResult,
    RankedRow,
    RerankReport,
    SearchResult,
    SemanticSkip,
)
from graphgate.v1 import search_service_pb2 as pb
from shard_router.bm25 import CorpusStats
from shard_router.fusion import FusedHit, Method
from shard_router.keyword_basis import KeywordBasis, TermMatches
from shard_router.partial import ShardOutcome, ShardStatus

MIB = 1024 * 1024
SEARCH = Search(
    group_ids=("g",),
    text="amber",
    vector=None,
    results=(ResultSpec(Kind.ENTITY, weights={Method.KEYWORD: 1}),),
)
ALL_FIELDS = ReadMask(None, with_embedding=False)


def key(number: int) -> RowKey:
    return RowKey("g", f"{number:036}")


def result(hits: int, summary: str = "", candidates: int = 0) -> SearchResult:
    return SearchResult(
        kinds={
            Kind.ENTITY: KindResult(
                hits=tuple(
                    Hit(
                        key=key(number),
                        row=Entity(uuid=key(number).uuid, name="n", summary=summary),
                        score=1.0,
                        fused_score=1.0,
                        methods=(),
                        shard_id="falkordb-0",
                        engine=Engine.FALKORDB,
                    )
                    for number in range(hits)
                ),
                rankings={Method.KEYWORD: [RankedRow(key(number), 1.0) for number in range(candidates)]},
                fused=[
                    FusedHit(key(number), 1.0, {Method.KEYWORD: number + 1}) for number in range(candidates)
                ],
                reranked=(),
                rerank=RerankReport(reranked=False, reason="NOT_ASKED"),
                vectors=None,
                walk=None,
            )
        },
        unknown_groups=(),
        versions={},
        outcomes={},
        coverage=1.0,
        missing_groups=(),
        semantic_skips=(),
        missing_entities=(),
        stages_s={},
    )


def answer(found: SearchResult, bytes_max: int, **given: bool) -> pb.SearchResponse:
    request = pb.SearchRequest(**given)  # pyright: ignore[reportArgumentType]
    message = response(request, SEARCH, found, ALL_FIELDS, bytes_max)
    assert message.ByteSize() <= bytes_max + 200
    return message


def test_hits_that_do_not_fit_are_counted() -> None:
    """From the end of the list; what is left is whole."""
    (found,) = answer(result(10, "s" * 100_000), MIB // 2).results
    assert (len(found.hits), found.hits_left_out) == (5, 5)
    assert [hit.entity.uuid for hit in found.hits] == [key(number).uuid for number in range(5)]


def test_an_explanation_gives_way_to_hits() -> None:
    """Rankings are cut at their ends, and say so; hits are never left out for them."""
    whole = answer(result(3, candidates=400), MIB, explain=True).results[0]
    assert len(whole.explanation.methods[0].rows) == len(whole.explanation.fused) == 400
    assert not whole.explanation.cut
    small = answer(result(3, candidates=400), 20_000, explain=True).results[0]
    assert (len(small.hits), small.hits_left_out, small.explanation.cut) == (3, 0, True)
    assert 0 < len(small.explanation.methods[0].rows) < 400
    none = answer(result(3, "s" * 6_000, candidates=400), 19_000, explain=True).results[0]
    assert (len(none.hits), none.explanation.cut) == (3, True)


def test_statistics_of_long_terms_give_way_too() -> None:
    """A query of 64 terms of any length does not push an explanation past the limit of a reply."""
    terms = {f"{number}{'t' * 900}": 1 for number in range(64)}
    basis = KeywordBasis(terms, CorpusStats(1, 1, {}), {key(0): TermMatches((0,) * 64, 1)})
    found = result(1, candidates=1)
    explained = replace(found, kinds={Kind.ENTITY: replace(found.kinds[Kind.ENTITY], keyword_basis=basis)})
    whole = answer(explained, MIB, explain=True).results[0].explanation
    assert (len(whole.keyword.terms), whole.cut) == (64, False)
    none = answer(explained, 20_000, explain=True).results[0]
    assert (none.explanation.HasField("keyword"), none.explanation.cut, len(none.hits)) == (False, True, 1)


def test_long_lists_of_groups_are_cut_and_counted() -> None:
    """20,000 groups that did not answer, or of another model, do not fill the reply."""
    spec = EmbeddingSpec("m", 3)
    skips = [SemanticSkip(f"g{number}", Kind.ENTITY, spec) for number in range(3_000)]
    found = replace(
        result(1),
        semantic_skips=skips,
        missing_groups=[f"g{number}" for number in range(20_000)],
        outcomes={"a": ShardOutcome(ShardStatus.STALE, "PLACEMENT_UNSETTLED", ("g1", "g2"), 1.25)},
    )
    message = answer(found, 3 * MIB)
    assert (len(message.semantic_skips), message.semantic_skips_total) == (NAMED_MAX, 3_000)
    assert len(message.missing_groups) == NAMED_MAX
    assert len(message.results[0].hits) == 1
    (shard,) = message.shards
    assert (shard.status, shard.reason, shard.groups) == (
        pb.SHARD_OUTCOME_STATUS_STALE,
        "PLACEMENT_UNSETTLED",
        2,
    )
    assert shard.latency.ToMilliseconds() == 1_250
