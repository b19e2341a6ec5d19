import json
from bisect import bisect
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from hashlib import md5
from math import sqrt
from pathlib import Path
from random import Random
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shard_router.ring import EmptyRingError, HashRing, RingMember

GOLDEN = json.loads((Path(__file__).parent / "ring_golden.json").read_text())
PROPERTY = settings(deadline=None, max_examples=25)
GROUP_IDS = [f"group-{number}" for number in range(400)]
SHARD_IDS = st.from_regex(r"[a-z0-9_.\-]{1,8}", fullmatch=True)
WEIGHTS = st.integers(1, 150).map(lambda hundredths: hundredths / 100)
MEMBERS = st.dictionaries(SHARD_IDS, WEIGHTS, min_size=1, max_size=6).map(
    lambda weights: [RingMember(shard_id, weight) for shard_id, weight in weights.items()]
)


def placements(ring: HashRing) -> dict[str, str]:
    return {group_id: ring.shard_of(group_id) for group_id in GROUP_IDS}


def moves(before: HashRing, after: HashRing) -> set[tuple[str, str]]:
    old, new = placements(before), placements(after)
    return {(old[group_id], new[group_id]) for group_id in GROUP_IDS if old[group_id] != new[group_id]}


def arc_shares(ring: HashRing) -> dict[str, float]:
    """Exact share of the hash space that each shard owns."""
    points = ring._ring.get_points()
    shares: Counter[str] = Counter()
    previous = points[-1][0] - 2**128
    for point, shard_id in points:
        shares[shard_id] += point - previous
        previous = point
    return {shard_id: arc / 2**128 for shard_id, arc in shares.items()}


def golden_ring() -> HashRing:
    return HashRing.build([RingMember(**member) for member in GOLDEN["members"]], version=GOLDEN["version"])


def test_placements_are_those_of_every_release():
    """A gateway of another release or with another uhashring must not place groups elsewhere."""
    ring = golden_ring()
    assert {group_id: ring.shard_of(group_id) for group_id in GOLDEN["placements"]} == GOLDEN["placements"]
    assert ring.fingerprint() == GOLDEN["fingerprint"]


def test_placements_follow_the_published_rule():
    """The owner is the first md5 point of "shard_id-n" after the group's md5; 10 points per 0.01 weight."""
    ring = golden_ring()
    points = sorted(
        (int(md5(f"{member.shard_id}-{number}".encode()).hexdigest(), 16), member.shard_id)
        for member in ring.members
        for number in range(round(member.weight * 1000))
    )
    positions = [position for position, _ in points]
    for group_id in GROUP_IDS:
        at = bisect(positions, int(md5(group_id.encode()).hexdigest(), 16)) % len(points)
        assert ring.shard_of(group_id) == points[at][1]


@PROPERTY
@given(MEMBERS, st.randoms(use_true_random=False), st.integers(0, 9))
def test_order_of_members_does_not_matter(members: list[RingMember], random: Random, version: int):
    """Gateways that read the catalog in another order place alike."""
    shuffled = random.sample(members, len(members))
    one, other = HashRing.build(members, version=1), HashRing.build(iter(shuffled), version=version)
    assert placements(one) == placements(other)
    assert one.members == other.members
    assert one.fingerprint() == other.fingerprint()
    assert other.version == version


@PROPERTY
@given(MEMBERS, WEIGHTS)
def test_a_new_shard_only_takes(members: list[RingMember], weight: float):
    """Adding a shard moves no group between the others; removing it gives each back."""
    before = HashRing.build(members, version=1)
    after = HashRing.build([*members, RingMember("added-shard", weight)], version=2)
    assert {target for _, target in moves(before, after)} <= {"added-shard"}
    assert {source for source, _ in moves(after, before)} <= {"added-shard"}
    assert before.fingerprint() != after.fingerprint()


@PROPERTY
@given(MEMBERS, WEIGHTS, WEIGHTS)
def test_a_weight_moves_groups_of_its_shard_only(members: list[RingMember], light: float, heavy: float):
    """Raising a weight only takes, lowering it only gives; nothing moves between the others."""
    light, heavy = sorted((light, heavy))
    before = HashRing.build([*members, RingMember("changed-shard", light)], version=1)
    after = HashRing.build([*members, RingMember("changed-shard", heavy)], version=2)
    assert {target for _, target in moves(before, after)} <= {"changed-shard"}
    assert {source for source, _ in moves(after, before)} <= {"changed-shard"}
    assert (before.fingerprint() == after.fingerprint()) == (light == heavy)


@pytest.mark.parametrize(
    ("weights", "deviations_max"),
    [
        ([1.0] * 3, 3),
        ([1.0] * 10, 3),
        ([0.25, 0.5, 1, 2, 4], 3),
        ([0.01, 0.1, 1, 10], 3),
        ([100.0, 0.01, 33.33], 3),
        ([1.0] * 40, 4),  # of 40 draws from a normal distribution one in ten has one beyond 3
    ],
)
def test_shares_follow_the_weights(weights: list[float], deviations_max: int):
    """Shares stray from their weights by the sampling error of their points, 1 / sqrt(points), no more."""
    ring = HashRing.build([RingMember(f"shard-{n}", weight) for n, weight in enumerate(weights)], version=1)
    shares = arc_shares(ring)
    deviations = [
        (shares[member.shard_id] * sum(weights) / member.weight - 1) * sqrt(member.points)
        for member in ring.members
    ]
    assert max(map(abs, deviations)) < deviations_max
    assert sum(deviation**2 for deviation in deviations) / len(deviations) < 2


def test_the_lightest_shard_has_points():
    """A weight above zero is never rounded to nothing beside heavy shards (ketama does that)."""
    heavy = [RingMember(f"heavy-{number}", 100) for number in range(5)]
    ring = HashRing.build([*heavy, RingMember("light", 0.01)], version=1)
    assert sum(shard_id == "light" for _, shard_id in ring._ring.get_points()) == 10


def test_readers_never_see_a_half_built_ring():
    """Swapping one reference is safe: while rings are built, readers get one ring's answer or the other's."""
    members = [RingMember(f"shard-{number}", 1) for number in range(4)]
    rings = [HashRing.build(members, version=1), HashRing.build(members[:3], version=2)]
    allowed = {group_id: {ring.shard_of(group_id) for ring in rings} for group_id in GROUP_IDS}
    current, stop = [rings[0]], Event()

    def read() -> int:
        lookups = 0
        while not stop.is_set():
            for group_id in GROUP_IDS:
                assert current[0].shard_of(group_id) in allowed[group_id]
                lookups += 1
        return lookups

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(20):
            current[0] = HashRing.build(members[: 3 + number % 2], version=number)
        stop.set()
        assert all(reader.result() > 0 for reader in readers)


def test_a_ring_cannot_be_changed():
    """A snapshot handed to another task stays what it was."""
    ring = golden_ring()
    with pytest.raises(FrozenInstanceError):
        ring.version = 2  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(ring.members, tuple)
    assert ring == golden_ring()


def test_no_members_is_a_typed_error():
    """A fleet whose shards are all cordoned says so instead of placing a group on None."""
    with pytest.raises(EmptyRingError, match="version 7 has no members") as caught:
        HashRing.build([], version=7)
    assert caught.value.reason == "NO_SHARD_FOR_PLACEMENT"


@pytest.mark.parametrize("weight", [0, -1, 0.001, 1.005, 100.01, float("inf"), float("nan")])
def test_a_weight_out_of_range_is_refused(weight: float):
    """A weight that would be rounded to another, or to no points, is an error and not a surprise."""
    with pytest.raises(ValueError, match="two decimals"):
        RingMember("shard-1", weight)


@pytest.mark.parametrize("shard_id", ["", "a b", "a\n", "é", "x" * 65])
def test_a_shard_id_out_of_range_is_refused(shard_id: str):
    """Ids are hashed and shown: nothing but plain characters."""
    with pytest.raises(ValueError, match="rename the shard"):
        RingMember(shard_id, 1)


def test_a_shard_named_twice_is_refused():
    """Two weights for one shard must not be settled by chance."""
    with pytest.raises(ValueError, match="twice"):
        HashRing.build([RingMember("shard-1", 1), RingMember("shard-1", 2)], version=1)


def test_the_number_of_points_is_bounded():
    """A fleet's total weight cannot make a gateway build for minutes."""
    with pytest.raises(ValueError, match="scale the weights"):
        HashRing.build([RingMember(f"shard-{number}", 100) for number in range(11)], version=1)
