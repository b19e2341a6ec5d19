"""A search from its request to its answer, for every RPC that does one."""

from collections.abc import Mapping

from drivers.deadline import Deadline
from gateway.embedding.port import Embedder
from gateway.rpc.errors import VersionNotReached
from gateway.rpc.read_mask import read_mask
from gateway.rpc.search_answer import response
from gateway.rpc.search_reading import search_of
from gateway.rpc.search_recipes import with_recipe
from gateway.rpc.validation import Violations
from gateway.search.reranking import CENTER_MISSING, NO_QUERY_VECTOR, NOT_ASKED
from gateway.search.result import SearchResult
from gateway.search.searcher import Searcher
from gateway.search_cache.answer import Answer, CacheUse
from gateway.search_cache.question import question_of
from gateway.search_cache.search_cache import SearchCache
from graphgate.v1 import search_service_pb2 as pb
from shard_router.partial import ShardStatus

_CACHE_USE: Mapping[int, CacheUse] = {
    int(pb.SEARCH_CACHE_USE_UNSPECIFIED): CacheUse.AUTOMATIC,
    int(pb.SEARCH_CACHE_USE_BYPASS): CacheUse.BYPASS,
    int(pb.SEARCH_CACHE_USE_REFRESH): CacheUse.REFRESH,
}
_NOTHING_TO_RERANK = frozenset({NOT_ASKED, CENTER_MISSING, NO_QUERY_VECTOR})
"""Reasons that stay until a group is written or the gateway is set up otherwise."""


class Searches:
    def __init__(
        self, searcher: Searcher, cache: SearchCache, embedder: Embedder, reply_bytes_max: int
    ) -> None:
        self._searcher = searcher
        self._cache = cache
        self._embedder = embedder
        self._reply_bytes_max = reply_bytes_max

    async def answer(self, request: pb.SearchRequest, deadline: Deadline) -> pb.SearchResponse:
        """Raises InvalidRequest, VersionNotReached and what Searcher.search raises."""
        v = Violations()
        use = _CACHE_USE.get(request.cache)
        if use is None:
            v.add("cache", f"has the unknown value {request.cache}")
        return await self._answer(v, request, use or CacheUse.AUTOMATIC, deadline)

    async def preload(self, request: pb.SearchRequest, path: str, deadline: Deadline) -> pb.SearchResponse:
        """As answer, by a search whose answer is kept. `path` leads the names of bad fields."""
        v = Violations(path)
        if request.cache:
            v.add("cache", "must not be set: a preload always searches")
        return await self._answer(v, request, CacheUse.REFRESH, deadline)

    async def _answer(
        self, v: Violations, request: pb.SearchRequest, use: CacheUse, deadline: Deadline
    ) -> pb.SearchResponse:
        whole = with_recipe(v, request)
        mask = read_mask(v, "read_mask", whole.read_mask, whole.with_embedding)
        search = search_of(v, whole, mask.wants_embedding)
        v.raise_if_any()

        async def run(deadline: Deadline) -> Answer:
            result = await self._searcher.search(search, deadline)
            return Answer(
                message=response(whole, search, result, mask, self._reply_bytes_max),
                versions=result.versions,
                missing=frozenset(result.missing_groups),
                is_whole=_is_whole(result),
            )

        question = question_of(whole, search, self._embedder.model)
        answer = await self._cache.answer(question, use, run, deadline)
        for group_id, asked in whole.min_versions.items():
            found = answer.versions.get(group_id, 0)
            # A group that is missing from a partial answer is named there.
            if found < asked and group_id not in answer.missing:
                raise VersionNotReached(group_id, asked, found)
        return answer.message


def _is_whole(result: SearchResult) -> bool:
    """Nothing is missing, and everything was done that was asked for."""
    return (
        not result.missing_groups
        and all(outcome.status is ShardStatus.OK for outcome in result.outcomes.values())
        and all(
            found.rerank.reranked or found.rerank.reason in _NOTHING_TO_RERANK
            for found in result.kinds.values()
        )
    )
