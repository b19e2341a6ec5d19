"""Time of a run."""

from gateway.bench.search.budget import Budget


def test_what_does_not_fit_is_named() -> None:
    """Nothing that was asked for is left out in silence."""
    now = [0.0]
    budget = Budget(100.0, lambda: now[0])
    assert budget.allows("small", 60)
    now[0] = 60.0
    assert not budget.allows("large", 50)
    assert budget.allows("medium", 40)
    now[0] = 101.0
    assert not budget.allows("any")
    assert budget.left_out == [
        "large: it is thought to take 50 s and 40 s are left",
        "any: it is thought to take 0 s and 0 s are left",
    ]
