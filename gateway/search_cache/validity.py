"""Until when the facts that hold now are the same, if nothing is written."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.graph_model import OPEN_END
from drivers.search_reads import ValidityRead
from gateway.search_cache.group_marks import GroupMarks, Mark
from shard_router.router import Router

FACTS_MAX = 50_000
"""That are looked through for one search, beside the search itself; a pass over a group's rows takes FalkorDB
0.3 us per row."""
GROUPS_KNOWN_MAX = 20_000
"""About 440 bytes each; least recently used ones go first."""


@dataclass(frozen=True, slots=True)
class _Known:
    mark: Mark
    after_us: int
    change_us: int
    """The first change after `after_us`."""


class ValidityChanges:
    """Looks once for each version of a group, and again after each change."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def first_after(
        self, group_ids: Sequence[str], marks: GroupMarks, now_us: int, deadline: Deadline
    ) -> int | None:
        """The first time after `now_us` at which a fact of these groups begins or ceases to hold, OPEN_END if
        there is none. None: a group was written since its mark was read, or the facts are too many to look.

        Raises what the shards raise.
        """
        first_us, unknown = OPEN_END, dict[str, Mark]()
        for group_id, mark in zip(group_ids, marks.marks, strict=True):
            if mark is None or not marks.facts[group_id]:
                continue
            known = self._known.get(group_id)
            if known is not None and known.mark == mark and known.after_us <= now_us < known.change_us:
                self._known.move_to_end(group_id)
                first_us = min(first_us, known.change_us)
            else:
                unknown[group_id] = mark
        if not unknown:
            return first_us
        if sum(marks.facts[group_id] for group_id in unknown) > FACTS_MAX:
            return None
        for read in (await self._ask(marks, unknown, now_us, deadline)).values():
            for group_id, fence in read.fences.items():
                if not fence.owns or Mark.of(fence) != unknown.pop(group_id):
                    return None
                change_us = read.next_change.get(group_id, OPEN_END)
                self._learn(group_id, _Known(Mark.of(fence), now_us, change_us))
                first_us = min(first_us, change_us)
        return None if unknown else first_us

    async def _ask(
        self, marks: GroupMarks, unknown: Mapping[str, Mark], now_us: int, deadline: Deadline
    ) -> Mapping[str, ValidityRead]:
        async def changes(refs: Sequence[GroupRef], driver: ShardDriver) -> ValidityRead:
            return await driver.next_validity_change(refs, now_us, deadline)

        asked = {
            shard_id: [ref for ref in refs if ref.group_id in unknown]
            for shard_id, refs in marks.refs.items()
        }
        calls = {shard_id: partial(changes, refs) for shard_id, refs in asked.items() if refs}
        return await self._router.fan_out_all(calls, deadline)

    def _learn(self, group_id: str, known: _Known) -> None:
        self._known[group_id] = known
        self._known.move_to_end(group_id)
        if len(self._known) > GROUPS_KNOWN_MAX:
            self._known.popitem(last=False)
