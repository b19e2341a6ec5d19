"""The figures of a run, for programs."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from gateway.corpus.metrics import percentile
from tests.robustness.moves.plan import AIMS, pairs_of
from tests.robustness.scenario import Scenario
from tests.robustness.timeline import Cause

if TYPE_CHECKING:
    from tests.robustness.run import RunResult

UNAIMED = "any"
"""In place of a phase: what the plan killed, whatever moved at that time."""
_SHARES = frozenset({"availability"})
"""Figures that a shorter run has to come to as well."""


def goals_missed(scenario: Scenario, counts: Mapping[str, object], seconds: float) -> list[str]:
    """Names of figures, with the pair or the phase that is short. They depend on the machine, so they are
    told and do not fail a run; a run that is shorter than the scenario's is held to its share, rounded down
    for pairs and phases."""
    share = min(1.0, seconds / scenario.goals_s)
    least = {name: goal * (1.0 if name in _SHARES else share) for name, goal in scenario.least.items()}
    missed = [name for name, goal in least.items() if _size(counts[name]) < goal]
    if scenario.movers:
        done, kills = _named(counts, "moves_done"), _by_phase(_named(counts, "kills"))
        of_pair, in_phase = int(scenario.pair_least * share), int(scenario.phase_least * share)
        pairs = pairs_of(scenario.shards)
        missed += [f"moves_done {pair}" for pair in pairs if cast("int", done.get(pair, 0)) < of_pair]
        missed += [f"kills {phase}" for phase in AIMS if kills[phase] < in_phase]
    return missed


def figures(result: "RunResult") -> dict[str, object]:
    """Counts, but for `seconds`, `pause_ms_*` and `availability` (a share, cut to four digits)."""
    broken = Counter(finding.kind for finding in result.findings)
    causes = Counter(outage.cause for outage in result.outages)
    scenario = result.options.scenario
    counts: dict[str, object] = {
        "seed": result.options.seed,
        "seconds": result.options.seconds,
        "acked": sum(history.acknowledged for history in result.writes),
        "unknown": sum(history.unknown for history in result.writes),
        **{str(kind): broken[kind] for kind in scenario.promises},
        "kills": _kills(result) if scenario.movers else causes[Cause.KILL] + causes[Cause.ROLLBACK],
        "rollbacks": causes[Cause.ROLLBACK],
        "pauses": causes[Cause.PAUSE],
        # Cut, not rounded: a share below a goal must not be shown as the goal.
        "availability": int(result.availability.share * 10_000) / 10_000,
        "calls": result.availability.counted,
        "calls_left_out": result.availability.left_out,
        "reads": len(result.reads),
        "groups": sum(bool(seen.owners) for seen in result.observation.groups.values()),
        "client_errors": dict(result.log.errors.most_common()),
        **(_of_moves(result) if scenario.movers else {}),
    }
    return counts | {"goals_missed": goals_missed(scenario, counts, result.options.seconds)}


def as_json(result: "RunResult") -> str:
    return json.dumps(figures(result))


def _kills(result: "RunResult") -> dict[str, dict[str, int]]:
    """By part, then by the phase of the move that it was aimed at."""
    found: dict[str, Counter[str]] = {}
    for kill in result.moved.kills:
        found.setdefault(kill.part, Counter())[kill.phase] += 1
    for outage in result.outages:
        if outage.cause is not Cause.PAUSE and not outage.aimed:
            found.setdefault(outage.part, Counter())[UNAIMED] += 1
    return {part: dict(sorted(phases.items())) for part, phases in sorted(found.items())}


def _of_moves(result: "RunResult") -> dict[str, object]:
    moved = result.moved
    roles: dict[str, Counter[str]] = {}
    for kill in moved.kills:
        roles.setdefault(kill.role, Counter())[kill.phase] += 1
    pauses_ms = sorted(pause / 1e3 for move in moved.moves for pause in move.pauses_us)
    failed = [move for move in moved.moves if move.phase == "FAILED"]
    pieces = [piece for feed in result.feeds for piece in feed.pieces]
    return {
        "moves_done": _counted(move.pair for move in moved.moves if move.phase == "DONE"),
        "moves_reversed": sum(move.kind == "REVERSE" and move.phase == "DONE" for move in moved.moves),
        "moves_aborted": _counted(move.last_working_phase for move in moved.moves if move.aborted),
        "moves_failed": _counted(move.error_reason for move in failed),
        "moves_refused": dict(moved.refused),
        "moves_forgotten": moved.forgotten,
        "kills_by_role": {role: dict(sorted(phases.items())) for role, phases in sorted(roles.items())},
        "pause_ms_p50": round(statistics.median(pauses_ms), 2) if pauses_ms else 0.0,
        "pause_ms_p99": round(percentile(pauses_ms, 99), 2) if pauses_ms else 0.0,
        "thaws": sum(move.thaws for move in moved.moves),
        "watch_changes": sum(len(piece.changes) for piece in pieces),
        "watch_streams": sum(
            max((piece.stream for piece in feed.pieces), default=0) for feed in result.feeds
        ),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _named(counts: Mapping[str, object], name: str) -> Mapping[str, object]:
    return cast("Mapping[str, object]", counts[name])


def _by_phase(kills: Mapping[str, object]) -> Counter[str]:
    """Of all parts."""
    found: Counter[str] = Counter()
    for phases in kills.values():
        found.update(cast("Mapping[str, int]", phases))
    return found


def _size(figure: object) -> float:
    """Of nested counts their sum."""
    if isinstance(figure, Mapping):
        return sum(_size(part) for part in cast("Mapping[str, object]", figure).values())
    return cast("float", figure)
