"""What a fleet holds, as its gateway lists it."""

from collections import Counter

from gateway.demo.figures import ShardFigures, Stored
from gateway.loopback.client import GatewayClient
from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2, search_service_pb2

_TIMEOUT_S = 30.0
_PAGE_SIZE = 200


async def stored_rows(client: GatewayClient) -> Stored:
    """Rows of all groups by kind, and what each shard has of them."""
    rows: Counter[graph_pb2.RowKind] = Counter()
    groups: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    page = graph_service_pb2.ListGroupsRequest(page_size=_PAGE_SIZE)
    while True:
        answer = await client.graph.ListGroups(page, timeout=_TIMEOUT_S)
        for group in answer.groups:
            groups[group.shard] += 1
            for count in group.counts:
                rows[count.kind] += count.rows
                if count.kind == graph_pb2.ROW_KIND_ENTITY:
                    entities[group.shard] += count.rows
        if not answer.next_page_token:
            break
        page.page_token = answer.next_page_token
    shards = await client.admin.ListShards(admin_service_pb2.ListShardsRequest(), timeout=_TIMEOUT_S)
    return Stored(
        groups=groups.total(),
        episodes=rows[graph_pb2.ROW_KIND_EPISODE],
        entities=rows[graph_pb2.ROW_KIND_ENTITY],
        facts=rows[graph_pb2.ROW_KIND_FACT],
        mentions=rows[graph_pb2.ROW_KIND_MENTION],
        shards=tuple(
            ShardFigures(
                id=shard.shard,
                engine=search_service_pb2.ShardEngine.Name(shard.engine)
                .removeprefix("SHARD_ENGINE_")
                .lower(),
                groups=groups[shard.shard],
                entities=entities[shard.shard],
            )
            for shard in shards.shards
        ),
    )
