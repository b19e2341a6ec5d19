"""From the settings to the parts below the gateway: the one place that names both engines."""

import os
import secrets
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from pydantic import ValidationError

from drivers.contract import ShardDriver
from drivers.example_group import ExampleGroup
from drivers.fence import Engine
from drivers.query_plan import PlanReader, QueryShape
from gateway.ingest.prompts.material import Budget
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.work.settings import Strategy, WorkerSettings
from gateway.llm.rate_limit import RateLimits
from gateway.llm.settings import LanguageModelSettings, ModelChoice, Price, ProviderSettings
from gateway.llm.tasks import Tier
from gateway.llm.text_care import Compression
from gateway.rerank.openai_cross_encoder import CrossEncoderSettings
from gateway.search_cache.search_cache import SearchCacheSettings
from gateway.settings import fleet as fleet_section
from gateway.settings.fleet import ShardSettings
from gateway.settings.tree import Settings
from shard_router.catalog import CatalogSettings
from shard_router.fleet import FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.gate import GateLimits
from shard_router.moves.settings import MoveSettings
from shard_router.observer import ShardCallObserver, observed
from shard_router.placement_hints import HintSettings
from shard_router.router import RouterSettings
from shard_router.shard_map import ShardInfo
from shard_router.shards.errors import CredentialsUnknown, ShardUnfit
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


def added_shard_driver(settings: Settings, observer: ShardCallObserver, info: ShardInfo) -> ShardDriver:
    """Of a shard that was added at run time. Raises CredentialsUnknown, ShardUnfit for an endpoint that no
    engine takes."""
    endpoint = info.endpoint
    assert endpoint is not None, "a shard without an endpoint is one of the settings"
    password = settings.shard_passwords.get(endpoint.credentials)
    if endpoint.credentials and password is None:
        raise CredentialsUnknown(info.shard_id, endpoint.credentials)
    try:
        shard = ShardSettings.model_validate(
            settings.shard_defaults.model_dump()
            | {
                "id": info.shard_id,
                "engine": info.engine.lower(),
                "url": endpoint.url,
                "user": endpoint.user or None,
                "password": password,
            }
        )
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise ShardUnfit(
            info.shard_id, "endpoint", f"its endpoint is not usable ({why}); correct it"
        ) from None
    return observed(make_driver(info.engine, shard), observer)


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


def gateway_id() -> str:
    """Of this process, unlike that of any other one."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def move_settings(settings: Settings) -> MoveSettings:
    chosen = settings.moves
    return MoveSettings(
        moves_max=chosen.running_max,
        moves_per_shard_max=chosen.running_per_shard_max,
        freeze_s_max=chosen.pause_ms_budget / 1000,
        persist_s=chosen.record_interval_s,
        cleanup_share=chosen.cleanup_share,
        adopted_window_s=chosen.reverse_window_s,
        indexes_first=chosen.indexes_first,
        slots=slot_policy(settings),
    )


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


def language_model_settings(settings: Settings) -> LanguageModelSettings:
    chosen = settings.llm
    if chosen.model is None:
        return LanguageModelSettings()
    names = {Tier.FAST: chosen.fast_model, Tier.ACCURATE: chosen.accurate_model}
    price = Price(chosen.input_usd_per_million, chosen.output_usd_per_million)
    models = {chosen.model, chosen.fallback_model, *names.values()} - {None}
    return LanguageModelSettings(
        model=ModelChoice(chosen.model),
        tier_models={tier: ModelChoice(name) for tier, name in names.items() if name is not None},
        fallback=None if chosen.fallback_model is None else ModelChoice(chosen.fallback_model),
        fallback_after_s=chosen.fallback_after_s,
        providers={
            "default": ProviderSettings(
                base_url=chosen.base_url,
                api_key=None if chosen.api_key is None else chosen.api_key.get_secret_value(),
                rates=RateLimits(chosen.requests_per_s, chosen.requests_per_minute, chosen.tokens_per_minute),
                requests_running_max=chosen.requests_running_max,
                limit_field=chosen.output_limit_field,
                with_temperature=chosen.with_temperature,
                prices={name: price for name in models if name is not None},
            )
        },
        requests_running_max=chosen.requests_running_max,
        requests_waiting_max=chosen.requests_waiting_max,
        prompt_tokens_max=chosen.prompt_tokens_max,
        request_s_max=chosen.timeout_s,
        cache_file=settings.cache / "model_answers.sqlite" if chosen.cache_bytes_max else None,
        cache_bytes_max=chosen.cache_bytes_max,
    )


def prompt_budget(settings: Settings) -> Budget:
    return Budget(settings.llm.prompt_tokens_max, Compression(settings.llm.compression))


def queue_settings(settings: Settings) -> QueueSettings:
    chosen = settings.ingest
    return QueueSettings(
        prefix=settings.catalog.prefix,
        partitions=chosen.partitions,
        group_waiting_max=chosen.group_waiting_max,
        waiting_max=chosen.waiting_max,
        group_waiting_bytes_max=chosen.group_waiting_bytes_max,
        waiting_bytes_max=chosen.waiting_bytes_max,
        status_kept_s=chosen.status_kept_s,
        failed_kept_s=chosen.failed_kept_s,
        failures_max=chosen.failures_max,
        failures_bytes_max=chosen.failures_bytes_max,
        lease_s=chosen.lease_s,
    )


def worker_settings(settings: Settings) -> WorkerSettings:
    chosen = settings.ingest
    return WorkerSettings(
        strategy=Strategy(chosen.strategy),
        first_batch=chosen.first_batch,
        batch_max=chosen.batch_max,
        unit_s_max=chosen.unit_s_max,
        pause_s_max=chosen.pause_s_max,
        stands_by=settings.llm.model is None,
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
