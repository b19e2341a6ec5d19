"""The promises, and where a history breaks one.

Each group's version is the order of its writes: every applied write takes the next one and is recorded with
it, and every answer names it. So the state of each row at each version follows from the records, and
answers, reads and the rows at the end are compared with that. A write whose outcome its caller never
learned counts as applied exactly if the shard recorded it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from tests.robustness.model.feeds import judge_feed
from tests.robustness.model.findings import Finding, Kind
from tests.robustness.model.history import Effect, Feed, GroupSeen, Read, RowSeen, WriteHistory
from tests.robustness.model.replay import Replay, replay

_REUSED = "REQUEST_ID_REUSED"
_NEVER_REFUSED_BY = frozenset({"ROW_EXISTS", _REUSED})
"""A CREATE is the first to name its rows, and every retry of a write has the same content."""


def judge(
    writes: Iterable[WriteHistory],
    reads: Iterable[Read],
    groups: Mapping[str, GroupSeen],
    feeds: Iterable[Feed] = (),
) -> tuple[Finding, ...]:
    """Every broken promise, once per kind and subject; empty: none was broken."""
    writes_of: dict[str, list[WriteHistory]] = defaultdict(list)
    for history in writes:
        writes_of[history.write.group_id].append(history)
    reads_of: dict[str, list[Read]] = defaultdict(list)
    for read in reads:
        reads_of[read.group_id].append(read)
    feeds_of: dict[str, list[Feed]] = defaultdict(list)
    for feed in feeds:
        feeds_of[feed.group_id].append(feed)
    found: dict[tuple[Kind, str, str], Finding] = {}
    for group_id in sorted({*writes_of, *reads_of, *feeds_of, *groups}):
        seen = groups.get(group_id, GroupSeen(()))
        told = (writes_of[group_id], reads_of[group_id], feeds_of[group_id])
        for finding in _group(group_id, *told, seen):
            found.setdefault((finding.kind, finding.group_id, finding.subject), finding)
    return tuple(found.values())


def _group(
    group_id: str,
    writes: Sequence[WriteHistory],
    reads: Sequence[Read],
    feeds: Sequence[Feed],
    seen: GroupSeen,
) -> Iterator[Finding]:
    if len(seen.owners) > 1:
        owners = ", ".join(seen.owners)
        yield Finding(Kind.SECOND_OWNER, group_id, "", f"the group is owned by {owners}")
    known_s = min((history.answered_s for history in writes if history.answered_s is not None), default=inf)
    for history in writes:
        yield from _write(history, seen)
        if "GROUP_NOT_FOUND" in history.refusals and known_s < history.sent_s:
            op_id = history.write.op_id
            yield Finding(Kind.STALE_READ, group_id, op_id, f"{op_id} was told that the group does not exist")
    applied = sorted(
        (
            (seen.operations[history.write.op_id], history)
            for history in writes
            if history.write.op_id in seen.operations
        ),
        key=lambda recorded: recorded[0],
    )
    yield from _versions(group_id, applied, seen)
    replayed = replay(applied)
    for history in replayed.impossible:
        write = history.write
        text = f"the {write.effect} {write.op_id} was applied where a row that it needs was not there"
        yield Finding(Kind.PHANTOM, group_id, write.op_id, text)
    yield from _counts(group_id, applied, replayed)
    yield from _rows(group_id, replayed, seen)
    for read in reads:
        yield from _read(read, replayed)
    for feed in feeds:
        yield from judge_feed(feed, replayed, seen.version)


def _write(history: WriteHistory, seen: GroupSeen) -> Iterator[Finding]:
    """One write against its own record."""
    write, record = history.write, seen.operations.get(history.write.op_id)
    subject = (write.group_id, write.op_id)
    named = f"the {write.effect} {write.op_id}"
    if len(set(history.answers)) > 1:
        told = " and then ".join(str(answer) for answer in dict.fromkeys(history.answers))
        yield Finding(Kind.APPLIED_TWICE, *subject, f"{named} was answered with {told}")
    if history.answers:
        version = history.answers[0].version
        if record is None:
            text = f"{named}, acknowledged with version {version}, is not on record"
            yield Finding(Kind.LOST, *subject, text)
        elif record != version:
            text = f"{named}, acknowledged with version {version}, is on record with version {record}"
            yield Finding(Kind.APPLIED_TWICE, *subject, text)
    elif record is not None and not history.doubtful:
        yield Finding(Kind.PHANTOM, *subject, f"{named} was refused and is on record with version {record}")
    for reason in sorted(_NEVER_REFUSED_BY & set(history.refusals)):
        if write.effect is Effect.CREATE or reason == _REUSED:
            yield Finding(Kind.APPLIED_TWICE, *subject, f"{named} met itself: it was refused by {reason}")


def _versions(
    group_id: str, applied: Sequence[tuple[int, WriteHistory]], seen: GroupSeen
) -> Iterator[Finding]:
    """Every version up to the group's is one write's, in the order in which they were acknowledged."""
    taken: dict[int, str] = {}
    for version, history in applied:
        op_id = history.write.op_id
        if version in taken:
            text = f"version {version} is the record of {taken[version]} and of {op_id}"
            yield Finding(Kind.APPLIED_TWICE, group_id, op_id, text)
        taken[version] = op_id
    without = sorted(set(range(1, seen.version + 1)) - set(taken))
    if without:
        text = f"versions {without[:5]} of {seen.version} belong to no write on record"
        yield Finding(Kind.APPLIED_TWICE, group_id, "", text)
    above = sorted(version for version in taken if version > seen.version)
    if above:
        text = f"the group has version {seen.version}, but writes with versions {above[:5]} are on record"
        yield Finding(Kind.LOST, group_id, "", text)
    acknowledged_s, later = inf, ""
    for version, history in reversed(applied):
        if acknowledged_s < history.sent_s:
            op_id = history.write.op_id
            text = f"{op_id} took version {version} after {later}, with a higher one, was acknowledged"
            yield Finding(Kind.LOST, group_id, op_id, text)
        if history.answered_s is not None and history.answered_s < acknowledged_s:
            acknowledged_s, later = history.answered_s, history.write.op_id


def _counts(
    group_id: str, applied: Sequence[tuple[int, WriteHistory]], replayed: Replay
) -> Iterator[Finding]:
    """What the answers say of the rows that a write met."""
    for _, history in applied:
        write = history.write
        expected = replayed.counts[write.op_id]
        if not history.answers or history.answers[0].counts == expected:
            continue
        told = history.answers[0].counts
        met_rows = sum(told) < sum(expected)
        if write.effect is Effect.DELETE:
            kind = Kind.LOST if met_rows else Kind.REVIVED
        else:
            kind = Kind.APPLIED_TWICE if met_rows else Kind.LOST
        text = f"the {write.effect} {write.op_id} answered {told}, the writes before it make it {expected}"
        yield Finding(kind, group_id, write.op_id, text)


def _rows(group_id: str, replayed: Replay, seen: GroupSeen) -> Iterator[Finding]:
    for uuid in sorted({*replayed.steps, *seen.rows}):
        expected, found = replayed.row(uuid), seen.rows.get(uuid)
        if expected == found:
            continue
        text = f"row {uuid} is {found}, the writes on record make it {expected}"
        if uuid not in replayed.steps:
            yield Finding(Kind.PHANTOM, group_id, uuid, text)
        elif expected is None:
            yield Finding(Kind.REVIVED, group_id, uuid, text)
        elif found is None or found.version < expected.version:
            yield Finding(Kind.LOST, group_id, uuid, text)
        elif _is_known(found, replayed, uuid):
            yield Finding(Kind.APPLIED_TWICE, group_id, uuid, text)
        else:
            yield Finding(Kind.PHANTOM, group_id, uuid, text)
    if seen.rows_counted != len(seen.rows):
        text = f"the fence counts {seen.rows_counted} rows, there are {len(seen.rows)}"
        yield Finding(Kind.MISCOUNTED, group_id, "", text)


def _is_known(found: RowSeen, replayed: Replay, uuid: str) -> bool:
    """Whether the row's text was right at some version."""
    contents = {(step.row.name, step.row.summary) for step in replayed.steps[uuid] if step.row is not None}
    return (found.name, found.summary) in contents


def _read(read: Read, replayed: Replay) -> Iterator[Finding]:
    """The answer must be one of the row's states from the last write that was acknowledged before the read
    began to the last one that was sent before it was answered."""
    subject = (read.group_id, read.uuid)
    if read.too_old:
        text = f"the group was older than version {read.min_version}, which had been acknowledged"
        yield Finding(Kind.STALE_READ, *subject, text)
        return
    steps = replayed.steps.get(read.uuid, ())
    acknowledged = [
        index
        for index, step in enumerate(steps)
        if step.history.answered_s is not None and step.history.answered_s <= read.sent_s
    ]
    first = max([replayed.step_at(read.uuid, read.min_version), *acknowledged])
    sent = [index for index, step in enumerate(steps) if step.history.sent_s <= read.answered_s]
    last = max([first, *sent])
    states = [None if index < 0 else steps[index].row for index in range(first, last + 1)]
    if read.group_version is not None and read.group_version < read.min_version:
        text = f"version {read.group_version} was read, {read.min_version} was asked for"
        yield Finding(Kind.STALE_READ, *subject, text)
    if read.row in states:
        return
    text = f"a read at {read.sent_s:.3f} s saw {read.row}; possible were {states[:3]}"
    if read.row is None or any(step.row == read.row for step in steps[: max(first, 0)]):
        yield Finding(Kind.STALE_READ, *subject, text)
    elif all(step.version != read.row.version for step in steps):
        yield Finding(Kind.LOST, *subject, f"{text}: a write that was shown is not on record")
    else:
        yield Finding(Kind.PHANTOM, *subject, text)
