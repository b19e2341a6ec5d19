"""Everything that a run recorded, as lines of JSON, for whoever looks into a finding."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from tests.robustness.crash_run import CrashResult

JOURNAL_FILE = "journal.jsonl"


def write_journal(result: "CrashResult", directory: Path) -> Path:
    """One object per line: {"record": name of the record, ...its fields}."""
    path = directory / JOURNAL_FILE
    path.write_bytes(b"\n".join(_lines(result)) + b"\n")
    return path


def _lines(result: "CrashResult") -> Iterator[bytes]:
    records = (result.plan, result.outages, result.writes, result.reads, result.log.calls, result.findings)
    for some in records:
        for record in some:
            yield orjson.dumps({"record": type(record).__name__, "is": record})
    for group_id, seen in result.observation.groups.items():
        shard, home = result.observation.shards.get(group_id), result.observation.homes.get(group_id)
        yield orjson.dumps(
            {"record": "GroupSeen", "group": group_id, "shard": shard, "home": home, "is": seen}
        )
