"""Search gives the same list wherever the groups lie: on one engine, the other, or spread."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Community, Entity, Fact, Kind, Vector
from drivers.row_key import RowKey
from shard_router import candidates, scatter
from shard_router.bm25 import CorpusStats, bm25_score, count_query_terms
from shard_router.fan_out import ShardCall
from shard_router.fusion import FusedHit, Method, weighted_rrf
from shard_router.routing import AllShards, Located, ShardReply
from shard_router.scatter import CandidateQuery, Scatter, SearchScope
from tests.contract.rows import entity, fact, new_uuid, random_vector, uuids
from tests.contract.subject import Subject
from tests.contract.tenant import Tenant, soon

ROWS_PER_GROUP = 200
GROUPS = 4
DIMENSION = 8
WEIGHTS = {Method.SEMANTIC: 0.6, Method.KEYWORD: 0.4}
WORDS = tuple(f"word{n}" for n in range(60))


@dataclass(frozen=True, slots=True)
class FixedRouter:
    """What Scatter needs of a router, over drivers that stay where they are."""

    drivers: Mapping[str, ShardDriver]

    async def fan_out[T](
        self, calls: Mapping[str, ShardCall[T]], deadline: Deadline, *, all_or_nothing: bool = False
    ) -> Mapping[str, ShardReply[T]]:
        return {
            shard: ShardReply(shard, await call(self.drivers[shard]), 0.0) for shard, call in calls.items()
        }


@dataclass(frozen=True, slots=True)
class World:
    drivers: Mapping[str, ShardDriver]
    groups: Sequence[str]
    rows: Mapping[Kind, Mapping[RowKey, Entity | Fact | Community]]

    async def search(
        self,
        shards: Sequence[str],
        kind: Kind,
        text: str,
        window: int,
        wanted: RowFilter = NO_FILTER,
        vector: Vector | None = None,
    ) -> candidates.Candidates:
        """With the groups dealt out to these shards."""
        terms = count_query_terms(text.split())
        query = CandidateQuery(kind, window, vector, terms, wanted)
        return await self.candidates(self.dealt(shards), query)

    async def candidates(
        self, refs: Mapping[str, tuple[GroupRef, ...]], query: CandidateQuery
    ) -> candidates.Candidates:
        scope = SearchScope(Located(AllShards(), refs, (), {}, {}))
        searcher = Scatter(FixedRouter(self.drivers))  # pyright: ignore[reportArgumentType]
        return (await searcher.candidates(scope, [query], soon()))[query.kind]

    def dealt(self, shards: Sequence[str]) -> Mapping[str, tuple[GroupRef, ...]]:
        """The groups by shard."""
        refs: dict[str, tuple[GroupRef, ...]] = {}
        for n, group in enumerate(self.groups):
            shard = shards[n % len(shards)]
            refs[shard] = (*refs.get(shard, ()), GroupRef(group, POOLED))
        return refs

    def ranked(
        self, kind: Kind, text: str, keep: Iterable[RowKey] | None = None
    ) -> list[tuple[RowKey, float]]:
        """BM25 of every row, by definition."""
        rows = self.rows[kind]
        terms = count_query_terms(text.split())
        tokens = {key: Counter(row.terms.split(" ")) for key, row in rows.items()}
        frequency = {term: sum(term in counts for counts in tokens.values()) for term in terms}
        stats = CorpusStats(len(rows), sum(row.term_count for row in rows.values()), frequency)
        scores = {
            key: round(bm25_score(terms, tokens[key], rows[key].term_count, stats), 6)
            for key in (rows if keep is None else keep)
        }
        return sorted(((k, s) for k, s in scores.items() if s > 0), key=lambda item: (-item[1], item[0]))

    def nearest(self, kind: Kind, query: Vector) -> list[RowKey]:
        """Every row with a vector by its cosine, by definition."""
        scores = {
            key: round(float(row.embedding.astype(np.float64) @ query.astype(np.float64)), 6)
            for key, row in self.rows[kind].items()
            if row.embedding is not None
        }
        return sorted(scores, key=lambda key: (-scores[key], key))


@pytest.fixture(scope="module")
async def world(falkordb_subject: Subject, neo4j_subject: Subject, model_subject: Subject) -> World:
    """The same groups on every engine, which differ in size and in how often words occur."""
    rng, vectors = random.Random(5), np.random.default_rng(5)
    drivers = {"f": falkordb_subject.driver, "n": neo4j_subject.driver, "m": model_subject.driver}
    base = new_uuid()
    groups = [f"{base}-{n}" for n in range(GROUPS)]
    rows: dict[Kind, dict[RowKey, Entity | Fact | Community]] = {}
    for n, group in enumerate(groups):
        weights = [1 / (1 + (place + 7 * n) % len(WORDS)) for place in range(len(WORDS))]

        def text(words: int, weights: Sequence[float] = weights) -> str:
            return " ".join(rng.choices(WORDS, weights, k=words))

        ids = uuids(ROWS_PER_GROUP // (n + 1))
        entities = [
            entity(
                text(rng.randint(1, 12)),
                at=at,
                labels=("odd",) * (place % 2),
                embedding=random_vector(vectors, DIMENSION),
            )
            for place, at in enumerate(ids)
        ]
        facts = [fact(ids[0], ids[-1], text(rng.randint(3, 20)), name="") for _ in ids]
        circles = [Community(uuid=new_uuid(), name=text(5)) for _ in range(20)]
        for driver in drivers.values():
            await driver.create_fence(Fence(group, 1, FenceState.OPEN), soon())
            tenant = Tenant(driver, GroupRef(group))
            await tenant.write(*entities)
            await tenant.write(*facts, *circles)
        for kind in (Kind.ENTITY, Kind.FACT, Kind.COMMUNITY):
            for row in await Tenant(drivers["m"], GroupRef(group)).listed(kind, with_vectors=True):
                assert isinstance(row, Entity | Fact | Community)
                rows.setdefault(kind, {})[RowKey(group, row.uuid)] = row
    return World(drivers, groups, rows)


LAYOUTS = {"one FalkorDB": "f", "one Neo4j": "n", "two": "fn", "three": "fnm", "other three": "mfn"}
QUERIES = (
    "word0",
    "word0 word1 word2",
    "word40 word0 word1 word7 word7",
    " ".join(WORDS[:30]),
    "word59 nothing",
)


@pytest.mark.parametrize("matching_max", [0, 20, candidates.MATCHING_ROWS_MAX])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [Kind.ENTITY, Kind.FACT, Kind.COMMUNITY])
async def test_the_keyword_list_is_that_of_bm25_in_every_layout(
    world: World, kind: Kind, layout: str, matching_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, order and scores are those of one BM25 over all rows, however an engine ranks and cuts; whether
    all shards, some or none give all rows that match."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", matching_max)
    for text in QUERIES:
        for window in (5, 50):
            found = await world.search(LAYOUTS[layout], kind, text, window)
            assert found.keyword_exact
            assert [(row.key, row.score) for row in found.keyword] == world.ranked(kind, text)[:window]


@pytest.mark.parametrize("matching_max", [0, candidates.MATCHING_ROWS_MAX])
@pytest.mark.parametrize("layout", ["f", "n", "fn"])
async def test_a_filter_keeps_the_scores_and_fills_the_list(
    world: World, layout: str, matching_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that pass keep the scores that they have without the filter, and take all places."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", matching_max)
    passing = [key for key, row in world.rows[Kind.ENTITY].items() if isinstance(row, Entity) and row.labels]
    for text in QUERIES:
        found = await world.search(layout, Kind.ENTITY, text, 40, RowFilter(labels_any=("odd",)))
        expected = world.ranked(Kind.ENTITY, text, passing)[:40]
        assert [(row.key, row.score) for row in found.keyword] == expected


type Fuse = Callable[[World, Sequence[str], CandidateQuery], Awaitable[list[FusedHit]]]


def _rankings(found: candidates.Candidates, group_ids: Iterable[str]) -> Mapping[Method, list[RowKey]]:
    """Of the rows of these groups."""
    groups = set(group_ids)
    lists = {Method.SEMANTIC: found.semantic, Method.KEYWORD: found.keyword}
    return {method: [r.key for r in rows if r.key.group_id in groups] for method, rows in lists.items()}


async def merge_then_fuse(world: World, shards: Sequence[str], query: CandidateQuery) -> list[FusedHit]:
    """One ranking per method over all shards, fused once: what the gateway does."""
    found = await world.candidates(world.dealt(shards), query)
    return weighted_rrf(_rankings(found, world.groups), WEIGHTS)


async def fuse_each_shard(world: World, shards: Sequence[str], query: CandidateQuery) -> list[FusedHit]:
    """Wrong: every shard searches and fuses its own groups, and the fused lists are merged."""
    hits: list[FusedHit] = []
    for shard, refs in world.dealt(shards).items():
        found = await world.candidates({shard: refs}, query)
        hits += weighted_rrf(_rankings(found, (ref.group_id for ref in refs)), WEIGHTS)
    return sorted(hits, key=lambda hit: (-hit.score, hit.key))


async def rank_by_shard(world: World, shards: Sequence[str], query: CandidateQuery) -> list[FusedHit]:
    """Wrong in the ranks alone: the scores are those of the whole scope, the ranks count on each shard."""
    found = await world.candidates(world.dealt(shards), query)
    hits: list[FusedHit] = []
    for refs in world.dealt(shards).values():
        hits += weighted_rrf(_rankings(found, (ref.group_id for ref in refs)), WEIGHTS)
    return sorted(hits, key=lambda hit: (-hit.score, hit.key))


async def check_fused_is_brute_force(world: World, layout: str, fuse: Fuse) -> None:
    """Rows, order and scores of the fused list are those of one scan of all rows by each method."""
    vectors = np.random.default_rng(9)
    for text in QUERIES[:4]:
        query = CandidateQuery(
            Kind.ENTITY, 40, random_vector(vectors, DIMENSION), count_query_terms(text.split())
        )
        assert query.vector is not None
        rankings = {
            Method.SEMANTIC: world.nearest(query.kind, query.vector)[: query.window],
            Method.KEYWORD: [key for key, _ in world.ranked(query.kind, text)[: query.window]],
        }
        expected = weighted_rrf(rankings, WEIGHTS)[:20]
        found = (await fuse(world, LAYOUTS[layout], query))[:20]
        assert [(hit.key, hit.score) for hit in found] == [(hit.key, hit.score) for hit in expected]


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_the_fused_list_is_the_brute_force_list_in_every_layout(world: World, layout: str) -> None:
    """Sharded search equals unsharded search: where a group lies decides nothing about a hit's place."""
    await check_fused_is_brute_force(world, layout, merge_then_fuse)


@pytest.mark.parametrize("wrong", [fuse_each_shard, rank_by_shard])
async def test_a_wrong_fusion_fails_the_check_of_layouts(world: World, wrong: Fuse) -> None:
    """The check above can tell: a fusion of per-shard ranks passes it on one shard, and on every layout of
    several it does not."""
    for layout, shards in LAYOUTS.items():
        if len(shards) == 1:
            await check_fused_is_brute_force(world, layout, wrong)
        else:
            with pytest.raises(AssertionError):
                await check_fused_is_brute_force(world, layout, wrong)


async def test_a_third_step_finds_what_the_second_had_no_room_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of a step that was cut tell better what a row must score: with room for those the list is
    exact again."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", 0)
    monkeypatch.setattr(candidates, "FIRST_KEYWORD_ROWS_MIN", 10)
    text = QUERIES[3]
    for layout in ("f", "n", "m"):
        monkeypatch.setattr(scatter, "KEYWORD_ROWS_MAX", (20,))
        assert not (await world.search(layout, Kind.FACT, text, 5)).keyword_exact
        monkeypatch.setattr(scatter, "KEYWORD_ROWS_MAX", (20, 2_000))
        found = await world.search(layout, Kind.FACT, text, 5)
        assert found.keyword_exact
        assert [(row.key, row.score) for row in found.keyword] == world.ranked(Kind.FACT, text)[:5]


async def test_a_list_that_may_miss_rows_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound of rows the answer is still a full list, and is marked."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", 0)
    monkeypatch.setattr(scatter, "KEYWORD_ROWS_MAX", (30, 60))
    monkeypatch.setattr(candidates, "FIRST_KEYWORD_ROWS_MIN", 10)
    for layout in ("f", "n", "m"):
        found = await world.search(layout, Kind.FACT, " ".join(WORDS[:30]), 50)
        assert not found.keyword_exact
        assert len(found.keyword) == 50
        few = await world.search(layout, Kind.FACT, "word59 nothing", 5)
        assert few.keyword_exact


async def test_a_list_of_rows_with_too_much_text_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound of text there are rows with their true scores, and the list is marked."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", 0)
    monkeypatch.setattr(candidates, "KEYWORD_CHARS_MAX", 500)
    text = QUERIES[1]
    scores = dict(world.ranked(Kind.FACT, text))
    for layout in ("f", "n", "m"):
        found = await world.search(layout, Kind.FACT, text, 50)
        assert not found.keyword_exact
        assert 0 < len(found.keyword) < 50
        assert all(scores[row.key] == row.score for row in found.keyword)
