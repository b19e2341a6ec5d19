"""Layouts that were filled in both ways, and their difference."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from gateway.bench.model_server.process import ModelServerStats
from gateway.eval.asking import Answers
from gateway.eval.comparison import comparisons
from gateway.eval.evaluation import EvalResult
from gateway.eval.figures import LayoutFigures, layout_figures
from gateway.eval.goals import goals_of
from gateway.eval.ingesting import IngestFigures
from gateway.eval.layouts import LAYOUTS, Ingest, chosen_layouts, filled
from gateway.eval.methods import RECIPES
from gateway.eval.report import print_report

INGESTION = IngestFigures(
    episodes=20,
    failed=1,
    failures=("g/e: MODEL_ANSWER_INVALID, it said nothing",),
    entities_joined=7,
    models=ModelServerStats({"extract": 20, "judge_facts": 10, "/v1/models": 3}, 30, 4_000, 1_000),
    seconds=2.0,
)


@pytest.fixture
def provided() -> LayoutFigures:
    answers = Answers(
        dict.fromkeys(RECIPES, (["a"], ["b"])), dict.fromkeys(RECIPES, (1.0, 2.0)), {"shard": 1}
    )
    gold = [frozenset({"a"}), frozenset({"b"})]
    figures = layout_figures("one", one_group=False, answers=answers, first=answers, gold=gold)
    return replace(figures, rows={"episodes": 20, "entities": 9, "facts": 8, "mentions": 12})


@pytest.fixture
def llm(provided: LayoutFigures) -> LayoutFigures:
    rows = {"episodes": 20, "entities": 7, "facts": 6, "mentions": 11}
    return replace(provided, name="one_llm", rows=rows, ingestion=INGESTION)


def with_recall(layout: LayoutFigures, recall: float) -> LayoutFigures:
    graph = replace(layout.methods["graph"], recall_at_10=recall)
    return replace(layout, methods={**layout.methods, "graph": graph})


def test_ways_of_ingestion_make_layouts() -> None:
    """Both: one after the other, so that the list before is the one to compare with."""
    assert filled(LAYOUTS, Ingest.PROVIDED) == LAYOUTS
    both = filled(chosen_layouts("falkordb_1,mixed"), Ingest.BOTH)
    names = ["falkordb_1", "falkordb_1_llm", "mixed", "mixed_llm"]
    assert [layout.name for layout in both] == names
    assert [layout.ingest for layout in both] == 2 * [Ingest.PROVIDED, Ingest.LLM]
    assert list(filled(chosen_layouts("falkordb_1,mixed"), Ingest.LLM)) == [both[1], both[3]]


@pytest.mark.parametrize(("recall", "met"), [(0.88, True), (0.8799, False), (1.0, True)])
def test_two_points_below_are_still_met(
    provided: LayoutFigures, llm: LayoutFigures, recall: float, met: bool
) -> None:
    """.9 - .02 and .88 are not the same floating-point number; and to find more is no fault."""
    layouts = [with_recall(provided, 0.9), with_recall(llm, recall)]
    (comparison,) = comparisons(layouts)
    (difference,) = [one for one in comparison.differences if one.method == "graph"]
    assert difference.points == pytest.approx(100 * (recall - 0.9))
    assert difference.met is met
    assert [goal.met for goal in goals_of(layouts) if goal.what.startswith("graph recall@10 at most")] == [
        met
    ]


def test_only_what_was_measured_in_both_ways_is_compared(provided: LayoutFigures, llm: LayoutFigures) -> None:
    assert comparisons([provided, replace(provided, name="two")]) == []
    assert comparisons([llm]) == []
    assert not any("provided" in goal.what for goal in goals_of([llm]))
    assert len(comparisons([provided, llm])) == 1


def test_a_graph_of_its_own_is_not_held_to_the_lists_of_the_written_one(
    provided: LayoutFigures, llm: LayoutFigures
) -> None:
    other = replace(llm, overlap_at_10=dict.fromkeys(llm.overlap_at_10, 0.0))
    assert all(goal.met for goal in goals_of([provided, other]))


def test_what_ingestion_did_is_in_the_json_line_and_in_the_report(
    provided: LayoutFigures, llm: LayoutFigures
) -> None:
    told = llm.as_json()["ingestion"]
    assert isinstance(told, dict)
    assert told["failures"] == ["g/e: MODEL_ANSWER_INVALID, it said nothing"]
    assert told["model_calls"] == 30
    assert told["model_calls_by_task"] == {"extract": 20, "judge_facts": 10}
    assert (told["model_calls_per_episode"], told["tokens_per_episode"]) == (1.5, 250.0)
    assert "ingestion" not in provided.as_json()
    out = StringIO()
    console = Console(file=out, width=110)
    print_report(EvalResult(20, 2, [with_recall(provided, 0.9), with_recall(llm, 0.8)], {}, {}), console)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["graph", "0.9000", "0.8000", "-10.00", "-2.00", "missed"] in lines
    assert ["one_llm", "20", "7", "6", "11"] in lines
    assert ["one_llm", "1", "7", "0", "0", "30", "1.50", "250", "2"] in lines
    assert "\u2026" not in out.getvalue()
