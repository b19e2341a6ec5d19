"""No statement reads more than it must: each finds its rows by an index."""

from collections.abc import Iterator
from itertools import product
from typing import Any, LiteralString, cast

import pytest
from neo4j import AsyncDriver

from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, TEXT_KINDS, Kind
from drivers.neo4j import Neo4jDriver
from drivers.neo4j.queries_fences import CREATE_FENCE, CREATE_MARKER, LIST_FENCES, READ_FENCES
from drivers.neo4j.queries_read import CHANGES, list_text, rows_text
from drivers.neo4j.queries_search import NEXT_VALIDITY_CHANGE, expand_text, keyword_text, semantic_text
from drivers.neo4j.queries_write import IMAGES, LOCKED_VERSION, SHAPES, write_statement
from drivers.reads import ListOrder
from drivers.search_reads import EXPANDED_KINDS

STATEMENTS = {
    "create_marker": CREATE_MARKER,
    "create_fence": CREATE_FENCE,
    "read_fences": READ_FENCES,
    "list_fences": LIST_FENCES,
    "images": IMAGES.text,
    "locked_version": LOCKED_VERSION,
    "changes": CHANGES.text,
    **{f"write_{len(shape.kinds)}": write_statement(shape).text for shape in SHAPES},
    **{f"rows_{kind}": rows_text(kind, False) for kind in Kind},
    **{f"vectors_{kind}": rows_text(kind, True) for kind in Kind},
    **{f"list_{order}_{kind}": list_text(kind, order, None, False) for order in ListOrder for kind in Kind},
    **{
        f"anchored_{order}_{kind}_{anchor}": list_text(kind, order, anchor, False)
        for order in ListOrder
        for kind in EDGE_KINDS
        for anchor in ENDPOINT_KINDS[kind]
    },
    **{f"episodes_facts_{order}": list_text(Kind.FACT, order, Kind.EPISODE, False) for order in ListOrder},
    **{
        f"between_{order}": list_text(Kind.FACT, order, Kind.ENTITY, False, between=True)
        for order in ListOrder
    },
    **{
        f"semantic_{kind}_{filtered}": semantic_text(kind, filtered=filtered)
        for kind, filtered in product(TEXT_KINDS, (False, True))
    },
    **{
        f"keyword_{kind}_{filtered}": keyword_text(kind, filtered=filtered)
        for kind, filtered in product(TEXT_KINDS, (False, True))
    },
    **{
        f"expand_{kind}_{origin}_{filtered}": expand_text(kind, origin, filtered=filtered)
        for kind, filtered in product(EXPANDED_KINDS, (False, True))
        for origin in ENDPOINT_KINDS[kind]
    },
    "next_validity_change": NEXT_VALIDITY_CHANGE,
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_finds_its_rows_by_an_index(
    neo4j: Neo4jDriver, beside: AsyncDriver, name: str
) -> None:
    """On a small database, where the planner prefers scans, no plan has one; pages in order of an index are
    cut before their rows are read."""
    operators = await _operators(beside, STATEMENTS[name])
    assert operators
    assert [operator for operator in operators if "Scan" in operator] == []
    if name.startswith("list_UUID"):
        assert not {"Sort", "Top"} & set(operators)
    if name.startswith(("images", "semantic", "keyword")):
        # One part after the other, in the order of the text: fences first in images, else last.
        assert "CartesianProduct" not in operators
    if name == "changes":
        # Each kind's versions come in the order of its index and are cut there; one Top merges them.
        assert operators.count("Top") == 1
        assert not {"Sort", "PartialSort"} & set(operators)
    if name.startswith("list_NEWEST"):
        assert "PartialTop" in operators


async def _operators(client: AsyncDriver, text: str) -> list[str]:
    async with client.session(database="neo4j") as session:
        result = await session.run(cast("LiteralString", f"EXPLAIN {text}"), {"p": {}})
        plan = (await result.consume()).plan
    assert plan is not None
    return [str(step["operatorType"]).partition("@")[0] for step in _steps(plan)]


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from _steps(child)
