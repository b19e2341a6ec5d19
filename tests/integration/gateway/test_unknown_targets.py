"""Reads and deletions of what is not there: they say so, create nothing and change nothing."""

from collections.abc import Callable
from typing import Any

import grpc

from graphgate.v1 import graph_service_pb2, search_service_pb2
from tests.integration.gateway.bad_input import version_of
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode

READS_OF_A_GROUP = sorted(
    method.name
    for method in graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"].methods
    if method.name.startswith(("Get", "BatchGet", "List", "Delete")) and method.name != "ListGroups"
)


def reading(method: str, group_id: str, uuid: str) -> Any:
    """The request of any Get, BatchGet, List or Delete."""
    request = getattr(graph_service_pb2, f"{method}Request")(group_id=group_id)
    fields = request.DESCRIPTOR.fields_by_name
    if "uuid" in fields:
        request.uuid = uuid
    if "uuids" in fields:
        request.uuids.append(uuid)
    return request


async def test_reads_of_an_unknown_group_say_so_and_create_nothing(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Every method that takes a group: NOT_FOUND with the group as the resource, before and after."""
    assert len(READS_OF_A_GROUP) >= 25
    group_id = new_group()
    for method in [*READS_OF_A_GROUP, *READS_OF_A_GROUP]:
        refusal = await refused(getattr(client.graph, method)(reading(method, group_id, new_uuid())))
        assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND"), method
        assert refusal.resource == ("group_id", group_id)
    found = await client.search.Search(search_service_pb2.SearchRequest(group_id=group_id, query="anything"))
    assert list(found.unknown_groups) == [group_id]
    # Groups are listed by id, so it would be the first after a token that ends just before it.
    listed = graph_service_pb2.ListGroupsRequest(page_size=1_000)
    while True:
        page = await client.graph.ListGroups(listed)
        assert group_id not in {group.group_id for group in page.groups}
        if not page.next_page_token:
            break
        listed.page_token = page.next_page_token


async def test_reads_of_an_unknown_uuid_say_so_and_change_nothing(client: Client, group: str) -> None:
    """Get and Delete of each kind: NOT_FOUND with the kind and the uuid; the version stays."""
    version = await version_of(client, group)
    for method in READS_OF_A_GROUP:
        if method.startswith(("List", "BatchGet")) or method == "GetGroup":
            continue
        uuid = new_uuid()
        refusal = await refused(getattr(client.graph, method)(reading(method, group, uuid)))
        assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "ROW_NOT_FOUND"), method
        assert refusal.resource is not None
        assert refusal.resource[1] == uuid
        assert refusal.resource[0] in method.lower().replace("ies", "y")
    assert await version_of(client, group) == version
