"""What one shard's engine does with every query shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import EngineRefused, SchemaNotReady, ShardImpaired, ShardTimeout
from drivers.example_group import placeholder, read_example
from drivers.fence import Fence
from drivers.query_plan import (
    READY,
    PlanReader,
    PlanStep,
    QueryShape,
    Verdict,
    index_states,
    judge,
)
from gateway.assembly import query_shapes

SHAPE_S_MAX = 60.0
"""For one plan: a cold server compiles its largest statements for seconds."""


@dataclass(frozen=True, slots=True)
class ExplainedShape:
    shape: QueryShape
    profiled: bool
    plan: PlanStep | None
    """None when the engine has refused to tell."""
    verdict: Verdict
    problem: str = ""
    """Why there is no plan."""

    @property
    def holds(self) -> bool:
        return self.plan is not None and self.verdict.holds

    @property
    def rows(self) -> int | None:
        """Of the result."""
        return None if self.plan is None else self.plan.rows

    @property
    def found(self) -> int | None:
        """Rows that indexes, scans and procedures have handed to the other steps: what the query looks at."""
        steps = [] if self.plan is None else [step for _, step in self.plan.walk()]
        known = [
            step.rows
            for step in steps
            if step.rows is not None and (step.index or step.is_scan or step.is_call)
        ]
        return sum(known) if known else None

    @property
    def hits(self) -> int | None:
        """Database hits of all steps; None where the engine counts none."""
        counted = [] if self.plan is None else [step.hits for _, step in self.plan.walk()]
        known = [hits for hits in counted if hits is not None]
        return sum(known) if known else None

    @property
    def ms(self) -> float | None:
        """Of all steps; None where the engine does not take the time."""
        taken = [] if self.plan is None else [step.ms for _, step in self.plan.walk()]
        known = [ms for ms in taken if ms is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class ShardExplanation:
    shard: str
    engine: str
    engine_version: str
    group: str
    """Whose rows the parameters name; empty when the shard has no group."""
    shapes: Sequence[ExplainedShape]

    @property
    def holds(self) -> bool:
        return all(shape.holds for shape in self.shapes)


def chosen(shapes: Sequence[QueryShape], pattern: str | None) -> Sequence[QueryShape]:
    """Those whose name is, or matches, `pattern` (`*` and `?`); all when it is None."""
    return [shape for shape in shapes if pattern is None or fnmatchcase(shape.name, pattern)]


async def explain_shard(
    driver: ShardDriver,
    reader: PlanReader,
    fence: Fence | None,
    *,
    pattern: str | None,
    profile_reads: bool,
    profile_writes: bool,
) -> ShardExplanation:
    """`fence`: of the group that lends its rows. Raises ShardError when the shard does not answer; what it
    refuses is the problem of a shape."""
    group = placeholder("none") if fence is None else await read_example(driver, fence, _soon())
    report = await driver.describe_schema(_soon())
    states = index_states(report)
    explained: list[ExplainedShape] = []
    for shape in chosen(query_shapes(driver.engine, group), pattern):
        # A query whose index is gone may be an error, or read the whole shard.
        served = all(states.get(name, READY) == READY for name in shape.indexes)
        profile = served and not shape.of_slot and (profile_writes if shape.writes else profile_reads)
        plan, problem = None, ""
        try:
            plan = await reader.explain(group.ref, shape, _soon(), profile=profile)
        except EngineRefused as refused:
            problem = refused.engine_text.partition("\n")[0]
        except (SchemaNotReady, ShardImpaired, ShardTimeout) as error:
            problem = str(error)
        verdict = judge(shape, plan or PlanStep(operator=""), states)
        explained.append(ExplainedShape(shape, profile, plan, verdict, problem))
    return ShardExplanation(
        shard=driver.shard_id,
        engine=driver.engine.lower(),
        engine_version=report.engine_version,
        group="" if fence is None else fence.group_id,
        shapes=explained,
    )


def _soon() -> Deadline:
    return Deadline.after(SHAPE_S_MAX)
