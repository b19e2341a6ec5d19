"""What the clients of a run know together: groups, rows, writes to be sent again."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from random import Random

from tests.robustness.model.history import Answer, Effect, Read, Write, WriteHistory

RECENT_GROUPS = 24
RECENT_SHARE = 0.8
"""Of the calls, to groups that were made lately; the others go to any."""
FACTS_SHARE = 0.35
"""Of the calls that name a row of a group with facts."""
REPEATABLE_MAX = 300
"""Acknowledged writes that may be sent once more."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graphgate:crash")


@dataclass(frozen=True, slots=True)
class RowName:
    """A row that was written at some time."""

    uuid: str
    ends: tuple[str, str] | None
    """Of a fact; None: an entity."""


@dataclass(slots=True)
class GroupBook:
    """A group whose creation was acknowledged."""

    group_id: str
    version: int
    """The highest that a write of it was acknowledged with."""
    entities: list[RowName] = field(default_factory=list[RowName])
    facts: list[RowName] = field(default_factory=list[RowName])

    def any_row(self, rng: Random) -> RowName:
        """The group was made by the creation of entities."""
        among = self.facts if self.facts and rng.random() < FACTS_SHARE else self.entities
        return rng.choice(among)


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
        self._embedding: set[str] = set()

    def new_group_id(self, *, embeds: bool = False) -> str:
        """`embeds`: entities that are put into it carry vectors."""
        self._groups_named += 1
        group_id = f"crash-{self._seed}-{self._groups_named}"
        if embeds:
            self._embedding.add(group_id)
        return group_id

    def new_write(
        self,
        group_id: str,
        effect: Effect,
        uuids: tuple[str, ...],
        ends: tuple[str, str] | None = None,
    ) -> Write:
        """A write that was never sent; `ends` of facts."""
        number = len(self.writes)
        name = f"{self._seed}/{number}"
        op_id = str(uuid.uuid5(_NAMESPACE, f"op/{name}"))
        embeds = ends is None and group_id in self._embedding
        return Write(op_id, group_id, effect, uuids, f"token {name}", ends, embeds)

    def new_uuids(self, count: int) -> tuple[str, ...]:
        name = f"{self._seed}/{len(self.writes)}"
        return tuple(str(uuid.uuid5(_NAMESPACE, f"row/{name}/{number}")) for number in range(count))

    def begin(self, write: Write, sent_s: float) -> WriteBook:
        book = WriteBook(write, sent_s)
        self.writes.append(book)
        return book

    def put_back(self, by_s: float) -> None:
        """Everything so far was so much earlier than the clock says that is used from now on."""
        for book in self.writes:
            book.sent_s -= by_s
            if book.answered_s is not None:
                book.answered_s -= by_s

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
            names = (RowName(uuid, write.ends) for uuid in write.uuids)
            (group.entities if write.ends is None else group.facts).extend(names)

    def group(self, group_id: str) -> GroupBook | None:
        """None: its creation is not acknowledged."""
        return self._by_id.get(group_id)

    def any_group(self, rng: Random) -> GroupBook | None:
        if not self.groups:
            return None
        recent = self.groups[-RECENT_GROUPS:]
        return rng.choice(recent if rng.random() < RECENT_SHARE else self.groups)
