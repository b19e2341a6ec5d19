"""All fences of a shard, a page at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence

FENCES_PER_PAGE: Final = 2_000
"""About 2 KB each."""
CALL_S_MAX: Final = 30.0

type TimedCall[T] = Callable[[ShardDriver, Deadline], Awaitable[T]]


class CalledShards(Protocol):
    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T: ...


async def timed[T](shards: CalledShards, shard_id: str, call: TimedCall[T], *, writes: bool = False) -> T:
    """One call with a time of its own: the whole may take long. Raises what the shard raises."""
    deadline = Deadline.after(CALL_S_MAX)
    return await shards.on_shard(shard_id, deadline, lambda driver: call(driver, deadline), writes=writes)


async def fence_pages(
    shards: CalledShards, shard_id: str, page_size: int = FENCES_PER_PAGE
) -> AsyncGenerator[Sequence[Fence]]:
    """In ascending group_id, the fences of a group on one page. Not one state of the shard: a fence that is
    made meanwhile may be missing. Raises what the shard raises."""
    after = ""
    while True:
        page = await timed(shards, shard_id, partial(_page, after, page_size))
        if page:
            yield page
        if len(page) < page_size:
            return
        after = page[-1].group_id


async def _page(after: str, page_size: int, driver: ShardDriver, deadline: Deadline) -> Sequence[Fence]:
    return await driver.list_all_fences(after, page_size, deadline)
