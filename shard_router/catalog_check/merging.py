"""The fences of all shards group by group, with one page of each shard in memory."""

import heapq
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from drivers.errors import GraphgateError
from drivers.fence import Fence
from shard_router.catalog_check.judging import Seen
from shard_router.shards.fence_pages import CalledShards, fence_pages


class FencesByGroup:
    """One walk. What a shard fails with ends its part and is kept."""

    def __init__(self, shards: CalledShards, shard_ids: Sequence[str], page_size: int) -> None:
        self._pages = {shard_id: fence_pages(shards, shard_id, page_size) for shard_id in shard_ids}
        self._heads: dict[str, deque[Fence]] = {}
        self.failed: dict[str, GraphgateError] = {}
        self.fences = 0

    async def groups(self) -> AsyncGenerator[tuple[str, list[Seen]]]:
        """In ascending group_id."""
        heap: list[tuple[str, str]] = []
        for shard_id in self._pages:
            await self._advance(heap, shard_id)
        while heap:
            group_id = heap[0][0]
            seen: list[Seen] = []
            while heap and heap[0][0] == group_id:
                _, shard_id = heapq.heappop(heap)
                head = self._heads[shard_id]
                while head and head[0].group_id == group_id:
                    seen.append(Seen(shard_id, head.popleft()))
                await self._advance(heap, shard_id)
            self.fences += len(seen)
            yield group_id, seen

    async def _advance(self, heap: list[tuple[str, str]], shard_id: str) -> None:
        head = self._heads.get(shard_id)
        if not head:
            try:
                page = await anext(self._pages[shard_id], None)
            except GraphgateError as error:
                self.failed[shard_id] = error
                return
            if page is None:
                return
            head = self._heads[shard_id] = deque(page)
        heapq.heappush(heap, (head[0].group_id, shard_id))
