"""The judge of ingestion: a proper history breaks no promise, and each way of breaking one is found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.robustness.ingest.episodes import MENTIONS, in_turn, planned, shared_out
from tests.robustness.ingest.history import EpisodeHistory, EpisodeRow, FactRow, GroupGraph, StatusSeen
from tests.robustness.ingest.judge import APPLIED, FAILED, Finding, Kind, judge

UNIT = 2
"""Episodes of a write."""


@dataclass(frozen=True, slots=True)
class World:
    histories: tuple[EpisodeHistory, ...]
    groups: Mapping[str, GroupGraph]

    def findings(self) -> tuple[Finding, ...]:
        return judge(self.histories, self.groups)

    @property
    def group_id(self) -> str:
        return next(group_id for group_id, seen in self.groups.items() if len(seen.episodes) >= 2 * UNIT)

    def with_group(self, change: Callable[[GroupGraph], GroupGraph]) -> "World":
        group_id = self.group_id
        return replace(self, groups={**self.groups, group_id: change(self.groups[group_id])})

    def with_histories(self, change: Callable[[EpisodeHistory], EpisodeHistory], number: int) -> "World":
        """Of the episode of this number in the group."""
        return replace(
            self,
            histories=tuple(
                change(one) if (one.episode.group_id, one.episode.number) == (self.group_id, number) else one
                for one in self.histories
            ),
        )


def proper(seed: int, count: int = 200) -> World:
    """As a run without any mistake ends."""
    histories: list[EpisodeHistory] = []
    groups: dict[str, GroupGraph] = {}
    for episodes in planned(seed, count):
        histories += [EpisodeHistory(one, (one.uuid,)) for one in episodes]
        statuses: dict[str, StatusSeen] = {}
        rows: list[EpisodeRow] = []
        facts: list[FactRow] = []
        operations: dict[str, int] = {}
        readable = [one for one in episodes if one.readable]
        for begin in range(0, len(readable), UNIT):
            version = begin // UNIT + 1
            operations[f"unit-{version}"] = version
            for one in readable[begin : begin + UNIT]:
                statuses[one.op_id] = StatusSeen(APPLIED, version, 1)
                rows.append(EpisodeRow(one.uuid, version, one.content))
                person, town = f"person-{one.number}", f"town-{one.number}"
                facts += [
                    FactRow("/".join(ends), ends, one.content, (one.uuid,))
                    for ends in (("ada", person), (person, town))
                ]
        refused = [one for one in episodes if not one.readable]
        statuses |= {one.op_id: StatusSeen(FAILED, 0, 1, "MODEL_REFUSED") for one in refused}
        groups[episodes[0].group_id] = GroupGraph(
            ("falkordb-0",),
            len(operations),
            operations,
            tuple(rows),
            tuple(facts),
            {row.uuid: MENTIONS for row in rows},
            ("Ada", *(f"Person{one.number}" for one in readable)),
            statuses,
            tuple((one.op_id, "MODEL_REFUSED") for one in refused),
        )
    return World(tuple(histories), groups)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_a_proper_history_breaks_nothing(seed: int, count: int):
    assert proper(seed, count).findings() == ()


@given(seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_a_seed_is_one_plan_of_so_many_episodes(seed: int, count: int):
    """Numbered from 0 within each group; among each other, groups keep their order."""
    groups = planned(seed, count)
    assert groups == planned(seed, count)
    assert sum(map(len, groups)) == count
    assert all([one.number for one in group] == list(range(len(group))) for group in groups)
    mixed = in_turn(groups, Random(seed))
    for group in groups:
        assert [one for one in mixed if one.group_id == group[0].group_id] == list(group)
    shares = shared_out(groups, 5)
    assert len(shares) == min(5, len(groups))
    assert sorted(group[0].group_id for share in shares for group in share) == sorted(
        group[0].group_id for group in groups
    )


def status(op_id: str, seen: StatusSeen | None) -> Callable[[GroupGraph], GroupGraph]:
    def change(group: GroupGraph) -> GroupGraph:
        others = {name: one for name, one in group.statuses.items() if name != op_id}
        return replace(group, statuses=others if seen is None else others | {op_id: seen})

    return change


def without_row(group: GroupGraph) -> GroupGraph:
    return replace(group, episodes=group.episodes[1:])


def half_written(group: GroupGraph) -> GroupGraph:
    return replace(group, facts=group.facts[1:])


def without_mention(group: GroupGraph) -> GroupGraph:
    first = group.episodes[0].uuid
    return replace(group, mentions={**group.mentions, first: MENTIONS - 1})


def other_content(group: GroupGraph) -> GroupGraph:
    return replace(group, episodes=(replace(group.episodes[0], content="else"), *group.episodes[1:]))


def written_again(group: GroupGraph) -> GroupGraph:
    """The first unit a second time, by another worker that did not find its record: rows are replaced."""
    last = group.version + 1
    rows = tuple(replace(one, version=last) if one.version == 1 else one for one in group.episodes)
    statuses = {
        op_id: replace(one, version=last) if one.version == 1 else one
        for op_id, one in group.statuses.items()
    }
    operations = {**group.operations, "unit-again": last}
    return replace(group, version=last, operations=operations, episodes=rows, statuses=statuses)


def one_of_a_unit_again(group: GroupGraph) -> GroupGraph:
    """With the status of the first time."""
    last = group.version + 1
    rows = (replace(group.episodes[0], version=last), *group.episodes[1:])
    return replace(group, version=last, operations={**group.operations, "n-0": last}, episodes=rows)


def second_row(group: GroupGraph) -> GroupGraph:
    return replace(group, episodes=(*group.episodes, replace(group.episodes[0], uuid="another")))


def second_fact(group: GroupGraph) -> GroupGraph:
    return replace(group, facts=(*group.facts, replace(group.facts[0], uuid="another")))


def second_entity(group: GroupGraph) -> GroupGraph:
    return replace(group, entity_names=(*group.entity_names, "Ada"))


def write_without_record(group: GroupGraph) -> GroupGraph:
    return replace(group, operations={op: version for op, version in group.operations.items() if version > 1})


def version_nobody_took(group: GroupGraph) -> GroupGraph:
    return replace(group, version=group.version + 1)


def two_records_of_a_version(group: GroupGraph) -> GroupGraph:
    return replace(group, operations={**group.operations, "other": 1})


def overtaken(group: GroupGraph) -> GroupGraph:
    """The first two units in the wrong order."""
    swapped = {1: 2, 2: 1}
    rows = tuple(replace(one, version=swapped.get(one.version, one.version)) for one in group.episodes)
    statuses = {
        op_id: replace(one, version=swapped.get(one.version, one.version))
        for op_id, one in group.statuses.items()
    }
    return replace(group, episodes=rows, statuses=statuses)


def phantom_row(group: GroupGraph) -> GroupGraph:
    return replace(group, episodes=(*group.episodes, EpisodeRow("nobody", 1, "Nobody said this.")))


def phantom_fact(group: GroupGraph) -> GroupGraph:
    return replace(group, facts=(*group.facts, FactRow("f", ("a", "b"), "Nobody said this.", ("nobody",))))


def second_owner(group: GroupGraph) -> GroupGraph:
    return replace(group, owners=("falkordb-0", "falkordb-1"))


def listed(*entries: tuple[str, str]) -> Callable[[GroupGraph], GroupGraph]:
    return lambda group: replace(group, listed=(*group.listed, *entries))


def together(*changes: Callable[[GroupGraph], GroupGraph]) -> Callable[[GroupGraph], GroupGraph]:
    def change(group: GroupGraph) -> GroupGraph:
        for one in changes:
            group = one(group)
        return group

    return change


FAILS = StatusSeen(FAILED, 0, 10, "WORKER_LOST")

CHANGES: Sequence[tuple[str, Kind, Callable[[GroupGraph], GroupGraph]]] = [
    ("an accepted episode that the queue does not know", Kind.LOST, status("n-0", None)),
    ("an accepted episode that still waits", Kind.LOST, status("n-0", StatusSeen("ACCEPTED"))),
    ("an accepted episode that is worked on for ever", Kind.LOST, status("n-0", StatusSeen("WRITING"))),
    ("an applied episode without a row", Kind.LOST, without_row),
    ("an episode with half its facts", Kind.LOST, half_written),
    ("an episode with a mention too few", Kind.LOST, without_mention),
    ("an episode with other content", Kind.LOST, other_content),
    ("a unit that was written again", Kind.APPLIED_TWICE, written_again),
    ("one of a unit that was written again", Kind.APPLIED_TWICE, one_of_a_unit_again),
    ("a second row", Kind.APPLIED_TWICE, second_row),
    ("a second fact", Kind.APPLIED_TWICE, second_fact),
    ("a second entity", Kind.APPLIED_TWICE, second_entity),
    ("a write without a record", Kind.APPLIED_TWICE, write_without_record),
    ("a version that nobody took", Kind.APPLIED_TWICE, version_nobody_took),
    ("two records of one version", Kind.APPLIED_TWICE, two_records_of_a_version),
    ("a unit that overtook another", Kind.ORDER_BROKEN, overtaken),
    ("a readable episode that failed", Kind.WRONGLY_FAILED, together(without_row, status("n-0", FAILS))),
    ("a failed episode that is in the graph", Kind.PHANTOM, status("n-0", FAILS)),
    ("an episode that nobody added", Kind.PHANTOM, phantom_row),
    ("a fact of nobody's episode", Kind.PHANTOM, phantom_fact),
    ("two owners", Kind.SECOND_OWNER, second_owner),
    ("a failure that is not listed", Kind.UNLISTED, status("n-0", FAILS)),
    ("an applied episode that is listed", Kind.UNLISTED, listed(("n-1", "MODEL_REFUSED"))),
    (
        "a failure that is listed twice",
        Kind.UNLISTED,
        together(status("n-0", FAILS), listed(("n-0", "WORKER_LOST"), ("n-0", "WORKER_LOST"))),
    ),
    (
        "a failure that is listed without a reason",
        Kind.UNLISTED,
        together(status("n-0", FAILS), listed(("n-0", ""))),
    ),
]


@pytest.mark.parametrize(("kind", "change"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_a_broken_promise_is_found(kind: Kind, change: Callable[[GroupGraph], GroupGraph]):
    world = all_readable()
    assert world.findings() == ()
    assert kind in {finding.kind for finding in world.with_group(change).findings()}


def all_readable() -> World:
    """A world whose group begins with readable episodes."""
    for seed in range(1_000):
        world = proper(seed, 120)
        own = [one.episode for one in world.histories if one.episode.group_id == world.group_id]
        if all(one.readable for one in own[: 2 * UNIT]):
            return world
    raise AssertionError("no seed")


ANSWERS: Sequence[tuple[str, Kind, Callable[[EpisodeHistory], EpisodeHistory]]] = [
    ("accepted as two", Kind.APPLIED_TWICE, lambda one: replace(one, acks=(*one.acks, "another"))),
    ("accepted and refused", Kind.LOST, lambda one: replace(one, refusals=("REQUEST_ID_REUSED",))),
    (
        "applied and unreadable",
        Kind.WRONGLY_FAILED,
        lambda one: replace(one, episode=replace(one.episode, readable=False)),
    ),
    ("refused and there", Kind.PHANTOM, lambda one: replace(one, acks=(), refusals=("INVALID_FIELDS",))),
]


@pytest.mark.parametrize(("kind", "change"), [one[1:] for one in ANSWERS], ids=[one[0] for one in ANSWERS])
def test_what_callers_were_told_counts(kind: Kind, change: Callable[[EpisodeHistory], EpisodeHistory]):
    world = all_readable()
    assert kind in {finding.kind for finding in world.with_histories(change, 0).findings()}


def test_an_episode_of_unknown_outcome_may_be_there_or_not():
    """A client that gave up without an answer was promised nothing."""
    world = all_readable().with_histories(lambda one: replace(one, acks=()), 0)
    assert world.findings() == ()


def test_what_stays_in_the_queue_is_told():
    world = all_readable()
    (finding,) = judge(world.histories, world.groups, ["graphgate:ingest:waiting:g"])
    assert (finding.kind, finding.subject) == (Kind.LOST, "graphgate:ingest:waiting:g")
