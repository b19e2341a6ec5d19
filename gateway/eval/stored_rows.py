"""How many rows a fleet holds, as its gateway counts them."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2

LIST_TIMEOUT_S = 30.0
GROUPS_PER_PAGE = 1_000

type CountedKind = Literal["episodes", "entities", "facts", "mentions"]

_COUNTED: Mapping[graph_pb2.RowKind, CountedKind] = {
    graph_pb2.ROW_KIND_EPISODE: "episodes",
    graph_pb2.ROW_KIND_ENTITY: "entities",
    graph_pb2.ROW_KIND_FACT: "facts",
    graph_pb2.ROW_KIND_MENTION: "mentions",
}


async def stored_rows(client: GatewayClient) -> Mapping[CountedKind, int]:
    """Of all groups. Raises AioRpcError."""
    found: Counter[CountedKind] = Counter(dict.fromkeys(_COUNTED.values(), 0))
    request = graph_service_pb2.ListGroupsRequest(page_size=GROUPS_PER_PAGE)
    while True:
        page = await client.graph.ListGroups(request, timeout=LIST_TIMEOUT_S)
        for group in page.groups:
            for count in group.counts:
                if count.kind in _COUNTED:
                    found[_COUNTED[count.kind]] += count.rows
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found
