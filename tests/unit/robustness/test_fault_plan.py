"""The fault plan: reproducible, fair to every part, and never two faults of one part at once."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tests.robustness.faults.plan import (
    FIRST_FAULT_S,
    PAUSE_S_MAX,
    QUIET_END_S,
    fault_plan,
)
from tests.robustness.scenario import CRASH
from tests.robustness.timeline import Cause

PARTS = ("gateway-0", "gateway-1", "gateway-2", "falkordb-0", "falkordb-1", "neo4j-0", "catalog")


def _plan(seed: int, seconds: float = 120.0):
    return fault_plan(seed, seconds, PARTS, "catalog", CRASH.fault_gap_s, CRASH.slow_rest_s)


@given(seed=st.integers(0, 2**32), seconds=st.floats(0, 300))
def test_a_seed_is_one_plan(seed: int, seconds: float):
    """The same seed does the same to the same parts at the same times, and another seed something else."""
    assert _plan(seed, seconds) == _plan(seed, seconds)
    assert _plan(seed) != _plan(seed + 1)


@given(seed=st.integers(0, 2**32), seconds=st.floats(0, 300))
def test_faults_keep_to_their_time_and_part(seed: int, seconds: float):
    """Within the run, each part's faults apart from each other; pauses shorter than a call may take."""
    free_from: dict[str, float] = defaultdict(float)
    for fault in _plan(seed, seconds):
        assert FIRST_FAULT_S <= fault.at_s <= seconds - QUIET_END_S
        assert fault.at_s >= free_from[fault.part]
        free_from[fault.part] = fault.at_s + fault.lasts_s
        assert fault.cause is not Cause.PAUSE or fault.lasts_s <= PAUSE_S_MAX < 5
        assert fault.cause is not Cause.ROLLBACK or (fault.part == "catalog" and fault.copies_back >= 1)


@given(seed=st.integers(0, 2**32))
def test_two_minutes_hold_every_kind_of_fault(seed: int):
    """At least 20 kills, every part among the victims, sometimes two parts at once."""
    plan = _plan(seed)
    assert sum(fault.cause is not Cause.PAUSE for fault in plan) >= 20
    assert {fault.part for fault in plan} == set(PARTS)
    assert max(Counter(fault.at_s for fault in plan).values()) == 2


def test_many_seeds_hold_pauses_and_rollbacks():
    """No kind of fault is forgotten."""
    causes = Counter(fault.cause for seed in range(20) for fault in _plan(seed))
    assert set(causes) == set(Cause)


@given(seed=st.integers(0, 2**32))
def test_a_plan_can_be_of_kills_only(seed: int):
    """Redis that holds what was accepted must not be rolled back."""
    plan = fault_plan(seed, 120.0, PARTS, "catalog", CRASH.fault_gap_s, only_kills=True)
    assert {fault.cause for fault in plan} == {Cause.KILL}
    assert {fault.part for fault in plan} == set(PARTS)
