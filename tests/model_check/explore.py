"""Breadth-first search through a model: states by 64-bit hashes, shortest traces by parents."""

import gc
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from time import process_time

from tests.model_check.coordinator import coordinators
from tests.model_check.feed import feed
from tests.model_check.model import Model
from tests.model_check.readers import surroundings
from tests.model_check.state import Step, World, initial, violation
from tests.model_check.writes import writes


@dataclass(frozen=True, slots=True)
class Outcome:
    states: int
    seconds: float
    """Of processor time: what else the machine does is no part of it."""
    exhausted: bool
    """Every reachable state was looked at."""
    broken: str | None
    """The first promise that broke, and the shortest way there."""
    trace: tuple[str, ...]
    used: frozenset[str] = frozenset()
    """Rules of the table that changed a fence on the way."""


type Successors[S] = Callable[[S], list[tuple[str, S | str]]]
type Judge[S] = Callable[[S], str | None]


def explore[S: Hashable](
    start: S, successors: Successors[S], judge: Judge[S], states_max: int = 5_000_000
) -> Outcome:
    """Ends with the first violation. Two states with one hash count as one: of a million states some two
    pairs in ten million searches."""
    began = process_time()
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _search(start, successors, judge, states_max, began)
    finally:
        if collecting:
            gc.enable()


def _search[S: Hashable](
    start: S, successors: Successors[S], judge: Judge[S], states_max: int, began: float
) -> Outcome:
    parents: dict[int, int | None] = {hash(start): None}
    waiting = deque([start])
    while waiting:
        if len(parents) > states_max:
            return Outcome(len(parents), process_time() - began, False, None, ())
        state = waiting.popleft()
        here = hash(state)
        for label, after in successors(state):
            if isinstance(after, str):
                trace = (*_trace(parents, start, here, successors), label)
                return Outcome(len(parents), process_time() - began, False, after, trace)
            there = hash(after)
            if there in parents:
                continue
            parents[there] = here
            broken = judge(after)
            if broken is not None:
                trace = _trace(parents, start, there, successors)
                return Outcome(len(parents), process_time() - began, False, broken, trace)
            waiting.append(after)
    return Outcome(len(parents), process_time() - began, True, None, ())


def _trace[S: Hashable](
    parents: dict[int, int | None], start: S, end: int, successors: Successors[S]
) -> tuple[str, ...]:
    chain = [end]
    while (parent := parents[chain[-1]]) is not None:
        chain.append(parent)
    labels: list[str] = []
    state = start
    for wanted in reversed(chain[:-1]):
        for label, after in successors(state):
            if not isinstance(after, str) and hash(after) == wanted:
                labels.append(label)
                state = after
                break
    return tuple(labels)


def check(model: Model, states_max: int = 5_000_000) -> Outcome:
    flags = model.flags

    def successors(world: World) -> list[Step]:
        out: list[Step] = []
        if world.feed.scan is not None or world.left.rounds:
            feed(model, world, out)
        writes(model, world, out)
        coordinators(model, world, out)
        surroundings(model, world, out)
        return out

    outcome = explore(initial(model.config), successors, lambda world: violation(world, flags), states_max)
    return replace(outcome, used=frozenset(model.used))
