"""What the clients of a run know together: groups, rows, writes to be sent again."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from random import Random

from tests.robustness.model.history import Answer, Effect, Read, Write, WriteHistory

RECENT_GROUPS = 24
"""Most calls go to groups that were made lately, the others to any."""
REPEATABLE_MAX = 300
"""Acknowledged writes that may be sent once more."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graphgate:crash")


@dataclass(slots=True)
class GroupBook:
    """A group whose creation was acknowledged."""

    group_id: str
    version: int
    """The highest that a write of it was acknowledged with."""
    uuids: list[str] = field(default_factory=list[str])
    """Of rows that were written at some time."""


@dataclass(slots=True)
class WriteBook:
    """A write in the making."""

    write: Write
    sent_s: float
    answers: list[Answer] = field(default_factory=list[Answer])
    answered_s: float | None = None
    doubtful: bool = False
    refusals: list[str] = field(default_factory=list[str])

    def history(self) -> WriteHistory:
        return WriteHistory(
            self.write,
            self.sent_s,
            tuple(self.answers),
            self.answered_s,
            self.doubtful,
            tuple(self.refusals),
        )


class Board:
    """Names are a function of the seed and of the order in which they are taken."""

    def __init__(self, seed: int) -> None:
        self.groups: list[GroupBook] = []
        self.writes: list[WriteBook] = []
        self.reads: list[Read] = []
        self.unsettled: deque[WriteBook] = deque()
        """Their callers gave up without an answer and will ask again."""
        self.repeatable: deque[WriteBook] = deque(maxlen=REPEATABLE_MAX)
        self._by_id: dict[str, GroupBook] = {}
        self._seed = seed
        self._groups_named = 0

    def new_group_id(self) -> str:
        self._groups_named += 1
        return f"crash-{self._seed}-{self._groups_named}"

    def new_write(self, group_id: str, effect: Effect, uuids: tuple[str, ...]) -> Write:
        """A write that was never sent; without uuids it gets a new one."""
        number = len(self.writes)
        name = f"{self._seed}/{number}"
        op_id = str(uuid.uuid5(_NAMESPACE, f"op/{name}"))
        return Write(op_id, group_id, effect, uuids, f"token {name}")

    def new_uuids(self, count: int) -> tuple[str, ...]:
        name = f"{self._seed}/{len(self.writes)}"
        return tuple(str(uuid.uuid5(_NAMESPACE, f"row/{name}/{number}")) for number in range(count))

    def begin(self, write: Write, sent_s: float) -> WriteBook:
        book = WriteBook(write, sent_s)
        self.writes.append(book)
        return book

    def acknowledged(self, book: WriteBook, answer: Answer, at_s: float) -> None:
        """Also of a repetition."""
        book.answers.append(answer)
        if book.answered_s is not None:
            return
        book.answered_s = at_s
        self.repeatable.append(book)
        write = book.write
        group = self.group(write.group_id)
        if group is None:
            group = self._by_id[write.group_id] = GroupBook(write.group_id, answer.version)
            self.groups.append(group)
        group.version = max(group.version, answer.version)
        if write.effect is Effect.CREATE:
            group.uuids.extend(write.uuids)

    def group(self, group_id: str) -> GroupBook | None:
        """None: its creation is not acknowledged."""
        return self._by_id.get(group_id)

    def any_group(self, rng: Random) -> GroupBook | None:
        if not self.groups:
            return None
        recent = self.groups[-RECENT_GROUPS:]
        return rng.choice(recent if rng.random() < 0.8 else self.groups)
