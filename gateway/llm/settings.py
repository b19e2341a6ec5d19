"""What decides which models are asked and within which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.llm.chat_protocol import LimitField
from gateway.llm.errors import ModelSetupInvalid
from gateway.llm.rate_limit import RateLimits
from gateway.llm.tasks import Tier

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Price:
    """In US dollars for a million tokens."""

    input_usd: float = 0.0
    output_usd: float = 0.0

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """In US dollars."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1e6


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    base_url: str | None = None
    """None: OpenAI's own."""
    api_key: str | None = field(default=None, repr=False)
    """None: for a server of one's own at `base_url`."""
    rates: RateLimits = field(default_factory=RateLimits)
    requests_running_max: int = 20
    limit_field: LimitField = "max_tokens"
    """Newer models of OpenAI want max_completion_tokens."""
    with_temperature: bool = True
    """False for models that reason: they refuse one."""
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    """By model."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model at one of the providers."""

    name: str
    provider: str = "default"


@dataclass(frozen=True, slots=True)
class LanguageModelSettings:
    model: ModelChoice | None = None
    """None: this gateway has no language model."""
    tier_models: Mapping[Tier, ModelChoice] = field(default_factory=dict[Tier, ModelChoice])
    """Instead of `model` for some tiers."""
    fallback: ModelChoice | None = None
    """Asked when the chosen model fails or takes longer than `fallback_after_s`."""
    fallback_after_s: float = 5.0
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict[str, ProviderSettings])
    requests_running_max: int = 20
    """HTTP requests at once, over all providers."""
    requests_waiting_max: int = 2_000
    """Asked and not answered yet, over all providers."""
    prompt_tokens_max: int = 16_000
    """Estimated, of one call."""
    answer_bytes_max: int = MIB
    """Of one HTTP answer."""
    request_s_max: float = 30.0
    """One request with its retries, from when it is first sent."""
    backoff_s: float = 0.5
    """Before the second try at most; doubled for the third."""
    cache_file: Path | None = None
    """None: answers are not kept."""
    cache_bytes_max: int = 1_000_000_000

    def check(self) -> None:
        """Raises ModelSetupInvalid."""
        fallback = () if self.fallback is None else (self.fallback,)
        first = () if self.model is None else (self.model,)
        for choice in (*first, *self.tier_models.values(), *fallback):
            provider = self.providers.get(choice.provider)
            if provider is None:
                raise ModelSetupInvalid(
                    f"the model {choice.name} is of an unknown provider {choice.provider!r}", "configure it"
                )
            if provider.base_url is None and provider.api_key is None:
                raise ModelSetupInvalid(
                    f"the provider {choice.provider!r} has no API key", "set the key or another base URL"
                )
