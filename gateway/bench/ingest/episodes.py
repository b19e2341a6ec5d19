"""Episodes of both sides: passages of MuSiQue-100, whose recorded extractions the model server replays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.corpus.dataset import Dataset
from graphgate.v1 import graph_pb2, ingest_service_pb2

_FIRST_TIME = datetime(2024, 1, 1, tzinfo=UTC)
SOURCE_DESCRIPTION = "a passage"


@dataclass(frozen=True, slots=True)
class BenchEpisode:
    name: str
    content: str
    reference_time: datetime

    def request(self, group_id: str) -> ingest_service_pb2.AddEpisodeRequest:
        episode = graph_pb2.Episode(
            name=self.name,
            content=self.content,
            source=graph_pb2.EPISODE_SOURCE_TEXT,
            source_description=SOURCE_DESCRIPTION,
        )
        episode.reference_time.FromDatetime(self.reference_time)
        return ingest_service_pb2.AddEpisodeRequest(
            group_id=group_id, episode=episode, mode=ingest_service_pb2.EXTRACTION_MODE_LLM
        )

    def message(self) -> dict[str, Any]:
        """For graphiti-core's process."""
        return {
            "name": self.name,
            "content": self.content,
            "source_description": SOURCE_DESCRIPTION,
            "reference_time": self.reference_time.isoformat(),
        }


def bench_episodes(dataset: Dataset, count: int, first: int = 0) -> Sequence[BenchEpisode]:
    """From the passage of number `first` on, a minute apart; past the last one it begins again."""
    total = len(dataset.passages)
    return [
        BenchEpisode(
            passage.title, f"{passage.title}\n{passage.text}", _FIRST_TIME + timedelta(minutes=number)
        )
        for number in range(first, first + count)
        for passage in (dataset.passages[number % total],)
    ]


def spread(episodes: Sequence[BenchEpisode], group_ids: Sequence[str]) -> Sequence[tuple[str, BenchEpisode]]:
    """With the group of each, one after the other."""
    return [(group_ids[at % len(group_ids)], one) for at, one in enumerate(episodes)]
