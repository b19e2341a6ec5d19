"""SearchService: one ranking over any scope."""

from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.search_recipes import published
from gateway.rpc.searches import Searches
from graphgate.v1 import search_service_pb2 as pb
from graphgate.v1 import search_service_pb2_grpc as pb_grpc


class SearchService(pb_grpc.SearchServiceServicer):
    def __init__(self, searches: Searches, limits: CallLimits) -> None:
        self._searches = searches
        self._limits = limits

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        return await self._searches.answer(request, deadline_of(context, self._limits))

    async def ListSearchRecipes(
        self, request: pb.ListSearchRecipesRequest, context: Context
    ) -> pb.ListSearchRecipesResponse:
        return published()
