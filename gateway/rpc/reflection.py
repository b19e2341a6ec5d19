"""Server reflection in both versions of its protocol: clients find the API with no file from us.

Every loaded descriptor is served, so the messages inside error details (google.rpc) and the well-known
types are found too. The library serves v1alpha. v1 has the same messages under another package name, wire
for wire, so the same servicer answers it.
"""

from collections.abc import Sequence
from typing import cast

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1_NAME = "grpc.reflection.v1.ServerReflection"
_V1_FILE = "grpc/reflection/v1/reflection.proto"


class ServedDescriptors:
    """What the servicer asks of a pool, over all loaded descriptors and those of reflection v1.

    Methods are symbols as well, which the protocol demands and the library's pool does not find.
    Every method raises KeyError for what is not there.
    """

    def __init__(self) -> None:
        self._loaded = descriptor_pool.Default()
        # A pool of its own: the default one refuses a file that a later library brings in another text.
        self._v1 = DescriptorPool()
        self._v1.AddSerializedFile(_v1_file().SerializeToString())

    def FindFileByName(self, file_name: str) -> FileDescriptor:
        try:
            return self._loaded.FindFileByName(file_name)
        except KeyError:
            return self._v1.FindFileByName(file_name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """`symbol`: full name of a message, field, enum, service, method or extension."""
        for pool in (self._loaded, self._v1):
            try:
                return pool.FindFileContainingSymbol(symbol)
            except KeyError:
                service, _, method = symbol.rpartition(".")
                if (found := _service_file(pool, service, method)) is not None:
                    return found
        raise KeyError(symbol)

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:
        return self._loaded.FindMessageTypeByName(full_name)

    def FindExtensionByNumber(self, message: Descriptor, number: int) -> FieldDescriptor:
        return self._loaded.FindExtensionByNumber(message, number)

    def FindAllExtensions(self, message: Descriptor) -> list[FieldDescriptor]:
        return self._loaded.FindAllExtensions(message)


def _service_file(pool: DescriptorPool, service: str, method: str) -> FileDescriptor | None:
    """The file of a service that has the method; None if there is none."""
    try:
        found = pool.FindServiceByName(service)
    except KeyError:
        return None
    return found.file if method in found.methods_by_name else None


def _v1_file() -> descriptor_pb2.FileDescriptorProto:
    """The file of reflection v1: that of v1alpha under the other package name, without language options."""
    alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    alpha.ClearField("options")
    text = text_format.MessageToString(alpha).replace("grpc.reflection.v1alpha", "grpc.reflection.v1")
    renamed = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    renamed.name = _V1_FILE
    return renamed


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """`services`: full names of what the server serves, reflection itself left out."""
    names = (*services, reflection.SERVICE_NAME, V1_NAME)
    descriptors = cast("DescriptorPool", ServedDescriptors())
    reflection.enable_server_reflection(names, server, descriptors)
    servicer = ReflectionServicer(service_names=names, pool=descriptors)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(V1_NAME, {"ServerReflectionInfo": handler}),)
    )
