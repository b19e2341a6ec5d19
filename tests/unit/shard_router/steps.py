"""Computations that are made in steps, run to their end."""

from collections.abc import Generator


def ended[T](work: Generator[None, None, T]) -> T:
    """What it returns."""
    return steps_of(work)[0]


def steps_of[T](work: Generator[None, None, T]) -> tuple[T, int]:
    """What it returns, and in how many steps."""
    steps = 1
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, steps
        steps += 1
