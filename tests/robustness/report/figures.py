"""The figures of a run, for programs."""

import json
from collections import Counter
from typing import TYPE_CHECKING

from tests.robustness.model.judge import Kind
from tests.robustness.timeline import Cause

if TYPE_CHECKING:
    from tests.robustness.crash_run import CrashResult


def figures(result: "CrashResult") -> dict[str, object]:
    """Counts, but for `seconds` and `availability` (a share, cut to four digits)."""
    broken = Counter(finding.kind for finding in result.findings)
    causes = Counter(outage.cause for outage in result.outages)
    return {
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


def as_json(result: "CrashResult") -> str:
    return json.dumps(figures(result))
