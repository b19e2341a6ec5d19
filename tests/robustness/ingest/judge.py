"""The promises of ingestion, and where a history breaks one. Pure.

Each write of a unit of episodes takes the group's next version, is on record under it, and leaves it on the
rows of its episodes. So each version up to the group's has to be that of one record and of the rows of some
episodes: a version that no episode has any more belongs to episodes that were written a second time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from tests.robustness.ingest.episodes import FACTS, MENTIONS
from tests.robustness.ingest.history import EpisodeHistory, EpisodeRow, GroupGraph, StatusSeen

APPLIED, FAILED = "APPLIED", "FAILED"


class Kind(StrEnum):
    LOST = "lost"
    """An accepted episode is neither in the graph nor a failure, or only a part of it is in the graph."""
    APPLIED_TWICE = "applied_twice"
    """Something of an episode is in the graph twice, or it was written twice, or accepted as two."""
    ORDER_BROKEN = "order_broken"
    """An episode was applied after one of its group that was accepted after it."""
    WRONGLY_FAILED = "wrongly_failed"
    """An episode that the model can read has failed, or one that it refuses has not."""
    UNLISTED = "unlisted"
    """A failure is not listed, is listed twice or without a reason, or something else is listed."""
    PHANTOM = "phantoms"
    """There is an episode that nobody added, that has failed, or that was refused."""
    SECOND_OWNER = "second_owners"


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    group_id: str
    subject: str
    """Op id or uuid of what it is about; empty for the group itself."""
    text: str


def judge(
    histories: Iterable[EpisodeHistory], groups: Mapping[str, GroupGraph], left_in_queue: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Every broken promise, once per kind and subject; empty: none was broken. `left_in_queue`: keys that
    stayed although nothing waits."""
    histories_of: defaultdict[str, list[EpisodeHistory]] = defaultdict(list)
    for history in histories:
        histories_of[history.episode.group_id].append(history)
    found: dict[tuple[Kind, str, str], Finding] = {}
    for group_id in sorted({*histories_of, *groups}):
        own = sorted(histories_of[group_id], key=lambda one: one.episode.number)
        for kind, subject, text in _group(own, groups.get(group_id, GroupGraph(()))):
            found.setdefault((kind, group_id, subject), Finding(kind, group_id, subject, text))
    for key in left_in_queue:
        found.setdefault((Kind.LOST, "", key), Finding(Kind.LOST, "", key, f"{key} stayed in the queue"))
    return tuple(found.values())


type _Broken = tuple[Kind, str, str]


def _group(histories: Sequence[EpisodeHistory], seen: GroupGraph) -> Iterator[_Broken]:
    if len(seen.owners) > 1:
        yield Kind.SECOND_OWNER, "", f"the group is owned by {', '.join(seen.owners)}"
    rows = {row.uuid: row for row in seen.episodes}
    for history in histories:
        status = seen.statuses.get(history.episode.op_id)
        yield from _answers(history)
        yield from _episode(history, status, rows.get(history.episode.uuid), seen)
    yield from _rows(histories, seen)
    yield from _versions(seen)
    yield from _order(histories, rows)
    yield from _listed(seen)


def _answers(history: EpisodeHistory) -> Iterator[_Broken]:
    told = {uuid for uuid in history.acks if uuid} - {history.episode.uuid}
    if told:
        yield Kind.APPLIED_TWICE, history.episode.op_id, f"it was accepted as {', '.join(sorted(told))}, too"
    if history.accepted and history.refusals:
        reasons = ", ".join(history.refusals)
        yield Kind.LOST, history.episode.op_id, f"it was accepted and refused by {reasons}"


def _episode(
    history: EpisodeHistory, status: StatusSeen | None, row: EpisodeRow | None, seen: GroupGraph
) -> Iterator[_Broken]:
    op_id, readable = history.episode.op_id, history.episode.readable
    if not history.accepted:
        if row is not None and history.refusals:
            yield Kind.PHANTOM, op_id, f"it was refused by {history.refusals[0]} and is in the graph"
        return
    state = "unknown" if status is None else status.state
    if status is None or state not in (APPLIED, FAILED):
        yield Kind.LOST, op_id, f"it was accepted and is {state} at the end"
        return
    if state == FAILED and readable:
        yield Kind.WRONGLY_FAILED, op_id, f"it has failed by {status.reason or 'nothing'}"
    if state == APPLIED and not readable:
        yield Kind.WRONGLY_FAILED, op_id, "the model refuses it and it was applied"
    if state == FAILED:
        if row is not None:
            yield Kind.PHANTOM, op_id, "it has failed and is in the graph"
        return
    if row is None:
        yield Kind.LOST, op_id, "it was applied and is not in the graph"
        return
    if row.content != history.episode.content:
        yield Kind.LOST, op_id, f"its content is {row.content!r}"
    if row.version != status.version:
        text = f"it was applied with version {status.version} and is in the graph with {row.version}"
        yield Kind.APPLIED_TWICE, op_id, text
    facts = [fact for fact in seen.facts if row.uuid in fact.episode_uuids]
    mentions = seen.mentions.get(row.uuid, 0)
    if len(facts) < FACTS or mentions < MENTIONS:
        yield Kind.LOST, op_id, f"of it {len(facts)} facts and {mentions} mentions are in the graph"
    if len(facts) > FACTS or mentions > MENTIONS:
        yield Kind.APPLIED_TWICE, op_id, f"of it {len(facts)} facts and {mentions} mentions are in the graph"


def _rows(histories: Sequence[EpisodeHistory], seen: GroupGraph) -> Iterator[_Broken]:
    added = {history.episode.uuid for history in histories}
    for row in seen.episodes:
        if row.uuid not in added:
            yield Kind.PHANTOM, row.uuid, f"episode {row.uuid} ({row.content!r}) was never added"
    for content in _repeated(row.content for row in seen.episodes):
        yield Kind.APPLIED_TWICE, content, f"{content!r} is in the graph twice"
    for ends, text in _repeated((fact.ends, fact.text) for fact in seen.facts):
        yield Kind.APPLIED_TWICE, text, f"the fact {text!r} between {' and '.join(ends)} is there twice"
    for name in _repeated(seen.entity_names):
        yield Kind.APPLIED_TWICE, name, f"the entity {name!r} is there twice"
    for fact in seen.facts:
        if not set(fact.episode_uuids) & added:
            yield Kind.PHANTOM, fact.uuid, f"the fact {fact.text!r} is of no episode that was added"


def _versions(seen: GroupGraph) -> Iterator[_Broken]:
    taken = Counter(seen.operations.values())
    for version in range(1, seen.version + 1):
        if taken[version] != 1:
            yield Kind.APPLIED_TWICE, f"v{version}", f"version {version} has {taken[version]} records"
    of_rows = {row.version for row in seen.episodes}
    for op_id, version in seen.operations.items():
        if version not in of_rows:
            text = f"what {op_id} wrote with version {version} was written again"
            yield Kind.APPLIED_TWICE, op_id, text
    for version in sorted(of_rows - set(taken)):
        yield Kind.APPLIED_TWICE, f"v{version}", f"rows have version {version}, of which there is no record"


def _order(histories: Sequence[EpisodeHistory], rows: Mapping[str, EpisodeRow]) -> Iterator[_Broken]:
    applied = [
        (history.episode.op_id, rows[history.episode.uuid].version)
        for history in histories
        if history.accepted and history.episode.uuid in rows
    ]
    for (op_id, version), (later, later_version) in pairwise(applied):
        if version > later_version:
            text = f"{op_id} has version {version}, {later} after it has {later_version}"
            yield Kind.ORDER_BROKEN, later, text


def _listed(seen: GroupGraph) -> Iterator[_Broken]:
    failed = {op_id for op_id, status in seen.statuses.items() if status.state == FAILED}
    listed = [op_id for op_id, _ in seen.listed]
    for op_id in sorted(failed - set(listed)):
        yield Kind.UNLISTED, op_id, "it has failed and is not listed"
    for op_id in sorted(set(listed) - failed):
        yield Kind.UNLISTED, op_id, "it is listed and has not failed"
    for op_id in _repeated(listed):
        yield Kind.UNLISTED, op_id, "it is listed twice"
    for op_id, reason in seen.listed:
        if not reason:
            yield Kind.UNLISTED, op_id, "it is listed without a reason"


def _repeated[T](values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]
