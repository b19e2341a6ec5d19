"""A short chaos run on real processes, through the command as a person starts it."""

import json
import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.embedded.processes import pids_inside
from tests.robustness.moves.plan import AIMS, CANCELLING, pairs_of
from tests.robustness.report.figures import goals_missed
from tests.robustness.scenario import CHAOS

SECONDS = 20
SEED = 1

_BROKEN = tuple(str(kind) for kind in CHAOS.promises)
_CHAOS = "import typer; from tests.robustness.command import chaos; typer.run(chaos)"
"""As the subcommand, whether or not this tree is the one that is installed."""


@pytest.mark.timeout(400)
async def test_every_promise_holds_while_groups_move_and_everything_is_killed(
    tmp_path: Path, neo4j_installed: None
):
    """Between FalkorDB and Neo4j, with cancels, reverses and kills aimed at phases: nothing is lost, revived,
    applied twice, owned twice or left behind, and change feeds have neither gaps nor repeats."""
    wanted = ("--seconds", str(SECONDS), "--seed", str(SEED), "--neo4j", "1", "--json")
    process = await create_subprocess_exec(
        *(sys.executable, "-c", _CHAOS, *wanted, "--data-dir", str(tmp_path / "run")),
        env=os.environ,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
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
    assert sum(figures["moves_done"].values()) >= 3
    assert figures["watch_changes"] > 0
    assert figures["acked"] >= 100
    assert (tmp_path / "run" / "journal.jsonl").is_file()
    assert f"graphgate chaos --seconds {SECONDS} --seed {SEED}" in report.decode()
    assert pids_inside(tmp_path) == set()


def test_a_run_says_which_goals_it_missed() -> None:
    """Of nested counts their sum is held against the goal, and each pair and each phase against its own."""
    done = dict.fromkeys(pairs_of(CHAOS.shards), 6)
    assert len(done) == 6
    counts: dict[str, object] = {
        "kills": {"gateway-0": dict.fromkeys(AIMS, 2), "catalog": {"any": 20}},
        "acked": 2_000,
        "moves_done": {**done, "falkordb->neo4j": 9},
        "availability": 0.97,
    }
    assert goals_missed(CHAOS, counts, 300) == ["moves_done"]
    assert goals_missed(CHAOS, counts, 150) == []
    counts["moves_done"] = {"falkordb->neo4j": 60, "neo4j->neo4j": 2} | dict.fromkeys(("own->pooled",), 3)
    counts["kills"] = {"gateway-0": {"COPYING": 50}, "neo4j-0": {CANCELLING: 1}}
    missed = goals_missed(CHAOS, counts, 300)
    assert {name for name in missed if name.startswith("moves_done")} == {
        "moves_done falkordb->falkordb",
        "moves_done neo4j->falkordb",
        "moves_done neo4j->neo4j",
        "moves_done pooled->own",
    }
    assert {name for name in missed if name.startswith("kills")} == {
        f"kills {phase}" for phase in AIMS if phase not in ("COPYING", CANCELLING)
    }
    only_falkordb = replace(CHAOS, neo4j_shards=0)
    assert "moves_done neo4j->neo4j" not in goals_missed(only_falkordb, counts, 300)
