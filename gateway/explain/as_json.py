"""Explanations for programs."""

from collections.abc import Mapping, Sequence

from drivers.query_plan import PlanStep, QueryShape
from gateway.explain.explanation import ExplainedShape, ShardExplanation


def explanations(shards: Sequence[ShardExplanation]) -> Mapping[str, object]:
    return {
        "as_required": all(shard.holds for shard in shards),
        "shards": [
            {
                "shard": shard.shard,
                "engine": shard.engine,
                "engine_version": shard.engine_version,
                "group": shard.group,
                "as_required": shard.holds,
                "shapes": [_explained(shape) for shape in shard.shapes],
            }
            for shard in shards
        ],
    }


def names(shapes: Sequence[QueryShape]) -> list[Mapping[str, object]]:
    return [
        {
            "shape": shape.name,
            "writes": shape.writes,
            "of_slot": shape.of_slot,
            "indexes": list(shape.indexes),
        }
        for shape in shapes
    ]


def _explained(shape: ExplainedShape) -> Mapping[str, object]:
    return {
        "shape": shape.shape.name,
        "writes": shape.shape.writes,
        "of_slot": shape.shape.of_slot,
        "profiled": shape.profiled,
        "as_required": shape.holds,
        "indexes": [
            {"name": index.name, "state": index.state, "used": index.used} for index in shape.verdict.indexes
        ],
        "faults": list(shape.verdict.faults),
        "problem": shape.problem,
        "rows": shape.rows,
        "found": shape.found,
        "hits": shape.hits,
        "ms": shape.ms,
        "plan": None if shape.plan is None else _step(shape.plan),
    }


def _step(step: PlanStep) -> Mapping[str, object]:
    return {
        "operator": step.operator,
        "details": step.details,
        "index": step.index,
        "rows_estimated": step.rows_estimated,
        "rows": step.rows,
        "hits": step.hits,
        "ms": step.ms,
        "steps": [_step(below) for below in step.steps],
    }
