"""Reading never creates anything."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from drivers.contract import ShardDriver
from drivers.fence import GroupRef
from drivers.graph_model import Kind
from drivers.reads import Anchor, ListOrder, ListQuery
from drivers.search_reads import ExpandQuery, KeywordQuery, NearestQuery, PathQuery, SemanticQuery
from drivers.write_plan import ImageRequest
from tests.contract.probes import Probe
from tests.contract.rows import new_uuid, vector
from tests.contract.tenant import soon

type Read = Callable[[ShardDriver, GroupRef], Awaitable[object]]

READS: dict[str, Read] = {
    "ping": lambda d, r: d.ping(soon()),
    "read_marker": lambda d, r: d.read_marker(soon()),
    "describe_schema": lambda d, r: d.describe_schema(soon()),
    "read_fences": lambda d, r: d.read_fences([r], soon()),
    "list_fences": lambda d, r: d.list_fences("", 10, soon()),
    "read_images": lambda d, r: d.read_images(
        r,
        ImageRequest(
            "op", {Kind.FACT: (new_uuid(),)}, {Kind.SAGA: (new_uuid(),)}, {Kind.ENTITY: (new_uuid(),)}
        ),
        soon(),
    ),
    "get_rows": lambda d, r: d.get_rows(r, Kind.ENTITY, [new_uuid()], True, soon()),
    "fetch_rows": lambda d, r: d.fetch_rows(Kind.FACT, {r: [new_uuid()]}, True, soon()),
    "list_rows": lambda d, r: d.list_rows(r, ListQuery(Kind.FACT, 10), soon()),
    "list_rows newest": lambda d, r: d.list_rows(r, ListQuery(Kind.SAGA, 10, ListOrder.NEWEST), soon()),
    "list_rows anchored": lambda d, r: d.list_rows(
        r, ListQuery(Kind.FACT, 10, anchor=Anchor(Kind.ENTITY, new_uuid())), soon()
    ),
    "list_versions": lambda d, r: d.list_versions(r, ListQuery(Kind.FACT, 10, up_to_version=1), soon()),
    "changes": lambda d, r: d.changes(r, 0, 10, soon()),
    "semantic": lambda d, r: d.semantic([r], SemanticQuery(Kind.FACT, vector([1, 2]), 10), soon()),
    "nearest": lambda d, r: d.nearest(r, NearestQuery(Kind.FACT, (vector([1, 2]),), 10, 0.0), soon()),
    "keyword": lambda d, r: d.keyword([r], KeywordQuery(Kind.FACT, ("x",), 10), soon()),
    "paths": lambda d, r: d.paths(r, PathQuery(new_uuid(), new_uuid()), soon()),
    "expand": lambda d, r: d.expand(
        [ExpandQuery(r.group_id, r.space, (new_uuid(),), Kind.MENTION, 10)], soon()
    ),
}


@pytest.mark.parametrize("space", ["", "space-nobody-made"])
@pytest.mark.parametrize("name", READS)
async def test_a_read_of_what_is_not_there_creates_nothing(
    driver: ShardDriver, probe: Probe, name: str, space: str
) -> None:
    """An unknown group, in a known space or an unknown one, leaves no graph, node, label or property."""
    before = await probe.containers()
    for _ in range(3):
        await READS[name](driver, GroupRef(f"unknown-{secrets.token_hex(4)}", space))
    assert await probe.containers() == before
