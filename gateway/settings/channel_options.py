"""The gRPC server options that the settings ask for."""

from gateway.settings.service import GrpcSettings

_AGED_CALLS_RESERVE_S = 30


def channel_options(grpc: GrpcSettings) -> list[tuple[str, int]]:
    """For grpc.aio.server(options=...). `maximum_concurrent_rpcs` is an argument of its own there."""
    return [
        # Else a second gateway on the same port starts without an error and takes half of the calls.
        ("grpc.so_reuseport", 0),
        # The service refuses a message over message_bytes_max itself, naming the limit; the library, whose
        # refusal names nothing, only what is far above it.
        ("grpc.max_receive_message_length", 2 * grpc.message_bytes_max),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", grpc.concurrent_streams_max),
        # Else the library resets streams of clients that keep to the limit, by chance and without details,
        # because calls that have ended are not cleared away yet: the service bounds its calls itself.
        ("grpc.http.overload_protection", 0),
        ("grpc.max_connection_idle_ms", grpc.connection_idle_s_max * 1_000),
        ("grpc.max_connection_age_ms", grpc.connection_age_s_max * 1_000),
        ("grpc.max_connection_age_grace_ms", int(grpc.deadline_s_max + _AGED_CALLS_RESERVE_S) * 1_000),
        ("grpc.keepalive_time_ms", grpc.keepalive_interval_s * 1_000),
        ("grpc.keepalive_timeout_ms", grpc.keepalive_timeout_s * 1_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", grpc.client_ping_interval_s_min * 1_000),
    ]
