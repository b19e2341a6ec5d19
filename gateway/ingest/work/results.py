"""What is recorded of the episodes of a unit that has ended."""

from gateway.ingest.errors import EpisodeLost
from gateway.ingest.pipeline.unit_result import EpisodeResult, UnitResult
from gateway.ingest.queue.status import Details, EpisodeState, Failure, Latencies
from gateway.ingest.queue.units import Member, Result


def ended(member: Member, episode: EpisodeResult, unit: UnitResult, begun_us: int, unit_size: int) -> Result:
    """`unit_size`: of the episodes that were written together."""
    failure = episode.failure
    details = Details(
        version=unit.version if failure is None else 0,
        counts=episode.counts,
        usage=episode.usage,
        cache_hits=episode.cache_hits,
        latencies=Latencies(
            queued_ms=max(0.0, (begun_us - member.accepted_us) / 1000),
            extraction_ms=unit.extraction_ms,
            resolution_ms=unit.resolution_ms,
            writing_ms=unit.writing_ms,
        ),
        problems=episode.problems,
        problems_found=episode.problems_found,
        error=None if failure is None else Failure(failure.reason, str(failure), retryable=failure.retryable),
        unit_size=unit_size,
    )
    return Result(member, EpisodeState.APPLIED if failure is None else EpisodeState.FAILED, details)


def lost(member: Member) -> Result:
    """Of an episode whose record is gone."""
    error = EpisodeLost(member.op_id)
    return Result(member, EpisodeState.FAILED, Details(error=Failure(error.reason, str(error))))
