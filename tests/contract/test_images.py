"""The images that a write is planned from."""

from dataclasses import replace
from itertools import batched

import pytest

from drivers.errors import RowLimitExceeded
from drivers.graph_model import EDGE_KINDS, NODE_KINDS, Kind
from drivers.row_codec import term_count_of
from drivers.write_plan import ROWS_PER_WRITE_MAX, ImageRequest, Images, IncidentEdge, WriteStatus
from tests.contract.rows import canonical, entity, fact, new_uuid, one_of_each, uuids, vector
from tests.contract.tenant import Tenant, soon


async def _read(tenant: Tenant, request: ImageRequest) -> Images:
    return await tenant.driver.read_images(tenant.ref, request, soon())


async def test_images_have_the_rows_that_exist(tenant: Tenant) -> None:
    """Rows of any kind that are asked for and there, without vectors; no others."""
    rows = one_of_each(embedding=vector([1, 2]))
    await tenant.write(*rows.values(), *one_of_each().values())
    asked = {kind: (rows[kind].uuid, new_uuid()) for kind in Kind}
    images = await _read(tenant, ImageRequest("none", asked, {}, {}))
    expected = {kind: (await tenant.get(kind, row.uuid)).rows[0] for kind, row in rows.items()}
    assert {key: canonical(row) for key, row in images.rows.items()} == {
        (kind, row.uuid): canonical(row) for kind, row in expected.items()
    }
    assert (images.operation, images.incident) == (None, ())
    assert images.fence == await tenant.fence()


async def test_images_tell_which_endpoints_exist(tenant: Tenant) -> None:
    """Of the nodes that edges need, by kind: a node of another kind with the same uuid does not count."""
    rows = one_of_each()
    await tenant.write(*rows.values())
    absent = new_uuid()
    asked = {
        kind: (rows[kind].uuid, absent, rows[other].uuid)
        for kind, other in zip(NODE_KINDS, reversed(NODE_KINDS), strict=True)
    }
    images = await _read(tenant, ImageRequest("none", {}, asked, {}))
    assert {kind: set(found) for kind, found in images.endpoints.items()} == {
        kind: {rows[kind].uuid} for kind in NODE_KINDS
    }


async def test_images_have_the_edges_of_a_cascade_once(tenant: Tenant) -> None:
    """Every edge at the nodes to be dropped, of each kind, with its ends and its number of terms."""
    rows, others = one_of_each(), one_of_each()
    await tenant.write(*rows.values(), *others.values())
    asked = {kind: (rows[kind].uuid,) for kind in NODE_KINDS}
    images = await _read(tenant, ImageRequest("none", {}, {}, asked))
    edges = [(await tenant.get(kind, rows[kind].uuid)).rows[0] for kind in EDGE_KINDS]
    assert sorted(images.incident, key=lambda edge: edge.kind) == sorted(
        (
            IncidentEdge(kind, edge.uuid, edge.source_uuid, edge.target_uuid, term_count_of(edge))  # pyright: ignore
            for kind, edge in zip(EDGE_KINDS, edges, strict=True)
        ),
        key=lambda edge: edge.kind,
    )


async def test_a_cascade_is_bounded(tenant: Tenant) -> None:
    """A node with as many edges as one write may drop is read; with one more it is refused by its number."""
    hub = entity("hub")
    await tenant.write(hub)
    ids = uuids(ROWS_PER_WRITE_MAX)
    for part in batched(ids, 200):
        await tenant.write(*(fact(hub.uuid, hub.uuid, at=at) for at in part))
    request = ImageRequest("none", {}, {}, {Kind.ENTITY: (hub.uuid,)})
    assert len((await _read(tenant, request)).incident) == ROWS_PER_WRITE_MAX
    await tenant.write(fact(hub.uuid, hub.uuid))
    with pytest.raises(RowLimitExceeded, match=str(ROWS_PER_WRITE_MAX)):
        await _read(tenant, request)


async def test_images_of_an_unknown_group_are_empty(tenant: Tenant) -> None:
    """No fence, nothing there, no error."""
    stranger = Tenant(tenant.driver, replace(tenant.ref, group_id=f"{tenant.ref.group_id}-x"))
    images = await _read(
        stranger, ImageRequest("op", {Kind.FACT: (new_uuid(),)}, {Kind.SAGA: (new_uuid(),)}, {})
    )
    assert (images.fence, images.operation, dict(images.rows), images.incident) == (None, None, {}, ())
    assert images.endpoints.get(Kind.SAGA, frozenset()) == frozenset()


async def test_a_plan_made_from_the_images_holds(tenant: Tenant) -> None:
    """What the images say is what the guards check: a plan made from them is applied."""
    rows = one_of_each()
    await tenant.write(*rows.values())
    intent = tenant.intent(
        *(replace(rows[kind], name="changed") for kind in (Kind.EPISODE, Kind.COMMUNITY)),  # pyright: ignore
        deletions=[(Kind.ENTITY, rows[Kind.ENTITY].uuid), (Kind.SAGA, rows[Kind.SAGA].uuid)],
    )
    assert (await tenant.apply(await tenant.plan(intent))).status is WriteStatus.APPLIED
    assert (await tenant.fence()).stats == await tenant.recount()
