"""What the settings make of a gRPC server."""

import grpc
import pytest

from gateway.settings.channel_options import channel_options
from gateway.settings.service import GrpcSettings


def test_units_are_converted() -> None:
    """Seconds become milliseconds, and an aged connection outlives its longest call."""
    options = dict(channel_options(GrpcSettings(keepalive_interval_s=60, message_bytes_max=1 << 20)))
    assert options["grpc.keepalive_time_ms"] == 60_000
    assert options["grpc.max_receive_message_length"] == 2 << 20
    assert options["grpc.max_connection_age_grace_ms"] > GrpcSettings().deadline_s_max * 1_000


async def test_a_taken_port_is_an_error() -> None:
    """Two gateways never share a port unseen, each with half of the calls."""
    first = grpc.aio.server(options=channel_options(GrpcSettings()))
    second = grpc.aio.server(options=channel_options(GrpcSettings()))
    port = first.add_insecure_port("127.0.0.1:0")
    with pytest.raises(RuntimeError):
        second.add_insecure_port(f"127.0.0.1:{port}")
    await first.stop(None)
    await second.stop(None)
