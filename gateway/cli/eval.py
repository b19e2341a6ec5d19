"""`graphgate eval`: retrieval quality, and whether it depends on where groups live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import fail
from gateway.cli.options import load

if TYPE_CHECKING:
    from gateway.eval.evaluation import EvalResult

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder with corpus.json, openie.json and questions.json of MuSiQue-100; default: the copy "
            "that is part of the installation.",
        ),
    ] = None,
    layouts: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Some of falkordb_1, falkordb_4, falkordb_8, neo4j_1, mixed (one FalkorDB and one Neo4j "
            "shard), single_group; the first is what the others are compared with. Default: all, those with "
            "Neo4j if Java 17 and its jars are there.",
        ),
    ] = None,
    questions: Annotated[
        int | None, typer.Option(min=1, max=100, help="Only the first questions, for a quick look.")
    ] = None,
    passages: Annotated[
        int | None,
        typer.Option(min=1, max=1_890, help="Only the first passages and the questions that they answer."),
    ] = None,
    ingest: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="provided: rows are written as the data names them. llm: passages are sent as episodes, and "
            "a fake model server answers the gateway's prompts with what was recorded of them. both: each "
            "layout in both ways, compared.",
        ),
    ] = "provided",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="End with one JSON line on standard output; the rest goes to standard error."
        ),
    ] = False,
) -> None:
    """Measure **what searches find**, layout by layout, on 1,890 passages and 100 multi-hop questions.

    The same rows under the same uuids, with the same vectors, are written to each layout of shards, which is
    then asked every question by five kinds of search: semantic, keyword, graph, and two hybrids (default
    weights with k = 60; equal weights with k = 1). Reports recall, nDCG, latency, and how much the first ten
    hits have in common with those of the first layout, beside goals. Ends with code 0 whether or not the
    goals are met.

    With `--ingest both` what a model's answers lose against rows that are written as they are is told as
    points of R@10; the gateway makes the vectors, which takes some minutes more.

    The first run embeds 38,000 texts, which takes some minutes; later ones find the vectors in the cache.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from gateway.corpus.dataset import DATA_FILE, load_dataset  # noqa: PLC0415
    from gateway.corpus.published import DataUnusable  # noqa: PLC0415
    from gateway.eval.layouts import LAYOUTS, Ingest, chosen_layouts, filled  # noqa: PLC0415

    try:
        chosen = LAYOUTS if layouts is None else chosen_layouts(layouts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--layouts") from error
    try:
        chosen = filled(chosen, Ingest(ingest))
    except ValueError as error:
        known = ", ".join(Ingest)
        raise typer.BadParameter(f"{ingest!r} is none of {known}", param_hint="--ingest") from error
    try:
        dataset = load_dataset(data or DATA_FILE)
    except DataUnusable as error:
        fail(str(error), as_json=as_json)
    dataset = dataset.first(passages or len(dataset.passages))
    asked = dataset.questions[:questions]
    if not asked:
        fail(
            f"no question is answered by the first {len(dataset.passages)} passages; give more --passages",
            as_json=as_json,
        )
    progress, report = Console(stderr=True), Console(stderr=as_json)
    for console in (progress, report):
        if not console.is_terminal:
            console.width = _PIPE_WIDTH
    results: list[EvalResult] = []

    async def measure() -> None:
        from gateway.eval.evaluation import Evaluation  # noqa: PLC0415 - optional extra

        evaluation = Evaluation(
            dataset,
            asked,
            chosen,
            data=data or DATA_FILE,
            cache_dir=settings.cache,
            must_have_all=layouts is not None,
            console=progress,
        )
        results.append(await evaluation.run())

    run_owned(measure(), as_json=as_json)
    from gateway.eval.report import print_report  # noqa: PLC0415

    print_report(results[0], report)
    if as_json:
        print(results[0].as_json(), flush=True)
