"""The figures of a run, for programs."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from tests.robustness.model.judge import Kind
from tests.robustness.timeline import Cause

if TYPE_CHECKING:
    from tests.robustness.crash_run import CrashResult


KILLS_MIN = 20
ACKED_MIN = 2_000
AVAILABILITY_MIN = 0.97
GOALS_S = 120.0
"""What a run of so many seconds has to come to for its other figures to mean something; a shorter run is held
to its share of kills and acknowledged writes."""


def goals_missed(counts: Mapping[str, object], seconds: float) -> list[str]:
    """Names of figures. They depend on the machine, so they are told and do not fail a run."""
    share = min(1.0, seconds / GOALS_S)
    least = {"kills": KILLS_MIN * share, "acked": ACKED_MIN * share, "availability": AVAILABILITY_MIN}
    return [name for name, goal in least.items() if cast("float", counts[name]) < goal]


def figures(result: "CrashResult") -> dict[str, object]:
    """Counts, but for `seconds` and `availability` (a share, cut to four digits)."""
    broken = Counter(finding.kind for finding in result.findings)
    causes = Counter(outage.cause for outage in result.outages)
    counts: dict[str, object] = {
        "seed": result.options.seed,
        "seconds": result.options.seconds,
        "acked": sum(history.acknowledged for history in result.writes),
        "unknown": sum(history.unknown for history in result.writes),
        **{str(kind): broken[kind] for kind in Kind},
        "kills": causes[Cause.KILL] + causes[Cause.ROLLBACK],
        "rollbacks": causes[Cause.ROLLBACK],
        "pauses": causes[Cause.PAUSE],
        # Cut, not rounded: a share below a goal must not be shown as the goal.
        "availability": int(result.availability.share * 10_000) / 10_000,
        "calls": result.availability.counted,
        "calls_left_out": result.availability.left_out,
        "reads": len(result.reads),
        "groups": sum(bool(seen.owners) for seen in result.observation.groups.values()),
        "client_errors": dict(result.log.errors.most_common()),
    }
    return counts | {"goals_missed": goals_missed(counts, result.options.seconds)}


def as_json(result: "CrashResult") -> str:
    return json.dumps(figures(result))
