"""What the figures are held to."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.eval.comparison import POINTS_BELOW_MAX, comparisons
from gateway.eval.figures import LayoutFigures
from gateway.eval.layouts import Ingest

SEMANTIC_OVERLAP = 1.0
"""Exact search: the same list wherever the groups are."""
OVERLAP_MIN = 0.98
RECALL_AT_10_MIN = 0.70
ONE_GROUP_RECALL_AT_10_MIN = 0.75
ONE_GROUP_ALL_AT_10_MIN = 0.50
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Goal:
    """Met when the figure is at least the bound."""

    layout: str
    what: str
    figure: float
    bound: float

    @property
    def met(self) -> bool:
        # Both are sums of fractions: what is equal on paper may differ by a rounding.
        return self.figure >= self.bound - _ROUNDING


def goals_of(layouts: Sequence[LayoutFigures]) -> list[Goal]:
    """Over all questions of the data; a few questions or passages say little about them."""
    found: list[Goal] = []
    compared = {one.llm.name: one for one in comparisons(layouts)}
    for layout in layouts:
        found += _of_one_group(layout) if layout.one_group else _of_many_groups(layout)
        if layout.name in compared:
            found += [
                Goal(
                    layout.name,
                    f"{one.method} recall@10 at most {POINTS_BELOW_MAX:g} points below provided",
                    one.llm,
                    one.provided - POINTS_BELOW_MAX / 100,
                )
                for one in compared[layout.name].differences
            ]
    return found


def _of_many_groups(layout: LayoutFigures) -> list[Goal]:
    semantic, hybrid = layout.methods["semantic"].recall_at_10, layout.methods["hybrid_k1"].recall_at_10
    recall = [
        Goal(layout.name, "semantic recall@10", semantic, RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 recall@10", hybrid, RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 recall@10 not below semantic", hybrid, semantic),
    ]
    if layout.ingest is Ingest.LLM:
        # Another graph than the written one: its lists are not expected to be the same.
        return recall
    overlap = layout.overlap_at_10
    return [
        Goal(layout.name, "semantic overlap@10", overlap["semantic"], SEMANTIC_OVERLAP),
        Goal(layout.name, "keyword overlap@10", overlap["keyword"], OVERLAP_MIN),
        Goal(layout.name, "hybrid overlap@10", overlap["hybrid"], OVERLAP_MIN),
        *recall,
    ]


def _of_one_group(layout: LayoutFigures) -> list[Goal]:
    hybrid = layout.methods["hybrid_k1"]
    return [
        Goal(layout.name, "hybrid_k1 recall@10", hybrid.recall_at_10, ONE_GROUP_RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 all@10", hybrid.all_at_10, ONE_GROUP_ALL_AT_10_MIN),
    ]
