"""Settings of what the gateway connects to: shards, their limits, the catalog, or a fleet of its own."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.settings.section import (
    BOLT_SCHEMES,
    REDIS_SCHEMES,
    TLS_SCHEMES,
    ExistingFile,
    Folder,
    Section,
    Url,
    check_url,
)
from shard_router.ring import WEIGHT_MAX, RingMember


def _shard_id(text: str) -> str:
    RingMember(text, 1.0)
    return text


def _two_decimals(weight: float) -> float:
    if round(weight, 2) != weight:
        raise ValueError("must have at most two decimals")
    return weight


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class TlsSettings(Section):
    """How a server's certificate is checked. TLS itself is chosen by the URL: rediss, bolt+s."""

    ca_file: ExistingFile | None = None
    """PEM file of the authority that signed the server's certificate. Unset: the system's."""
    verify: bool = True
    """False accepts any certificate: for tests only."""


def _tls_applies(tls: TlsSettings, info: ValidationInfo) -> TlsSettings:
    url = info.data.get("url")
    if tls != TlsSettings() and isinstance(url, str) and url.partition("://")[0] not in TLS_SCHEMES:
        raise ValueError(f"does nothing with this URL; begin it with one of {', '.join(TLS_SCHEMES)}")
    return tls


def _password_once(password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    url = info.data.get("url")
    if password is not None and isinstance(url, str) and "@" in url:
        raise ValueError("is given twice, here and in the URL; take it out of the URL")
    return password


class ShardLimits(Section):
    """Bounds of the connections to one shard."""

    pool_size_max: Annotated[int, Field(ge=1, le=200)] = 50
    """Connections."""
    connection_lifetime_s: Annotated[float, Field(ge=1, le=86_400)] = 3_600.0
    """Older connections are replaced."""
    acquire_timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Wait for a free connection."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    query_timeout_s_max: Annotated[float, Field(gt=0, le=300)] = 30.0
    """A query gets what remains of its caller's deadline, at most this."""
    concurrent_queries_max: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Queries or transactions at once."""
    fetch_size: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Rows fetched at a time (Neo4j)."""
    write_lane: bool = True
    """Small writes of many groups that come at the same time share commits (Neo4j)."""


class ShardPlace(Section):
    """What a shard is and where."""

    id: Annotated[str, AfterValidator(_shard_id)]
    """1 to 64 of A-Z a-z 0-9 _ - . ; never changes."""
    engine: Annotated[Literal["falkordb", "neo4j"], BeforeValidator(_lower)]
    url: Url = Field(repr=False)
    """falkordb: redis://host:port, rediss:// or unix://path; neo4j: bolt:// or bolt+s://."""
    user: Annotated[str, Field(max_length=200)] | None = None
    password: SecretStr | None = None
    weight: Annotated[float, Field(gt=0, le=WEIGHT_MAX), AfterValidator(_two_decimals)] = 1.0
    """Share of new groups, relative to the other shards: above 0, at most 100, two decimals."""
    zone: Annotated[str, Field(max_length=64)] = ""
    tls: TlsSettings = TlsSettings()

    @field_validator("url")
    @classmethod
    def _url_fits_the_engine(cls, url: str, info: ValidationInfo) -> str:
        engine = info.data.get("engine")
        if engine == "neo4j":
            check_url(url, BOLT_SCHEMES)
            if "@" in url:
                raise ValueError("must not hold user and password; give them as user and password")
        elif engine == "falkordb":
            check_url(url, REDIS_SCHEMES)
        return url

    _password = field_validator("password")(_password_once)
    _tls = field_validator("tls")(_tls_applies)


class ShardSettings(ShardLimits, ShardPlace):
    """One database server. Its limits come from shard_defaults unless they are given here."""


class CatalogSettings(Section):
    """The Redis that holds the shard map and the placements. An embedded fleet has its own."""

    url: Url | None = Field(default=None, repr=False)
    """redis://host:port/db, rediss:// or unix://path."""
    user: Annotated[str, Field(max_length=200)] | None = None
    password: SecretStr | None = None
    tls: TlsSettings = TlsSettings()
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")] = "graphgate"
    """Of every key, so that fleets can share a server."""
    pool_size_max: Annotated[int, Field(ge=1, le=200)] = 20
    command_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0

    @field_validator("url")
    @classmethod
    def _url_is_redis(cls, url: str | None) -> str | None:
        return None if url is None else check_url(url, REDIS_SCHEMES)

    _password = field_validator("password")(_password_once)
    _tls = field_validator("tls")(_tls_applies)

    @model_validator(mode="after")
    def _user_has_a_password(self) -> Self:
        if self.user is not None and self.password is None:
            raise ValueError("user is given without password; give both or neither")
        return self


class EmbeddedSettings(Section):
    """The fleet that `graphgate serve` starts by itself when no shards are given."""

    data_dir: Folder
    """Survives restarts; one gateway at a time."""
    falkordb_shards: Annotated[int, Field(ge=0, le=16)] = 3
    neo4j_shards: Annotated[int, Field(ge=0, le=4)] = 0
    """Needs Java 17 and the jars that `make neo4j` fetches."""
    pool_graphs: Annotated[int, Field(ge=1, le=256)] = 4
    """As pool_graphs, for this fleet."""
