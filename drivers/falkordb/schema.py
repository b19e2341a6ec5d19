"""Indexes of a graph: made, waited for, described and dropped.

Range indexes serve equality and IN on pk and group_id, and ranges on version; there are no constraints,
for writers of one graph run one after another and MERGE by pk cannot make a second row. An index on
version costs 5 % of the write rate and makes `changes` of a group of 20,000 rows 0.2 ms instead of 5.
A MERGE on a label that the graph does not know yet finds nothing even after it has waited for the writer
before it: of eight at once on 4.22 several made a node. So each label that is merged on has an index, `_Slot`
for no other reason.
A label's indexes are one RediSearch index: an empty graph with all of them takes about 1.3 MB.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from drivers.contract import SchemaItem, SchemaReport
from drivers.deadline import Deadline
from drivers.errors import EngineRefused, SchemaNotReady
from drivers.falkordb.client import GraphClient
from drivers.falkordb.errors import ALREADY_INDEXED, NO_SUCH_INDEX
from drivers.falkordb.fan_out import over_graphs
from drivers.fence import Engine
from drivers.graph_model import EDGE_KINDS, TEXT_KINDS, Kind
from drivers.row_codec import LABEL

RANGE = "range"
FULLTEXT = "fulltext"
POLL_S = 0.02
INDEX_READY = "OPERATIONAL"
_SERVING = ("READY", "EXTRA")

_ROW_PROPERTIES = ("pk", "group_id", "version")
_FULLTEXT_PROPERTIES = ("terms", "group_key")
_DESCRIBE = """CALL db.indexes() YIELD label, types, status, stopwords
RETURN label, types, CASE WHEN size(stopwords) = 0 THEN status ELSE 'FAILED: it has stop words' END"""


@dataclass(frozen=True, slots=True, order=True)
class Index:
    """One index of a kind on a label: RediSearch keeps a label's together, DDL names them apart."""

    family: str
    """RANGE or FULLTEXT, or another lower-case name for what is not graphgate's."""
    owner: str
    """Kind, or the label of a system node."""
    label: str
    properties: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.family}:{self.owner}({','.join(self.properties)})"

    @property
    def pattern(self) -> str:
        return f"()-[n:{self.label}]->()" if self.owner in EDGE_KINDS else f"(n:{self.label})"

    def create_texts(self) -> list[str]:
        """One for each property, so that what is there in part is completed."""
        return [self._ddl("CREATE", name, " OPTIONS {nostem: true}") for name in self.properties]

    def drop_texts(self) -> list[str]:
        """One for each property: a DROP that names several drops the first alone."""
        return [self._ddl("DROP", name, "") for name in self.properties]

    def _ddl(self, verb: str, name: str, fulltext_options: str) -> str:
        """Stop words are not named: there are none unless they are, and an empty list is refused for a label
        that has any index already."""
        pattern = f"()-[n:{self.label}]->()" if self.owner in EDGE_KINDS else f"(n:{self.label})"
        if self.family == FULLTEXT:
            return f"{verb} FULLTEXT INDEX FOR {pattern} ON (n.{name}){fulltext_options}"
        return f"{verb} INDEX FOR {pattern} ON (n.{name})"


def _indexes() -> tuple[Index, ...]:
    system = {
        "_Fence": ("group_id",),
        "_Gate": ("key",),
        "_Op": ("key", "group_id", "version"),
        "_Slot": ("serial",),
        "_Tombstone": _ROW_PROPERTIES,
    }
    return (
        *(Index(RANGE, kind, LABEL[kind], (name,)) for kind in Kind for name in _ROW_PROPERTIES),
        *(Index(RANGE, label, label, (name,)) for label, names in system.items() for name in names),
        *(Index(FULLTEXT, kind, LABEL[kind], _FULLTEXT_PROPERTIES) for kind in TEXT_KINDS),
    )


INDEXES: tuple[Index, ...] = _indexes()
_OWNER: dict[str, str] = {index.label: index.owner for index in INDEXES}
_BY_FIELD: dict[tuple[str, str, str], Index] = {
    (index.label, index.family, name): index for index in INDEXES for name in index.properties
}


async def ensure(client: GraphClient, graphs: Iterable[str], deadline: Deadline) -> None:
    """Creates what is missing in every graph (and the graph itself) and waits until it serves."""

    async def of_graph(graph: str, _: None) -> None:
        await _ensure_graph(client, graph, deadline)

    await over_graphs(client, dict.fromkeys(graphs), of_graph)


async def _ensure_graph(client: GraphClient, graph: str, deadline: Deadline) -> None:
    items = await _items(client, graph, deadline)
    missing = {item.name for item in items if item.state == "MISSING"}
    for index in INDEXES:
        if index.name in missing:
            for text in index.create_texts():
                await _alter(client, graph, text, ALREADY_INDEXED, deadline)
    while waiting := [item for item in await _items(client, graph, deadline) if item.state not in _SERVING]:
        if deadline.remaining_s() <= POLL_S or any(item.state == "FAILED" for item in waiting):
            raise SchemaNotReady(client.shard_id, f"{waiting[0].name} of {graph} ({waiting[0].detail})")
        await asyncio.sleep(POLL_S)


async def describe(client: GraphClient, graphs: Iterable[str], deadline: Deadline) -> SchemaReport:
    async def of_graph(graph: str, _: None) -> list[SchemaItem]:
        return await _items(client, graph, deadline)

    answers = await over_graphs(client, dict.fromkeys(graphs), of_graph)
    return SchemaReport(
        engine=Engine.FALKORDB,
        engine_version=await _engine_version(client, deadline),
        items=tuple(item for items in answers for item in items),
    )


async def drop(client: GraphClient, graphs: Iterable[str], deadline: Deadline) -> None:
    """Drops what `ensure` creates; indexes of others stay."""

    async def of_graph(graph: str, _: None) -> None:
        there = {item.name for item in await _items(client, graph, deadline) if item.state != "MISSING"}
        for index in INDEXES:
            if index.name in there:
                for text in index.drop_texts():
                    await _alter(client, graph, text, NO_SUCH_INDEX, deadline)

    await over_graphs(client, dict.fromkeys(graphs), of_graph)


async def _alter(client: GraphClient, graph: str, text: str, done_already: str, deadline: Deadline) -> None:
    try:
        await client.write(graph, text, {}, deadline, "changing the schema")
    except EngineRefused as refused:
        if done_already not in refused.engine_text:
            raise


async def _items(client: GraphClient, graph: str, deadline: Deadline) -> list[SchemaItem]:
    """One for each of INDEXES, and one for each other index that is there."""
    found = await client.read(graph, _DESCRIBE, {}, deadline, "describing the schema")
    # While a label's index is rebuilt there are two: the old one, which serves, and the one to be.
    definitions: dict[str, tuple[dict[str, list[str]], str]] = {}
    for label, types, status in sorted(found, key=lambda row: row[2] != INDEX_READY):
        definitions[label] = types, status
    fields: dict[Index, list[tuple[str, str]]] = {index: [] for index in INDEXES}
    others: dict[Index, str] = {}
    for label, (types, status) in definitions.items():
        for name, families in types.items():
            for family in families:
                index = _BY_FIELD.get((label, family.lower(), name))
                if index is None:
                    others[Index(family.lower(), _OWNER.get(label) or label, label, (name,))] = status
                else:
                    fields[index].append((name, status))
    items = [SchemaItem(index.name, graph, *_state(index, fields[index])) for index in INDEXES]
    return items + [
        SchemaItem(index.name, graph, "EXTRA", status) for index, status in sorted(others.items())
    ]


def _state(index: Index, fields: list[tuple[str, str]]) -> tuple[str, str]:
    """An index that lacks a property is MISSING as a whole."""
    if len(fields) < len(index.properties):
        return "MISSING", ""
    statuses = {status for _, status in fields}
    if statuses == {INDEX_READY}:
        return "READY", ""
    detail = "; ".join(sorted(statuses))
    return ("FAILED" if "FAILED" in detail.upper() else "BUILDING"), detail


async def _engine_version(client: GraphClient, deadline: Deadline) -> str:
    """As 4.22.1, from the module's number 42201."""
    modules = cast(
        "list[dict[str, object]]", await client.command(deadline, "listing modules", "MODULE", "LIST")
    )
    number = next((int(str(module["ver"])) for module in modules if module["name"] == "graph"), 0)
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
