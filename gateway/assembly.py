"""From the settings to the parts below the gateway: the one place that names both engines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from drivers.contract import ShardDriver
from drivers.example_group import ExampleGroup
from drivers.fence import Engine
from drivers.query_plan import PlanReader, QueryShape
from gateway.rerank.openai_cross_encoder import CrossEncoderSettings
from gateway.search_cache.search_cache import SearchCacheSettings
from gateway.settings import fleet as fleet_section
from gateway.settings.fleet import ShardSettings
from gateway.settings.tree import Settings
from shard_router.catalog import CatalogSettings
from shard_router.fleet import FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.gate import GateLimits
from shard_router.observer import ShardCallObserver, observed
from shard_router.placement_hints import HintSettings
from shard_router.router import RouterSettings
from shard_router.shard_map import ShardInfo
from shard_router.slot_policy import SlotPolicy

if TYPE_CHECKING:
    from drivers.falkordb import FalkorDBSettings
    from drivers.neo4j import Neo4jSettings


class ListenFailed(Exception):
    """The gateway's address cannot be used."""

    def __init__(self, address: str) -> None:
        super().__init__(f"cannot listen on {address}; stop what uses it or set grpc.port")


def configured_shard(settings: ShardSettings, observer: ShardCallObserver) -> ConfiguredShard:
    engine = Engine(settings.engine.upper())
    info = ShardInfo(settings.id, engine, settings.weight, settings.zone)
    return ConfiguredShard(info, observed(make_driver(engine, settings), observer))


def catalog_url(settings: fleet_section.CatalogSettings) -> str:
    """With user, password and TLS options, as the Redis client takes them."""
    assert settings.url is not None, "settings without shards are completed before the gateway is made"
    parts = urlsplit(settings.url)
    netloc, query = parts.netloc, parts.query
    if settings.password is not None:
        user, password = (
            quote(settings.user or "", safe=""),
            quote(settings.password.get_secret_value(), safe=""),
        )
        netloc = f"{user}:{password}@{netloc}"
    tls: dict[str, str] = {}
    if settings.tls.ca_file is not None:
        tls["ssl_ca_certs"] = str(settings.tls.ca_file)
    if not settings.tls.verify:
        tls |= {"ssl_cert_reqs": "none", "ssl_check_hostname": "false"}
    if tls:
        query = "&".join(part for part in (query, urlencode(tls)) if part)
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def catalog_settings(settings: fleet_section.CatalogSettings) -> CatalogSettings:
    return CatalogSettings(
        prefix=settings.prefix,
        connections_max=settings.pool_size_max,
        call_timeout_s=settings.command_timeout_s,
    )


def fleet_settings(settings: Settings) -> FleetSettings:
    return FleetSettings(
        pool_graphs=settings.pool_graphs,
        gate=GateLimits(
            calls_max=settings.routing.shard_calls_max, waiting_max=settings.routing.shard_calls_waiting_max
        ),
    )


def router_settings(settings: Settings) -> RouterSettings:
    return RouterSettings(hints=HintSettings(entries_max=settings.routing.placements_cached_max))


def slot_policy(settings: Settings) -> SlotPolicy:
    slots = settings.vector_slots
    rows_min = {Engine.FALKORDB: slots.falkordb_rows_min, Engine.NEO4J: slots.neo4j_rows_min}
    return SlotPolicy(rows_min=rows_min, slots_max=slots.slots_max)


def search_cache_settings(settings: Settings) -> SearchCacheSettings:
    return SearchCacheSettings(bytes_max=settings.search_cache.bytes_max, ttl_s=settings.search_cache.ttl_s)


def cross_encoder_settings(settings: Settings) -> CrossEncoderSettings:
    chosen = settings.cross_encoder
    return CrossEncoderSettings(
        model=chosen.model,
        protocol=chosen.protocol,
        base_url=chosen.base_url,
        api_key=None if chosen.api_key is None else chosen.api_key.get_secret_value(),
        timeout_s=chosen.timeout_s,
        passages_max=chosen.passages_max,
        requests_running_max=chosen.requests_running_max,
        requests_waiting_max=chosen.requests_waiting_max,
    )


def make_driver(engine: Engine, settings: ShardSettings) -> ShardDriver:
    """Imports the client library of that engine only."""
    match engine:
        case Engine.FALKORDB:
            from drivers.falkordb import FalkorDBDriver  # noqa: PLC0415

            return FalkorDBDriver(settings.id, _falkordb_settings(settings))
        case Engine.NEO4J:
            from drivers.neo4j import Neo4jDriver  # noqa: PLC0415

            return Neo4jDriver(settings.id, _neo4j_settings(settings))


def make_plan_reader(engine: Engine, settings: ShardSettings, pool_graphs: int) -> PlanReader:
    """`pool_graphs` as in the shard's marker. Imports the client library of that engine only."""
    match engine:
        case Engine.FALKORDB:
            from drivers.falkordb.plans import FalkorDBPlans  # noqa: PLC0415

            return FalkorDBPlans(settings.id, _falkordb_settings(settings), pool_graphs)
        case Engine.NEO4J:
            from drivers.neo4j.plans import Neo4jPlans  # noqa: PLC0415

            return Neo4jPlans(settings.id, _neo4j_settings(settings))


def query_shapes(engine: Engine, example: ExampleGroup) -> Sequence[QueryShape]:
    """Every query that the engine's driver sends, with parameters of the example."""
    match engine:
        case Engine.FALKORDB:
            from drivers.falkordb import query_shapes as falkordb  # noqa: PLC0415

            return falkordb.query_shapes(example)
        case Engine.NEO4J:
            from drivers.neo4j import query_shapes as neo4j  # noqa: PLC0415

            return neo4j.query_shapes(example)


def _falkordb_settings(settings: ShardSettings) -> "FalkorDBSettings":
    from drivers.falkordb import FalkorDBSettings  # noqa: PLC0415

    return FalkorDBSettings(
        url=settings.url,
        user=settings.user or "",
        password=_password(settings),
        tls_ca_file=str(settings.tls.ca_file or ""),
        tls_verify=settings.tls.verify,
        pool_size_max=settings.pool_size_max,
        acquire_timeout_s=settings.acquire_timeout_s,
        connect_timeout_s=settings.connect_timeout_s,
        connection_lifetime_s=settings.connection_lifetime_s,
        query_timeout_s_max=settings.query_timeout_s_max,
        concurrent_queries_max=settings.concurrent_queries_max,
    )


def _neo4j_settings(settings: ShardSettings) -> "Neo4jSettings":
    from drivers.neo4j import Neo4jSettings  # noqa: PLC0415

    return Neo4jSettings(
        url=settings.url,
        user=settings.user or "",
        password=_password(settings),
        tls_ca_file=str(settings.tls.ca_file or ""),
        tls_verify=settings.tls.verify,
        pool_size_max=settings.pool_size_max,
        acquire_timeout_s=settings.acquire_timeout_s,
        connect_timeout_s=settings.connect_timeout_s,
        connection_lifetime_s=settings.connection_lifetime_s,
        query_timeout_s_max=settings.query_timeout_s_max,
        concurrent_queries_max=settings.concurrent_queries_max,
        fetch_size=settings.fetch_size,
        write_lane=settings.write_lane,
    )


def _password(settings: ShardSettings) -> str:
    return settings.password.get_secret_value() if settings.password else ""
