"""Server reflection in both versions of its protocol: clients find the API with no file from us.

The library serves v1alpha. v1 has the same messages under another package name, wire for wire, so the
same servicer answers it.
"""

from collections.abc import Sequence

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1_NAME = "grpc.reflection.v1.ServerReflection"


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """`services`: full names of what the server serves, reflection itself left out."""
    names = (*services, reflection.SERVICE_NAME, V1_NAME)
    reflection.enable_server_reflection(names, server)
    servicer = ReflectionServicer(service_names=names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1_NAME, {"ServerReflectionInfo": handler}),)
    )
