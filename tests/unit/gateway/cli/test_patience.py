"""How long commands that follow something bear that no gateway answers."""

import time

import grpc
import pytest

from gateway.cli.patience import AWAY_S_MAX, Patience


class Refused(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


AWAY = Refused(grpc.StatusCode.UNAVAILABLE)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_gateway_may_be_away_for_a_while_after_each_answer(clock: Clock) -> None:
    """A restart in the middle of a long move ends no command that follows it, however many there are."""
    patience = Patience()
    for _ in range(3):
        clock.now_s += AWAY_S_MAX
        patience.bear(AWAY)
        patience.answered()


def test_a_gateway_that_stays_away_ends_the_command(clock: Clock) -> None:
    """With the error that says so."""
    patience = Patience()
    clock.now_s += AWAY_S_MAX + 1
    with pytest.raises(Refused) as raised:
        patience.bear(AWAY)
    assert raised.value is AWAY


def test_a_refusal_ends_the_command_at_once(clock: Clock) -> None:
    """Asking again would change nothing."""
    with pytest.raises(Refused):
        Patience().bear(Refused(grpc.StatusCode.NOT_FOUND))
