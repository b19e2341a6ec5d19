"""ClearGroup: what is asked and what is answered."""

from drivers.deadline import Deadline
from gateway.ingest.group_clear import GroupClear
from gateway.rpc.row_messages import ROW_KIND
from gateway.rpc.validation import Violations
from gateway.writes.writer import new_op_id
from graphgate.v1 import graph_service_pb2 as graph_pb
from graphgate.v1 import ingest_service_pb2 as pb


async def clear_group(
    clearing: GroupClear, request: pb.ClearGroupRequest, deadline: Deadline
) -> pb.ClearGroupResponse:
    v = Violations()
    v.group_id("group_id", request.group_id)
    op_id = v.request_id("request_id", request.request_id) or new_op_id()
    if request.up_to_version < 0:
        v.add("up_to_version", f"must not be negative, got {request.up_to_version}")
    v.raise_if_any()
    if request.up_to_version:
        cleared = await clearing.go_on(request.group_id, request.up_to_version, deadline)
    else:
        cleared = await clearing.begin(
            request.group_id, op_id, deadline, discard_waiting=request.discard_waiting
        )
    return pb.ClearGroupResponse(
        group_id=request.group_id,
        up_to_version=cleared.up_to_version,
        done=cleared.done,
        deleted=[
            graph_pb.DeletedCount(kind=ROW_KIND[kind], rows=rows) for kind, rows in cleared.deleted.items()
        ],
        episodes_discarded=cleared.discarded,
        episodes_running=cleared.running,
        version=cleared.version,
        request_id="" if request.up_to_version else op_id,
    )
