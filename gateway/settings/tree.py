"""The whole tree of settings. Its field names are the paths of the file, the environment and --set."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.settings.fleet import CatalogSettings, EmbeddedSettings, ShardLimits, ShardSettings
from gateway.settings.section import Folder, Section
from gateway.settings.service import (
    CrossEncoderSection,
    EmbedderSection,
    GrpcSettings,
    IngestSection,
    LanguageModelSection,
    LoggingSettings,
    MetricsSettings,
    MovesSettings,
    RoutingSettings,
    SearchCacheSettings,
    VectorSlotSettings,
)

SHARDS_MAX = 1_000

type PasswordName = Annotated[str, Field(pattern=r"^[a-z0-9_\-]{1,64}$")]
type ProfileName = Literal["balanced", "high_throughput", "low_latency", "vertical"]


def user_folder(variable: str, otherwise: str) -> Path:
    """graphgate's folder under one of the XDG base directories; a relative one is ignored, as XDG asks."""
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home() / otherwise) / "graphgate"


def _embedded_defaults() -> EmbeddedSettings:
    return EmbeddedSettings(data_dir=user_folder("XDG_DATA_HOME", ".local/share"))


class Settings(Section):
    """Made by gateway/settings/loading.py; `Settings()` holds the defaults."""

    profile: ProfileName = "balanced"
    """A set of defaults for a kind of load; whatever is given explicitly wins over it."""
    grpc: GrpcSettings = GrpcSettings()
    metrics: MetricsSettings = MetricsSettings()
    logging: LoggingSettings = LoggingSettings()
    routing: RoutingSettings = RoutingSettings()
    search_cache: SearchCacheSettings = SearchCacheSettings()
    vector_slots: VectorSlotSettings = VectorSlotSettings()
    moves: MovesSettings = MovesSettings()
    embedder: EmbedderSection = EmbedderSection()
    cross_encoder: CrossEncoderSection = CrossEncoderSection()
    llm: LanguageModelSection = LanguageModelSection()
    ingest: IngestSection = IngestSection()
    shards: Annotated[tuple[ShardSettings, ...], Field(max_length=SHARDS_MAX)] = ()
    """The fleet's database servers. None: the gateway starts a fleet of its own."""
    shard_passwords: Annotated[dict[PasswordName, SecretStr], Field(max_length=SHARDS_MAX)] = Field(
        default_factory=dict[str, SecretStr], repr=False
    )
    """Passwords of shards that are added at run time, by the name that AddShard gives as credentials."""
    shard_defaults: ShardLimits = ShardLimits()
    """Limits of every shard that does not name its own."""
    catalog: CatalogSettings = CatalogSettings()
    pool_graphs: Annotated[int, Field(ge=1, le=256)] = 16
    """Pooled graphs of a new FalkorDB shard; its marker keeps the number that it was founded with."""
    embedded: EmbeddedSettings = Field(default_factory=_embedded_defaults)
    cache: Folder = Field(default_factory=lambda: user_folder("XDG_CACHE_HOME", ".cache"))
    """Folder of what can be made again: the local embedder's graph, the jars of Neo4j."""

    @model_validator(mode="after")
    def _fleet_is_complete(self) -> Self:
        repeated = [shard_id for shard_id, times in Counter(s.id for s in self.shards).items() if times > 1]
        if repeated:
            raise ValueError(f"shards have the same id {', '.join(repeated)}; give each its own")
        if self.shards and self.catalog.url is None:
            raise ValueError("shards are given without catalog.url; give the Redis that holds the catalog")
        if self.catalog.url is not None and not self.shards:
            raise ValueError(
                "catalog.url is given without shards; give the shards, or neither for a fleet of its own"
            )
        if not self.shards and not self.embedded.falkordb_shards + self.embedded.neo4j_shards:
            raise ValueError(
                "there is no shard; give shards, or embedded.falkordb_shards or embedded.neo4j_shards above 0"
            )
        return self

    @property
    def embedded_in_use(self) -> bool:
        """Whether the gateway brings its own fleet."""
        return not self.shards

    def with_fleet(self, shards: Sequence[ShardSettings], catalog_url: str) -> Self:
        """These settings once the embedded fleet runs: from there on it is a fleet like a given one."""
        catalog = self.catalog.model_copy(update={"url": catalog_url})
        found: dict[str, object] = {
            "shards": tuple(shards),
            "catalog": catalog,
            "pool_graphs": self.embedded.pool_graphs,
        }
        return self.model_copy(update=found)
