"""What a reader of a change feed must have been told: every change once, and the group's state at the end."""

from collections.abc import Iterator

from tests.robustness.model.findings import Finding, Kind
from tests.robustness.model.history import Change, Feed, RowSeen
from tests.robustness.model.replay import Replay


def judge_feed(feed: Feed, replayed: Replay, version: int) -> Iterator[Finding]:
    """`version`: of the group at the end, to which the reader has read.

    Between two answers a reader may lack what was written meanwhile, for of a row only the latest state is
    sent; at the end its view is the group. A reader that began at a version knows nothing from before it.
    """
    if not feed.pieces:
        return
    view: dict[str, Change] = {}
    sent: set[tuple[int, str, int]] = set()
    position = began = feed.pieces[0].after_version
    for piece in feed.pieces:
        if piece.after_version != position or piece.position < position:
            text = f"{feed.reader} was at {position} and got an answer from {piece.after_version} to "
            yield Finding(Kind.WATCH_REPEAT, feed.group_id, feed.reader, f"{text}{piece.position}")
        for change in piece.changes:
            known = (piece.stream, change.uuid, change.version)
            if change.version <= position or known in sent:
                text = f"{feed.reader}, who had everything to {position}, was told again of {change}"
                yield Finding(Kind.WATCH_REPEAT, feed.group_id, change.uuid, text)
            sent.add(known)
            yield from _known(feed, change, replayed)
            before = view.get(change.uuid)
            if before is None or before.version <= change.version:
                view[change.uuid] = change
        position = max(position, piece.position)
    if position < version:
        text = f"{feed.reader} came to {position}, the group's version is {version}"
        yield Finding(Kind.WATCH_GAP, feed.group_id, feed.reader, text)
        return
    yield from _gaps(feed, began, view, replayed)


def _known(feed: Feed, change: Change, replayed: Replay) -> Iterator[Finding]:
    """A feed tells of states that were."""
    at = replayed.step_at(change.uuid, change.version)
    steps = replayed.steps.get(change.uuid, ())
    if at < 0 or steps[at].version != change.version or steps[at].row != change.row:
        text = f"{feed.reader} was told of {change}, which no write on record made"
        yield Finding(Kind.PHANTOM, feed.group_id, change.uuid, text)


def _gaps(feed: Feed, began: int, view: dict[str, Change], replayed: Replay) -> Iterator[Finding]:
    for uuid, steps in sorted(replayed.steps.items()):
        if steps[-1].version <= began:
            continue
        expected, told = steps[-1].row, view.get(uuid)
        found: RowSeen | None = told.row if told is not None else None
        if found != expected:
            text = f"{feed.reader} has {found} of row {uuid}, the writes on record make it {expected}"
            yield Finding(Kind.WATCH_GAP, feed.group_id, uuid, text)
