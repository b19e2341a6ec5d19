"""Every RPC of the API, so that its counters exist, at zero, before the first call."""

from collections.abc import Iterator

from google.longrunning import operations_pb2
from google.protobuf.descriptor import FileDescriptor

from graphgate.v1 import admin_service_pb2, graph_service_pb2, ingest_service_pb2, search_service_pb2

UNKNOWN_METHOD = ("unary", "unknown", "unknown")

_TYPES = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


def served_methods() -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Full names ("/graphgate.v1.GraphService/GetEntity") with type, service and method."""
    files: tuple[FileDescriptor, ...] = (
        ingest_service_pb2.DESCRIPTOR,
        graph_service_pb2.DESCRIPTOR,
        search_service_pb2.DESCRIPTOR,
        admin_service_pb2.DESCRIPTOR,
        operations_pb2.DESCRIPTOR,
    )
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                kind = _TYPES[method.client_streaming, method.server_streaming]
                yield f"/{service.full_name}/{method.name}", (kind, service.full_name, method.name)
