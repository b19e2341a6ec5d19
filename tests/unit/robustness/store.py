"""A correct group in memory that makes histories: the model must find nothing in them, and every break in
what a break does to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.robustness.model.history import (
    Answer,
    Effect,
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

    def with_group(self, **changes: object) -> "Run":
        return replace(self, groups={GROUP: replace(self.groups[GROUP], **changes)})  # pyright: ignore[reportArgumentType]

    def with_write(self, op_id: str, change: Callable[[WriteHistory], WriteHistory]) -> "Run":
        return replace(self, writes=tuple(change(w) if w.write.op_id == op_id else w for w in self.writes))


class Store:
    """One group with the promises of the product. Every call takes one second of the run's clock."""

    def __init__(self) -> None:
        self.rows: dict[str, RowSeen] = {}
        self.version = 0
        self.now_s = 0.0
        self._recorded: dict[str, Answer] = {}
        self._writes: dict[str, WriteHistory] = {}
        self._reads: list[Read] = []

    def write(self, write: Write, *, applied: bool = True, answered: bool = True) -> None:
        """`applied` False: it is lost on its way; `answered` False: its answer is."""
        before = self._writes.get(write.op_id)
        sent_s = before.sent_s if before else self.now_s
        self.now_s += 1
        answer = self._apply(write) if applied else None
        if write.effect is Effect.PATCH and applied and answer is None:
            history = WriteHistory(
                write, sent_s, (), None, bool(before and before.doubtful), ("ROW_NOT_FOUND",)
            )
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

    def run(self) -> Run:
        seen = GroupSeen(
            owners=("shard-0",),
            version=self.version,
            rows=dict(self.rows),
            operations={op_id: answer.version for op_id, answer in self._recorded.items()},
            rows_counted=len(self.rows),
        )
        return Run(tuple(self._writes.values()), tuple(self._reads), {GROUP: seen})

    def _apply(self, write: Write) -> Answer | None:
        """None: refused. A write that is on record is not applied again."""
        if write.op_id in self._recorded:
            return self._recorded[write.op_id]
        there = [uuid in self.rows for uuid in write.uuids]
        if write.effect is Effect.PATCH and not all(there):
            return None
        self.version += 1
        for uuid in write.uuids:
            if write.effect is Effect.DELETE:
                self.rows.pop(uuid, None)
            elif write.effect is Effect.PATCH:
                self.rows[uuid] = RowSeen(self.rows[uuid].name, write.token, self.version)
            else:
                self.rows[uuid] = RowSeen(write.token, write.token, self.version)
        counts = (sum(there),) if write.effect is Effect.DELETE else tuple(int(not here) for here in there)
        self._recorded[write.op_id] = Answer(self.version, counts)
        return self._recorded[write.op_id]


def write(number: int, effect: Effect, *uuids: str) -> Write:
    return Write(f"op-{number}", GROUP, effect, uuids, f"token-{number}")


def random_run(rng: Random, length: int, uuids: Sequence[str] = ("a", "b", "c")) -> Run:
    """Writes, lost requests, lost answers, retries after other writes, and reads."""
    store = Store()
    sent: list[Write] = []
    for number in range(length):
        if sent and rng.random() < 0.25:
            store.write(rng.choice(sent), applied=rng.random() < 0.8, answered=rng.random() < 0.8)
        elif rng.random() < 0.3:
            store.read(rng.choice(uuids))
        else:
            effect = rng.choice((Effect.CREATE, Effect.UPSERT, Effect.PATCH, Effect.DELETE))
            named = [f"new-{number}"] if effect is Effect.CREATE else [rng.choice(uuids)]
            sent.append(write(number, effect, *named))
            store.write(sent[-1], applied=rng.random() < 0.8, answered=rng.random() < 0.8)
    return store.run()
