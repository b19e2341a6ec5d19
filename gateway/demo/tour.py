"""The demo from beginning to end."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from gateway.corpus.dataset import Dataset, load_dataset
from gateway.corpus.graph_rows import GroupGraph, build_groups, texts
from gateway.corpus.loading import load_graph
from gateway.corpus.running_fleet import RunningFleet, running_fleet
from gateway.corpus.vectors import VectorTable, embed_all
from gateway.corpus.writer import Journal
from gateway.demo.figures import Figures, Stored, failures
from gateway.demo.inventory import stored_rows
from gateway.demo.loading import load_graph_through_crashes
from gateway.demo.screen import Screen, kind_name
from gateway.demo.search_tour import (
    Rankings,
    SearchFigures,
    ask,
    mean_overlap,
    measure,
    semantic_rankings,
    share_equal,
)
from gateway.demo.verify import lost_rows
from gateway.embedded import find_neo4j_lib, missing_for_neo4j
from gateway.loopback.process_stat import resident_bytes
from graphgate.v1 import graph_pb2

FALKORDB_SHARDS = 3
_SHOWN_QUESTIONS = 3
_SHOWN_HITS = 6
_LOST_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class DemoOptions:
    cache_dir: Path
    """Where the vectors and the local model's graph are kept for the next time."""
    passages: int | None = None
    """Only the first passages; None: all."""
    neo4j: bool | None = None
    """Whether a Neo4j shard takes part; None: if Java and its jars are there."""
    keep: bool = False
    """Leave the sharded fleet running until the demo is interrupted."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    figures: Figures
    problems: Sequence[str]
    """What did not hold of what the demo is to show."""


class Demo:
    """One run. Everything that it starts is stopped when `run` ends, however it ends."""

    def __init__(self, options: DemoOptions, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._timings: dict[str, float] = {}

    async def run(self, announce: Callable[[DemoResult], None]) -> None:
        """`announce` gets the result; with `keep` this goes on afterwards until it is cancelled.

        Raises EmbeddingError, EmbeddedError, GatewayProcessError, ShardsAway, RetriesExhausted and
        AioRpcError; those that several tasks met come as an ExceptionGroup."""
        started = time.monotonic()
        dataset = load_dataset()
        dataset = dataset.first(self._options.passages or len(dataset.passages))
        groups = build_groups(dataset)
        self._introduce(dataset, groups)
        vectors = await self._embed(dataset, groups)
        async with AsyncExitStack() as stack:
            directory = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="graphgate-demo-", ignore_cleanup_errors=True)
                )
            )
            run, neo4j_left_out = await self._start(stack, directory / "fleet")
            journal = Journal()
            writing = time.monotonic()
            write = await load_graph_through_crashes(run, groups, vectors, journal, self._screen)
            self._timings["writing"] = time.monotonic() - writing
            stored, lost = await self._verify(run, groups, journal)
            await self._show_searches(run, dataset, groups)
            search, rankings = await self._measure(run, dataset, groups, vectors)
            one_search, one_rankings = await self._one_shard(
                directory / "one-shard", dataset, groups, vectors
            )
            self._timings["all"] = time.monotonic() - started
            figures = Figures(
                stored=stored,
                malformed_triples_skipped=dataset.malformed_triples,
                write=write,
                acknowledged_rows=journal.total,
                lost_after_restart=lost,
                search_p50_ms=search.p50_ms,
                search_p95_ms=search.p95_ms,
                recall_at_10=search.recall_at_10,
                all_gold_at_10=search.all_gold_at_10,
                sharded_equals_unsharded={
                    kind_name(kind): share_equal(rankings[kind], one_rankings[kind]) for kind in rankings
                },
                hybrid_overlap_at_10=mean_overlap(search.rankings, one_search.rankings),
                neo4j_left_out=neo4j_left_out,
                gateway_memory_mb=resident_bytes(run.gateway.pid) / 1_000_000,
                timings_s=self._timings,
            )
            expected_rows = sum(group.rows for group in groups)
            problems = failures(figures, expected_rows)
            self._screen.summary(figures, problems)
            announce(DemoResult(figures, problems))
            if self._options.keep:
                await self._keep(run)

    def _introduce(self, dataset: Dataset, groups: Sequence[GroupGraph]) -> None:
        self._screen.step("Data")
        rows = sum(group.rows for group in groups)
        facts = sum(len(group.facts) for group in groups)
        entities = sum(len(group.entities) for group in groups)
        self._screen.say(
            f"  {len(dataset.passages):,} passages of Wikipedia with what was extracted from them (MuSiQue,"
            f" HippoRAG) as {len(groups)} groups:\n"
            f"  {len(dataset.passages):,} episodes, {entities:,} entities, {facts:,} facts, {rows:,} rows"
            f" with the mentions; {dataset.malformed_triples} malformed triples are left out.\n"
            f"  {len(dataset.questions)} questions that need two to four of the passages each."
        )

    async def _embed(self, dataset: Dataset, groups: Sequence[GroupGraph]) -> VectorTable:
        self._screen.step("Vectors")
        started = time.monotonic()
        with self._screen.progress() as progress:
            task = progress.add_task("texts to embed", total=None)
            table = await embed_all(
                [*texts(groups), *(question.question for question in dataset.questions)],
                self._options.cache_dir,
                on_start=lambda count: progress.update(task, total=count),
                on_progress=lambda count: progress.advance(task, count),
            )
        self._timings["embedding"] = time.monotonic() - started
        self._screen.say(
            "  by all-MiniLM-L6-v2 on this machine, kept for the next time; both fleets get the same."
        )
        return table

    async def _start(self, stack: AsyncExitStack, directory: Path) -> tuple[RunningFleet, str | None]:
        """The sharded fleet, and why it has no Neo4j shard if it has none."""
        self._screen.step("Fleet")
        left_out = await self._neo4j_left_out()
        if left_out is not None:
            self._screen.warn(f"NO NEO4J: {left_out}; the fleet has FalkorDB shards only")
        run = await stack.enter_async_context(
            running_fleet(
                directory,
                falkordb_shards=FALKORDB_SHARDS,
                neo4j_shards=0 if left_out else 1,
                cache_dir=self._options.cache_dir,
            )
        )
        self._timings["fleet start"] = run.fleet_start_s
        self._timings["gateway start"] = run.gateway_start_s
        self._screen.say(
            f"  {', '.join(shard.id for shard in run.fleet.shards)} and the catalog's Redis after "
            f"{run.fleet_start_s:.1f} s; the gateway, a process of its own, at {run.gateway.address} after "
            f"{run.gateway_start_s:.1f} s more"
        )
        return run, left_out

    async def _neo4j_left_out(self) -> str | None:
        if self._options.neo4j is False:
            return "it was not asked for"
        missing = await asyncio.to_thread(missing_for_neo4j, find_neo4j_lib())
        # Asked for and not there is the fleet's error to raise, with the remedy.
        return None if self._options.neo4j else missing

    async def _verify(
        self, run: RunningFleet, groups: Sequence[GroupGraph], journal: Journal
    ) -> tuple[Stored, int]:
        self._screen.step("Is everything there that was acknowledged?")
        started = time.monotonic()
        with self._screen.progress() as progress:
            task = progress.add_task("rows read back", total=journal.total)
            lost = await lost_rows(run.client, groups, journal, lambda count: progress.advance(task, count))
        stored = await stored_rows(run.client)
        self._timings["reading back"] = time.monotonic() - started
        if lost:
            self._screen.say(f"  [bold red]{len(lost)} rows are lost[/bold red], among them:")
            for row in lost[:_LOST_SHOWN_MAX]:
                self._screen.say(f"    {row}")
        else:
            self._screen.say(f"  [bold green]yes[/bold green]: {journal.total:,} rows, none is lost")
        self._screen.shards(stored.shards)
        return stored, len(lost)

    async def _show_searches(self, run: RunningFleet, dataset: Dataset, groups: Sequence[GroupGraph]) -> None:
        if not dataset.questions:
            return
        self._screen.step("Searches")
        self._screen.say("  ★ gold passage; S, K, G: rank by meaning, keywords and graph")
        group_of: Mapping[int, str] = {p.index: group.group_id for group in groups for p in group.passages}
        uuid_of = {p.index: p.episode.uuid for group in groups for p in group.passages}
        first = dataset.questions[0]
        group_id = group_of[first.gold[0]]
        answer = await ask(
            run.client, first.question, graph_pb2.ROW_KIND_FACT, group_id=group_id, limit=_SHOWN_HITS
        )
        self._screen.hits(
            f"[bold]{escape(first.question)}[/bold]\n[dim]facts of one group, {group_id}[/dim]", answer
        )
        for question in dataset.questions[:_SHOWN_QUESTIONS]:
            answer = await ask(run.client, question.question, graph_pb2.ROW_KIND_EPISODE, limit=_SHOWN_HITS)
            self._screen.hits(
                f"[bold]{escape(question.question)}[/bold] [dim]answer: {escape(question.answer)}[/dim]\n"
                f"[dim]episodes of all {len(groups)} groups[/dim]",
                answer,
                frozenset(uuid_of[index] for index in question.gold),
            )

    async def _measure(
        self, run: RunningFleet, dataset: Dataset, groups: Sequence[GroupGraph], vectors: VectorTable
    ) -> tuple[SearchFigures, Rankings]:
        self._screen.step(f"All {len(dataset.questions)} questions over all groups")
        started = time.monotonic()
        with self._screen.progress() as progress:
            task = progress.add_task("hybrid, for episodes", total=len(dataset.questions))
            search = await measure(run.client, dataset.questions, groups, lambda: progress.advance(task))
            task = progress.add_task("semantic, of three kinds", total=len(dataset.questions))
            rankings = await semantic_rankings(
                run.client, dataset.questions, vectors, lambda: progress.advance(task)
            )
        self._timings["searching"] = time.monotonic() - started
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in search.stages_ms.items())
        shards = ", ".join(f"{shard} {ms:.1f}" for shard, ms in search.shards_ms.items())
        self._screen.say(
            f"  recall@10 {search.recall_at_10:.3f} of {search.gold} gold passages, "
            f"p50 {search.p50_ms:.1f} ms, p95 {search.p95_ms:.1f} ms\n"
            f"  [dim]median ms by stage: {stages}[/dim]\n"
            f"  [dim]median ms by shard: {shards}[/dim]"
        )
        return search, rankings

    async def _one_shard(
        self, directory: Path, dataset: Dataset, groups: Sequence[GroupGraph], vectors: VectorTable
    ) -> tuple[SearchFigures, Rankings]:
        self._screen.step("The same rows on a fleet of one shard")
        started = time.monotonic()
        async with running_fleet(
            directory, falkordb_shards=1, neo4j_shards=0, cache_dir=self._options.cache_dir
        ) as one:
            with self._screen.progress() as progress:
                await load_graph(one.client, groups, vectors, progress)
            with self._screen.progress() as progress:
                task = progress.add_task("the same searches", total=2 * len(dataset.questions))
                search = await measure(one.client, dataset.questions, groups, lambda: progress.advance(task))
                rankings = await semantic_rankings(
                    one.client, dataset.questions, vectors, lambda: progress.advance(task)
                )
        self._timings["one shard"] = time.monotonic() - started
        return search, rankings

    async def _keep(self, run: RunningFleet) -> None:
        address = run.gateway.address
        self._screen.say(
            f"\n  The fleet stays until Ctrl-C. Try:\n"
            f"    graphgate status --address {address}\n"
            f"    grpcurl -plaintext -d '"
            '{"all_groups": {}, "query": "who founded the university", "with_placement": true}'
            f"' {address} graphgate.v1.SearchService/Search"
        )
        await asyncio.Event().wait()
