"""What a scrape tells of models: calls, tokens, cost and cache, by task."""

from pathlib import Path

import pytest

from gateway.llm.errors import ModelUnavailable
from gateway.settings.service import MetricsSettings
from gateway.settings.tree import Settings
from gateway.telemetry.metered_language_model import MeteredLanguageModel
from gateway.telemetry.telemetry import Telemetry
from tests.fakes.openai_server import FakeOpenAI, Fault, Faulty, Status
from tests.unit.gateway.llm.asking import PRICE, ample, language_model, request, settings


def samples(telemetry: Telemetry) -> dict[str, float]:
    """Value by name and labels, of what models add."""
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in telemetry.collect()
        for sample in family.samples
        if sample.name.startswith("graphgate_model_") and "le" not in sample.labels
    }


async def test_calls_tokens_cost_and_cache_are_told_by_task(tmp_path: Path) -> None:
    """One answer with a repair, one from the cache, one failure."""
    telemetry = Telemetry(Settings(metrics=MetricsSettings(enabled=False)))
    with FakeOpenAI() as server:
        async with language_model(settings(server, cache_file=tmp_path / "answers.sqlite")) as inner:
            model = MeteredLanguageModel(inner, telemetry)
            server.script(Faulty(Fault.NOT_JSON))
            used = (await model.ask(request(), ample())).usage
            assert (await model.ask(request(), ample())).from_cache
            server.server.failing = Status(500)
            with pytest.raises(ModelUnavailable):
                await model.ask(request("Grace Hopper."), ample())
            told = samples(telemetry)
    assert told["graphgate_model_calls_total extract OK"] == 2
    assert told["graphgate_model_calls_total extract MODEL_UNAVAILABLE"] == 1
    assert told["graphgate_model_call_seconds_count extract"] == 3
    assert told["graphgate_model_requests_total extract"] == 2
    assert told["graphgate_model_input_tokens_total extract"] == used.input_tokens
    assert told["graphgate_model_output_tokens_total extract"] == used.output_tokens
    cost_usd = PRICE.of(used.input_tokens, used.output_tokens)
    assert told["graphgate_model_cost_usd_total extract"] == pytest.approx(cost_usd)
    assert told["graphgate_model_cache_hits_total extract"] == 1
    assert told["graphgate_model_repairs_total extract"] == 1
    assert told["graphgate_model_retries_total extract"] == 2
    assert told["graphgate_model_waiting"] == 0
    (call,) = telemetry.report()["model_calls"]
    assert (call["task"], call["count"]) == ("extract", 3)
