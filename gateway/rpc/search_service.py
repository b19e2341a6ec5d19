"""SearchService: one ranking over any scope."""

from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.errors import VersionNotReached
from gateway.rpc.read_mask import read_mask
from gateway.rpc.search_answer import response
from gateway.rpc.search_reading import search_of
from gateway.rpc.search_recipes import published, with_recipe
from gateway.rpc.validation import Violations
from gateway.search.searcher import Searcher
from graphgate.v1 import search_service_pb2 as pb
from graphgate.v1 import search_service_pb2_grpc as pb_grpc


class SearchService(pb_grpc.SearchServiceServicer):
    def __init__(self, searcher: Searcher, limits: CallLimits) -> None:
        self._searcher = searcher
        self._limits = limits

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        v = Violations()
        whole = with_recipe(v, request)
        mask = read_mask(v, "read_mask", whole.read_mask, whole.with_embedding)
        search = search_of(v, whole, mask.wants_embedding)
        v.raise_if_any()
        result = await self._searcher.search(search, deadline_of(context, self._limits))
        missing = frozenset(result.missing_groups)
        for group_id, asked in whole.min_versions.items():
            found = result.versions.get(group_id, 0)
            # A group that is missing from a partial answer is named there.
            if found < asked and group_id not in missing:
                raise VersionNotReached(group_id, asked, found)
        return response(whole, search, result, mask, self._limits.reply_bytes_max)

    async def ListSearchRecipes(
        self, request: pb.ListSearchRecipesRequest, context: Context
    ) -> pb.ListSearchRecipesResponse:
        return published()
