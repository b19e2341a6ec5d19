"""The JSON line of the demo, and what makes it fail."""

import json
from dataclasses import replace

import pytest

from gateway.corpus.writer import PhaseTiming
from gateway.demo.crashes import Outage
from gateway.demo.figures import Figures, ShardFigures, Stored, WriteFigures, failures

ROWS = 2 + 3 + 4 + 5


def _phase(rows: int) -> PhaseTiming:
    return PhaseTiming(calls=1, rows=rows, wall_s=0.5, retries=1)


@pytest.fixture
def figures() -> Figures:
    return Figures(
        stored=Stored(
            groups=1,
            episodes=2,
            entities=3,
            facts=4,
            mentions=5,
            shards=(ShardFigures("a", "falkordb", 1, 3),),
        ),
        malformed_triples_skipped=6,
        write=WriteFigures(
            _phase(3), _phase(7), _phase(4), _phase(1), (Outage("gateway", calls_cut_off=8, down_s=1.234),)
        ),
        acknowledged_rows=ROWS,
        lost_after_restart=0,
        search_p50_ms=1.0,
        search_p95_ms=2.0,
        recall_at_10=0.7,
        all_gold_at_10=0.4,
        sharded_equals_unsharded={"episodes": 1.0, "entities": 1.0, "facts": 1.0},
        hybrid_overlap_at_10=0.9,
        neo4j_left_out=None,
        gateway_memory_mb=200.0,
        timings_s={"all": 10.0},
    )


def test_the_json_line_holds_what_is_promised(figures: Figures):
    """Programs read these names; one line, so that the last line of the output is all of it."""
    line = figures.as_json()
    assert "\n" not in line
    content = json.loads(line)
    assert content["shards"] == [{"id": "a", "engine": "falkordb", "groups": 1, "entities": 3}]
    assert (content["write_entities_per_s"], content["write_facts_per_s"]) == (6.0, 8.0)
    expected = {
        "groups": 1,
        "episodes": 2,
        "entities": 3,
        "facts": 4,
        "search_p50_ms": 1.0,
        "search_p95_ms": 2.0,
        "recall_at_10": 0.7,
        "sharded_equals_unsharded": 1.0,
        "lost_after_restart": 0,
    }
    assert {name: content[name] for name in expected} == expected


def test_a_run_that_shows_everything_has_no_problem(figures: Figures):
    """Its exit code is 0."""
    assert failures(figures, ROWS) == []


def test_whatever_does_not_hold_is_a_problem(figures: Figures):
    """A demo that loses a row, stores one too many or ranks differently must not end well."""
    assert failures(replace(figures, lost_after_restart=1), ROWS)
    assert failures(figures, ROWS - 1)
    unequal = replace(figures, sharded_equals_unsharded={"episodes": 1.0, "entities": 0.99, "facts": 1.0})
    (problem,) = failures(unequal, ROWS)
    assert "entities" in problem
