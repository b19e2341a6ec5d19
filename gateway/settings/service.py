"""Settings of the process itself: what it listens on, how it routes, embeds and logs."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.settings.section import KIB, MIB, Host, Port, Section, Url, check_url

CLIENT_REPLY_BYTES_MAX = 4 * MIB
"""What gRPC clients accept by default."""


class GrpcSettings(Section):
    """The port that clients talk to."""

    host: Host = "127.0.0.1"
    port: Port = 50_051
    message_bytes_max: Annotated[int, Field(ge=64 * KIB, le=256 * MIB)] = 16 * MIB
    """Of one request."""
    reply_bytes_max: Annotated[int, Field(ge=64 * KIB, le=CLIENT_REPLY_BYTES_MAX - 64 * KIB)] = 3 * MIB
    """Rows in one reply; pages end early. Below what clients accept by default, 4 MiB."""
    concurrent_rpcs_max: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Calls served at once; more are RESOURCE_EXHAUSTED."""
    concurrent_streams_max: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Calls at once on one connection; more wait at the client."""
    watches_max: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Watches served at once, which count as calls, too; more are RESOURCE_EXHAUSTED."""
    connection_idle_s_max: Annotated[int, Field(ge=1, le=86_400)] = 900
    """A connection without calls is closed after this; the client's next call makes a new one."""
    connection_age_s_max: Annotated[int, Field(ge=1, le=86_400)] = 1_800
    """After this clients connect anew, so that a balancer can move them to new gateways.
    Calls that run then still end."""
    default_deadline_s: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    """Of a call that names none."""
    deadline_s_max: Annotated[float, Field(gt=0, le=3_600)] = 300.0
    """Longer ones are shortened to this."""
    drain_grace_s: Annotated[float, Field(ge=0, le=600)] = 20.0
    """How long calls may finish after a stop signal."""
    keepalive_interval_s: Annotated[int, Field(ge=10, le=7_200)] = 60
    """Between pings to a silent client."""
    keepalive_timeout_s: Annotated[int, Field(ge=1, le=600)] = 20
    """Without an answer to a ping the connection is closed."""
    client_ping_interval_s_min: Annotated[int, Field(ge=1, le=7_200)] = 20
    """Clients that ping more often are disconnected."""
    reflection: bool = True
    """Lets clients ask for the API's description, e.g. grpcurl."""

    @model_validator(mode="after")
    def _deadlines_fit(self) -> Self:
        if self.default_deadline_s > self.deadline_s_max:
            raise ValueError("default_deadline_s is above deadline_s_max; lower it or raise the other")
        return self


class MetricsSettings(Section):
    """The HTTP port for Prometheus, /metrics.json and /healthz."""

    enabled: bool = True
    host: Host = "127.0.0.1"
    port: Port = 9_464


class RoutingSettings(Section):
    """How calls find their shards."""

    placements_cached_max: Annotated[int, Field(ge=1_000, le=10_000_000)] = 100_000
    """Groups whose place is remembered; about 300 bytes each."""
    shard_calls_max: Annotated[int, Field(ge=1, le=1_000)] = 30
    """Calls at once to one shard."""
    shard_calls_waiting_max: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    """Calls that wait for their turn at one shard; more are RESOURCE_EXHAUSTED."""


class SearchCacheSettings(Section):
    """Answers of searches that are kept in memory, see SearchCacheUse in the API."""

    bytes_max: Annotated[int, Field(ge=0, le=1 << 40)] = 64 * MIB
    """Of all kept answers; least recently used ones go first. 0 keeps none."""
    ttl_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """How long an answer is kept at most, though nothing was written."""


class VectorSlotSettings(Section):
    """When a group's vectors get an index of their own."""

    falkordb_rows_min: Annotated[int, Field(ge=100)] = 2_000
    """Rows of one kind in a group on FalkorDB; below, a search scans them."""
    neo4j_rows_min: Annotated[int, Field(ge=100)] = 1_500
    """As falkordb_rows_min, on Neo4j, where a scan takes some fifteen times as long."""
    slots_max: Annotated[int, Field(ge=0, le=1_000)] = 64
    """In one shard; further groups are scanned, but one with four times the rows of the smallest that has one
    takes its place. 0: all are scanned, and indexes that are there are dropped."""


class MovesSettings(Section):
    """Moves of groups between shards."""

    running_max: Annotated[int, Field(ge=1, le=64)] = 4
    """At work at once in this gateway; further ones wait."""
    running_per_shard_max: Annotated[int, Field(ge=1, le=64)] = 2
    """Of those, that copy from or to one shard."""
    pause_ms_budget: Annotated[float, Field(ge=1, le=1_000)] = 40.0
    """Writes are stopped for the change of the owner once it is expected to fit into this."""
    reverse_window_s: Annotated[float, Field(ge=0, le=30 * 86_400)] = 86_400.0
    """How long the source keeps its copy of a moved group, of moves that name no time; 0: not at all."""
    record_interval_s: Annotated[float, Field(ge=0, le=60)] = 0.2
    """Progress is recorded so often at most; 0: after every step."""
    cleanup_share: Annotated[float, Field(ge=0.01, le=1)] = 0.2
    """Of its time that a shard spends on deleting what moves have left, as long as something is left."""
    indexes_first: bool = False
    """Also on FalkorDB a large group's vector indexes are complete before it changes its owner. Else its
    searches scan until they are."""


class LoggingSettings(Section):
    """Logs go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class EmbedderSection(Section):
    """Who makes vectors of the texts that come without one. Settings marked openai serve only that kind."""

    kind: Literal["auto", "local", "openai", "none"] = "auto"
    """auto: local if its extra is installed, else none."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Unset: all-MiniLM-L6-v2 for local, text-embedding-3-small for openai."""
    base_url: Url | None = Field(default=None, repr=False)
    """openai: another server that speaks this API, with the version in its path."""
    api_key: SecretStr | None = None
    """openai: may be unset for a base_url that wants none."""
    dimension: Annotated[int, Field(ge=1, le=4_096)] | None = None
    """openai: for models that can shorten their vectors. Unset: learnt at the start."""
    request_inputs_max: Annotated[int, Field(ge=1, le=2_048)] = 2_048
    """openai: texts in one HTTP request."""
    request_tokens_max: Annotated[int, Field(ge=1_000, le=10_000_000)] = 300_000
    """openai: estimated tokens in one HTTP request."""
    requests_running_max: Annotated[int, Field(ge=1, le=100)] = 4
    """openai: HTTP requests at once."""
    batch_max: Annotated[int, Field(ge=1, le=2_048)] = 25
    """openai: texts of concurrent callers that are collected into one request."""
    wait_ms_max: Annotated[float, Field(ge=0, le=1_000)] = 5.0
    """How long a collected text waits while another batch runs."""
    pending_max: Annotated[int, Field(ge=1, le=1_000_000)] = 16_384
    """Texts that wait or are being embedded."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """openai: one HTTP request with its retries."""
    cache_bytes_max: Annotated[int, Field(ge=0, le=1 << 40)] = 64 * MIB
    """Vectors of texts seen before, in memory; 0 keeps none."""

    @model_validator(mode="after")
    def _kind_has_what_it_needs(self) -> Self:
        if self.base_url is not None:
            check_url(self.base_url, ("http", "https"))
        if self.kind == "openai":
            if self.api_key is None and self.base_url is None:
                raise ValueError("kind openai needs an api_key, or a base_url that wants none")
            return self
        unused = [name for name in ("base_url", "api_key", "dimension") if getattr(self, name) is not None]
        if unused:
            raise ValueError(
                f"{', '.join(unused)} only serves kind openai; set kind to openai or leave it out"
            )
        if self.model is not None and self.kind in ("auto", "none"):
            raise ValueError(f"kind {self.kind} takes no model; set kind to local or openai or leave it out")
        return self


class LanguageModelSection(Section):
    """The language model that reads episodes in mode LLM."""

    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Unset: there is none, and episodes in mode LLM are refused."""
    fast_model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Instead of model for short and simple questions."""
    accurate_model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Instead of model for long texts and custom types with fields."""
    fallback_model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Asked when another one fails or takes longer than fallback_after_s."""
    fallback_after_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    base_url: Url | None = Field(default=None, repr=False)
    """Another server that speaks OpenAI's API, with the version in its path."""
    api_key: SecretStr | None = None
    """May be unset for a base_url that wants none."""
    output_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Newer models of OpenAI want max_completion_tokens."""
    with_temperature: bool = True
    """False for models that reason: they refuse one."""
    input_usd_per_million: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Price of a million tokens of prompts, for the costs that are told."""
    output_usd_per_million: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Price of a million tokens of answers."""
    requests_per_s: Annotated[float, Field(gt=0, le=100_000)] | None = 100.0
    """Of all gateways and workers of the fleet together."""
    requests_per_minute: Annotated[float, Field(gt=0, le=1e7)] | None = None
    """As requests_per_s. Unset: no such limit."""
    tokens_per_minute: Annotated[float, Field(gt=0, le=1e10)] | None = None
    """As requests_per_s, prompts and answers together. Unset: no such limit."""
    requests_running_max: Annotated[int, Field(ge=1, le=1_000)] = 20
    """HTTP requests at once."""
    requests_waiting_max: Annotated[int, Field(ge=1, le=1_000_000)] = 4_000
    """Questions that are not answered yet; further episodes wait in the queue."""
    prompt_tokens_max: Annotated[int, Field(ge=4_000, le=10_000_000)] = 16_000
    """Estimated, of one prompt; of a longer episode the beginning is read."""
    compression: Literal["none", "low", "medium", "high"] = "low"
    """Of episodes in prompts. low: runs of blanks and lines; medium: also repeated lines, hashes, base64 and
    the queries of URLs; high: also English filler words."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """One HTTP request with its retries."""
    cache_bytes_max: Annotated[int, Field(ge=0, le=1 << 40)] = 1_000 * MIB
    """Answers kept on disk, in the folder `cache`; 0 keeps none."""

    @model_validator(mode="after")
    def _model_has_what_it_needs(self) -> Self:
        if self.base_url is not None:
            check_url(self.base_url, ("http", "https"))
        if self.model is None:
            names = ("fast_model", "accurate_model", "fallback_model", "base_url", "api_key")
            unused = [name for name in names if getattr(self, name) is not None]
            if unused:
                raise ValueError(f"{', '.join(unused)} does nothing without a model; give one")
        elif self.api_key is None and self.base_url is None:
            raise ValueError("a model needs an api_key, or a base_url that wants none")
        return self


class IngestSection(Section):
    """The queue of episodes in mode LLM, and the workers that empty it."""

    worker: bool = True
    """Whether this gateway works on the queue, too; without, `graphgate worker` has to run. A gateway
    without a language model leaves the queue to workers that have one, as long as there are any."""
    strategy: Literal["sequential", "conservative", "balanced", "aggressive"] = "balanced"
    """Episodes that a worker extracts at once: 1, 3, 10 or 20, and as many units in each later stage."""
    first_batch: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Episodes of one group that a worker takes at once, first; doubled while units take under 1 s, halved
    over 5 s."""
    batch_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """The most that it takes."""
    partitions: Annotated[int, Field(ge=1, le=256)] = 8
    """Streams of turns; the same in the whole fleet, changed only while the queue is empty."""
    group_waiting_max: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    """Episodes of one group that wait; more are RESOURCE_EXHAUSTED."""
    waiting_max: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    """Episodes that wait in all; more are RESOURCE_EXHAUSTED."""
    group_waiting_bytes_max: Annotated[int, Field(ge=1 << 20, le=1 << 44)] = 256 << 20
    """Of the episodes of one group that wait, as Redis holds them; behind the one that passes it
    RESOURCE_EXHAUSTED."""
    waiting_bytes_max: Annotated[int, Field(ge=1 << 20, le=1 << 44)] = 1 << 30
    """Of all episodes that wait, as group_waiting_bytes_max. Give Redis this much memory and half as much
    again, beside what status_kept_s and failures_bytes_max keep."""
    status_kept_s: Annotated[float, Field(ge=60, le=31_536_000)] = 86_400.0
    """How long the status of an applied episode can be read, and its request_id is safe to use again. It
    costs about 1.5 KB of Redis's memory: at 10 episodes a second 1.3 GB a day."""
    failed_kept_s: Annotated[float, Field(ge=60, le=31_536_000)] = 7 * 86_400.0
    """How long a failed episode can be replayed, as long as it is listed."""
    failures_max: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Failures that are listed, each with its whole episode. Past it the oldest are no longer: they keep
    their status for status_kept_s and cannot be replayed."""
    failures_bytes_max: Annotated[int, Field(ge=1 << 20, le=1 << 44)] = 1 << 30
    """Of the failures that are listed, as Redis holds them. Past it as past failures_max."""
    lease_s: Annotated[float, Field(ge=1, le=3_600)] = 30.0
    """After so long without a sign of life another worker takes over what a worker had."""
    unit_s_max: Annotated[float, Field(ge=1, le=3_600)] = 300.0
    """One attempt at the episodes that are worked on together."""
    pause_s_max: Annotated[float, Field(ge=0.1, le=3_600)] = 60.0
    """Between attempts while a model or a shard is away, at most."""
    clear_rows_max: Annotated[int, Field(ge=1, le=1_000)] = 400
    """Rows that ClearGroup deletes in one write, at most; a shard that takes fewer at once gets fewer."""


class CrossEncoderSection(Section):
    """The model that reads query and row together, for searches that ask for it."""

    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Unset: there is none, and searches that ask for one are refused."""
    protocol: Literal["chat", "rerank"] = "chat"
    """chat: a chat model with structured outputs (/chat/completions). rerank: a reranking model as vLLM,
    Infinity, Jina and Cohere serve them (/rerank)."""
    base_url: Url | None = Field(default=None, repr=False)
    """Another server that speaks this API, with the version in its path."""
    api_key: SecretStr | None = None
    """May be unset for a base_url that wants none."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """How long a search waits for the scores of its candidates; then it answers in fused order."""
    passages_max: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Rows in one HTTP request."""
    requests_running_max: Annotated[int, Field(ge=1, le=100)] = 8
    """HTTP requests at once."""
    requests_waiting_max: Annotated[int, Field(ge=0, le=10_000)] = 256
    """HTTP requests that wait for their turn; searches beyond answer in fused order."""

    @model_validator(mode="after")
    def _model_has_what_it_needs(self) -> Self:
        if self.base_url is not None:
            check_url(self.base_url, ("http", "https"))
        if self.model is None:
            unused = [name for name in ("base_url", "api_key") if getattr(self, name) is not None]
            if unused:
                raise ValueError(f"{', '.join(unused)} does nothing without a model; give one")
        elif self.api_key is None and self.base_url is None:
            raise ValueError("a model needs an api_key, or a base_url that wants none")
        elif self.protocol == "rerank" and self.base_url is None:
            raise ValueError("protocol rerank needs a base_url")
        return self
