"""A correct group in memory that makes histories: the model must find nothing in them, and every break in
what a break does to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.robustness.model.history import (
    Answer,
    Change,
    Effect,
    Feed,
    FeedPiece,
    GroupSeen,
    Read,
    RowSeen,
    Write,
    WriteHistory,
)

GROUP = "group"


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that the model judges."""

    writes: tuple[WriteHistory, ...]
    reads: tuple[Read, ...]
    groups: dict[str, GroupSeen]
    feeds: tuple[Feed, ...] = ()

    def with_group(self, **changes: object) -> "Run":
        return replace(self, groups={GROUP: replace(self.groups[GROUP], **changes)})  # pyright: ignore[reportArgumentType]

    def with_write(self, op_id: str, change: Callable[[WriteHistory], WriteHistory]) -> "Run":
        return replace(self, writes=tuple(change(w) if w.write.op_id == op_id else w for w in self.writes))


class Store:
    """One group with the promises of the product. Every call takes one second of the run's clock."""

    def __init__(self) -> None:
        """With one reader of its changes, from the start."""
        self.rows: dict[str, RowSeen] = {}
        self.version = 0
        self.now_s = 0.0
        self._recorded: dict[str, Answer] = {}
        self._writes: dict[str, WriteHistory] = {}
        self._reads: list[Read] = []
        self._ends: dict[str, tuple[str, str]] = {}
        self._deleted: dict[str, int] = {}
        self._pieces: list[FeedPiece] = []
        self._position = 0
        self._stream = 1

    def write(self, write: Write, *, applied: bool = True, answered: bool = True) -> None:
        """`applied` False: it is lost on its way; `answered` False: its answer is."""
        before = self._writes.get(write.op_id)
        sent_s = before.sent_s if before else self.now_s
        self.now_s += 1
        answer = self._apply(write) if applied else None
        if applied and answer is None:
            reason = "ROW_NOT_FOUND" if write.effect is Effect.PATCH else "ENDPOINT_MISSING"
            history = WriteHistory(write, sent_s, (), None, bool(before and before.doubtful), (reason,))
            if not (before and before.answers):
                self._writes[write.op_id] = history
            return
        told = (*(before.answers if before else ()), *((answer,) if answer and answered else ()))
        self._writes[write.op_id] = WriteHistory(
            write,
            sent_s,
            told,
            answered_s=(before.answered_s if before and before.answers else self.now_s) if told else None,
            doubtful=bool(before and before.doubtful) or not (applied and answered),
        )

    def read(self, uuid: str) -> None:
        sent_s = self.now_s
        self.now_s += 1
        self._reads.append(
            Read(GROUP, uuid, self.version, sent_s, self.now_s, self.rows.get(uuid), self.version)
        )

    def watch(self, *, anew: bool = False) -> None:
        """One answer of the feed; `anew`: of a new call."""
        self._stream += anew
        changes = [Change(uuid, row.version, row) for uuid, row in self.rows.items()]
        changes += [Change(uuid, version, None) for uuid, version in self._deleted.items()]
        later = tuple(change for change in changes if change.version > self._position)
        piece = FeedPiece(self._stream, self._position, self.version, later, self.now_s)
        self._pieces.append(piece)
        self._position = self.version

    def run(self) -> Run:
        self.watch()
        seen = GroupSeen(
            owners=("shard-0",),
            version=self.version,
            rows=dict(self.rows),
            operations={op_id: answer.version for op_id, answer in self._recorded.items()},
            rows_counted=len(self.rows),
        )
        feed = Feed("reader", GROUP, tuple(self._pieces))
        return Run(tuple(self._writes.values()), tuple(self._reads), {GROUP: seen}, (feed,))

    def _apply(self, write: Write) -> Answer | None:
        """None: refused. A write that is on record is not applied again."""
        if write.op_id in self._recorded:
            return self._recorded[write.op_id]
        there = [uuid in self.rows for uuid in write.uuids]
        if write.effect is Effect.PATCH and not all(there):
            return None
        puts = write.effect in (Effect.CREATE, Effect.UPSERT)
        if write.ends is not None and puts and not all(end in self.rows for end in write.ends):
            return None
        self.version += 1
        removed = 0
        for uuid in write.uuids:
            if write.effect is Effect.DELETE:
                removed += self._remove(uuid)
            elif write.effect is Effect.PATCH:
                self.rows[uuid] = RowSeen(self.rows[uuid].name, write.token, self.version)
            else:
                self.rows[uuid] = RowSeen(write.token, write.token, self.version)
                self._deleted.pop(uuid, None)
                if write.ends is not None:
                    self._ends[uuid] = write.ends
        counts = (removed,) if write.effect is Effect.DELETE else tuple(int(not here) for here in there)
        self._recorded[write.op_id] = Answer(self.version, counts)
        return self._recorded[write.op_id]

    def _remove(self, uuid: str) -> int:
        """Rows that went, the facts of an entity among them."""
        if uuid not in self.rows:
            return 0
        gone = [uuid, *(fact for fact, ends in self._ends.items() if uuid in ends and fact in self.rows)]
        for one in gone:
            del self.rows[one]
            self._deleted[one] = self.version
        return len(gone)


def write(number: int, effect: Effect, *uuids: str, ends: tuple[str, str] | None = None) -> Write:
    return Write(f"op-{number}", GROUP, effect, uuids, f"token-{number}", ends)


def random_run(rng: Random, length: int, uuids: Sequence[str] = ("a", "b", "c")) -> Run:
    """Writes, lost requests, lost answers, retries after other writes, reads, and a feed that breaks."""
    store = Store()
    sent: list[Write] = []
    # A fact has its two ends for good.
    facts = {f"fact-{number}": (rng.choice(uuids), rng.choice(uuids)) for number in range(3)}
    for number in range(length):
        if sent and rng.random() < 0.25:
            store.write(rng.choice(sent), applied=rng.random() < 0.8, answered=rng.random() < 0.8)
        elif rng.random() < 0.3:
            store.read(rng.choice((*uuids, *facts)))
        elif rng.random() < 0.2:
            store.watch(anew=rng.random() < 0.5)
        else:
            effect = rng.choice((Effect.CREATE, Effect.UPSERT, Effect.PATCH, Effect.DELETE))
            named = rng.choice((*uuids, *facts))
            ends = facts.get(named)
            if effect is Effect.CREATE:
                named, ends = f"new-{number}", rng.choice((None, *facts.values()))
            sent.append(write(number, effect, named, ends=ends))
            store.write(sent[-1], applied=rng.random() < 0.8, answered=rng.random() < 0.8)
    return store.run()
