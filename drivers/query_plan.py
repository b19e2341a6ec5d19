"""Query shapes and the plans that an engine makes of them: what is promised of a plan, and what breaks it.

A shape is one text that a driver sends, with parameters for an example. Both engines name indexes as
describe_schema does, so that a plan and the schema's state can be held against one list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.contract import SchemaReport
from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.filter_parameters import FilterValue, Narrowing, filter_parameters
from drivers.filters import NO_FILTER
from drivers.graph_model import TEXT_KINDS, Kind

READY = "READY"
_FROM_BEST_TO_WORST = (READY, "BUILDING", "FAILED", "MISSING")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryShape:
    name: str
    """The same on both engines for what means the same, e.g. `semantic-entity-filtered`."""
    text: str
    parameters: Mapping[str, Any]
    """Of the example, all that the text names."""
    indexes: tuple[str, ...]
    """Every one has to serve and to be used, e.g. `range:ENTITY(pk)`."""
    scanned: tuple[str, ...] = ()
    """Labels that it passes over as a whole, by design."""
    needs: tuple[str, ...] = ()
    """Operators that the plan must have."""
    never: tuple[str, ...] = ()
    """Operators that the plan must not have, beside those that the engine's package forbids to all."""
    writes: bool = False
    """It changes rows, or takes locks that writers wait for."""
    of_marker: bool = False
    """It is about the shard's marker, not about a group."""
    of_slot: bool = False
    """It searches a vector slot, which only large groups have: planned, never run."""


def shape_name(*parts: object) -> str:
    return "-".join(str(part).lower().replace("_", "-") for part in parts if part)


def narrowings(kind: Kind) -> Iterator[tuple[str, Narrowing, Mapping[str, FilterValue]]]:
    """Each that there is of the kind, with a part of a name and the parameters."""
    yield "", Narrowing.NOTHING, {}
    if kind is Kind.FACT:
        yield "holding", Narrowing.HOLDING, {"f_as_of": 0}
    yield "filtered", Narrowing.ANY, filter_parameters(kind, NO_FILTER)


def narrowed_kinds() -> Iterator[tuple[Kind, tuple[str, Narrowing, Mapping[str, FilterValue]]]]:
    return ((kind, narrowed) for kind in TEXT_KINDS for narrowed in narrowings(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One operator with those that feed it. Figures are None where the engine has not told them."""

    operator: str
    details: str = ""
    """Its arguments as the engine prints them, on one line."""
    index: str = ""
    """By which it finds rows: as schemas name it, or without properties where the engine tells the label
    alone (`range:ENTITY`); empty when it uses none or does not say so."""
    is_scan: bool = False
    """Its work grows with the rows of other groups."""
    scanned: str = ""
    """The label that a scan passes over, if the engine tells."""
    is_call: bool = False
    """It calls a procedure, which is how full-text indexes are used."""
    rows_estimated: float | None = None
    rows: int | None = None
    """Produced."""
    hits: int | None = None
    """Database hits."""
    ms: float | None = None
    """Its own time, without that of the steps that feed it."""
    steps: tuple["PlanStep", ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "PlanStep"]]:
        """This step and all below it, each with its depth, in the order in which the engine prints them."""
        yield depth, self
        for step in self.steps:
            yield from step.walk(depth + 1)


@dataclass(frozen=True, slots=True)
class IndexUse:
    name: str
    state: str
    """READY, BUILDING, FAILED or MISSING."""
    used: bool
    """Whether the plan has a step that uses it. Of an index that FalkorDB names by its label: whether one
    uses an index of that label."""

    @property
    def holds(self) -> bool:
        return self.used and self.state == READY


@dataclass(frozen=True, slots=True)
class Verdict:
    indexes: tuple[IndexUse, ...]
    """One for each that the shape requires."""
    faults: tuple[str, ...]
    """What else is wrong with the plan; each a sentence without a full stop."""

    @property
    def holds(self) -> bool:
        return not self.faults and all(index.holds for index in self.indexes)


class PlanReader(Protocol):
    """Asks one server for plans. open() before use, close() after it."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def explain(
        self, ref: GroupRef, shape: QueryShape, deadline: Deadline, *, profile: bool
    ) -> PlanStep:
        """The plan where the group `ref` lies; with `profile` the query runs and the steps have figures.
        Nothing that it writes stays. Raises ShardError."""
        ...


def index_states(report: SchemaReport) -> dict[str, str]:
    """By name the worst state that an index has in any container of the shard."""
    states: dict[str, str] = {}
    for item in report.items:
        if item.state in _FROM_BEST_TO_WORST:
            known = states.get(item.name, READY)
            states[item.name] = max(known, item.state, key=_FROM_BEST_TO_WORST.index)
    return states


def judge(shape: QueryShape, plan: PlanStep, states: Mapping[str, str]) -> Verdict:
    """Whether the plan is the one that was promised. `states` are those of index_states; a name that is not
    among them is taken for READY: the marker's index on FalkorDB is in no report."""
    steps = [step for _, step in plan.walk()]
    operators = {step.operator for step in steps}
    found = {step.index for step in steps if step.index}
    calls = any(step.is_call for step in steps)
    indexes = tuple(
        IndexUse(
            name,
            states.get(name, READY),
            calls if name.startswith("fulltext:") else bool(found & {name, name.partition("(")[0]}),
        )
        for name in shape.indexes
    )
    faults = [
        f"{step.operator} {step.details}".strip()
        for step in steps
        if step.is_scan and not (step.scanned and step.scanned in shape.scanned)
    ]
    faults += [f"has {name}" for name in shape.never if name in operators]
    faults += [f"lacks {name}" for name in shape.needs if name not in operators]
    return Verdict(indexes, tuple(faults))
