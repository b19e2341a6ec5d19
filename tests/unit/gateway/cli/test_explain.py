"""`graphgate explain`: what it prints of known plans and how it ends; no engine is asked."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drivers.falkordb.plans import parsed
from drivers.query_plan import PlanStep, QueryShape, judge
from gateway.cli import explain as command
from gateway.cli import explain_text
from gateway.cli.app import app
from gateway.explain.explanation import ExplainedShape, ShardExplanation
from tests.unit.gateway.cli.command import graphgate

SHAPE = QueryShape(name="fetch-entity", text="", parameters={}, indexes=("range:ENTITY(pk)",))
BY_INDEX = parsed(
    [
        "Results | Records produced: 2, Execution time: 0.500000 ms",
        "    Node By Index Scan | (n:Entity) | Records produced: 3, Execution time: 0.250000 ms",
    ]
)
BY_SCAN = parsed(["Results", "    Node By Label Scan | (n:Entity)"])


def explanation(plan: PlanStep | None, *, state: str = "READY", problem: str = "") -> ShardExplanation:
    verdict = judge(SHAPE, plan or PlanStep(operator=""), {"range:ENTITY(pk)": state})
    shape = ExplainedShape(SHAPE, plan is BY_INDEX, plan, verdict, problem)
    return ShardExplanation("falkordb-0", "falkordb", "4.22.1", "ada", [shape])


def run(
    monkeypatch: pytest.MonkeyPatch, home: Path, found: ShardExplanation, *options: str
) -> tuple[int, str]:
    def own(*_: object, **__: object) -> Sequence[ShardExplanation]:
        return [found]

    monkeypatch.setattr(command, "_own", own)
    done = CliRunner().invoke(app, ["explain", *options], env={"HOME": str(home), "GRAPHGATE_SETTINGS": None})
    return done.exit_code, done.stdout


def test_a_shard_whose_plans_are_right_ends_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Code 0; figures of the profile; columns that the engine cannot fill are left out."""
    code, out = run(monkeypatch, tmp_path, explanation(BY_INDEX))
    assert code == 0
    assert out.splitlines() == [
        "falkordb-0: falkordb 4.22.1, rows of group ada; 1 of 1 plans are as required",
        "",
        "SHAPE         BY       ROWS  FOUND  MS     AS REQUIRED  INDEX",
        "fetch-entity  PROFILE  2     3      0.750  yes          range:ENTITY(pk)",
        "",
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (explanation(BY_SCAN), "range:ENTITY(pk) is not used; Node By Label Scan (n:Entity)"),
        (explanation(BY_INDEX, state="MISSING"), "range:ENTITY(pk) is MISSING"),
        (explanation(None, problem="no such graph"), "no plan: no such graph"),
    ],
    ids=["scan", "missing", "refused"],
)
def test_a_lost_index_is_named_and_ends_in_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: ShardExplanation, said: str
) -> None:
    """Code 1, in text and in JSON, so that a script can watch over a shard."""
    code, out = run(monkeypatch, tmp_path, found)
    assert (code, said in out) == (1, True)
    code, out = run(monkeypatch, tmp_path, found, "--json")
    told = json.loads(out)
    assert (code, told["as_required"], told["shards"][0]["shapes"][0]["as_required"]) == (1, False, False)


def test_the_steps_of_a_plan_are_shown_by_depth() -> None:
    """What feeds a step stands below it and further to the right."""
    (shape,) = explanation(BY_INDEX).shapes
    assert explain_text.steps(shape).splitlines() == [
        "fetch-entity: range:ENTITY(pk)",
        "STEP                 INDEX         ROWS  MS     DETAILS",
        "Results              -             2     0.500",
        " Node By Index Scan  range:ENTITY  3     0.250  (n:Entity)",
    ]


async def test_the_shapes_are_listed_without_any_engine(tmp_path: Path) -> None:
    """Both engines' lists, and one shape of one engine for programs."""
    done = await graphgate("explain", "--list", home=tmp_path)
    assert done.code == 0
    assert {line.split()[0] for line in done.out.splitlines()} == {"ENGINE", "falkordb", "neo4j"}
    done = await graphgate(
        "explain", "--list", "--engine", "neo4j", "--shape", "write-r*", "--json", home=tmp_path
    )
    (shape,) = json.loads(done.out)["neo4j"]
    assert shape["shape"] == "write-rows"
    assert shape["writes"] is True
    assert "unique:ENTITY(pk)" in shape["indexes"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shape", "nonesuch"], "no query shape is called 'nonesuch'"),
        (["--group", "ada"], "--shard and --group need shards in the settings"),
    ],
)
async def test_what_cannot_be_explained_is_a_usage_error(
    tmp_path: Path, options: list[str], said: str
) -> None:
    """Code 2, before any engine is started."""
    done = await graphgate("explain", *options, home=tmp_path)
    assert done.code == 2
    assert said in done.err
