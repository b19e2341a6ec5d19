"""A refused write, and a group with enough in it to be refused."""

from drivers.graph_model import Entity
from drivers.write_plan import WritePlan, WriteStatus
from tests.contract.probes import Probe
from tests.contract.rows import entity, fact, vector
from tests.contract.tenant import Tenant


async def refused(tenant: Tenant, probe: Probe, plan: WritePlan, status: WriteStatus) -> None:
    """The plan is refused so, the fence is told as it is, and nothing at all is written."""
    before = await probe.group(tenant.ref.group_id)
    outcome = await tenant.apply(plan)
    assert outcome.status is status
    if status is not WriteStatus.NOT_OWNED:
        assert outcome.fence == await tenant.fence()
    if status is not WriteStatus.DUPLICATE:
        assert outcome.operation is None
    assert await probe.group(tenant.ref.group_id) == before


async def busy(tenant: Tenant) -> list[Entity]:
    """Three entities, facts in a row between them."""
    nodes = [entity(name, embedding=vector([1, 2])) for name in "abc"]
    await tenant.write(*nodes, fact(nodes[0].uuid, nodes[1].uuid), fact(nodes[1].uuid, nodes[2].uuid))
    return nodes
