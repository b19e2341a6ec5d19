"""`graphgate explain`: what the engines do with every query that the drivers send."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED, SETTINGS_WRONG, fail
from gateway.cli.options import AsJson, Sets, SettingsFile, load

if TYPE_CHECKING:
    from drivers.query_plan import QueryShape
    from gateway.embedded import ShardEngine
    from gateway.explain.explanation import ShardExplanation
    from gateway.settings.fleet import ShardSettings
    from gateway.settings.tree import Settings

ENGINES: "tuple[ShardEngine, ...]" = ("falkordb", "neo4j")


def explain(
    engine: Annotated[
        Literal["falkordb", "neo4j"] | None, typer.Option(help="Only this engine; default both.")
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only these shapes, * and ? match anything; shows the steps of their plans, too.",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--list", help="Only name the shapes and the indexes that they must use.")
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            help="Run the queries for rows, hits (Neo4j) and times (FalkorDB); else the plans alone. On "
            "configured shards writes are planned and never run."
        ),
    ] = True,
    shard: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this one of the configured shards.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Group whose rows the queries name, on the configured shards that have it; default: the "
            "first one of each shard.",
        ),
    ] = None,
    settings_file: SettingsFile = None,
    sets: Sets = None,
    as_json: AsJson = False,
) -> None:
    """Show the **plan of every query shape** that the drivers send, and whether it uses its indexes.

    Asks the shards of the settings, where it changes nothing. Without shards in the settings it starts one
    FalkorDB and one Neo4j of its own, writes sample rows, profiles writes as well and removes everything.

    Ends with code 1 when a plan does not use an index that it must use, or an index does not serve.
    """
    settings = load(settings_file, sets, {}, as_json=as_json).settings
    engines = ENGINES if engine is None else (engine,)
    _check_pattern(engines, shape, as_json=as_json)
    if names:
        _print_names(engines, shape, as_json=as_json)
        return
    if settings.shards:
        shards = [
            one for one in settings.shards if one.engine in engines and (shard is None or one.id == shard)
        ]
        if not shards:
            known = ", ".join(f"{one.id} ({one.engine})" for one in settings.shards)
            fail(f"no configured shard is meant; there are {known}", SETTINGS_WRONG, as_json=as_json)
        explained = _configured(shards, group, shape, profile=profile, as_json=as_json)
    else:
        if shard is not None or group is not None:
            fail("--shard and --group need shards in the settings", SETTINGS_WRONG, as_json=as_json)
        explained = _own(settings, engines, engine is not None, shape, profile=profile, as_json=as_json)
    _print(explained, with_steps=shape is not None, as_json=as_json)
    if not all(one.holds for one in explained):
        raise typer.Exit(FAILED)


def _configured(
    shards: "Sequence[ShardSettings]", group: str | None, shape: str | None, *, profile: bool, as_json: bool
) -> "Sequence[ShardExplanation]":
    from drivers.errors import GraphgateError  # noqa: PLC0415
    from gateway.explain.targets import explain_configured  # noqa: PLC0415

    try:
        return asyncio.run(explain_configured(shards, group=group, pattern=shape, profile=profile))
    except (GraphgateError, OSError) as error:
        fail(str(error), as_json=as_json)


def _own(
    settings: "Settings",
    engines: "Sequence[ShardEngine]",
    must_have_all: bool,
    shape: str | None,
    *,
    profile: bool,
    as_json: bool,
) -> "Sequence[ShardExplanation]":
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415

    explained: list[ShardExplanation] = []

    async def run() -> None:
        from gateway.embedded import EmbeddedFleet, find_neo4j_lib, missing_for_neo4j  # noqa: PLC0415
        from gateway.explain.targets import explain_own  # noqa: PLC0415
        from gateway.settings.fleet import ShardSettings  # noqa: PLC0415

        neo4j_lib = find_neo4j_lib(settings.cache)
        missing = missing_for_neo4j(neo4j_lib) if "neo4j" in engines and not must_have_all else None
        if missing is not None:
            typer.echo(f"graphgate: Neo4j is left out, {missing}", err=True)
        with tempfile.TemporaryDirectory(prefix="graphgate-explain-", ignore_cleanup_errors=True) as name:
            async with EmbeddedFleet(
                Path(name),
                falkordb_shards=int("falkordb" in engines),
                neo4j_shards=int("neo4j" in engines and missing is None),
                neo4j_lib_dir=neo4j_lib,
                neo4j_short_lived=True,
            ) as fleet:
                for one in fleet.shards:
                    typer.echo(f"graphgate: asking {one.id} for its plans", err=True)
                    place = ShardSettings.model_validate({"id": one.id, "engine": one.engine, "url": one.url})
                    explained.append(await explain_own(place, pattern=shape, profile=profile))

    run_owned(run(), as_json=as_json)
    return explained


def _check_pattern(engines: Sequence[str], pattern: str | None, *, as_json: bool) -> None:
    if not any(_shapes(engine, pattern) for engine in engines):
        fail(
            f"no query shape is called {pattern!r}; see graphgate explain --list",
            SETTINGS_WRONG,
            as_json=as_json,
        )


def _shapes(engine: str, pattern: str | None) -> "Sequence[QueryShape]":
    from drivers.example_group import placeholder  # noqa: PLC0415
    from drivers.fence import Engine  # noqa: PLC0415
    from gateway.assembly import query_shapes  # noqa: PLC0415
    from gateway.explain.explanation import chosen  # noqa: PLC0415

    return chosen(query_shapes(Engine(engine.upper()), placeholder("any")), pattern)


def _print_names(engines: Sequence[str], pattern: str | None, *, as_json: bool) -> None:
    from gateway.explain import as_json as for_programs  # noqa: PLC0415

    by_engine = {engine: _shapes(engine, pattern) for engine in engines}
    if as_json:
        print(json.dumps({engine: for_programs.names(shapes) for engine, shapes in by_engine.items()}))
        return
    lines = [
        (engine, shape.name, "yes" if shape.writes else "no", ", ".join(shape.indexes) or "-")
        for engine, shapes in by_engine.items()
        for shape in shapes
    ]
    print(aligned([("ENGINE", "SHAPE", "WRITES", "INDEXES"), *lines]))


def _print(explained: "Sequence[ShardExplanation]", *, with_steps: bool, as_json: bool) -> None:
    from gateway.cli import explain_text as text  # noqa: PLC0415
    from gateway.explain import as_json as for_programs  # noqa: PLC0415

    if as_json:
        print(json.dumps(for_programs.explanations(explained)))
        return
    for one in explained:
        print(f"{text.heading(one)}\n\n{text.table(one)}\n")
        for shape in one.shapes if with_steps else ():
            print(f"{text.steps(shape)}\n")
