"""Goals of the search benchmark."""

from gateway.bench.search.figures import (
    Cell,
    CellFigures,
    Latency,
    baseline_goals,
    floor_goals,
    latency,
    memory_goals,
    neighbour_goals,
)


def cell(part: str = "fan_out", *, shards: int = 1, groups: int = 1, others: int = 0) -> Cell:
    assert part in ("fan_out", "neighbours")
    return Cell(part, "hybrid", shards, groups, 10, others)


def figures(*, p50_ms: float = 1.0, overhead_ms: float = 0.0, floor_times: float = 1.0) -> CellFigures:
    same = Latency(p50_ms, p50_ms, p50_ms)
    return CellFigures(
        requests=1,
        gateway=same,
        floor=same,
        overhead_ms=overhead_ms,
        floor_times=floor_times,
        gateway_cpu_ms=0.0,
        floor_cpu_ms=0.0,
        engine_calls=1.0,
        engine_steps=1.0,
        calls=[],
        stages_ms={},
        vectors=[],
        same_hits=1.0,
    )


def test_percentiles_are_of_milliseconds() -> None:
    """The least value that so many of the samples do not exceed; the median of an even number is between."""
    found = latency([number / 1e3 for number in range(1, 101)])
    assert (round(found.p50_ms, 6), found.p95_ms, found.p99_ms) == (50.5, 95.0, 99.0)


def test_the_worst_cell_of_one_shard_decides() -> None:
    """A goal that one cell misses is missed, and says where, of how many."""
    worst = cell(groups=100)
    goals = floor_goals({cell(): figures(overhead_ms=1.0), worst: figures(overhead_ms=2.5)})
    (goal,) = goals
    assert (goal.figure, goal.bound, goal.met) == (2.5, 2.0, False)
    assert goal.at == worst.name
    assert (goal.cells, goal.cells_met) == (2, 1)


def test_at_most_shards_it_is_the_share_of_the_floor() -> None:
    """The bound in milliseconds is for one shard, the bound in floors for the most that were measured."""
    goals = floor_goals(
        {
            cell(): figures(overhead_ms=1.9, floor_times=5.0),
            cell(shards=4): figures(overhead_ms=9.0, floor_times=9.0),
            cell(shards=8): figures(overhead_ms=9.0, floor_times=1.2),
        }
    )
    assert [(goal.figure, goal.bound, goal.met) for goal in goals] == [(1.9, 2.0, True), (1.2, 1.3, True)]


def test_neighbours_are_compared_at_the_ends() -> None:
    """The most others over the fewest, whatever was measured between them."""
    found = {
        cell("neighbours", others=others): figures(p50_ms=p50_ms)
        for others, p50_ms in ((1_000, 9.0), (10_000, 5.2), (100, 4.0))
    }
    (goal,) = neighbour_goals(found)
    assert (round(goal.figure, 6), goal.met) == (1.3, False)


def test_one_count_says_nothing_about_growth() -> None:
    """No goal is claimed for what has nothing to be compared with."""
    assert neighbour_goals({cell("neighbours", others=100): figures()}) == []
    assert memory_goals({100: 90.0}) == []


def test_memory_is_flat_or_not() -> None:
    """Of the most groups over the fewest."""
    assert [goal.met for goal in memory_goals({100: 100.0, 1_000: 500.0, 10_000: 109.0})] == [True]
    assert [goal.met for goal in memory_goals({100: 100.0, 10_000: 111.0})] == [False]


def test_every_percentile_is_held_against_its_baseline() -> None:
    """One that is above is missed, though the others are below."""
    goals = baseline_goals({"hybrid": Latency(1.0, 2.0, 9.0)}, {"hybrid": Latency(1.0, 3.0, 5.0)})
    assert [(goal.figure, goal.bound, goal.met) for goal in goals] == [
        (1.0, 1.0, True),
        (2.0, 3.0, True),
        (9.0, 5.0, False),
    ]
