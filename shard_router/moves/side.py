"""One end of a move: a group at one place, as the driver of its shard shows it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Engine, Fence
from drivers.fence_changes import FenceChange, Value
from drivers.graph_model import AnyRow, Kind
from drivers.moving import Changed, CopyCursor, GroupChanges, GroupPage, Intake, PageAhead, Settlement
from shard_router.moves.page_size import PAGE_BYTES, PageSize
from shard_router.moves.ports import MoveShards
from shard_router.moves.record import Place

_FELT_BATCH_BYTES = 128 << 10


class Side:
    """Every call raises what the shard raises, and ends within `call_s_max` or by `until` if that is set."""

    def __init__(self, shards: MoveShards, group_id: str, place: Place, call_s_max: float) -> None:
        self._shards = shards
        self.place = place
        self.ref = place.ref(group_id)
        self.call_s_max = call_s_max
        self.until: Deadline | None = None
        self._page_size = PageSize()

    @property
    def group_id(self) -> str:
        return self.ref.group_id

    def at_home(self) -> "Side":
        """The group at its root home, where the register has its entry."""
        return Side(self._shards, self.group_id, Place(self._shards.home_of(self.group_id)), self.call_s_max)

    @property
    def engine(self) -> Engine:
        info = self._shards.map.get(self.place.shard_id)
        assert info is not None, f"shard {self.place.shard_id} is in no map"
        return info.engine

    @property
    def write_weight_max(self) -> int:
        """Raises ShardUnknown."""
        return self._shards.write_weight_max(self.place.shard_id)

    @property
    def intake_bytes_max(self) -> int:
        """Of one batch, about: a shard that bounds the weight of writes answers nobody while it stores one,
        some 10 ms for so many; for others fewer and larger ones are better. Raises ShardUnknown."""
        return _FELT_BATCH_BYTES if self.write_weight_max else PAGE_BYTES

    async def call[T](
        self,
        call: Callable[[ShardDriver, Deadline], Awaitable[T]],
        *,
        writes: bool = False,
        seconds: float | None = None,
    ) -> T:
        deadline = Deadline.after(self.call_s_max if seconds is None else seconds)
        if self.until is not None:
            deadline = min(deadline, self.until)
        return await self._shards.on_shard(
            self.place.shard_id, deadline, lambda driver: call(driver, deadline), writes=writes
        )

    async def fence(self) -> Fence | None:
        async def read(driver: ShardDriver, deadline: Deadline) -> Fence | None:
            return (await driver.read_fences([self.ref], deadline)).get(self.group_id)

        return await self.call(read)

    async def locked_fence(self) -> Fence | None:
        return await self.call(lambda driver, deadline: driver.locked_fence(self.ref, deadline), writes=True)

    async def change(
        self, change: FenceChange, given: Mapping[str, Value], settlement: Settlement | None = None
    ) -> Changed:
        return await self.call(
            lambda driver, deadline: driver.change_fence(self.ref, change, given, deadline, settlement),
            writes=True,
        )

    async def page(self, cursor: CopyCursor, rows_max: int, ahead: PageAhead) -> GroupPage:
        """As many rows as fit, at most `rows_max`. `ahead`: of this copy."""
        rows = min(rows_max, self._page_size.rows)
        page = await self.call(
            lambda driver, deadline: driver.read_page(self.ref, cursor, rows, deadline, ahead)
        )
        self._page_size.note([*page.rows, *page.tombstones, *page.operations])
        return page

    async def changes(self, after_version: int, rows_max: int, seen_version: int = 0) -> GroupChanges:
        """As many versions as fit, one at least. `seen_version`: as of the driver."""
        rows = min(rows_max, self._page_size.rows)
        changes = await self.call(
            lambda driver, deadline: driver.read_changes(
                self.ref, after_version, rows, deadline, seen_version
            ),
            writes=True,
        )
        self._page_size.note([*changes.rows, *changes.tombstones, *changes.operations])
        return changes

    async def rows(self, kind: Kind, uuids: Sequence[str], *, with_vectors: bool) -> Sequence[AnyRow]:
        read = await self.call(
            lambda driver, deadline: driver.get_rows(self.ref, kind, uuids, with_vectors, deadline)
        )
        return read.rows

    async def take_in(self, intake: Intake) -> Changed:
        return await self.call(
            lambda driver, deadline: driver.take_in(self.ref, intake, deadline), writes=True
        )

    async def wipe(self, token: int, move_id: str, rows_max: int) -> int | None:
        return await self.call(
            lambda driver, deadline: driver.wipe(self.ref, token, move_id, rows_max, deadline), writes=True
        )
