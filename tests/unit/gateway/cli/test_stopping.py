"""Stop signals."""

import asyncio
import os
import signal
from typing import NoReturn

import pytest

from gateway.cli.stopping import StopSignals, unless
from tests.eventually import eventually


async def test_signals_are_counted_instead_of_raised() -> None:
    """The first asks to finish, the second to stop at once; afterwards signals are as before."""
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert (signals.number, signals.first.is_set()) == (0, False)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(signals.first.wait(), 10)
        assert not signals.second.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(signals.second.wait(), 10)
        assert signals.number == signal.SIGINT
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("handler", "counted"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
async def test_a_closed_terminal_stops_unless_under_nohup(handler: signal.Handlers, counted: bool) -> None:
    """Closing the terminal leaves no engine behind; nohup is respected."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(signals.first.wait(), 10)
            await eventually(lambda: signals.number == signal.SIGTERM)
            assert signals.second.is_set() is counted
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_step_that_ends_first_has_its_result() -> None:
    """Without the event a step is as if awaited, errors included."""

    async def answer() -> int:
        return 42

    async def fail() -> NoReturn:
        raise ZeroDivisionError

    event = asyncio.Event()
    assert await unless(event, answer()) == 42
    with pytest.raises(ZeroDivisionError):
        await unless(event, fail())


async def test_the_event_cancels_the_step_and_waits_for_its_end() -> None:
    """What a step does to clean up is done when unless() returns."""
    event, cleaned = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        event.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    assert await unless(event, step()) is None
    assert cleaned.is_set()


async def test_an_inner_step_is_cut_short_by_the_outer_event() -> None:
    """The second signal reaches a step that is already being cancelled by the first."""
    first, second = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        first.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            second.set()
            await asyncio.Event().wait()

    assert await asyncio.wait_for(unless(second, unless(first, stubborn())), 10) is None
