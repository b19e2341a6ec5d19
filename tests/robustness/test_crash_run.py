"""A short crash run on real processes, through the command as a person starts it."""

import json
import os
from pathlib import Path

import pytest

from tests.integration.embedded.processes import pids_inside
from tests.robustness.report.figures import goals_missed
from tests.robustness.scenario import CRASH
from tests.unit.gateway.cli.command import start_graphgate

SECONDS = 25
SEED = 4

_BROKEN = ("lost", "revived", "applied_twice", "second_owners", "stale_reads", "phantoms", "miscounted")


@pytest.mark.timeout(240)
async def test_every_promise_holds_while_everything_is_killed(tmp_path: Path, neo4j_installed: None):
    """Nothing acknowledged is lost, revived, applied twice, owned twice or read stale, and calls are
    answered, while gateways, engines and Redis are killed, paused and rolled back."""
    wanted = ("--seconds", str(SECONDS), "--seed", str(SEED), "--data-dir", str(tmp_path / "run"), "--json")
    process = await start_graphgate("crash", *wanted, env=os.environ)
    try:
        output, report = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, report.decode()
    figures = json.loads(output)
    assert {name: figures[name] for name in _BROKEN} == dict.fromkeys(_BROKEN, 0)
    assert (figures["seed"], figures["seconds"]) == (SEED, SECONDS)
    assert figures["kills"] >= 3
    assert figures["acked"] >= 100
    # A machine that runs tests is busy at times; the goal of .97 is for two minutes that have it alone.
    assert figures["availability"] >= 0.8
    assert (tmp_path / "run" / "journal.jsonl").is_file()
    assert f"--seed {SEED}" in report.decode()
    assert pids_inside(tmp_path) == set()


def test_a_run_says_which_goals_it_missed() -> None:
    """Nothing lost in a run without kills or writes proves nothing; a short run is held to its share."""
    counts: dict[str, object] = {"kills": 10, "acked": 1_000, "availability": 0.9699}
    assert goals_missed(CRASH, counts, 120) == ["kills", "acked", "availability"]
    assert goals_missed(CRASH, counts | {"availability": 0.97}, 60) == []
