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
    group_waiting_bytes_max: int = 256 * 1024 * 1024
    """Of the episodes of one group that wait, as they are stored. What comes below it is taken, so that the
    last one may pass it."""
    waiting_bytes_max: int = 1024 * 1024 * 1024
    """Of all episodes that wait, as group_waiting_bytes_max."""
    status_kept_s: float = 86_400.0
    """How long the status of an applied episode is kept, and with it what makes its request_id safe. It costs
    about 1.5 KB of Redis's memory: at 10 episodes a second 1.3 GB a day."""
    failed_kept_s: float = 7 * 86_400.0
    """How long a failed episode can be replayed, as long as it is listed."""
    failures_max: int = 10_000
    """Failures that are listed, each with its whole episode. Past it the oldest are no longer: they keep
    their status for status_kept_s and cannot be replayed."""
    failures_bytes_max: int = 1024 * 1024 * 1024
    """Of the failures that are listed, as they are stored. Past it as past failures_max; the newest stays."""
    lease_s: float = 30.0
    """A worker that has not renewed its turn for so long is taken for dead."""
    streams_kept_s: float = 86_400.0
    """How long the last offset of a client's stream is remembered."""
    unit_bytes_max: int = 4 * 1024 * 1024
    """Of the episodes of one unit, as they are stored."""
    connections_max: int = 32
    call_timeout_s: float = 2.0
    """Of one round trip; a caller's nearer deadline counts too."""
