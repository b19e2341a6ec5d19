"""Measures one layout after the other, each with engines and a gateway of its own."""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.corpus.dataset import Dataset, Question
from gateway.corpus.graph_rows import GroupGraph, build_groups, texts
from gateway.corpus.loading import load_graph
from gateway.corpus.running_fleet import running_fleet
from gateway.corpus.vectors import VectorTable, embed_all
from gateway.embedded import AppendFsync, find_neo4j_lib, missing_for_neo4j
from gateway.eval.asking import Answers, ask_all
from gateway.eval.figures import LayoutFigures, layout_figures
from gateway.eval.goals import Goal, goals_of
from gateway.eval.layouts import Layout


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
                "left_out": dict(self.left_out),
                "timings_s": {name: round(seconds, 1) for name, seconds in self.timings_s.items()},
            }
        )


class Evaluation:
    """One run. Everything that it starts is stopped when `run` ends, however it ends."""

    def __init__(
        self,
        dataset: Dataset,
        questions: Sequence[Question],
        layouts: Sequence[Layout],
        *,
        cache_dir: Path,
        must_have_all: bool,
        console: Console,
    ) -> None:
        """`questions`: some of the dataset's, at least one. `cache_dir` keeps vectors and the local model's
        graph. Without `must_have_all`, layouts whose engine is not installed are left out. `console` shows
        how far it is."""
        self._dataset = dataset
        self._questions = questions
        self._layouts = layouts
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
            answers = await self._measure(layout, groups[layout.name], vectors)
            first = first or answers
            gold = self._gold(groups[layout.name])
            figures.append(layout_figures(layout.name, layout.one_group, answers, first, gold))
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

    async def _measure(self, layout: Layout, groups: Sequence[GroupGraph], vectors: VectorTable) -> Answers:
        rows = sum(group.rows for group in groups)
        self._console.rule(
            f"{layout.name}: {layout.falkordb_shards} FalkorDB and {layout.neo4j_shards} Neo4j shards, "
            f"{len(groups)} groups, {rows:,} rows",
            align="left",
            style="dim",
        )
        with tempfile.TemporaryDirectory(prefix="graphgate-eval-", ignore_cleanup_errors=True) as name:
            async with running_fleet(
                Path(name),
                falkordb_shards=layout.falkordb_shards,
                neo4j_shards=layout.neo4j_shards,
                cache_dir=self._cache_dir,
                # Every vector is given, and nothing has to survive a crash.
                embedder="none",
                append_fsync=AppendFsync.NO,
            ) as run:
                with self._progress() as progress:
                    await load_graph(run.client, groups, vectors, progress)
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
