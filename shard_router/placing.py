"""Finds the place of one group, or gives it one."""

from typing import Protocol

from drivers.deadline import Deadline
from drivers.errors import RegisterClosed
from shard_router.errors import PlacementLost, PlacementUnsettled
from shard_router.placement import Placement
from shard_router.placement_hints import PlacementHints
from shard_router.root_register import RegisterShards, RootRegister


class PlacingShards(RegisterShards, Protocol):
    def check_creation(self) -> None: ...

    async def choose_shard(self, group_id: str, deadline: Deadline) -> str: ...

    async def look_at_root(self, shard_id: str, deadline: Deadline) -> None: ...


class Placing:
    """Hint, then register, then creation; the catalog's record always last."""

    def __init__(self, shards: PlacingShards, register: RootRegister, hints: PlacementHints) -> None:
        self._shards = shards
        self._register = register
        self._hints = hints

    async def hint_or_find(self, group_id: str, deadline: Deadline) -> Placement | None:
        """A hint may be stale; None is what the register said. Raises as RootRegister.find."""
        hint = (await self._hints.get([group_id], deadline)).get(group_id)
        if hint is not None:
            return hint
        return await self.find(group_id, deadline)

    async def find(self, group_id: str, deadline: Deadline) -> Placement | None:
        """What the register says. Raises as RootRegister.find."""
        placement = await self._register.find(group_id, deadline)
        if placement is not None:
            await self._hints.learn([placement], deadline)
        return placement

    async def find_again(self, stale: Placement, deadline: Deadline) -> Placement:
        """The register's word on a group that was placed once. Raises PlacementLost when it knows of
        no fence, else as RootRegister.find."""
        self._hints.forget(stale)
        placement = await self.find(stale.group_id, deadline)
        if placement is None:
            raise PlacementLost(
                stale.group_id, stale.shard_id, "there is no fence at its home or where it was"
            )
        return placement

    async def place(self, group_id: str, deadline: Deadline) -> Placement:
        """Raises as RootRegister.create, and what Fleet.check_creation and choose_shard raise."""
        found = await self.hint_or_find(group_id, deadline)
        if found is not None:
            return found
        self._shards.check_creation()
        chosen = await self._shards.choose_shard(group_id, deadline)
        try:
            placement = await self._register.create(group_id, chosen, deadline)
        except RegisterClosed as closed:
            # Its marker says why: there is another root ring, or soon will be.
            await self._shards.look_at_root(closed.shard_id, deadline)
            raise PlacementUnsettled(group_id, f"shard {closed.shard_id} takes no new groups now") from closed
        await self._hints.learn([placement], deadline)
        return placement
