"""The shard's marker: its identity, made once."""

import asyncio
from dataclasses import replace

from drivers.contract import ShardDriver
from tests.contract.subject import FOUNDERS, Founding, Subject
from tests.contract.tenant import soon


async def test_of_many_founders_one_wins(subject: Subject) -> None:
    """Gateways that found a shard at the same time agree on one incarnation, one of those offered."""
    founding: Founding = subject.founding
    assert len(founding.answers) == FOUNDERS
    assert len(set(founding.answers)) == 1
    # Another test of this run may have founded a shard on this server before.
    assert founding.answers[0] in ([founding.before] if founding.before else founding.offered)
    marker = await subject.driver.read_marker(soon())
    assert marker is not None
    assert replace(marker, beat=founding.answers[0].beat) == founding.answers[0]


async def test_a_marker_is_never_replaced(subject: Subject) -> None:
    """A later founder gets the marker that is there."""
    there = await subject.driver.read_marker(soon())
    assert there is not None
    other = replace(there, fleet="another", incarnation="another", pool_graphs=99, beat=10**9)
    assert await subject.driver.create_marker(other, soon()) == there
    assert await subject.driver.read_marker(soon()) == there


async def test_the_beat_is_advanced_by_compare_and_set(driver: ShardDriver) -> None:
    """The beat moves only from the value that the caller saw; the answer is the beat that is there."""
    marker = await driver.read_marker(soon())
    assert marker is not None
    beat = marker.beat
    assert await driver.advance_beat(beat, beat + 5, soon()) == beat + 5
    assert await driver.advance_beat(beat, beat + 9, soon()) == beat + 5
    assert await driver.advance_beat(beat + 4, beat + 9, soon()) == beat + 5
    assert await driver.read_marker(soon()) == replace(marker, beat=beat + 5)


async def test_of_many_beats_one_wins(driver: ShardDriver) -> None:
    """Gateways that advance the same beat at once: one does, the others are told whose it is."""
    marker = await driver.read_marker(soon())
    assert marker is not None
    seen = marker.beat
    answers = await asyncio.gather(*(driver.advance_beat(seen, seen + n, soon()) for n in range(1, 11)))
    assert len(set(answers)) == 1
    assert seen < answers[0] <= seen + 10
    assert await driver.read_marker(soon()) == replace(marker, beat=answers[0])


async def test_the_engine_runs_queries(driver: ShardDriver) -> None:
    """ping and the driver's name for itself."""
    await driver.ping(soon())
    assert driver.shard_id == "shard-under-test"
