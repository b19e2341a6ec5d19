"""Plans of this engine: GRAPH.EXPLAIN and GRAPH.PROFILE, read into PlanStep."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from drivers.deadline import Deadline
from drivers.errors import EngineRefused
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import MARKER_GRAPH, graph_of
from drivers.falkordb.parameters import statement
from drivers.falkordb.schema import INDEXES
from drivers.falkordb.settings import FalkorDBSettings
from drivers.fence import GroupRef
from drivers.query_plan import PlanStep, QueryShape

SCRATCH_PREFIX = "graphgate:explain:"
"""Of graphs that live as long as one profile of a writing query; no listing of groups looks at them."""

SCANS = ("Label Scan", "All Node Scan", "Hash Join", "Cartesian")
"""Parts of the names of operators whose work grows with the rows of other groups."""
_INDENT = 4
_FIGURES = re.compile(r"Records produced: (\d+), Execution time: ([\d.]+) ms")
_LABEL = re.compile(r":(\w+)")
_NO_FORK = "could not fork"
_FORK_PAUSE_S = 0.1
_DROP_S = 30.0
"""For dropping a copy, whatever is left of the caller's deadline."""
_OWNER: Mapping[str, str] = {index.label: index.owner for index in INDEXES}


class FalkorDBPlans:
    """drivers.query_plan.PlanReader. Makes no graph that does not exist."""

    def __init__(self, shard_id: str, settings: FalkorDBSettings, pool_graphs: int) -> None:
        self._client = GraphClient(shard_id, settings)
        self._pool_graphs = pool_graphs

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        self._client.close()

    async def explain(
        self, ref: GroupRef, shape: QueryShape, deadline: Deadline, *, profile: bool
    ) -> PlanStep:
        """A writing query is profiled on a copy of its graph, which holds up the server while it is made."""
        graph = MARKER_GRAPH if shape.of_marker else graph_of(ref, self._pool_graphs)
        if not profile:
            return await self._ask("GRAPH.EXPLAIN", graph, shape, deadline)
        if not shape.writes:
            return await self._ask("GRAPH.PROFILE", graph, shape, deadline)
        async with self._copy(graph, deadline) as scratch:
            return await self._ask("GRAPH.PROFILE", scratch, shape, deadline)

    async def _ask(self, verb: str, graph: str, shape: QueryShape, deadline: Deadline) -> PlanStep:
        query = statement(shape.text, {name: shape.parameters[name] for name in names(shape.text)})
        what = f"the plan of {shape.name}"
        lines = await self._client.command(deadline, what, verb, graph, query.decode())
        return parsed([str(line) for line in cast("list[object]", lines)])

    @asynccontextmanager
    async def _copy(self, graph: str, deadline: Deadline) -> AsyncGenerator[str]:
        """With the rows and the indexes. The deadline does not keep it from being dropped."""
        scratch = SCRATCH_PREFIX + secrets.token_hex(8)
        await self._copied(graph, scratch, deadline)
        try:
            yield scratch
        finally:
            await self._client.command(Deadline.after(_DROP_S), "dropping a copy", "GRAPH.DELETE", scratch)

    async def _copied(self, graph: str, scratch: str, deadline: Deadline) -> None:
        """The server copies by a child process, and has one at a time: while it rewrites its log, none."""
        while True:
            try:
                await self._client.command(deadline, "copying a graph", "GRAPH.COPY", graph, scratch)
            except EngineRefused as refused:
                if _NO_FORK not in refused.engine_text or not deadline.remaining_s():
                    raise
                await asyncio.sleep(_FORK_PAUSE_S)
            else:
                return


def names(text: str) -> list[str]:
    """The parameters that a query text names, sorted."""
    return sorted(set(re.findall(r"\$(\w+)", text)))


def parsed(lines: Sequence[str]) -> PlanStep:
    """The tree of a plan as the engine prints it: one operator a line, four blanks deeper than what it feeds.
    ValueError for what is no plan."""
    if not lines:
        raise ValueError("a plan has no line")
    return _step(lines[0].strip(), _children(lines[1:], 1))


def _children(lines: Sequence[str], depth: int) -> tuple[PlanStep, ...]:
    """Of lines that all lie at `depth` or deeper."""
    if not lines:
        return ()
    starts = [place for place, line in enumerate(lines) if _depth(line) == depth]
    if not starts or starts[0] != 0:
        raise ValueError(f"{lines[0]!r} is not where a plan may have a line")
    ends = [*starts[1:], len(lines)]
    return tuple(
        _step(lines[start].strip(), _children(lines[start + 1 : end], depth + 1))
        for start, end in zip(starts, ends, strict=True)
    )


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip())) // _INDENT


def _step(line: str, steps: tuple[PlanStep, ...]) -> PlanStep:
    operator, *rest = line.split(" | ")
    figures = _FIGURES.fullmatch(rest[-1]) if rest else None
    details = " | ".join(rest if figures is None else rest[:-1])
    label = _LABEL.search(details)
    owner = _OWNER.get(label[1], label[1]) if label else ""
    is_scan = any(scan in operator for scan in SCANS)
    return PlanStep(
        operator=operator,
        details=details,
        index=f"range:{owner}" if operator.endswith("By Index Scan") else "",
        is_scan=is_scan,
        scanned=label[1] if is_scan and label else "",
        is_call=operator == "ProcedureCall",
        rows=int(figures[1]) if figures else None,
        ms=float(figures[2]) if figures else None,
        steps=steps,
    )
