"""What can go wrong in the benchmark of ingestion."""

from drivers.errors import GraphgateError


class EpisodesNotApplied(GraphgateError):
    """Episodes of the benchmark did not become a graph: figures without them would mean nothing."""

    def __init__(self, group_id: str, count: int, first: str) -> None:
        super().__init__(f"{count} episodes of group {group_id} did not become a graph; the first: {first}")


class EpisodeNotVisible(GraphgateError):
    """An accepted episode was not found by a search for all that time."""

    def __init__(self, group_id: str, episode_uuid: str, timeout_s: float) -> None:
        super().__init__(
            f"episode {episode_uuid} of group {group_id} was not found within {timeout_s:g} s; look at the "
            "log of the gateway"
        )
