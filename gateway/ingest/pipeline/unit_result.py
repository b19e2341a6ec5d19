"""What a unit comes to, and how it is shared out among its episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.errors import GraphgateError
from gateway.ingest.extraction import Extraction, Problem, Problems
from gateway.ingest.pipeline.asking import Account
from gateway.ingest.pipeline.unit_plan import UnitPlan
from gateway.ingest.queue.status import Counts
from gateway.llm.usage import Usage


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    cache_hits: int = 0
    problems: tuple[Problem, ...] = ()
    problems_found: int = 0
    failure: GraphgateError | None = None
    """Why it is not in the graph, while the others of its unit are."""
    again: bool = False
    """It is still to be worked on, in another unit."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    episodes: tuple[EpisodeResult, ...]
    version: int
    """0: none of them was written."""
    extraction_ms: float
    resolution_ms: float
    writing_ms: float
    tried: int
    """Of the episodes: those that would have been written if there were room for all."""


def episode_results(
    accounts: Sequence[Account],
    kept: Sequence[int],
    failed: Mapping[int, GraphgateError],
    extractions: Sequence[Extraction],
    shared: Account,
    plan: UnitPlan | None,
) -> tuple[EpisodeResult, ...]:
    """`accounts`: of each episode that was read. `kept`: numbers of those that were written, in whose order
    `extractions` and the plan are; None: there was nothing to write. `shared`: of what was asked about all
    of them together."""
    results: list[EpisodeResult] = []
    for at, account in enumerate(accounts):
        usage, hits = account.usage, account.cache_hits
        if at in failed or plan is None:
            results.append(EpisodeResult(usage=usage, cache_hits=hits, failure=failed.get(at)))
            continue
        number = kept.index(at)
        own = extractions[number]
        of_unit = plan.problems if number == 0 else Problems()
        results.append(
            EpisodeResult(
                counts=plan.counts[number],
                usage=usage + _share(shared.usage, number, len(kept)),
                cache_hits=hits + _part(shared.cache_hits, number, len(kept)),
                problems=(*own.problems, *of_unit.kept),
                problems_found=own.problems_found + of_unit.found,
            )
        )
    return tuple(results)


def _share(usage: Usage, number: int, of: int) -> Usage:
    return Usage(
        _part(usage.requests, number, of),
        _part(usage.input_tokens, number, of),
        _part(usage.output_tokens, number, of),
        usage.cost_usd / of,
    )


def _part(total: int, number: int, of: int) -> int:
    """So that all parts together are the total."""
    return total // of + (number < total % of)
