"""`graphgate bench write`: how fast rows are written, and how fast they could be."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, load

if TYPE_CHECKING:
    from gateway.bench.batch_writes import BatchWriteOptions, BatchWriteResult, KindName, VariantName
    from gateway.bench.small_writes import SmallWriteOptions, SmallWriteResult

SMALL_ROWS_MAX = 32
"""Up to this many rows in a write its latency is what matters, beyond it the rows per second."""

_KINDS: "tuple[KindName, ...]" = ("entities", "facts")
_SINGULAR = {"entities": "entity", "facts": "fact"}


def write(
    engine: Annotated[
        Literal["falkordb", "neo4j"], typer.Option(help="Engine of the one shard.")
    ] = "falkordb",
    rows: Annotated[int, typer.Option(min=1, max=2_000, help="Rows in one write.")] = 200,
    writers: Annotated[int, typer.Option(min=1, max=64, help="Writes side by side.")] = 4,
    groups: Annotated[
        int | None,
        typer.Option(min=1, max=1_000, help="Groups written to; default one for each writer."),
    ] = None,
    round_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Entities, and as many facts, per variant and round; default 4,000, of small writes 400.",
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=3, max=100, help="Rounds that count, after those that warm up.")
    ] = 6,
    as_json: AsJson = False,
) -> None:
    """Write random entities and facts with 384-dimensional vectors to **one shard** of its own.

    Batches (more than 32 rows in a write): three variants take turns within every round: through a gateway
    process over gRPC (with fence, version and operation record), by the driver alone, and by a bare loop of
    UNWIND and MERGE into the same indexes, which is the floor that the engine sets. Reports rows per second.

    Small writes (up to 32 rows): writes per second and latency; on Neo4j through a gateway whose small writes
    share commits and one whose do not, beside a bare loop and an empty call of the gateway.

    Reports medians with the slowest and the fastest round.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from gateway.bench import batch_writes, small_writes  # noqa: PLC0415 - slow
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415

    if rows > SMALL_ROWS_MAX and groups not in (None, writers):
        raise typer.BadParameter("batches have one group for each writer", param_hint="--groups")

    async def measure() -> None:
        with tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as name:
            if rows <= SMALL_ROWS_MAX:
                small = small_writes.SmallWriteOptions(
                    engine,
                    cache_dir=settings.cache,
                    rows=rows,
                    writes=max(1, (round_rows or 400) // rows),
                    rounds=rounds,
                    writers=writers,
                    groups=groups or writers,
                )
                figures = await small_writes.run_small_writes(small, Path(name))
                text = _small_json(small, figures) if as_json else _small_text(small, figures)
            else:
                batch = batch_writes.BatchWriteOptions(
                    engine,
                    cache_dir=settings.cache,
                    rows=round_rows or 4_000,
                    batch_rows=rows,
                    rounds=rounds,
                    writers=writers,
                )
                rates = await batch_writes.run_batch_writes(batch, Path(name))
                text = _batch_json(batch, rates) if as_json else _batch_text(batch, rates)
        print(text, flush=True)

    run_owned(measure(), as_json=as_json)


def _small_json(options: "SmallWriteOptions", result: "SmallWriteResult") -> str:
    """Entities under the plain keys, facts with a prefix; every figure by variant."""
    table: dict[str, dict[str, object]] = {}
    for (variant, call), figures in result.figures.items():
        prefix = {"entities": "", "facts": "fact_", "echo": "echo_"}[call]
        unit = "calls" if call == "echo" else "writes"
        for name, value in (
            (f"{prefix}{unit}_per_s", round(figures.per_s, 1)),
            (f"{prefix}{unit}_per_s_range", [round(figures.per_s_low, 1), round(figures.per_s_high, 1)]),
            (f"{prefix}p50_ms", round(figures.p50_ms, 2)),
            (f"{prefix}p95_ms", round(figures.p95_ms, 2)),
            (f"{prefix}p99_ms", round(figures.p99_ms, 2)),
            (f"{prefix}gateway_cpu_us", round(figures.gateway_cpu_us)),
        ):
            table.setdefault(name, {})[variant] = value
    return json.dumps(
        {
            "engine": options.engine,
            "engine_version": result.engine_version,
            "rows": options.rows,
            "writers": options.writers,
            "groups": options.groups,
            "writes": options.writes,
            "rounds": options.rounds,
            **table,
        }
    )


def _small_text(options: "SmallWriteOptions", result: "SmallWriteResult") -> str:
    table = [["", "CALL", "PER S", "(RANGE)", "P50 MS", "P95 MS", "P99 MS", "GATEWAY US"]]
    for (variant, call), figures in result.figures.items():
        table.append(
            [
                variant.replace("_", " "),
                {"entities": "entity write", "facts": "fact write", "echo": "empty call"}[call],
                f"{figures.per_s:,.0f}",
                f"({figures.per_s_low:,.0f} to {figures.per_s_high:,.0f})",
                f"{figures.p50_ms:.2f}",
                f"{figures.p95_ms:.2f}",
                f"{figures.p99_ms:.2f}",
                f"{figures.gateway_cpu_us:.0f}" if figures.gateway_cpu_us else "-",
            ]
        )
    rows = "1 row" if options.rows == 1 else f"{options.rows} rows"
    return f"""\
{options.engine} {result.engine_version}, one shard; {options.writers} writers, {options.groups} groups, {rows} in a write
{options.rounds} rounds of {options.writes:,} writes of each kind

{aligned(table)}

GATEWAY US: processor time of the gateway per call"""  # noqa: E501


def _batch_json(options: "BatchWriteOptions", result: "BatchWriteResult") -> str:
    prefixes: dict[VariantName, str] = {"gateway": "", "driver": "driver_", "floor": "floor_"}
    rates: dict[str, object] = {}
    for (variant, kind), rate in result.rates.items():
        key = f"{prefixes[variant]}{kind}_per_s"
        rates[key] = round(rate.median, 1)
        rates[f"{key}_range"] = [round(rate.low, 1), round(rate.high, 1)]
    engine_cpu = {
        f"{prefixes[variant]}engine_cpu_us_per_{_SINGULAR[kind]}": round(cpu_us, 1)
        for (variant, kind), cpu_us in result.engine_cpu_us_per_row.items()
    }
    return json.dumps(
        {
            "engine": options.engine,
            "engine_version": result.engine_version,
            "rows": options.batch_rows,
            "round_rows": options.rows,
            "rounds": options.rounds,
            "writers": options.writers,
            **rates,
            "entities_of_floor": round(result.of_floor["entities"], 3),
            "facts_of_floor": round(result.of_floor["facts"], 3),
            "gateway_cpu_us_per_entity": round(result.gateway_cpu_us_per_row["entities"], 1),
            "gateway_cpu_us_per_fact": round(result.gateway_cpu_us_per_row["facts"], 1),
            **engine_cpu,
            "gateway_rest_memory_mb": round(result.gateway_rest_memory_mb, 1),
        }
    )


def _batch_text(options: "BatchWriteOptions", result: "BatchWriteResult") -> str:
    names: dict[VariantName, str] = {
        "gateway": "through the gateway",
        "driver": "driver alone",
        "floor": "bare loop",
    }
    table = [["", "ENTITIES/S", "(RANGE)", "ENGINE US", "FACTS/S", "(RANGE)", "ENGINE US"]]
    for variant, name in names.items():
        cells = [name]
        for kind in _KINDS:
            rate, cpu_us = result.rates[variant, kind], result.engine_cpu_us_per_row[variant, kind]
            cells += [f"{rate.median:,.0f}", f"({rate.low:,.0f} to {rate.high:,.0f})", f"{cpu_us:.0f}"]
        table.append(cells)
    cpu, share = result.gateway_cpu_us_per_row, result.of_floor
    shape = f"{options.writers} writer{'s' if options.writers > 1 else ''}, batches of {options.batch_rows}"
    gateway_cpu = f"{cpu['entities']:.0f} us per entity, {cpu['facts']:.0f} us per fact"
    return f"""\
{options.engine} {result.engine_version}, one shard; {shape}
{options.rounds} rounds of {options.rows:,} entities and as many facts

{aligned(table)}

of the floor: entities {share["entities"]:.0%}, facts {share["facts"]:.0%}
ENGINE US: processor time of the engine per row; of the gateway: {gateway_cpu}
gateway's memory at rest: {result.gateway_rest_memory_mb:.0f} MB"""
