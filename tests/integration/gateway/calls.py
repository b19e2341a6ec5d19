"""Small things that the tests of the API share."""

import uuid
from collections.abc import Awaitable, Mapping
from typing import cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def new_uuid() -> str:
    return str(uuid.uuid4())


class Refusal:
    """A failed call as its caller sees it."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        status = rpc_status.from_call(cast("grpc.Call", error))
        assert status is not None, f"{error.code()} {error.details()} carries no details"
        self.code = error.code()
        self.text = error.details() or ""
        info = error_details_pb2.ErrorInfo()
        (packed,) = [detail for detail in status.details if detail.Is(info.DESCRIPTOR)]
        packed.Unpack(info)
        assert info.domain == "graphgate"
        self.reason = info.reason
        self.metadata: Mapping[str, str] = dict(info.metadata)
        self.fields: list[str] = []
        self.violations: Mapping[str, str] = {}
        """By field: what is wrong with it."""
        self.resource: tuple[str, str] | None = None
        """Type and name."""
        self.retry_delay_s: float | None = None
        for detail in status.details:
            bad, resource = error_details_pb2.BadRequest(), error_details_pb2.ResourceInfo()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(bad):
                self.fields = [violation.field for violation in bad.field_violations]
                self.violations = {one.field: one.description for one in bad.field_violations}
            elif detail.Unpack(resource):
                self.resource = (resource.resource_type, resource.resource_name)
            elif detail.Unpack(retry):
                self.retry_delay_s = retry.retry_delay.ToTimedelta().total_seconds()


async def refused(call: Awaitable[object]) -> Refusal:
    """The refusal of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refusal(caught.value)
