"""The same layout filled in both ways: what ingestion loses against rows that are written as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.eval.figures import LayoutFigures
from gateway.eval.layouts import Ingest, provided_name
from gateway.eval.methods import MethodName

POINTS_BELOW_MAX = 2.0
"""Of recall@10; a point is .01. A graph in which more is found is no fault."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Of recall@10."""

    method: MethodName
    provided: float
    llm: float

    @property
    def points(self) -> float:
        """Above 0: more is found in the graph that the model made."""
        return 100 * (self.llm - self.provided)

    @property
    def met(self) -> bool:
        # The figures are sums of fractions: a difference of exactly two points may come out as a bit more.
        return round(self.points, 6) >= -POINTS_BELOW_MAX


@dataclass(frozen=True, slots=True)
class Comparison:
    provided: LayoutFigures
    llm: LayoutFigures

    @property
    def differences(self) -> Sequence[Difference]:
        return [
            Difference(method, before.recall_at_10, self.llm.methods[method].recall_at_10)
            for method, before in self.provided.methods.items()
        ]

    def as_json(self) -> dict[str, object]:
        return {
            "layout": self.provided.name,
            "points_below_max": POINTS_BELOW_MAX,
            "rows": {"provided": dict(self.provided.rows), "llm": dict(self.llm.rows)},
            "recall_at_10": {
                one.method: {
                    "provided": round(one.provided, 4),
                    "llm": round(one.llm, 4),
                    "points": round(one.points, 2),
                    "met": one.met,
                }
                for one in self.differences
            },
        }


def comparisons(layouts: Sequence[LayoutFigures]) -> Sequence[Comparison]:
    """Of every layout that was measured in both ways."""
    by_name = {layout.name: layout for layout in layouts}
    return [
        Comparison(by_name[before], layout)
        for layout in layouts
        if layout.ingest is Ingest.LLM and (before := provided_name(layout.name)) in by_name
    ]
