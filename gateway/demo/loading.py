"""Writes the graph into a fleet that crashes on the way."""

from collections.abc import Awaitable, Callable, Sequence

from rich.progress import Progress

from gateway.corpus.graph_rows import GroupGraph
from gateway.corpus.loading import CallsByGroup, rows_bar
from gateway.corpus.running_fleet import RunningFleet
from gateway.corpus.vectors import VectorTable
from gateway.corpus.write_calls import WriteCalls
from gateway.corpus.writer import Journal, PhaseTiming, Writer
from gateway.demo.crashes import Outage, crash_engine, crash_gateway, write_through_crash
from gateway.demo.figures import WriteFigures
from gateway.demo.screen import Screen

PASSAGE_GROUP_EVERY = 9
"""Every ninth group is written passage by passage, the others in batches."""


class _Phases:
    """Writes in phases with a bar each."""

    def __init__(self, writer: Writer, progress: Progress) -> None:
        self._writer = writer
        self._progress = progress

    async def write(self, title: str, groups: CallsByGroup) -> PhaseTiming:
        return await self._writer.run(groups, rows_bar(self._progress, title, groups))

    async def write_through(
        self, title: str, groups: CallsByGroup, crash: Callable[[], Awaitable[Outage]]
    ) -> tuple[PhaseTiming, Outage]:
        return await write_through_crash(self._writer, groups, rows_bar(self._progress, title, groups), crash)


async def load_graph_through_crashes(
    run: RunningFleet, groups: Sequence[GroupGraph], vectors: VectorTable, journal: Journal, screen: Screen
) -> WriteFigures:
    """Every row, acknowledged, although the gateway and an engine are killed on the way.

    Raises RetriesExhausted and AioRpcError.
    """
    screen.step("Writing, with a crash of the gateway and one of an engine on the way")
    calls = WriteCalls(vectors)
    one_by_one = groups[PASSAGE_GROUP_EVERY // 2 :: PASSAGE_GROUP_EVERY]
    in_batches = [group for group in groups if group not in one_by_one]
    writer = Writer(run.client, journal)

    async def crash(what: Awaitable[Outage]) -> Outage:
        outage = await what
        screen.outage(outage)
        return outage

    with screen.progress() as progress:
        phases = _Phases(writer, progress)
        entities = await phases.write("entities", [calls.entities(group) for group in in_batches])
        episodes, gateway_outage = await phases.write_through(
            "episodes, mentions",
            [calls.episodes(group) for group in in_batches],
            lambda: crash(crash_gateway(run, writer)),
        )
        facts = await phases.write("facts", [calls.facts(group) for group in in_batches])
        passages, engine_outage = await phases.write_through(
            "whole passages by AddEpisode",
            [calls.passages(group) for group in one_by_one],
            lambda: crash(crash_engine(run, writer, one_by_one[0].group_id)),
        )
    passages_per_s = passages.calls / passages.wall_s
    screen.say(
        f"  {entities.rows_per_s:,.0f} entities/s, {facts.rows_per_s:,.0f} facts/s in batches of up to 200"
        f" with their vectors; {passages_per_s:,.0f} passages/s one by one, the crash included"
    )
    return WriteFigures(entities, episodes, facts, passages, (gateway_outage, engine_outage))
