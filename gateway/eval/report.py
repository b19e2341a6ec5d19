"""The figures as tables for people."""

from collections.abc import Sequence
from typing import get_args

from rich.console import Console
from rich.table import Table

from gateway.eval.comparison import POINTS_BELOW_MAX, Comparison
from gateway.eval.evaluation import EvalResult
from gateway.eval.figures import COMPARED, LayoutFigures
from gateway.eval.stored_rows import CountedKind


def print_report(result: EvalResult, console: Console) -> None:
    """Quality and latency, overlap, goals."""
    console.print()
    console.print(
        f"{result.passages:,} passages, {result.questions} questions; episodes of one search over all groups"
    )
    console.print(_quality(result))
    console.print()
    console.print(_overlaps(result))
    console.print()
    console.print(_rows(result))
    console.print()
    if any(layout.ingestion is not None for layout in result.layouts):
        console.print(_ingestion(result))
        console.print()
    for comparison in result.comparisons:
        console.print(_comparison(comparison))
        console.print()
    console.print(_goals(result))
    missed = sum(not goal.met for goal in result.goals)
    verdict = (
        f"[bold red]{missed} of {{}} goals missed[/bold red]"
        if missed
        else "[bold green]all {} goals met[/bold green]"
    )
    console.print(verdict.format(len(result.goals)), highlight=False)
    for name, why in result.left_out.items():
        console.print(f"[bold yellow]not measured: {name}, {why}[/bold yellow]")
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.timings_s.items())
    console.print(f"took {took}", highlight=False)


def _quality(result: EvalResult) -> Table:
    table = _table(
        "layout", "method", "R@5", "R@10", "R@20", "all@10", "nDCG@10", "p50 ms", "p95 ms", texts=2
    )
    for layout in result.layouts:
        for place, (method, figures) in enumerate(layout.methods.items()):
            table.add_row(
                "" if place else layout.name,
                method,
                *(
                    f"{share:.3f}"
                    for share in (
                        figures.recall_at_5,
                        figures.recall_at_10,
                        figures.recall_at_20,
                        figures.all_at_10,
                        figures.ndcg_at_10,
                    )
                ),
                f"{figures.p50_ms:.1f}",
                f"{figures.p95_ms:.1f}",
            )
    return table


def _overlaps(result: EvalResult) -> Table:
    table = _table(f"overlap@10 with {result.layouts[0].name}", *COMPARED, "groups by shard", texts=1)
    for layout in result.layouts:
        shares = (f"{layout.overlap_at_10[compared]:.4f}" for compared in COMPARED)
        table.add_row(layout.name, *shares, _balance(layout))
    return table


def _rows(result: EvalResult) -> Table:
    kinds: Sequence[CountedKind] = get_args(CountedKind.__value__)
    table = _table("stored rows", *kinds, texts=1)
    for layout in result.layouts:
        table.add_row(layout.name, *(f"{layout.rows.get(kind, 0):,}" for kind in kinds))
    return table


def _ingestion(result: EvalResult) -> Table:
    table = _table(
        "ingestion", "failed", "joined", "repeated", "closed", "calls", "calls each", "tokens each", "s",
        texts=1,
    )  # fmt: skip
    for layout in result.layouts:
        told = layout.ingestion
        if told is not None:
            table.add_row(
                layout.name,
                f"{told.failed:,}",
                f"{told.entities_joined:,}",
                f"{told.facts_repeated:,}",
                f"{told.facts_closed:,}",
                f"{told.models.chat_requests:,}",
                f"{told.models.chat_requests / told.episodes:.2f}",
                f"{(told.models.input_tokens + told.models.output_tokens) / told.episodes:,.0f}",
                f"{told.seconds:.0f}",
            )
    return table


def _comparison(comparison: Comparison) -> Table:
    table = _table(
        f"R@10 of {comparison.provided.name}", "provided", "llm", "points", "at least", "", texts=1
    )
    for one in comparison.differences:
        verdict = "[green]met[/green]" if one.met else "[bold red]missed[/bold red]"
        table.add_row(
            one.method,
            f"{one.provided:.4f}",
            f"{one.llm:.4f}",
            f"{one.points:+.2f}",
            f"{-POINTS_BELOW_MAX:+.2f}",
            verdict,
        )
    return table


def _balance(layout: LayoutFigures) -> str:
    return " ".join(str(groups) for _, groups in sorted(layout.groups_by_shard.items()))


def _goals(result: EvalResult) -> Table:
    table = _table("layout", "goal", "figure", "at least", "", texts=2)
    for goal in result.goals:
        verdict = "[green]met[/green]" if goal.met else "[bold red]missed[/bold red]"
        table.add_row(goal.layout, goal.what, f"{goal.figure:.4f}", f"{goal.bound:.4f}", verdict)
    return table


def _table(*columns: str, texts: int) -> Table:
    """The first `texts` columns are left aligned, the others hold figures."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < texts else "right", no_wrap=True)
    return table
