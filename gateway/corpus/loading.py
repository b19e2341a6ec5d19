"""Writes the whole graph of groups, with bars that show how far it is."""

from collections.abc import Callable, Sequence

from rich.progress import Progress

from gateway.corpus.graph_rows import GroupGraph
from gateway.corpus.vectors import VectorTable
from gateway.corpus.write_calls import WriteCall, WriteCalls
from gateway.corpus.writer import Journal, Writer
from gateway.loopback.client import GatewayClient

type CallsByGroup = Sequence[Sequence[WriteCall]]


def rows_bar(progress: Progress, title: str, groups: CallsByGroup) -> Callable[[WriteCall], None]:
    """Adds a bar of the calls' rows; returns what is to be told of every call that is acknowledged."""
    task = progress.add_task(title, total=sum(call.rows for group in groups for call in group))
    return lambda call: progress.advance(task, call.rows)


async def load_graph(
    client: GatewayClient, groups: Sequence[GroupGraph], vectors: VectorTable, progress: Progress
) -> None:
    """Every row in batches. Raises RetriesExhausted and AioRpcError."""
    calls = WriteCalls(vectors)
    writer = Writer(client, Journal())
    for title, make in (
        ("entities", calls.entities),
        ("episodes, mentions", calls.episodes),
        ("facts", calls.facts),
    ):
        of_kind = [make(group) for group in groups]
        await writer.run(of_kind, rows_bar(progress, title, of_kind))
