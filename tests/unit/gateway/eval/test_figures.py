"""From rankings to figures, goals and the JSON line."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from gateway.eval.asking import Answers
from gateway.eval.evaluation import EvalResult
from gateway.eval.figures import LayoutFigures, layout_figures
from gateway.eval.goals import goals_of
from gateway.eval.methods import RECIPES
from gateway.eval.report import print_report

GOLD = [frozenset({"a", "b"}), frozenset({"c"})]


def _answers(*rankings: list[str]) -> Answers:
    return Answers(dict.fromkeys(RECIPES, rankings), dict.fromkeys(RECIPES, (3.0, 1.0)), {"shard": 2})


@pytest.fixture
def perfect() -> LayoutFigures:
    answers = _answers(["a", "b"], ["c"])
    return layout_figures("one", one_group=False, answers=answers, first=answers, gold=GOLD)


def test_figures_are_means_over_the_questions():
    """A question counts as one, however many gold passages it has."""
    some = layout_figures(
        "other", False, _answers(["a", "x"], ["y", "c"]), first=_answers(["a", "b"], ["c", "y"]), gold=GOLD
    )
    method = some.methods["semantic"]
    assert (method.recall_at_10, method.all_at_10) == (0.75, 0.5)
    assert (method.p50_ms, method.p95_ms) == (1.0, 3.0)
    assert some.overlap_at_10 == {"semantic": 0.75, "keyword": 0.75, "hybrid": 0.75}


def test_the_hybrid_overlap_is_that_of_the_default_search():
    """hybrid_k60 is what a client gets that names nothing."""
    first = _answers(["a"], ["c"])
    changed = replace(first, rankings={**first.rankings, "hybrid_k60": [["x"], ["y"]]})
    assert layout_figures("o", False, changed, first, GOLD).overlap_at_10 == {
        "semantic": 1.0,
        "keyword": 1.0,
        "hybrid": 0.0,
    }


def test_every_goal_is_missed_when_its_figure_is_just_below(perfect: LayoutFigures):
    """What is reported as met was met."""
    assert all(goal.met for goal in goals_of([perfect]))
    low = replace(perfect.methods["hybrid_k1"], recall_at_10=0.699, all_at_10=0.499)
    wrong = replace(
        perfect,
        overlap_at_10={"semantic": 0.9999, "keyword": 0.9799, "hybrid": 0.9799},
        methods={
            **perfect.methods,
            "semantic": replace(low, recall_at_10=0.6995),
            "hybrid_k1": low,
        },
    )
    assert [goal.what for goal in goals_of([wrong]) if goal.met] == []
    assert len(goals_of([wrong])) == 6


def test_the_single_group_is_held_to_its_own_goals(perfect: LayoutFigures):
    """Its graph is another one: overlaps are reported, higher recall is asked for."""
    one = replace(perfect, one_group=True, overlap_at_10=dict.fromkeys(perfect.overlap_at_10, 0.0))
    assert [(goal.what, goal.bound) for goal in goals_of([one])] == [
        ("hybrid_k1 recall@10", 0.75),
        ("hybrid_k1 all@10", 0.5),
    ]
    low = replace(perfect.methods["hybrid_k1"], recall_at_10=0.7499, all_at_10=0.4999)
    missed = goals_of([replace(one, methods={**one.methods, "hybrid_k1": low})])
    assert not any(goal.met for goal in missed)


def _result(*layouts: LayoutFigures) -> EvalResult:
    return EvalResult(20, 2, layouts, {"neo4j_1": "Java is missing"}, {"one": 1.0})


def test_the_json_line_holds_what_is_promised(perfect: LayoutFigures):
    """Programs read these names; one line, so that the last line of the output is all of it."""
    line = _result(perfect).as_json()
    assert "\n" not in line
    (layout,) = json.loads(line)["layouts"]
    assert layout["name"] == "one"
    assert layout["overlap_at_10"] == {"semantic": 1.0, "keyword": 1.0, "hybrid": 1.0}
    assert list(layout["methods"]) == ["semantic", "keyword", "graph", "hybrid_k60", "hybrid_k1"]
    for figures in layout["methods"].values():
        assert figures == {
            "recall_at_5": 1.0,
            "recall_at_10": 1.0,
            "recall_at_20": 1.0,
            "all_at_10": 1.0,
            "ndcg_at_10": 1.0,
            "p50_ms": 1.0,
            "p95_ms": 3.0,
        }


def test_the_report_names_what_was_missed_and_what_was_not_measured(perfect: LayoutFigures):
    """A missed goal or a layout that was left out must not be overlooked."""
    wrong = replace(perfect, name="two", overlap_at_10={"semantic": 0.5, "keyword": 1.0, "hybrid": 1.0})
    out = StringIO()
    print_report(_result(perfect, wrong), Console(file=out, width=110))
    (missed,) = [
        line
        for line in out.getvalue().splitlines()
        if line.split()[-1:] == ["missed"] and "goals" not in line
    ]
    assert missed.split() == ["two", "semantic", "overlap@10", "0.5000", "1.0000", "missed"]
    assert "1 of 12 goals missed" in out.getvalue()
    assert "not measured: neo4j_1, Java is missing" in out.getvalue()
