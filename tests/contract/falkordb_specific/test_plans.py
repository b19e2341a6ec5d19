"""Every query finds its rows by an index: read from the engine's own plans."""

import re
from itertools import product

import pytest

from drivers.falkordb import FalkorDBDriver, queries, queries_read, queries_search, queries_write
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import graph_of
from drivers.falkordb.parameters import Parameter, statement
from drivers.falkordb.queries_write import ImageShape, WriteShape
from drivers.fence import POOLED, GroupRef
from drivers.filter_parameters import filter_parameters
from drivers.filters import NO_FILTER
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, TEXT_KINDS, Kind
from drivers.reads import ListOrder
from drivers.search_reads import EXPANDED_KINDS
from tests.contract.subject import POOL_GRAPHS
from tests.contract.tenant import soon

KINDS = tuple(Kind)
PUT = tuple((kind, "vector" if kind in TEXT_KINDS else "") for kind in KINDS)

TEXTS: dict[str, str] = {
    "images": queries_write.images_text(ImageShape(KINDS, NODE_KINDS, NODE_KINDS)),
    "write": queries_write.write_text(
        WriteShape(KINDS, NODE_KINDS, KINDS, PUT, closes_facts=True, tombstones=True)
    ),
    "changed versions": queries_read.changed_versions_text(),
    "changes": queries_read.changes_text(tuple((kind, "vector") for kind in TEXT_KINDS)),
    "fence": queries.FENCE_OF_GROUP,
    "fences": queries.FENCES_OF_GROUPS,
    "create fence": queries.CREATE_FENCE,
    **{f"fetch {kind}": queries_read.fetch_text(kind, None) for kind in KINDS},
    **{
        f"list {kind} {order} {continues}": queries_read.list_text(
            kind, None, order, continues=continues, slot=None
        )
        for kind, order, continues in product(KINDS, ListOrder, (False, True))
    },
    **{
        f"list {kind} at {anchor}": queries_read.list_text(
            kind, anchor, ListOrder.NEWEST, continues=True, slot=None
        )
        for kind, anchor in product(EDGE_KINDS, NODE_KINDS)
    },
    "list facts of an episode": queries_read.list_text(
        Kind.FACT, Kind.EPISODE, ListOrder.NEWEST, continues=True, slot=None
    ),
    "list facts between": queries_read.list_text(
        Kind.FACT, Kind.ENTITY, ListOrder.NEWEST, continues=True, slot=None, between=True
    ),
    **{
        f"semantic {kind} {filtered}": queries_search.semantic_text(kind, "vector", filtered=filtered)
        for kind, filtered in product(TEXT_KINDS, (False, True))
    },
    **{
        f"keyword {kind} {filtered} {counted}": queries_search.keyword_text(
            kind, filtered=filtered, counted=counted
        )
        for kind, filtered, counted in product(TEXT_KINDS, (False, True), (False, True))
    },
    **{
        f"expand {kind} from {origin} {filtered}": queries_search.expand_text(kind, origin, filtered=filtered)
        for kind, filtered in product(EXPANDED_KINDS, (False, True))
        for origin in ENDPOINT_KINDS[kind]
    },
    "next validity change": queries_search.NEXT_VALIDITY_CHANGE,
}
PARAMETERS: dict[str, Parameter] = {
    **dict.fromkeys(("group", "operation", "operation_key", "anchor", "after_uuid", "fits", "wanted"), "x"),
    **dict.fromkeys(("op_id", "content_hash", "result", "embeddings", "embeddings_seen"), "x"),
    **dict.fromkeys(("limit", "incident_max", "rows_max", "after", "until", "never", "after_created_at"), 1),
    **dict.fromkeys(("epoch", "if_version", "seen_version", "incident", "now", "score_min"), 1),
    **{f"existing_{kind}": 1 for kind in KINDS},
    "stats": {},
    "properties": {},
    "vector": [1.0],
    "chunks": [{"keys": "x", "groups": ["x"]}],
    "frontier": [{"group": "x", "keys": ["x"], "edges_max": 1, "all_max": 1}],
    **filter_parameters(Kind.FACT, NO_FILTER),
}
"""Of the others any list of keys will do."""
SCANS = ("Label Scan", "All Node Scan", "Hash Join", "Cartesian")


@pytest.mark.parametrize("name", TEXTS)
async def test_no_query_scans_a_whole_label(falkordb: FalkorDBDriver, client: GraphClient, name: str) -> None:
    """No operation of the plan grows with the rows of other groups: every row is found by a range index, by
    the text index or along an edge."""
    lines = await _explain(client, TEXTS[name])
    assert not [line for line in lines if any(scan in line for scan in SCANS)], "\n".join(lines)
    assert any("Index Scan" in line or "ProcedureCall" in line for line in lines), "\n".join(lines)


async def test_listing_fences_is_the_one_scan(falkordb: FalkorDBDriver, client: GraphClient) -> None:
    """Fences are listed by one pass over the fences, because a range over an indexed string is wrong."""
    lines = await _explain(client, queries.LIST_FENCES)
    assert [line for line in lines if "Scan" in line] == ["Node By Label Scan | (f:_Fence)"]


async def _explain(client: GraphClient, text: str) -> list[str]:
    names = sorted(set(re.findall(r"\$(\w+)", text)))
    query = statement(text, {name: PARAMETERS.get(name, ["x"]) for name in names}).decode()
    graph = graph_of(GroupRef("any", POOLED), POOL_GRAPHS)
    plan = await client.command(soon(), "explaining", "GRAPH.EXPLAIN", graph, query)
    assert isinstance(plan, list)
    return [str(line).strip() for line in plan]
