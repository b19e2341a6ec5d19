"""A language model that asks a fake server, for the tests of this folder."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from drivers.deadline import Deadline
from drivers.graph_model import EpisodeSource
from gateway.ingest.outputs import ExtractionOutput
from gateway.ingest.prompts.extraction import extract
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.types import ExtractionTypes
from gateway.llm.language_model import OpenAILanguageModel
from gateway.llm.port import ModelRequest
from gateway.llm.rate_limit import LocalRateLimiter, RateLimiter
from gateway.llm.settings import LanguageModelSettings, ModelChoice, Price, ProviderSettings
from tests.fakes.openai_server import FakeOpenAI

TEXT = "Ada Lovelace worked with Charles Babbage. Charles Babbage was born in London."
PRICE = Price(input_usd=2.0, output_usd=8.0)
AMPLE_S = 30.0


def settings(server: FakeOpenAI, *, cache_file: Path | None = None) -> LanguageModelSettings:
    provider = ProviderSettings(
        base_url=server.base_url, api_key=server.api_key, prices={"fake-large": PRICE}
    )
    return LanguageModelSettings(
        model=ModelChoice("fake-large"),
        providers={"default": provider},
        backoff_s=0.01,
        cache_file=cache_file,
    )


@asynccontextmanager
async def language_model(
    given: LanguageModelSettings, limiter: RateLimiter | None = None
) -> AsyncGenerator[OpenAILanguageModel]:
    model = OpenAILanguageModel(given, limiter or LocalRateLimiter())
    await model.start()
    try:
        yield model
    finally:
        await model.close()


def with_fallback(given: LanguageModelSettings, after_s: float = 5.0) -> LanguageModelSettings:
    return replace(given, fallback=ModelChoice("fake-small"), fallback_after_s=after_s)


def request(text: str = TEXT) -> ModelRequest[ExtractionOutput]:
    episode = EpisodeText(text, reference_time=0, source=EpisodeSource.TEXT)
    prepared = extract(episode, ExtractionTypes(), Budget()).request
    assert prepared.output is ExtractionOutput
    return ModelRequest(prepared.task, prepared.messages, ExtractionOutput, prepared.length_chars)


def ample() -> Deadline:
    return Deadline.after(AMPLE_S)
