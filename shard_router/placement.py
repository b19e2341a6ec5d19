"""Where a group is."""

from dataclasses import dataclass

from drivers.fence import GroupRef


@dataclass(frozen=True, slots=True)
class Placement:
    """A hint: the fence of the group, read in the call that uses it, is the judge."""

    group_id: str
    shard_id: str
    space: str
    """POOLED or the name of the group's own container in that shard."""
    epoch: int

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.group_id, self.space, self.epoch)

    @property
    def place(self) -> tuple[str, str]:
        """(shard_id, space): what a thaw, which only raises the epoch, leaves the same."""
        return (self.shard_id, self.space)
