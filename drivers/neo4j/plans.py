"""Plans of this engine: EXPLAIN and PROFILE, read into PlanStep."""

import re
from collections.abc import Mapping
from typing import Any

from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.schema_rules import RULES
from drivers.neo4j.settings import Neo4jSettings
from drivers.query_plan import PlanStep, QueryShape

_INDEXED = re.compile(r"(?:UNIQUE|RANGE INDEX) .*?\b\w+:(\w+)\(([\w, ]+)\)")
"""How an operator that seeks begins: `UNIQUE n:Entity(pk) WHERE ..`, for an edge
`RANGE INDEX (a)-[n:RELATES_TO(group_id, version)]->(b) WHERE ..`."""
_SCANNED = re.compile(r":(\w+)")
_NAME: Mapping[tuple[str, tuple[str, ...]], str] = {
    (rule.label, rule.properties): rule.name for rule in RULES if rule.form != "fulltext"
}


class Neo4jPlans:
    """drivers.query_plan.PlanReader."""

    def __init__(self, shard_id: str, settings: Neo4jSettings) -> None:
        self._client = Neo4jClient(shard_id, settings)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def explain(
        self, ref: GroupRef, shape: QueryShape, deadline: Deadline, *, profile: bool
    ) -> PlanStep:
        """A writing statement is profiled in a transaction that is rolled back; it takes its locks."""
        return step(
            await self._client.plan(
                shape.text, shape.parameters, deadline, profile=profile, writes=shape.writes
            )
        )


def step(plan: Mapping[str, Any]) -> PlanStep:
    """The tree of a plan, or of a profile, as the Bolt client hands it out."""
    arguments: Mapping[str, Any] = plan.get("args", {})
    operator = str(plan["operatorType"]).partition("@")[0]
    details = " ".join(str(arguments.get("Details", "")).split())
    indexed = _INDEXED.match(details)
    is_scan = "Scan" in operator
    label = _SCANNED.search(details) if is_scan else None
    return PlanStep(
        operator=operator,
        details=details,
        index=_index_name(indexed[1], tuple(indexed[2].split(", "))) if indexed else "",
        is_scan=is_scan,
        scanned=label[1] if label else "",
        is_call=operator == "ProcedureCall",
        rows_estimated=arguments.get("EstimatedRows"),
        rows=plan.get("rows"),
        hits=plan.get("dbHits"),
        steps=tuple(step(child) for child in plan.get("children", ())),
    )


def _index_name(label: str, properties: tuple[str, ...]) -> str:
    """As schemas name it; of an index that is not graphgate's, what the engine tells of it."""
    return _NAME.get((label, properties), f"{label}({','.join(properties)})")
