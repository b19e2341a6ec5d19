"""The protocol holds in every state, and each of its rules is there for a reason that shows.

pytest -s tests/model_check      prints the number of states
"""

import random

import pytest

from drivers.fence import FenceState
from drivers.fence_changes import FENCE_CHANGES, FenceChange
from tests.model_check.configurations import CONFIGURATIONS
from tests.model_check.explore import Outcome, check, explore
from tests.model_check.guards import ENTERED, GUARD_MUTATIONS, GUARDS
from tests.model_check.model import Model
from tests.model_check.mutations import MUTATIONS, Mutation
from tests.model_check.placement import Placement
from tests.model_check.placements import PLACEMENT_MUTATIONS, PLACEMENTS, PlacementMutation
from tests.model_check.rules import GIVEN, NOT_MODELLED, compiled
from tests.model_check.state import Configuration, Fence

FENCES_TRIED = 2_000
"""By rule, at random, half of them in a state of the rule: one in fifty at least fits."""


@pytest.fixture(scope="module")
def rules_used() -> set[str]:
    """Filled by the explorations, looked at after the last one."""
    return set()


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=lambda config: config.name)
def test_the_move_holds_in_every_state(config: Configuration, rules_used: set[str]) -> None:
    outcome = check(Model.of(config))
    rules_used |= outcome.used
    _print(config.name, outcome)
    assert outcome.broken is None, _told(outcome)
    assert outcome.exhausted


def test_the_explorations_use_every_rule_of_the_table(rules_used: set[str]) -> None:
    if not rules_used:
        pytest.skip("no exploration ran")
    assert rules_used == {change.name for change in FENCE_CHANGES}


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda placement: placement.name)
def test_the_placement_holds_in_every_state(placement: Placement) -> None:
    outcome = placement.run()
    _print(placement.name, outcome)
    assert outcome.broken is None, _told(outcome)
    assert outcome.exhausted


@pytest.mark.parametrize("mutation", [*MUTATIONS, *GUARD_MUTATIONS], ids=lambda mutation: mutation.name)
def test_what_a_mutation_breaks(mutation: Mutation) -> None:
    outcome = mutation.run()
    _print(mutation.name, outcome)
    if mutation.breaks:
        assert outcome.broken in mutation.breaks, _told(outcome)
    else:
        assert outcome.broken is None, _told(outcome)
        assert outcome.exhausted
        assert mutation.rules <= outcome.used


@pytest.mark.parametrize("mutation", PLACEMENT_MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_a_mutation_of_the_placement_breaks(mutation: PlacementMutation) -> None:
    outcome = mutation.placement.run()
    _print(mutation.name, outcome)
    assert outcome.broken == mutation.breaks, _told(outcome)


def test_every_guard_is_entered() -> None:
    assert GUARDS == ENTERED


@pytest.mark.parametrize("change", FENCE_CHANGES, ids=lambda change: change.name)
def test_the_compiled_rule_is_the_rule(change: FenceChange) -> None:
    """Against FenceChange.allowed and .after, which the drivers are held to."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    rule = compiled().by_name[change.name]
    names = GIVEN[change.name]
    others = dict.fromkeys(change.parameters - {*names}, "")

    def some_given() -> dict[str, int]:
        return {name: chance.randrange(3) for name in names}

    happened = 0
    for _ in range(FENCES_TRIED):
        state = chance.choice([*FenceState] if chance.random() < 0.5 else sorted(change.states))
        numbers = {name: chance.randrange(3) for name in Fence._fields if name != "state"}
        properties = {"state": state.value, **numbers}
        given = some_given()
        after = rule.after(Fence(state.value, **numbers), tuple(given.values()))
        assert (after is not None) == change.allowed(properties, given | others)
        if after is not None:
            happened += 1
            wanted = change.after(properties, given | others)
            assert after._asdict() == {name: wanted[name] or 0 for name in Fence._fields}
    assert happened, "no fence that was tried fits this rule"
    given = some_given()
    assert change.allowed(None, given | others) == (rule.after(None, tuple(given.values())) is not None)
    assert {guard.name for guard in change.guards} <= {*Fence._fields}
    assert change.sets.keys() <= {*Fence._fields} | NOT_MODELLED


def test_a_search_ends_with_the_shortest_trace() -> None:
    """A counter that may go up by 1 or by 3 and must not be 4."""

    def steps(state: int) -> list[tuple[str, int | str]]:
        return [("by 1", state + 1), ("by 3", state + 3)]

    outcome = explore(0, steps, lambda state: "four" if state == 4 else None)
    assert (outcome.broken, sorted(outcome.trace)) == ("four", ["by 1", "by 3"])
    assert not outcome.exhausted


def test_a_search_that_is_cut_is_not_exhausted() -> None:
    outcome = explore(0, lambda state: [("up", state + 1)], lambda _: None, states_max=10)
    assert (outcome.broken, outcome.exhausted) == (None, False)


def _print(name: str, outcome: Outcome) -> None:
    end = outcome.broken or ("exhausted" if outcome.exhausted else "cut")
    steps = f" in {len(outcome.trace)} steps" if outcome.trace else ""
    print(f"{name}: {outcome.states:,} states, {outcome.seconds:.1f} s, {end}{steps}")


def _told(outcome: Outcome) -> str:
    return f"{outcome.broken}: " + " | ".join(outcome.trace)
