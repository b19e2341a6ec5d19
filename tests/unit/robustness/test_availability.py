"""Which calls count for the availability."""

from tests.robustness.report.availability import availability
from tests.robustness.timeline import CallSeen, Cause, Outage, Stay, by_part

STAYS = {"g": [Stay("falkordb-0")]}
HOMES = {"g": "neo4j-0", "new": "neo4j-0"}


def _call(group_id: str = "g", *, creates: bool = False, answered: bool = True, at_s: float = 10) -> CallSeen:
    return CallSeen(group_id, creates, "read", at_s, at_s + 1, answered, "" if answered else "UNAVAILABLE")


def _outages(part: str, cause: Cause = Cause.KILL):
    return by_part([Outage(part, cause, 10.5, 12)])


def test_calls_without_their_shard_are_left_out():
    """Answered or not: what is left out changes neither side of the share."""
    calls = [_call(), _call(answered=False), _call(at_s=8), _call(at_s=13, answered=False)]
    counted = availability(calls, _outages("falkordb-0"), STAYS, HOMES, "catalog")
    assert (counted.answered, counted.counted, counted.left_out) == (1, 2, 2)
    assert counted.share == 0.5
    assert counted.unanswered == (calls[3],)


def test_a_paused_process_and_a_gateway_are_no_excuse():
    """Calls are to be answered beside them."""
    for outages in (_outages("falkordb-0", Cause.PAUSE), _outages("gateway-0"), _outages("catalog")):
        counted = availability([_call(answered=False)], outages, STAYS, HOMES, "catalog")
        assert (counted.counted, counted.share) == (1, 0.0)


def test_home_and_catalog_excuse_new_groups_alone():
    """A known group needs neither; a new one needs both."""
    for part in ("neo4j-0", "catalog"):
        outages = _outages(part)
        assert availability([_call()], outages, STAYS, HOMES, "catalog").counted == 1
        for group in ("g", "new"):
            made = availability([_call(group, creates=True)], outages, STAYS, HOMES, "catalog")
            assert made.left_out == 1


def test_a_group_that_moves_needs_the_shard_where_it_is():
    """At its old shard only until it left, at its new one only from then on; around the change both."""
    stays = {"g": [Stay("falkordb-0", to_s=20), Stay("falkordb-1", from_s=19)]}
    for shard, left_out in (("falkordb-0", [True, True, False]), ("falkordb-1", [False, True, True])):
        outages = by_part([Outage(shard, Cause.KILL, 0, 100)])
        for at_s, expected in zip((10, 19.5, 30), left_out, strict=True):
            counted = availability([_call(at_s=at_s)], outages, stays, HOMES, "catalog")
            assert (counted.left_out == 1) is expected


def test_no_call_is_no_failure():
    """The share of nothing is whole."""
    assert availability([], {}, STAYS, HOMES, "catalog").share == 1.0
