"""Who gets a place when there are few."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rpc.admission import Admission, AdmissionLimits, Place
from gateway.rpc.errors import AnswersUnread, TooManyCalls

MIB = 1024 * 1024


def fill(admission: Admission, connections: int) -> list[Place]:
    """As many calls as are let in, of so many greedy connections in turn."""
    places: list[Place] = []
    refused = 0
    while refused < connections:
        refused = 0
        for number in range(connections):
            try:
                places.append(admission.enter(f"greedy-{number}"))
            except TooManyCalls:
                refused += 1
    return places


@pytest.mark.parametrize("calls_max", [1, 7, 8, 1_000])
def test_one_connection_alone_may_have_every_place(calls_max: int) -> None:
    """Without others there is nobody to keep places for."""
    admission = Admission(AdmissionLimits(calls_max))
    assert len(fill(admission, 1)) == calls_max == admission.calls


@pytest.mark.parametrize("connections", [1, 2, 5, 50])
def test_a_newcomer_finds_a_place_beside_greedy_connections(connections: int) -> None:
    """The last places go to those who have less than their share, when a newcomer has been there before."""
    admission = Admission(AdmissionLimits(calls_max=400))
    first = admission.enter("modest")
    fill(admission, connections)
    first.leave()
    for _ in range(3):
        admission.enter("modest").leave()


def test_refusals_name_the_limit_and_what_the_connection_holds() -> None:
    """The caller can tell whether it is the one who asks for too much."""
    admission = Admission(AdmissionLimits(calls_max=2))
    for _ in range(2):
        admission.enter("a")
    with pytest.raises(TooManyCalls) as full:
        admission.enter("a")
    assert full.value.metadata() == {"limit_name": "concurrent_rpcs_max", "limit": "2", "of_connection": "2"}


def test_large_answers_that_nobody_reads_are_bounded() -> None:
    """Per connection and in all; a small answer, as a write's, is always sent."""
    limits = AdmissionLimits(calls_max=100, unsent_bytes_max=14 * MIB, connection_unsent_bytes_max=4 * MIB)
    admission = Admission(limits)
    places = [admission.enter(f"{number % 4}") for number in range(40)]
    sent: list[Place] = []
    names: set[str] = set()
    for place in places:
        try:
            place.queue_answer(2 * MIB)
            sent.append(place)
        except AnswersUnread as refusal:
            names.add(refusal.metadata()["limit_name"])
            place.queue_answer(1_000)
    assert len(sent) == 7
    assert names == {"unsent_bytes_max", "connection_unsent_bytes_max"}
    with pytest.raises(AnswersUnread):
        admission.enter("0")
    admission.enter("another").queue_answer(2 * MIB)
    for place in places:
        place.leave()
    again = admission.enter("0")
    again.queue_answer(4 * MIB)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200_000)), max_size=60), st.randoms())
def test_places_and_bytes_are_given_back(calls: list[tuple[str, int]], rng: Random) -> None:
    """Whatever order calls end in, nothing of them is left."""
    admission = Admission(AdmissionLimits(calls_max=20, connection_unsent_bytes_max=MIB))
    places: list[Place] = []
    for connection, size in calls:
        try:
            places.append(admission.enter(connection))
            places[-1].queue_answer(size)
        except (TooManyCalls, AnswersUnread):
            pass
    rng.shuffle(places)
    for place in places:
        place.leave()
    assert admission.calls == 0
    assert len(fill(admission, 1)) == 20
