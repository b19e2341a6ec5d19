"""What tells whether groups have been written, made or moved: one cheap call to each shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Self

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef
from drivers.graph_model import Kind
from shard_router.router import Router


class Mark(NamedTuple):
    """Two equal marks of a group: nothing was written between them. The times tell a group that was put back
    to an older copy, and written to the same version again, from what it was."""

    epoch: int
    version: int
    created_at: int
    last_created_at: int

    @classmethod
    def of(cls, fence: Fence) -> Self:
        return cls(fence.epoch, fence.version, fence.created_at, fence.last_created_at)


@dataclass(frozen=True, slots=True)
class GroupMarks:
    """Of the groups of one search. Compares by `marks` alone."""

    marks: tuple[Mark | None, ...]
    """In the order of the group_ids; None: the group does not exist."""
    refs: Mapping[str, tuple[GroupRef, ...]] = field(compare=False)
    """By shard, of those that exist."""
    facts: Mapping[str, int] = field(compare=False)
    """By group_id, of those that exist: how many it has."""


async def read_marks(
    router: Router, group_ids: Sequence[str], deadline: Deadline, *, settled: bool
) -> GroupMarks | None:
    """None: a group is changing its place. `settled`: what is read after them has all that was written up to
    them; an answer may be kept under no others. Raises what finding the groups and the shards raise."""
    located = await router.locate(group_ids, deadline)

    async def fences_of(refs: tuple[GroupRef, ...], driver: ShardDriver) -> Mapping[str, Fence]:
        return await driver.read_fences(refs, deadline, settled=settled)

    calls = {shard_id: partial(fences_of, refs) for shard_id, refs in located.refs.items()}
    read = await router.fan_out_all(calls, deadline)
    fences: dict[str, Fence] = {}
    for shard_id, refs in located.refs.items():
        for ref in refs:
            fence = read[shard_id].get(ref.group_id)
            if fence is None or not fence.owns:
                return None
            fences[ref.group_id] = fence
    return GroupMarks(
        marks=tuple(Mark.of(fences[group_id]) if group_id in fences else None for group_id in group_ids),
        refs=located.refs,
        facts={group_id: fence.stats[Kind.FACT].rows for group_id, fence in fences.items()},
    )
