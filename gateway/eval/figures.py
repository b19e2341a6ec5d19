"""What is measured of a layout."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Literal

from gateway.corpus.metrics import all_at, ndcg_at, overlap_at, percentile, recall_at
from gateway.eval.asking import Answers
from gateway.eval.ingesting import IngestFigures
from gateway.eval.layouts import Ingest
from gateway.eval.methods import MethodName
from gateway.eval.stored_rows import CountedKind

type Compared = Literal["semantic", "keyword", "hybrid"]

COMPARED: Mapping[Compared, MethodName] = {
    "semantic": "semantic",
    "keyword": "keyword",
    "hybrid": "hybrid_k60",
}


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """Means over the questions, and latencies of a single search at a time."""

    recall_at_5: float
    recall_at_10: float
    recall_at_20: float
    all_at_10: float
    ndcg_at_10: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class LayoutFigures:
    name: str
    one_group: bool
    overlap_at_10: Mapping[Compared, float]
    """Mean over the questions of what the first 10 have in common with those of the first layout."""
    methods: Mapping[MethodName, MethodFigures]
    groups_by_shard: Mapping[str, int]
    rows: Mapping[CountedKind, int] = field(default_factory=dict[CountedKind, int])
    ingestion: IngestFigures | None = None
    """None: the rows were written as the data names them."""

    @property
    def ingest(self) -> Ingest:
        return Ingest.PROVIDED if self.ingestion is None else Ingest.LLM

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {
            "name": self.name,
            "ingest": str(self.ingest),
            "overlap_at_10": {name: round(share, 4) for name, share in self.overlap_at_10.items()},
            "methods": {
                method: {
                    key: round(value, 2 if key.endswith("_ms") else 4)
                    for key, value in asdict(figures).items()
                }
                for method, figures in self.methods.items()
            },
            "groups_by_shard": dict(self.groups_by_shard),
            "rows": dict(self.rows),
        }
        if self.ingestion is not None:
            told["ingestion"] = self.ingestion.as_json()
        return told


def layout_figures(
    name: str, one_group: bool, answers: Answers, first: Answers, gold: Sequence[Collection[str]]
) -> LayoutFigures:
    """`first`: answers of the layout to compare with. `gold`: for each question the uuids of its episodes."""
    return LayoutFigures(
        name=name,
        one_group=one_group,
        overlap_at_10={
            compared: fmean(
                overlap_at(10, mine, other)
                for mine, other in zip(answers.rankings[method], first.rankings[method], strict=True)
            )
            for compared, method in COMPARED.items()
        },
        methods={
            method: _method_figures(rankings, answers.latencies_ms[method], gold)
            for method, rankings in answers.rankings.items()
        },
        groups_by_shard=answers.groups_by_shard,
    )


def _method_figures(
    rankings: Sequence[Sequence[str]], latencies_ms: Sequence[float], gold: Sequence[Collection[str]]
) -> MethodFigures:
    pairs = list(zip(rankings, gold, strict=True))
    return MethodFigures(
        recall_at_5=fmean(recall_at(5, *pair) for pair in pairs),
        recall_at_10=fmean(recall_at(10, *pair) for pair in pairs),
        recall_at_20=fmean(recall_at(20, *pair) for pair in pairs),
        all_at_10=fmean(all_at(10, *pair) for pair in pairs),
        ndcg_at_10=fmean(ndcg_at(10, *pair) for pair in pairs),
        p50_ms=percentile(latencies_ms, 50),
        p95_ms=percentile(latencies_ms, 95),
    )
