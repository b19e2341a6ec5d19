"""`graphgate bench write`: how fast rows are written, and how fast they could be."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, load

if TYPE_CHECKING:
    from gateway.bench.write_bench import KindName, VariantName, WriteBenchOptions, WriteBenchResult

_KINDS: "tuple[KindName, ...]" = ("entities", "facts")
_SINGULAR = {"entities": "entity", "facts": "fact"}


def write(
    engine: Annotated[
        Literal["falkordb", "neo4j"], typer.Option(help="Engine of the one shard.")
    ] = "falkordb",
    rows: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Entities, and as many facts, per variant and round.")
    ] = 4_000,
    batch: Annotated[int, typer.Option(min=1, max=2_000, help="Rows in one write.")] = 200,
    rounds: Annotated[int, typer.Option(min=3, max=100, help="Rounds that count; one more warms up.")] = 6,
    writers: Annotated[
        int, typer.Option(min=1, max=64, help="Writes side by side, each to a group of its own.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Write random entities and facts with 384-dimensional vectors to **one shard** of its own.

    Three variants take turns within every round: through a gateway process over gRPC (with fence, version
    and operation record), by the driver alone, and by a bare loop of UNWIND and MERGE into the same indexes,
    which is the floor that the engine sets. Reports medians with the slowest and the fastest round.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from gateway.bench.write_bench import WriteBenchOptions, run_write_bench  # noqa: PLC0415 - slow
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415

    options = WriteBenchOptions(
        engine, cache_dir=settings.cache, rows=rows, batch_rows=batch, rounds=rounds, writers=writers
    )

    async def measure() -> None:
        with tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as directory:
            result = await run_write_bench(options, Path(directory))
        print(_json(options, result) if as_json else _text(options, result), flush=True)

    run_owned(measure(), as_json=as_json)


def _json(options: "WriteBenchOptions", result: "WriteBenchResult") -> str:
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
            "rows": options.rows,
            "batch": options.batch_rows,
            "rounds": options.rounds,
            "writers": options.writers,
            **rates,
            "entities_of_floor": round(result.of_floor["entities"], 3),
            "facts_of_floor": round(result.of_floor["facts"], 3),
            "gateway_cpu_us_per_entity": round(result.gateway_cpu_us_per_row["entities"], 1),
            "gateway_cpu_us_per_fact": round(result.gateway_cpu_us_per_row["facts"], 1),
            **engine_cpu,
            "gateway_rest_memory_mb": round(result.gateway_rest_memory_mb, 1),
            "single_row_p50_ms": round(result.single_row_p50_ms, 2),
            "floor_single_row_p50_ms": round(result.floor_single_row_p50_ms, 2),
        }
    )


def _text(options: "WriteBenchOptions", result: "WriteBenchResult") -> str:
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
    single = f"{result.single_row_p50_ms:.1f} ms (bare loop {result.floor_single_row_p50_ms:.1f} ms)"
    shape = f"{options.writers} writer{'s' if options.writers > 1 else ''}, batches of {options.batch_rows}"
    gateway_cpu = f"{cpu['entities']:.0f} us per entity, {cpu['facts']:.0f} us per fact"
    return f"""\
{options.engine} {result.engine_version}, one shard; {shape}
{options.rounds} rounds of {options.rows:,} entities and as many facts

{aligned(table)}

of the floor: entities {share["entities"]:.0%}, facts {share["facts"]:.0%}
ENGINE US: processor time of the engine per row; of the gateway: {gateway_cpu}
one entity per write, p50: {single}
gateway's memory at rest: {result.gateway_rest_memory_mb:.0f} MB"""
