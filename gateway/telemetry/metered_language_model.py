"""A language model whose calls are counted and timed by task."""

import asyncio
import time
from collections.abc import Callable, Mapping

from pydantic import BaseModel

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.llm.language_model import OpenAILanguageModel
from gateway.llm.port import LanguageModel, ModelAnswer, ModelRequest, TaskAccount
from gateway.llm.tasks import Task
from gateway.telemetry.operations import Labels
from gateway.telemetry.telemetry import Telemetry

_COUNTERS: tuple[tuple[str, str, Callable[[TaskAccount], float]], ...] = (
    ("requests", "HTTP requests that models answered.", lambda one: one.usage.requests),
    ("input_tokens", "Tokens in prompts, as the providers count.", lambda one: one.usage.input_tokens),
    ("output_tokens", "Tokens in answers, as the providers count.", lambda one: one.usage.output_tokens),
    ("cost_usd", "US dollars, by the configured prices.", lambda one: one.usage.cost_usd),
    ("cache_hits", "Calls that the answer cache answered.", lambda one: one.cache_hits),
    ("joined", "Calls that shared another call's request.", lambda one: one.joined),
    ("repairs", "Answers that had to be asked for again.", lambda one: one.repairs),
    ("retries", "Requests that were sent again.", lambda one: one.retries),
    ("fallbacks", "Calls that the fallback model answered.", lambda one: one.fallbacks),
)


class MeteredLanguageModel:
    """A LanguageModel around another one; what an OpenAILanguageModel keeps and has waiting is shown, too."""

    def __init__(self, inner: LanguageModel, telemetry: Telemetry) -> None:
        self._inner = inner
        self._calls = telemetry.model_calls
        for name, text, read in _COUNTERS:
            telemetry.watch_counter(
                f"graphgate_model_{name}_total", text, ("task",), lambda of=read: self._by_task(of)
            )
        if isinstance(inner, OpenAILanguageModel):
            _watch(inner, telemetry)

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return self._inner.accounts

    async def start(self) -> None:
        await self._inner.start()

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        started = time.perf_counter()
        outcome = "INTERNAL"
        try:
            answer = await self._inner.ask(request, deadline)
            outcome = "OK"
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except GraphgateError as error:
            outcome = error.reason
            raise
        finally:
            self._calls.of((str(request.task),)).finished(outcome, time.perf_counter() - started)
        return answer

    async def close(self) -> None:
        await self._inner.close()

    def _by_task(self, read: Callable[[TaskAccount], float]) -> Mapping[Labels, float]:
        # Asked in a thread while the loop may add a task.
        return {(str(task),): read(account) for task, account in list(self._inner.accounts.items())}


def _watch(model: OpenAILanguageModel, telemetry: Telemetry) -> None:
    telemetry.watch_gauge(
        "graphgate_model_waiting",
        "Calls of models that are not answered yet.",
        (),
        lambda: {(): model.waiting},
    )
    telemetry.watch_gauge(
        "graphgate_model_cache_bytes", "Answers of models on disk.", (), lambda: {(): model.cache.bytes}
    )
    telemetry.watch_counter(
        "graphgate_model_cache_not_kept_total",
        "Answers that the cache could not keep.",
        (),
        lambda: {(): model.cache.not_kept},
    )
