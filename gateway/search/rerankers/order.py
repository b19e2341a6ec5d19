"""What a reranker gets and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.graph_model import AnyRow
from drivers.row_key import RowKey
from gateway.search.result import RankedRow, RerankReport


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of the fusion, as it is stored."""

    key: RowKey
    row: AnyRow
    fused_score: float


@dataclass(frozen=True, slots=True)
class Reranking:
    """`rows` best first; those of the fusion if it was not reranked."""

    rows: Sequence[RankedRow]
    report: RerankReport


def by_score(
    candidates: Sequence[Candidate], score: Callable[[Candidate], float], *, cut: bool = False
) -> Reranking:
    """Equal scores keep the order of the fusion. `cut`: see RerankReport."""
    rows = [RankedRow(candidate.key, score(candidate)) for candidate in candidates]
    return Reranking(sorted(rows, key=lambda row: -row.score), RerankReport(reranked=True, cut=cut))


def unchanged(candidates: Sequence[Candidate], reason: str) -> Reranking:
    """The fused order. `reason`: why, in upper case."""
    rows = [RankedRow(candidate.key, candidate.fused_score) for candidate in candidates]
    return Reranking(rows, RerankReport(reranked=False, reason=reason))
