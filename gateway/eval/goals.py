"""What the figures are held to."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.eval.figures import LayoutFigures

SEMANTIC_OVERLAP = 1.0
"""Exact search: the same list wherever the groups are."""
OVERLAP_MIN = 0.98
RECALL_AT_10_MIN = 0.70
ONE_GROUP_RECALL_AT_10_MIN = 0.75
ONE_GROUP_ALL_AT_10_MIN = 0.50


@dataclass(frozen=True, slots=True)
class Goal:
    """Met when the figure is at least the bound."""

    layout: str
    what: str
    figure: float
    bound: float

    @property
    def met(self) -> bool:
        return self.figure >= self.bound


def goals_of(layouts: Sequence[LayoutFigures]) -> list[Goal]:
    """Over all questions of the data; a few questions or passages say little about them."""
    return [
        goal
        for layout in layouts
        for goal in (_of_one_group(layout) if layout.one_group else _of_many_groups(layout))
    ]


def _of_many_groups(layout: LayoutFigures) -> list[Goal]:
    overlap = layout.overlap_at_10
    semantic, hybrid = layout.methods["semantic"].recall_at_10, layout.methods["hybrid_k1"].recall_at_10
    return [
        Goal(layout.name, "semantic overlap@10", overlap["semantic"], SEMANTIC_OVERLAP),
        Goal(layout.name, "keyword overlap@10", overlap["keyword"], OVERLAP_MIN),
        Goal(layout.name, "hybrid overlap@10", overlap["hybrid"], OVERLAP_MIN),
        Goal(layout.name, "semantic recall@10", semantic, RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 recall@10", hybrid, RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 recall@10 not below semantic", hybrid, semantic),
    ]


def _of_one_group(layout: LayoutFigures) -> list[Goal]:
    hybrid = layout.methods["hybrid_k1"]
    return [
        Goal(layout.name, "hybrid_k1 recall@10", hybrid.recall_at_10, ONE_GROUP_RECALL_AT_10_MIN),
        Goal(layout.name, "hybrid_k1 all@10", hybrid.all_at_10, ONE_GROUP_ALL_AT_10_MIN),
    ]
