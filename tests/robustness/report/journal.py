"""Everything that a run recorded, as lines of JSON, for whoever looks into a finding."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from tests.robustness.run import RunResult

JOURNAL_FILE = "journal.jsonl"


def write_journal(result: "RunResult", directory: Path) -> Path:
    """One object per line: {"record": name of the record, ...its fields}."""
    path = directory / JOURNAL_FILE
    path.write_bytes(b"\n".join(_lines(result)) + b"\n")
    return path


def _lines(result: "RunResult") -> Iterator[bytes]:
    moved = result.moved
    records = (
        result.plan,
        result.outages,
        result.writes,
        result.reads,
        result.feeds,
        result.log.calls,
        moved.moves,
        moved.kills,
        moved.copies,
        result.findings,
    )
    for some in records:
        for record in some:
            yield orjson.dumps({"record": type(record).__name__, "is": record})
    for group_id, seen in result.observation.groups.items():
        shard, home = result.observation.shards.get(group_id), result.observation.homes.get(group_id)
        yield orjson.dumps(
            {"record": "GroupSeen", "group": group_id, "shard": shard, "home": home, "is": seen}
        )
