"""How far episodes have come, as messages."""

from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from drivers.errors import GraphgateError
from gateway.ingest.queue.status import Details, EpisodeState, Failure, Status
from gateway.rpc.row_messages import timestamp
from graphgate.v1 import ingest_service_pb2 as pb

STATE: Mapping[EpisodeState, pb.EpisodeState] = {
    EpisodeState.ACCEPTED: pb.EPISODE_STATE_ACCEPTED,
    EpisodeState.EXTRACTING: pb.EPISODE_STATE_EXTRACTING,
    EpisodeState.RESOLVING: pb.EPISODE_STATE_RESOLVING,
    EpisodeState.WRITING: pb.EPISODE_STATE_WRITING,
    EpisodeState.APPLIED: pb.EPISODE_STATE_APPLIED,
    EpisodeState.FAILED: pb.EPISODE_STATE_FAILED,
}


def status_message(status: Status) -> pb.EpisodeStatus:
    details = status.details
    return pb.EpisodeStatus(
        group_id=status.group_id,
        episode_uuid=status.episode_uuid,
        request_id=status.op_id,
        state=STATE[status.state],
        accepted_at=timestamp(status.accepted_us),
        updated_at=timestamp(status.updated_us),
        version=details.version,
        attempts=status.attempts,
        counts=_counts(details) if status.state is EpisodeState.APPLIED else None,
        usage=_usage(details) if status.state.ended else None,
        latencies=_latencies(details) if status.state is EpisodeState.APPLIED else None,
        problems=[pb.EpisodeProblem(kind=str(one.kind), what=one.what) for one in details.problems],
        problems_found=details.problems_found,
        error=None if details.error is None else failure_message(details.error),
        unit_size=details.unit_size,
    )


def added_message(status: Status) -> pb.AddEpisodeResponse:
    applied = status.state is EpisodeState.APPLIED
    return pb.AddEpisodeResponse(
        episode_uuid=status.episode_uuid,
        state=STATE[status.state],
        version=status.details.version,
        written_at=timestamp(status.updated_us) if applied else None,
        request_id=status.op_id,
        status=status_message(status),
    )


def failure_message(failure: Failure) -> pb.EpisodeError:
    return pb.EpisodeError(reason=failure.reason, message=failure.message, retryable=failure.retryable)


def error_message(error: GraphgateError) -> pb.EpisodeError:
    delay_s: float | None = getattr(error, "retry_after_s", None)
    return pb.EpisodeError(
        reason=error.reason,
        message=str(error),
        retryable=error.retryable,
        request_id=error.metadata().get("op_id", ""),
        retry_delay=None if delay_s is None else _duration(delay_s * 1000),
    )


def _counts(details: Details) -> pb.EpisodeCounts:
    counts = details.counts
    return pb.EpisodeCounts(
        entities_created=counts.entities_created,
        entities_joined=counts.entities_joined,
        facts_created=counts.facts_created,
        facts_repeated=counts.facts_repeated,
        facts_closed=counts.facts_closed,
    )


def _usage(details: Details) -> pb.EpisodeUsage:
    usage = details.usage
    return pb.EpisodeUsage(
        model_requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        cache_hits=details.cache_hits,
    )


def _latencies(details: Details) -> pb.EpisodeLatencies:
    told = details.latencies
    return pb.EpisodeLatencies(
        queued=_duration(told.queued_ms),
        extraction=_duration(told.extraction_ms),
        resolution=_duration(told.resolution_ms),
        writing=_duration(told.writing_ms),
    )


def _duration(milliseconds: float) -> Duration:
    found = Duration()
    found.FromTimedelta(timedelta(milliseconds=milliseconds))
    return found
