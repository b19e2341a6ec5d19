"""The rankings of one kind, fused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow
from gateway.search.request import ResultSpec
from gateway.search.result import MethodPlace, RankedRow
from shard_router.candidates import Candidates
from shard_router.fusion import FusedHit, Method, weighted_rrf


@dataclass(frozen=True, slots=True)
class Fusion:
    rankings: Mapping[Method, Sequence[RankedRow]]
    """Of the methods that take part."""
    hits: Sequence[FusedHit]

    def places(self, hit: FusedHit) -> tuple[MethodPlace, ...]:
        """Where the methods rank the row."""
        return tuple(
            MethodPlace(method, rank, row.score, row.distance)
            for method, rank in sorted(hit.ranks.items())
            for row in (self.rankings[method][rank - 1],)
        )


def fuse(spec: ResultSpec, candidates: Candidates | None, graph: Sequence[RankedRow], k: int) -> Fusion:
    rankings: dict[Method, Sequence[RankedRow]] = {Method.GRAPH: graph}
    if candidates is not None:
        rankings |= {
            Method.SEMANTIC: _ranked(candidates.semantic),
            Method.KEYWORD: _ranked(candidates.keyword),
        }
    rankings = {method: rows for method, rows in rankings.items() if spec.weights.get(method)}
    keys: dict[Method, list[RowKey]] = {
        method: [row.key for row in rows] for method, rows in rankings.items()
    }
    return Fusion(rankings, weighted_rrf(keys, spec.weights, k))


def _ranked(rows: Sequence[ScoredRow]) -> list[RankedRow]:
    return [RankedRow(row.key, row.score) for row in rows]
