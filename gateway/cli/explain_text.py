"""Explanations for people: a table of the shapes, and the steps of the plans that were asked for."""

from collections.abc import Sequence

from drivers.query_plan import IndexUse, PlanStep
from gateway.cli.columns import aligned
from gateway.explain.explanation import ExplainedShape, ShardExplanation

_NOTHING = "-"
_INDEXES_SHOWN = 3
_DETAILS_WIDTH = 90
_DEPTH_SHOWN = 30
"""Deeper steps are not moved further to the right."""


def table(explanation: ShardExplanation) -> str:
    """One line for each shape."""
    titles = ("SHAPE", "BY", "ROWS", "FOUND", "HITS", "MS", "AS REQUIRED", "INDEX")
    return aligned(_filled([titles, *(_line(shape) for shape in explanation.shapes)]))


def heading(explanation: ShardExplanation) -> str:
    good = sum(shape.holds for shape in explanation.shapes)
    found = f"{good} of {len(explanation.shapes)} plans are as required"
    group = f"rows of group {explanation.group}" if explanation.group else "no group to take rows of"
    return f"{explanation.shard}: {explanation.engine} {explanation.engine_version}, {group}; {found}"


def steps(shape: ExplainedShape) -> str:
    """The plan of one shape, a line for each step, those that feed a step below it."""
    title = f"{shape.shape.name}: {_indexes(shape, shown=len(shape.verdict.indexes))}"
    if shape.plan is None:
        return title
    titles = ("STEP", "INDEX", "ESTIMATED", "ROWS", "HITS", "MS", "DETAILS")
    lines = [_step(depth, step) for depth, step in shape.plan.walk()]
    return f"{title}\n{aligned(_filled([titles, *lines]))}"


def _filled(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Without the columns in which no row but the titles has anything: no engine tells all figures."""
    kept = [place for place in range(len(rows[0])) if any(row[place] != _NOTHING for row in rows[1:])]
    return [[row[place] for place in kept] for row in rows]


def _line(shape: ExplainedShape) -> Sequence[str]:
    return (
        shape.shape.name,
        "PROFILE" if shape.profiled else "EXPLAIN",
        _count(shape.rows),
        _count(shape.found),
        _count(shape.hits),
        _ms(shape.ms),
        "yes" if shape.holds else "NO",
        _indexes(shape, shown=_INDEXES_SHOWN),
    )


def _indexes(shape: ExplainedShape, shown: int) -> str:
    """What is wrong, else what is used."""
    if shape.problem:
        return f"no plan: {shape.problem}"
    lost = [_lost(index) for index in shape.verdict.indexes if not index.holds]
    wrong = [*lost, *shape.verdict.faults]
    if wrong:
        return "; ".join(wrong)
    names = [index.name for index in shape.verdict.indexes]
    if not names:
        return f"none: passes over {', '.join(shape.shape.scanned)}"
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _lost(index: IndexUse) -> str:
    return f"{index.name} is {index.state}" if index.state != "READY" else f"{index.name} is not used"


def _step(depth: int, step: PlanStep) -> Sequence[str]:
    estimated = _NOTHING if step.rows_estimated is None else f"{step.rows_estimated:.3g}"
    details = step.details
    if len(details) > _DETAILS_WIDTH:
        details = details[: _DETAILS_WIDTH - 2] + ".."
    return (
        " " * min(depth, _DEPTH_SHOWN) + step.operator,
        step.index or _NOTHING,
        estimated,
        _count(step.rows),
        _count(step.hits),
        _ms(step.ms),
        details,
    )


def _count(count: int | None) -> str:
    return _NOTHING if count is None else f"{count:,}"


def _ms(ms: float | None) -> str:
    return _NOTHING if ms is None else f"{ms:.3f}"
