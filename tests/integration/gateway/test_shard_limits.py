"""What one shard takes at once, as clients learn it before they meet it."""

import grpc

from drivers.falkordb.write import WEIGHT_MAX
from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client


def rows(group_id: str, count: int) -> graph_service_pb2.WriteGraphRequest:
    """Rows whose texts weigh less than a KiB together."""
    entities = [graph_pb2.Entity(uuid=new_uuid(), name="x") for _ in range(count)]
    return graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=entities)


async def test_the_weight_that_a_shard_takes_is_told_and_holds(client: Client, group: str) -> None:
    """GetGroup and ListShards tell the same limit of the group's shard, and 0 where there is none: a write of
    just that weight passes, a heavier one is refused with that limit."""
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    listed = await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    limits = {shard.shard: shard.limits.write_weight_max for shard in listed.shards}
    limit = described.limits.write_weight_max
    assert limits[described.group.shard] == limit
    assert limit == (WEIGHT_MAX if described.group.shard.startswith("falkordb") else 0)
    await client.graph.WriteGraph(rows(group, limit or WEIGHT_MAX + 1))
    if limit:
        refusal = await refused(client.graph.WriteGraph(rows(group, limit + 1)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WRITE_TOO_HEAVY")
        assert (refusal.metadata["limit_name"], refusal.metadata["limit"]) == ("write_weight_max", str(limit))
