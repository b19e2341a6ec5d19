"""Measures one layout after the other, each with engines and a gateway of its own."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.bench.model_server.process import ModelServerProcess
from gateway.corpus.dataset import Dataset, Question
from gateway.corpus.graph_rows import GroupGraph, build_groups, texts
from gateway.corpus.loading import load_graph
from gateway.corpus.running_fleet import RunningFleet, running_fleet
from gateway.corpus.vectors import VectorTable, embed_all
from gateway.embedded import AppendFsync, find_neo4j_lib, missing_for_neo4j
from gateway.eval.asking import Answers, ask_all
from gateway.eval.comparison import Comparison, comparisons
from gateway.eval.figures import LayoutFigures, layout_figures
from gateway.eval.goals import Goal, goals_of
from gateway.eval.ingesting import IngestFigures, ingest, model_settings
from gateway.eval.layouts import Ingest, Layout
from gateway.eval.stored_rows import CountedKind, stored_rows
from gateway.loopback.gateway_process import EmbedderKind


@dataclass(frozen=True, slots=True)
class EvalResult:
    passages: int
    questions: int
    layouts: Sequence[LayoutFigures]
    left_out: Mapping[str, str]
    """Why a layout was not measured, by its name."""
    timings_s: Mapping[str, float]
    """By layout, and of the embedding."""

    @property
    def goals(self) -> Sequence[Goal]:
        return goals_of(self.layouts)

    @property
    def comparisons(self) -> Sequence[Comparison]:
        return comparisons(self.layouts)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(
            {
                "passages": self.passages,
                "questions": self.questions,
                "layouts": [layout.as_json() for layout in self.layouts],
                "goals": [
                    {
                        "layout": goal.layout,
                        "goal": goal.what,
                        "figure": round(goal.figure, 4),
                        "bound": round(goal.bound, 4),
                        "met": goal.met,
                    }
                    for goal in self.goals
                ],
                "comparisons": [one.as_json() for one in self.comparisons],
                "left_out": dict(self.left_out),
                "timings_s": {name: round(seconds, 1) for name, seconds in self.timings_s.items()},
            }
        )


@dataclass(frozen=True, slots=True)
class _Measured:
    """Of one layout."""

    answers: Answers
    rows: Mapping[CountedKind, int]
    ingestion: IngestFigures | None


class Evaluation:
    """One run. Everything that it starts is stopped when `run` ends, however it ends."""

    def __init__(
        self,
        dataset: Dataset,
        questions: Sequence[Question],
        layouts: Sequence[Layout],
        *,
        data: Path,
        cache_dir: Path,
        must_have_all: bool,
        console: Console,
    ) -> None:
        """`questions`: some of the dataset's, at least one. `data`: where the dataset was read, for the model
        server. `cache_dir` keeps vectors and the local model's
        graph. Without `must_have_all`, layouts whose engine is not installed are left out. `console` shows
        how far it is."""
        self._dataset = dataset
        self._questions = questions
        self._layouts = layouts
        self._data = data
        self._cache_dir = cache_dir
        self._must_have_all = must_have_all
        self._console = console
        self._timings_s: dict[str, float] = {}

    async def run(self) -> EvalResult:
        """Raises EmbeddingError, EmbeddedError, GatewayProcessError, ShardsAway, RetriesExhausted and
        AioRpcError; those that several tasks met come as an ExceptionGroup."""
        left_out = await self._left_out()
        layouts = [layout for layout in self._layouts if layout.name not in left_out]
        groups = {layout.name: self._groups(layout) for layout in layouts}
        vectors = await self._embed([group for some in groups.values() for group in some])
        figures: list[LayoutFigures] = []
        first: Answers | None = None
        for layout in layouts:
            started = time.monotonic()
            measured = await self._measure(layout, groups[layout.name], vectors)
            first = first or measured.answers
            gold = self._gold(groups[layout.name])
            quality = layout_figures(layout.name, layout.one_group, measured.answers, first, gold)
            figures.append(replace(quality, rows=measured.rows, ingestion=measured.ingestion))
            self._timings_s[layout.name] = time.monotonic() - started
        return EvalResult(
            passages=len(self._dataset.passages),
            questions=len(self._questions),
            layouts=figures,
            left_out=left_out,
            timings_s=self._timings_s,
        )

    async def _left_out(self) -> Mapping[str, str]:
        with_neo4j = [layout.name for layout in self._layouts if layout.neo4j_shards]
        if self._must_have_all or not with_neo4j:
            # Asked for and not there is the fleet's error to raise, with the remedy.
            return {}
        missing = await asyncio.to_thread(missing_for_neo4j, find_neo4j_lib())
        if missing is None:
            return {}
        self._console.print(
            f"[bold yellow]NO NEO4J: {missing}; left out: {', '.join(with_neo4j)}[/bold yellow]"
        )
        return dict.fromkeys(with_neo4j, missing)

    def _groups(self, layout: Layout) -> Sequence[GroupGraph]:
        return build_groups(self._dataset, layout.groups(len(self._dataset.passages)))

    def _gold(self, groups: Sequence[GroupGraph]) -> list[frozenset[str]]:
        uuid_of = {p.index: p.episode.uuid for group in groups for p in group.passages}
        return [frozenset(uuid_of[index] for index in question.gold) for question in self._questions]

    async def _embed(self, groups: Sequence[GroupGraph]) -> VectorTable:
        started = time.monotonic()
        with self._progress() as progress:
            task = progress.add_task("texts to embed", total=None)
            table = await embed_all(
                [*texts(groups), *(question.question for question in self._questions)],
                self._cache_dir,
                on_start=lambda count: progress.update(task, total=count),
                on_progress=lambda count: progress.advance(task, count),
            )
        self._timings_s["embedding"] = time.monotonic() - started
        return table

    async def _measure(self, layout: Layout, groups: Sequence[GroupGraph], vectors: VectorTable) -> _Measured:
        how = (
            f"{len(self._dataset.passages):,} episodes in mode LLM"
            if layout.ingest is Ingest.LLM
            else f"{sum(group.rows for group in groups):,} rows"
        )
        self._console.rule(
            f"{layout.name}: {layout.falkordb_shards} FalkorDB and {layout.neo4j_shards} Neo4j shards, "
            f"{len(groups)} groups, {how}",
            align="left",
            style="dim",
        )
        if layout.ingest is Ingest.PROVIDED:
            # Every vector is given.
            async with self._fleet(layout, "none") as run:
                with self._progress() as progress:
                    await load_graph(run.client, groups, vectors, progress)
                return _Measured(await self._ask(run, vectors), await stored_rows(run.client), None)
        models = ModelServerProcess(["--replay", "--passages", str(self._data)])
        # The gateway makes the vectors: its texts are those that the model tells.
        async with models, self._fleet(layout, "local", lambda: model_settings(models.base_url)) as run:
            with self._progress() as progress:
                task = progress.add_task("episodes", total=len(self._dataset.passages))
                ingestion = await ingest(run.client, groups, lambda: progress.advance(task))
            answers, rows = await self._ask(run, vectors), await stored_rows(run.client)
        return _Measured(answers, rows, replace(ingestion, models=models.stats))

    @asynccontextmanager
    async def _fleet(
        self, layout: Layout, embedder: EmbedderKind, settings: Callable[[], Mapping[str, str]] = dict
    ) -> AsyncGenerator[RunningFleet]:
        with tempfile.TemporaryDirectory(prefix="graphgate-eval-", ignore_cleanup_errors=True) as name:
            async with running_fleet(
                Path(name),
                falkordb_shards=layout.falkordb_shards,
                neo4j_shards=layout.neo4j_shards,
                cache_dir=self._cache_dir,
                embedder=embedder,
                # Nothing has to survive a crash.
                append_fsync=AppendFsync.NO,
                settings=settings(),
            ) as run:
                yield run

    async def _ask(self, run: RunningFleet, vectors: VectorTable) -> Answers:
        with self._progress() as progress:
            task = progress.add_task("questions", total=len(self._questions))
            return await ask_all(run.client, self._questions, vectors, lambda: progress.advance(task))

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("  {task.description:<32}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
