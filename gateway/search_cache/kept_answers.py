"""Answers in memory, bounded by their bytes. Knows nothing of when they may be given."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.search_cache.group_marks import Mark

ANSWER_OVERHEAD_BYTES = 400
"""Measured, beside body and groups: key, objects, cells of dictionaries."""
GROUP_OVERHEAD_BYTES = 600
"""Measured, of each group of an answer: its id, its mark, its place in the index of groups."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    body: bytes
    """A SearchResponse."""
    group_ids: tuple[str, ...]
    """Of the scope, sorted."""
    marks: tuple[Mark | None, ...]
    """Of these groups, read before the search began."""
    made_s: float
    """Monotonic: when the search was done."""
    asked_us: int
    """The time that the search took for now."""
    until_us: int
    """From here on other facts hold: the answer counts for times in [asked_us, until_us)."""

    @property
    def size_bytes(self) -> int:
        return len(self.body) + ANSWER_OVERHEAD_BYTES + GROUP_OVERHEAD_BYTES * len(self.group_ids)


class KeptAnswers:
    """Least recently used out first."""

    def __init__(self, bytes_max: int) -> None:
        """0 keeps nothing."""
        self._bytes_max = bytes_max
        self._answers: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._keys_of: defaultdict[str, set[bytes]] = defaultdict(set)
        """By group_id."""
        self.bytes = 0
        self.evictions = 0
        """Answers that had to make room for others."""

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def bytes_max(self) -> int:
        return self._bytes_max

    def get(self, key: bytes) -> KeptAnswer | None:
        """Now the most recently used."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: bytes, answer: KeptAnswer) -> bool:
        """In place of what has that key; evicts until all fit. False: it is larger than all the room."""
        self.drop(key)
        if answer.size_bytes > self._bytes_max:
            return False
        self._answers[key] = answer
        self.bytes += answer.size_bytes
        for group_id in answer.group_ids:
            self._keys_of[group_id].add(key)
        while self.bytes > self._bytes_max:
            self.drop(next(iter(self._answers)))
            self.evictions += 1
        return True

    def drop(self, key: bytes) -> None:
        """Nothing happens if it is not there."""
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self.bytes -= answer.size_bytes
        for group_id in answer.group_ids:
            keys = self._keys_of[group_id]
            keys.discard(key)
            if not keys:
                del self._keys_of[group_id]

    def drop_groups(self, group_ids: Iterable[str]) -> int:
        """All answers with one of these groups in their scope; returns how many."""
        keys = {key for group_id in group_ids for key in self._keys_of.get(group_id, ())}
        for key in keys:
            self.drop(key)
        return len(keys)

    def groups(self) -> list[str]:
        """Of all answers, in no order."""
        return list(self._keys_of)
