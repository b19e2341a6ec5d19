"""Creates, describes and drops what schema_rules.py names."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from drivers.contract import SchemaItem, SchemaReport
from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, SchemaNotReady, ShardImpaired, ShardTimeout
from drivers.fence import POOLED, Engine
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.queries_write import CORE, ROWS, images_statement, write_statement
from drivers.neo4j.records import KIND_OF_LABEL
from drivers.neo4j.schema_rules import ANALYZER, RULES, SchemaRule

_SHOW_INDEXES = """SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, state,
populationPercent, owningConstraint, failureMessage, options WHERE type <> 'LOOKUP'
RETURN name, type, entityType, labelsOrTypes, properties, state, populationPercent, owningConstraint,
failureMessage, options.indexConfig['fulltext.analyzer']"""

_COMPONENTS = """CALL dbms.components() YIELD name, versions, edition WHERE name = 'Neo4j Kernel'
RETURN versions[0], edition"""

_POLL_S_MIN = 0.02
_POLL_S_MAX = 1.0
_NAMES_LISTED_MAX = 5


@dataclass(frozen=True, slots=True)
class _Index:
    """An index as the server lists it."""

    name: str
    form: str
    is_node: bool
    labels: tuple[str, ...]
    properties: tuple[str, ...]
    state: str
    detail: str
    constraint: str | None
    """The constraint that it belongs to, with which it is dropped."""

    @property
    def identity(self) -> tuple[Any, ...]:
        return (self.form, self.is_node, self.labels[0] if len(self.labels) == 1 else "", self.properties)

    @property
    def report_name(self) -> str:
        subject = "|".join(KIND_OF_LABEL.get(label, label) for label in self.labels)
        return f"{self.form}:{subject}({','.join(self.properties)})"

    @property
    def drop(self) -> str:
        if self.constraint is not None:
            return f"DROP CONSTRAINT `{self.constraint}` IF EXISTS"
        return f"DROP INDEX `{self.name}` IF EXISTS"


class Schema:
    def __init__(self, client: Neo4jClient) -> None:
        self._client = client

    async def ensure(self, deadline: Deadline) -> None:
        """Creates what is missing, waits for it, and has the large statements compiled.

        SchemaNotReady names what is still not serving at the end, for instance an index that has failed.
        """
        found = {index.identity for index in await self._indexes(deadline)}
        missing = [rule for rule in RULES if rule.identity not in found]
        for rule in missing:
            await self._client.define(rule.create, deadline)
        items = await self._settled(deadline)
        bad = [item.name for item in items if item.state not in ("READY", "EXTRA")]
        if bad:
            raise SchemaNotReady(self._client.shard_id, ", ".join(bad[:_NAMES_LISTED_MAX]))
        await self._compile(deadline)

    async def describe(self, deadline: Deadline) -> SchemaReport:
        ((version, edition),) = await self._client.read(_COMPONENTS, {}, "describe_schema", deadline)
        items = _items(await self._indexes(deadline))
        return SchemaReport(Engine.NEO4J, f"{version} {edition}", tuple(items))

    async def drop(self, deadline: Deadline) -> None:
        known = {rule.identity for rule in RULES}
        for index in await self._indexes(deadline):
            if index.identity in known:
                await self._client.define(index.drop, deadline)

    async def _indexes(self, deadline: Deadline) -> list[_Index]:
        found = await self._client.read(_SHOW_INDEXES, {}, "describe_schema", deadline)
        return [_index(*record) for record in found]

    async def _settled(self, deadline: Deadline) -> list[SchemaItem]:
        """The items when none is being built any more, or when the time is up."""
        for pause_s in _pauses_s():
            items = _items(await self._indexes(deadline))
            if all(item.state != "BUILDING" for item in items) or deadline.remaining_s() <= 2 * pause_s:
                return items
            await asyncio.sleep(pause_s)
        raise AssertionError

    async def _compile(self, deadline: Deadline) -> None:
        """What most writes need; the first of them would wait for it. To run out of time here costs that wait
        and nothing else, so it gets half of what is left. A read-only database compiles no write."""
        half = deadline.within(deadline.remaining_s() / 2)

        async def prepare(text: str) -> None:
            with suppress(ShardTimeout, ShardImpaired, DeadlinePassed):
                await self._client.prepare(text, half)

        # Not all at once: deletions and ingestion wait anyway, and a cold server takes seconds for each.
        for shape in (ROWS, CORE):
            await asyncio.gather(prepare(images_statement(shape)), prepare(write_statement(shape)))


def _pauses_s() -> Iterator[float]:
    pause_s = _POLL_S_MIN
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _POLL_S_MAX)


def _index(
    name: str,
    form: str,
    entity: str,
    labels: Sequence[str],
    properties: Sequence[str],
    state: str,
    percent: float,
    constraint: str | None,
    failure: str,
    analyzer: str | None,
) -> _Index:
    form = "unique" if constraint is not None else form.lower()
    told, detail = {
        "ONLINE": ("READY", ""),
        "POPULATING": ("BUILDING", f"{percent:.0f} %"),
    }.get(state, ("FAILED", failure.partition("\n")[0]))
    if form == "fulltext" and analyzer != ANALYZER:
        told, detail = "FAILED", f"analyzer {analyzer}, not {ANALYZER}; drop it and create it anew"
    return _Index(name, form, entity == "NODE", tuple(labels), tuple(properties), told, detail, constraint)


def _items(indexes: Sequence[_Index]) -> list[SchemaItem]:
    by_identity = {index.identity: index for index in indexes}
    items = [_item(rule, by_identity.pop(rule.identity, None)) for rule in RULES]
    extra = sorted(by_identity.values(), key=lambda index: index.report_name)
    return items + [SchemaItem(index.report_name, POOLED, "EXTRA", index.name) for index in extra]


def _item(rule: SchemaRule, index: _Index | None) -> SchemaItem:
    if index is None:
        return SchemaItem(rule.name, POOLED, "MISSING")
    return SchemaItem(rule.name, POOLED, index.state, index.detail)
