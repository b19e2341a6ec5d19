"""How the hits of a search came about, as its message."""

from collections.abc import Iterable, Mapping

from gateway.rpc.search_reading import METHOD
from gateway.search.result import KindResult, RankedRow
from graphgate.v1 import search_service_pb2 as pb
from shard_router.fusion import Method
from shard_router.keyword_basis import KeywordBasis


def explanation(
    weights: Mapping[Method, float], k: float, found: KindResult, bytes_max: int
) -> pb.RankingExplanation:
    """Of one kind; rankings are cut at their ends until it has at most `bytes_max`."""
    message = pb.RankingExplanation(
        rrf_k=k,
        methods=[
            pb.MethodRanking(method=METHOD[method], weight=weights[method], rows=_rows(rows))
            for method, rows in sorted(found.rankings.items())
        ],
        fused=[
            pb.RankedRow(group_id=hit.key.group_id, uuid=hit.key.uuid, score=hit.score) for hit in found.fused
        ],
        reranked=_rows(found.reranked),
    )
    if found.keyword_basis is not None:
        basis = found.keyword_basis
        message.keyword.CopyFrom(_statistics(basis))
        of_keyword = (ranking for ranking in message.methods if ranking.method == METHOD[Method.KEYWORD])
        for ranking in of_keyword:
            for row, ranked in zip(ranking.rows, found.rankings[Method.KEYWORD], strict=True):
                row.term_frequencies.extend(basis.rows[ranked.key].counts)
                row.length = basis.rows[ranked.key].length
    _cut(message, bytes_max)
    return message


def _rows(rows: Iterable[RankedRow]) -> list[pb.RankedRow]:
    return [
        pb.RankedRow(group_id=row.key.group_id, uuid=row.key.uuid, score=row.score, distance=row.distance)
        for row in rows
    ]


def _statistics(basis: KeywordBasis) -> pb.KeywordStatistics:
    return pb.KeywordStatistics(
        documents=basis.stats.rows,
        mean_length=basis.stats.mean_length,
        k1=basis.k1,
        b=basis.b,
        terms=[
            pb.TermStatistics(
                term=term,
                query_frequency=count,
                document_frequency=basis.stats.document_frequency.get(term, 0),
            )
            for term, count in basis.query_terms.items()
        ],
    )


def _cut(message: pb.RankingExplanation, bytes_max: int) -> None:
    """Halves the longest ranking until it fits, then leaves out the statistics: terms have any length."""
    rankings = [message.fused, message.reranked, *(method.rows for method in message.methods)]
    while message.ByteSize() > bytes_max:
        message.cut = True
        longest = max(rankings, key=len)
        if not longest:
            message.ClearField("keyword")
            return
        del longest[len(longest) // 2 :]
