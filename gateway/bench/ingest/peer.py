"""graphgate beside graphiti-core: the same episodes, engine, model and bound of model calls, in turn.

An engine and a model server each, and one side works at a time: the machine is never shared. Each side has
one group for what is added one by one and one for bulk, which grow alike.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path

from gateway.bench.ingest.episodes import BenchEpisode, spread
from gateway.bench.ingest.gateway_side import GraphgateSide, RowCounts, graphgate_side, new_groups
from gateway.bench.ingest.model import CountedModel, ModelUse
from gateway.bench.ingest.options import DIMENSION, HEADLINE_MS, IngestBenchOptions
from gateway.bench.peer.graphiti_process import GraphitiProcess
from gateway.embedded import EmbeddedFleet

SINGLE_TURN = 5
"""Episodes that one side adds one by one before it is the other's turn."""
_FIRST_GROUP = "first"


@dataclass(slots=True)
class Way:
    """One side and one way to add; grows from turn to turn."""

    episodes: int = 0
    seconds: float = 0.0
    use: ModelUse = field(default_factory=ModelUse)
    rows: RowCounts = field(default_factory=lambda: RowCounts(0, 0))

    @property
    def per_s(self) -> float:
        return self.episodes / self.seconds

    @property
    def calls_per_episode(self) -> float:
        return self.use.calls / self.episodes

    @property
    def tokens_per_episode(self) -> float:
        return self.use.tokens / self.episodes

    def add(self, episodes: int, seconds: float, use: ModelUse) -> None:
        self.episodes += episodes
        self.seconds += seconds
        self.use += use


@dataclass(frozen=True, slots=True)
class Sides:
    """Of one way to add."""

    graphgate: Way = field(default_factory=Way)
    graphiti: Way = field(default_factory=Way)

    @property
    def speedup(self) -> float:
        return self.graphgate.per_s / self.graphiti.per_s


@dataclass(frozen=True, slots=True)
class PeerFigures:
    version: str
    """Of graphiti-core."""
    bulk: Sides
    single: Sides


class _Graphiti:
    def __init__(self, process: GraphitiProcess, model: CountedModel) -> None:
        self._process = process
        self._model = model

    async def prepare(self, group_id: str) -> None:
        await self._process.ask({"op": "prepare", "group": group_id})

    async def single(self, group_id: str, episodes: Sequence[BenchEpisode], way: Way) -> None:
        await self._model.begin()
        seconds = 0.0
        for one in episodes:
            request = {"op": "add", "group": group_id, "episode": one.message()}
            seconds += (await self._process.ask(request))["seconds"]
        way.add(len(episodes), seconds, await self._model.use())

    async def bulk(self, group_id: str, episodes: Sequence[BenchEpisode], call: int, way: Way) -> None:
        await self._model.begin()
        seconds = 0.0
        for some in batched(episodes, call):
            request = {"op": "bulk", "group": group_id, "episodes": [one.message() for one in some]}
            seconds += (await self._process.ask(request))["seconds"]
        way.add(len(episodes), seconds, await self._model.use())

    async def rows(self, group_id: str) -> RowCounts:
        found = await self._process.ask({"op": "rows", "group": group_id})
        return RowCounts(found["entities"], found["facts"])


async def compare(
    options: IngestBenchOptions,
    python: Path,
    episodes: Sequence[BenchEpisode],
    directory: Path,
    on_episodes: Callable[[int], None],
) -> PeerFigures:
    """At HEADLINE_MS. `episodes`: at least those of all rounds. Raises PeerFailed, EpisodesNotApplied,
    ModelServerFailed, EmbeddedError, GatewayProcessError, ShardsAway and AioRpcError."""
    falkordb, neo4j = int(options.engine == "falkordb"), int(options.engine == "neo4j")
    async with AsyncExitStack() as stack:
        fleets = [
            await stack.enter_async_context(
                EmbeddedFleet(directory / name, falkordb_shards=falkordb, neo4j_shards=neo4j)
            )
            for name in ("graphgate", "graphiti")
        ]
        models = [await stack.enter_async_context(CountedModel(HEADLINE_MS)) for _ in fleets]
        mine = await stack.enter_async_context(
            graphgate_side(fleets[0], directory, options.cache_dir, models[0], options.tuning)
        )
        process = GraphitiProcess(
            python,
            options.engine,
            fleets[1].shards[0].url,
            _FIRST_GROUP,
            directory / "graphiti.log",
            "ingest",
            (models[1].base_url, str(DIMENSION), str(options.limit)),
        )
        theirs = _Graphiti(await stack.enter_async_context(process), models[1])
        single, bulk = new_groups(2)
        await theirs.prepare(single)
        await theirs.prepare(bulk)
        await _warm_up(mine, theirs, episodes[-2:])
        of_single, of_bulk = Sides(), Sides()
        turns = list(batched(episodes[: options.peer_single_episodes], SINGLE_TURN))
        for number, some in enumerate(turns):
            for ours in (True, False) if number % 2 else (False, True):
                if ours:
                    loaded = await mine.load_singly(spread(some, [single]))
                    of_single.graphgate.add(loaded.episodes, loaded.seconds, loaded.use)
                else:
                    await theirs.single(single, some, of_single.graphiti)
            on_episodes(len(some))
        rounds = batched(episodes[: options.peer_rounds * options.round_episodes], options.round_episodes)
        for number, some in enumerate(rounds):
            for ours in (True, False) if number % 2 else (False, True):
                if ours:
                    loaded = await mine.load(spread(some, [bulk]))
                    of_bulk.graphgate.add(loaded.episodes, loaded.seconds, loaded.use)
                else:
                    await theirs.bulk(bulk, some, options.peer_call_episodes, of_bulk.graphiti)
            on_episodes(len(some))
        for sides, group_id in ((of_single, single), (of_bulk, bulk)):
            sides.graphgate.rows = await mine.rows(group_id)
            sides.graphiti.rows = await theirs.rows(group_id)
        return PeerFigures(process.version, of_bulk, of_single)


async def _warm_up(mine: GraphgateSide, theirs: _Graphiti, episodes: Sequence[BenchEpisode]) -> None:
    """Connections, and the plans of the engines' first statements."""
    await mine.load(spread(episodes, new_groups(1)))
    await theirs.single(_FIRST_GROUP, episodes, Way())
