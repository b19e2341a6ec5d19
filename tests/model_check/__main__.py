"""`python -m tests.model_check [--json]`: what was explored, and what every mutation breaks."""

import argparse
import sys
from dataclasses import asdict, dataclass

import orjson
from rich.console import Console
from rich.table import Table

from tests.model_check.configurations import CONFIGURATIONS
from tests.model_check.explore import Outcome, check
from tests.model_check.guards import GUARD_MUTATIONS
from tests.model_check.model import Model
from tests.model_check.mutations import MUTATIONS
from tests.model_check.placements import PLACEMENT_MUTATIONS, PLACEMENTS

_PIPE_WIDTH = 150
"""Columns of what goes into a file."""


@dataclass(frozen=True, slots=True)
class Explored:
    configuration: str
    about: str
    states: int
    seconds: float
    exhausted: bool
    violation: str | None


@dataclass(frozen=True, slots=True)
class Mutated:
    mutation: str
    caught: bool
    steps: int
    violation: str | None
    states: int
    seconds: float
    as_expected: bool
    harmless_because: str


@dataclass(frozen=True, slots=True)
class Result:
    states: int
    seconds: float
    configurations: tuple[Explored, ...]
    mutations: tuple[Mutated, ...]

    @property
    def holds(self) -> bool:
        """Every configuration was explored to its end without a violation, every mutation did what is
        expected of it."""
        explored = all(one.exhausted and one.violation is None for one in self.configurations)
        return explored and all(one.as_expected for one in self.mutations)


def run() -> Result:
    explored = (
        *(_explored(c.name, c.about, check(Model.of(c))) for c in CONFIGURATIONS),
        *(_explored(p.name, p.about, p.run()) for p in PLACEMENTS),
    )
    mutated = (
        *(_mutated(m.name, m.breaks, m.run(), m.why_harmless) for m in (*MUTATIONS, *GUARD_MUTATIONS)),
        *(_mutated(m.name, frozenset({m.breaks}), m.placement.run(), "") for m in PLACEMENT_MUTATIONS),
    )
    seconds = sum(one.seconds for one in (*explored, *mutated))
    return Result(sum(one.states for one in explored), round(seconds, 2), explored, mutated)


def _explored(name: str, about: str, outcome: Outcome) -> Explored:
    return Explored(name, about, outcome.states, round(outcome.seconds, 2), outcome.exhausted, outcome.broken)


def _mutated(name: str, breaks: frozenset[str], outcome: Outcome, why: str) -> Mutated:
    expected = outcome.broken in breaks if breaks else outcome.broken is None and outcome.exhausted
    return Mutated(
        name,
        outcome.broken is not None,
        len(outcome.trace),
        outcome.broken,
        outcome.states,
        round(outcome.seconds, 2),
        expected,
        why,
    )


def _show(result: Result, console: Console) -> None:
    table = Table("configuration", "states", "seconds", "exhausted", "violation", "what may happen")
    for one in result.configurations:
        row = (one.configuration, f"{one.states:,}", f"{one.seconds:.1f}", _yes(one.exhausted))
        table.add_row(*row, one.violation or "none", one.about)
    console.print(table)
    table = Table("mutation", "caught", "steps", "violation, or why there is none", "as expected")
    for one in result.mutations:
        row = (one.mutation, _yes(one.caught), str(one.steps or ""), one.violation or one.harmless_because)
        table.add_row(*row, _yes(one.as_expected))
    console.print(table)
    console.print(f"{result.states:,} states, {result.seconds:.0f} s with the mutations")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def main() -> int:
    """0: all holds. 1: a promise breaks, or a mutation is not what it is said to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.model_check", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line on standard output")
    as_json = parser.parse_args().json
    result = run()
    if as_json:
        print(orjson.dumps({"holds": result.holds, **asdict(result)}).decode())
    else:
        console = Console()
        if not console.is_terminal:
            console.width = _PIPE_WIDTH
        _show(result, console)
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
