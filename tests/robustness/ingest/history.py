"""What the run knows of an episode, and what it sees at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.robustness.ingest.episodes import Episode


@dataclass(frozen=True, slots=True)
class EpisodeHistory:
    episode: Episode
    acks: tuple[str, ...] = ()
    """uuid in every answer that accepted it; empty strings for those that a resumed stream has told."""
    refusals: tuple[str, ...] = ()
    """Reasons of refusals that another attempt would not change."""

    @property
    def accepted(self) -> bool:
        return bool(self.acks)


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    uuid: str
    version: int
    content: str


@dataclass(frozen=True, slots=True)
class FactRow:
    uuid: str
    ends: tuple[str, str]
    text: str
    episode_uuids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusSeen:
    state: str
    version: int = 0
    attempts: int = 0
    reason: str = ""
    """Of the error."""


@dataclass(frozen=True, slots=True)
class GroupGraph:
    """Straight from the shard that owns the group, and what the queue tells of its episodes."""

    owners: tuple[str, ...]
    """More than one: the rows are those of the first."""
    version: int = 0
    operations: Mapping[str, int] = field(default_factory=dict[str, int])
    """Version by op id."""
    episodes: tuple[EpisodeRow, ...] = ()
    facts: tuple[FactRow, ...] = ()
    mentions: Mapping[str, int] = field(default_factory=dict[str, int])
    """By uuid of the episode."""
    entity_names: tuple[str, ...] = ()
    statuses: Mapping[str, StatusSeen] = field(default_factory=dict[str, StatusSeen])
    """By op id; without one: the queue knows nothing of it."""
    listed: tuple[tuple[str, str], ...] = ()
    """Failures that are listed: op id and reason."""
