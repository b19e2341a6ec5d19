"""One large group that moves back and forth between two shards while it and others are used."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.bench.move.calls import (
    LOOK_S,
    Rows,
    begin_move,
    place_of,
    search,
    until_committed,
    until_done,
    write_one,
)
from gateway.bench.move.figures import MoveFigures
from gateway.bench.move.fleet import GATEWAYS, MoveFleet
from gateway.bench.move.freezes import freezes, pause_ms
from gateway.bench.move.options import MoveBenchOptions, Pair
from gateway.bench.move.pacing import Load, Sample, now_us
from gateway.bench.peer.comparison import Watch
from gateway.corpus.metrics import percentile
from graphgate.v1 import move_pb2
from graphgate.v1 import search_service_pb2 as pb

INDEXES_S_MAX = 600.0
_INDEXED_LOOK_S = 2.0
_SETTLE_S = 1.0
"""The load runs on after a move, so that the calls that met its end are measured."""


@dataclass(slots=True)
class _Traffic:
    """The load of one measurement."""

    writes: Load
    semantic: Load
    others: Load
    by_index: list[tuple[Sample, bool]] = field(default_factory=list[tuple[Sample, bool]])
    """Semantic searches of the group that moves, and whether an index was searched."""

    @property
    def loads(self) -> tuple[Load, ...]:
        return (self.writes, self.semantic, self.others)


class LargeGroup:
    def __init__(self, fleet: MoveFleet, options: MoveBenchOptions, pair: Pair, rows: Rows) -> None:
        self._fleet = fleet
        self._options = options
        self._pair = pair
        self._rows = rows
        self._group = f"large-{pair.source}-{pair.target}"
        self._others = [f"{self._group}-other-{number}" for number in range(options.other_groups)]
        self._turn = 0

    async def prepare(self, watch: Watch) -> None:
        """The groups are written, and the large one goes to its first shard. Raises MoveNotDone."""
        options = self._options
        watch.begin(f"{self._pair.name}: rows")
        for group_id in self._others:
            await self._rows.fill(
                self._fleet.client, group_id, options.other_entities, options.other_entities
            )
        await self._rows.fill(self._fleet.client, self._group, options.entities, options.facts)
        first, _ = self._shards()
        if (await place_of(self._fleet.client, self._group)).shard != first:
            move = await begin_move(self._fleet.client, self._group, first)
            await until_done(self._fleet.client, move.move_id)
        if options.index_waits:
            await self._until_indexed()
        await self._warm_up()

    async def baseline_p99_ms(self, watch: Watch) -> float:
        """Of searches of other groups while nothing moves."""
        watch.begin(f"{self._pair.name}: without a move")
        async with self._traffic() as traffic:
            from_us = now_us()
            await asyncio.sleep(self._options.baseline_s)
            return percentile(traffic.others.latencies_ms(from_us, now_us()), 99)

    async def move(self, *, waits_for_indexes: bool) -> MoveFigures:
        """To the other of the two shards. Returns when what was left behind has been deleted, without load.

        Raises MoveNotDone.
        """
        here = (await place_of(self._fleet.client, self._group)).shard
        first, second = self._shards()
        looks: list[move_pb2.MoveProgress] = []
        async with self._traffic() as traffic:
            move = await begin_move(self._fleet.client, self._group, second if here == first else first)
            committed = await until_committed(self._fleet.client, move.move_id, looks.append)
            ready_us = await self._index_ready_us(traffic, committed) if waits_for_indexes else None
            await asyncio.sleep(_SETTLE_S)
        done = await until_done(self._fleet.client, move.move_id)
        requested_us = done.requested_at.ToMicroseconds()
        committed_us = done.committed_at.ToMicroseconds()
        to_commit_s = (committed_us - requested_us) / 1e6
        pauses = [pause_ms(traffic.writes.samples, freeze) for freeze in freezes(looks, done)]
        return MoveFigures(
            to_commit_s=to_commit_s,
            to_indexes_ready_s=None if ready_us is None else (ready_us - requested_us) / 1e6,
            mb_per_s=done.bytes_copied / 1e6 / to_commit_s,
            pauses_ms=[pause for pause in pauses if pause is not None],
            recorded_pauses_ms=[pause.ToMicroseconds() / 1e3 for pause in done.pauses],
            failed_calls=sum(len(load.failures) for load in traffic.loads),
            others_ms=traffic.others.latencies_ms(requested_us, max(ready_us or 0, committed_us)),
        )

    async def _semantic(self) -> pb.SearchResponse:
        return await search(self._fleet.client, self._rows, self._group, pb.SEARCH_METHOD_SEMANTIC)

    async def _other(self, turn: int) -> None:
        """Semantic and keyword searches in turn, of one group after the other."""
        group_id = self._others[turn // 2 % len(self._others)]
        method = pb.SEARCH_METHOD_KEYWORD if turn % 2 else pb.SEARCH_METHOD_SEMANTIC
        await search(self._fleet.client, self._rows, group_id, method)

    async def _warm_up(self) -> None:
        """Every kind of call through every gateway: engines plan a query when they first see it, FalkorDB for
        each graph, and for that a shard's other calls wait."""
        for turn in range(2 * GATEWAYS * len(self._others)):
            await self._other(turn)
        for _ in range(2 * GATEWAYS):
            await self._semantic()
            await write_one(self._fleet.client, self._rows, self._group)

    def _shards(self) -> tuple[str, str]:
        source = self._fleet.shards(self._pair.source)[0]
        return source, next(shard for shard in self._fleet.shards(self._pair.target) if shard != source)

    @asynccontextmanager
    async def _traffic(self) -> AsyncGenerator[_Traffic]:
        """Inside, everybody calls."""
        fleet, rows, options = self._fleet, self._rows, self._options

        async def write() -> None:
            await write_one(fleet.client, rows, self._group)

        async def semantic() -> None:
            sent_us = now_us()
            answer = await self._semantic()
            sample = Sample(sent_us, now_us())
            traffic.by_index.append((sample, _by_index(answer)))

        async def other() -> None:
            self._turn += 1
            await self._other(self._turn)

        traffic = _Traffic(
            Load("writes", options.writes_per_s, write),
            Load("semantic searches", options.semantic_per_s, semantic),
            Load("searches of other groups", options.searches_per_s - options.semantic_per_s, other),
        )
        running = [asyncio.create_task(load.run(), name=load.name) for load in traffic.loads]
        try:
            yield traffic
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for load in traffic.loads:
                await load.drain()

    async def _index_ready_us(self, traffic: _Traffic, committed: move_pb2.MoveProgress) -> int | None:
        """When the first search that was sent after the commit was answered by an index; the commit, if that
        was the first one of all or if the group has no index where it was either. None: not within
        INDEXES_S_MAX."""
        committed_us = committed.committed_at.ToMicroseconds()
        before = [indexed for sample, indexed in traffic.by_index if sample.ended_us < committed_us]
        if not any(before) and not await self._is_large():
            return committed_us
        with suppress(TimeoutError):
            async with asyncio.timeout(INDEXES_S_MAX):
                return await self._answered_by_index_us(traffic, committed_us)
        return None

    async def _answered_by_index_us(self, traffic: _Traffic, committed_us: int) -> int:
        while True:
            after = [
                (sample, indexed) for sample, indexed in traffic.by_index if sample.due_us >= committed_us
            ]
            for number, (sample, indexed) in enumerate(after):
                if indexed:
                    return sample.ended_us if number else committed_us
            await asyncio.sleep(LOOK_S)

    async def _is_large(self) -> bool:
        """Whether a gateway has a vector index for its facts in mind."""
        return bool((await place_of(self._fleet.client, self._group)).vector_slots)

    async def _until_indexed(self) -> None:
        """Until a search goes by an index, if the group gets one."""
        async with asyncio.timeout(INDEXES_S_MAX):
            while await self._is_large():
                if _by_index(await self._semantic()):
                    return
                # Until then each of these scans the group, and the fill waits for it.
                await asyncio.sleep(_INDEXED_LOOK_S)


def _by_index(answer: pb.SearchResponse) -> bool:
    return any(result.vectors.groups_by_index for result in answer.results)
