"""Figures of a run for programs, the page that a person reads, and all records for whoever looks further."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from tests.robustness.ingest.judge import APPLIED, FAILED, Kind
from tests.robustness.timeline import Outage

if TYPE_CHECKING:
    from rich.console import Console

    from tests.robustness.ingest.run import RunOptions, RunResult

JOURNAL_FILE = "journal.jsonl"
FINDINGS_SHOWN_MAX = 20
GOALS_S = 180.0
LEAST = {"kills": 30, "accepted": 5_000, "availability": 0.97}
"""What a run of GOALS_S has to come to for the others to mean something; a shorter one to its share."""


def figures(result: "RunResult") -> dict[str, object]:
    broken = Counter(finding.kind for finding in result.findings)
    kills = Counter(outage.part for outage in result.outages)
    groups = result.observation.groups
    statuses = [status for seen in groups.values() for status in seen.statuses.values()]
    counts: dict[str, object] = {
        "seed": result.options.seed,
        "seconds": result.options.seconds,
        "episodes": len(result.histories),
        "accepted": sum(history.accepted for history in result.histories),
        "applied": sum(status.state == APPLIED for status in statuses),
        **{str(kind): broken[kind] for kind in Kind},
        "failures": dict(Counter(s.reason for s in statuses if s.state == FAILED).most_common()),
        "not_accepted": sum(not history.accepted for history in result.histories),
        "kills": sum(kills.values()),
        "kills_by_part": dict(sorted(kills.items())),
        # Cut, not rounded: a share below a goal must not be shown as the goal.
        "availability": int(result.availability.share * 10_000) / 10_000,
        "calls": result.availability.counted,
        "calls_left_out": result.availability.left_out,
        "groups": len(groups),
        "writes": sum(len(seen.operations) for seen in groups.values()),
        "begun_again": sum(status.attempts > 1 for status in statuses),
        "streams": result.streams,
        "model_requests": result.model_requests,
        "worked_off_s": round(result.worked_off_s, 1),
        "client_errors": dict(result.log.errors.most_common()),
    }
    return counts | {"goals_missed": goals_missed(counts, result.options.seconds)}


def goals_missed(counts: dict[str, object], seconds: float) -> list[str]:
    """Names of figures. They depend on the machine, so they are told and do not fail a run."""
    share = min(1.0, seconds / GOALS_S)
    return [
        name
        for name, goal in LEAST.items()
        if float(str(counts[name])) < (goal if name == "availability" else goal * share)
    ]


def as_json(result: "RunResult") -> str:
    return json.dumps(figures(result))


class IngestScreen:
    def __init__(self, console: "Console") -> None:
        self._console = console

    def begin(self, options: "RunOptions") -> None:
        self._say(
            f"seed {options.seed}, {options.episodes:,} episodes in {options.seconds:g} s; "
            f"the same again: {_replay(options)}"
        )

    def outage(self, outage: Outage) -> None:
        lasted_s = outage.to_s - outage.from_s
        self._say(f"{outage.from_s:7.1f} s  {outage.part:<12} SIGKILL, back after {lasted_s:.1f} s")

    def end(self, result: "RunResult") -> None:
        self._say("")
        for name, value in figures(result).items():
            self._say(f"{name.replace('_', ' '):<16} {value}")
        self._say("")
        for finding in result.findings[:FINDINGS_SHOWN_MAX]:
            self._say(f"{finding.kind}: {finding.group_id} {finding.subject}: {finding.text}")
        if len(result.findings) > FINDINGS_SHOWN_MAX:
            self._say(f"and {len(result.findings) - FINDINGS_SHOWN_MAX} more")
        if result.findings:
            self._say(f"PROMISES BROKEN; again: {_replay(result.options)}")
        else:
            self._say("every promise held")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _replay(options: "RunOptions") -> str:
    asked = f"--seconds {options.seconds:g} --episodes {options.episodes} --seed {options.seed}"
    shards = f" --neo4j {options.neo4j_shards}" if options.neo4j_shards else ""
    return f"graphgate crash-ingest {asked}{shards}"


def write_journal(result: "RunResult", directory: Path) -> Path:
    """One object per line: {"record": name of the record, ...its fields}."""
    path = directory / JOURNAL_FILE
    path.write_bytes(b"\n".join(_lines(result)) + b"\n")
    return path


def _lines(result: "RunResult") -> Iterator[bytes]:
    for some in (result.plan, result.outages, result.log.calls, result.histories, result.findings):
        for record in some:
            yield orjson.dumps({"record": type(record).__name__, "is": record})
    for group_id, seen in result.observation.groups.items():
        yield orjson.dumps({"record": "GroupGraph", "group": group_id, "is": seen})
