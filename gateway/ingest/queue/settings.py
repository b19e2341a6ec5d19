"""Bounds of the queue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueSettings:
    prefix: str = "graphgate"
    """Of the fleet's keys."""
    partitions: int = 8
    """Streams of turns. The same at every gateway and worker of a fleet; changed only while the queue is
    empty."""
    group_waiting_max: int = 20_000
    """Episodes of one group that wait."""
    waiting_max: int = 200_000
    """Episodes that wait in all."""
    status_kept_s: float = 86_400.0
    """How long the status of an applied episode is kept, and with it what makes its request_id safe."""
    failed_kept_s: float = 7 * 86_400.0
    """How long a failed episode can be replayed."""
    failures_max: int = 10_000
    """Failures that are listed; past it the oldest are no longer."""
    lease_s: float = 30.0
    """A worker that has not renewed its turn for so long is taken for dead."""
    streams_kept_s: float = 86_400.0
    """How long the last offset of a client's stream is remembered."""
    unit_bytes_max: int = 4 * 1024 * 1024
    """Of the episodes of one unit, as they are stored."""
    connections_max: int = 32
    call_timeout_s: float = 2.0
    """Of one round trip; a caller's nearer deadline counts too."""
