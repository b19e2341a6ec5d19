"""Where a walk starts that was given no origins, over shards in memory."""

import pytest

from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from gateway.search.candidates import find_candidates
from gateway.search.request import ResultSpec, Search
from gateway.search.seeds import SeedSearch
from shard_router.fusion import Method
from shard_router.router import Router
from shard_router.scatter import Scatter, SearchScope
from tests.contract.rows import entity, episode, fact, mention
from tests.contract.tenant import Tenant
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly

GROUP = "g"
BY_GRAPH = {Method.GRAPH: 1.0}
BY_WORDS = {Method.KEYWORD: 1.0}
NOBODY = RowFilter(uuids=("nobody",))
EPISODES = ResultSpec(Kind.EPISODE, weights=BY_GRAPH)


@pytest.mark.parametrize(
    "other",
    [
        None,
        ResultSpec(Kind.ENTITY, weights=BY_WORDS, filter=NOBODY),
        ResultSpec(Kind.FACT, weights=BY_WORDS, method_score_min={Method.KEYWORD: 1e6}),
        ResultSpec(Kind.FACT, weights=BY_GRAPH, limit=200),
    ],
)
@pytest.mark.parametrize("episodes", [EPISODES, ResultSpec(Kind.EPISODE, weights=BY_WORDS, filter=NOBODY)])
async def test_a_walk_starts_alike_whatever_else_is_asked_for(
    other: ResultSpec | None, episodes: ResultSpec
) -> None:
    """At the best entities and the ends of the best facts; where no words lead to either, at the entities
    of the best episodes: with results of any filter, minimum and method beside, or with none."""
    drivers = founded("a", "b")
    async with running(unevenly(drivers)) as fleet:
        router = Router(fleet, None)
        placement = await router.place(GROUP, soon())
        driver = next(one for one in drivers if one.shard_id == placement.shard_id)
        one, two, tale = entity("amber"), entity("birch"), episode("cedar")
        claim = fact(two.uuid, two.uuid, "dune")
        tenant = Tenant(driver, placement.ref, placement.epoch)
        await tenant.write(one, two, tale, claim, mention(tale.uuid, two.uuid))
        for text, expected in (
            ("amber", {one.uuid: 1.0}),
            ("dune", {two.uuid: 1.0}),
            ("amber dune", {one.uuid: 1.0, two.uuid: 1.0}),
            ("cedar", {two.uuid: 1.0}),
            ("elm", {}),
        ):
            specs = (episodes, *(() if other is None else (other,)))
            graph = ResultSpec(Kind.ENTITY, weights=BY_GRAPH)
            if not any(spec.kind is Kind.ENTITY for spec in specs):
                specs = (graph, *specs)
            search = Search(group_ids=(GROUP,), text=text, vector=None, results=specs, walked=NO_FILTER)
            scope = SearchScope(await router.locate([GROUP], soon()))
            scatter = Scatter(router)
            found, _ = await find_candidates(search, None, scope, scatter, soon())
            seeds = await SeedSearch(scatter, search, scope, soon(), None, found).seeds()
            assert seeds.weights == {RowKey(GROUP, uuid): weight for uuid, weight in expected.items()}
        await router.close()
