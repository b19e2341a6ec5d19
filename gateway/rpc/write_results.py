"""What a write did, as messages."""

from drivers.row_codec import kind_of
from gateway.rpc.row_messages import ROW_KIND
from gateway.writes.intent import WriteIntent
from gateway.writes.writer import WriteReceipt
from graphgate.v1 import graph_service_pb2 as pb


def row_results(intent: WriteIntent, receipt: WriteReceipt) -> list[pb.RowResult]:
    """One result per row of the request, in its order."""
    return [
        pb.RowResult(kind=ROW_KIND[kind_of(change.row)], uuid=change.row.uuid, created=created)
        for change, created in zip(intent.changes, receipt.created, strict=True)
    ]
