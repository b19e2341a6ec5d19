"""One request for an answer in OpenAI's chat completions protocol, and what its reply says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from gateway.embedding.preparation import clean_text
from gateway.llm.json_schema import strict_schema
from gateway.llm.port import Message
from gateway.llm.tasks import Task, TierLimits

PATH = "/chat/completions"

type LimitField = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answered, as it came."""

    content: str
    """Empty: no answer."""
    cut_off: bool
    """It reached the limit of output tokens."""
    refusal: str
    """Why the model will not answer; empty: it did."""
    input_tokens: int
    """As the provider counts; 0 where it does not tell."""
    output_tokens: int


def request_body(
    model: str,
    task: Task,
    messages: Sequence[Message],
    output: type[BaseModel],
    limits: TierLimits,
    *,
    limit_field: LimitField = "max_tokens",
    with_temperature: bool = True,
) -> dict[str, Any]:
    """Without lone surrogates, which no JSON can carry."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": one.role, "content": clean_text(one.content)} for one in messages],
        limit_field: limits.output_tokens_max,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": str(task), "strict": True, "schema": strict_schema(output)},
        },
    }
    if with_temperature:
        body["temperature"] = limits.temperature
    return body


def read_reply(body: bytes) -> Reply:
    """Raises ValueError, naming what is wrong with the envelope; its content may still be anything."""
    try:
        answer: dict[str, Any] = orjson.loads(body)
        choice: dict[str, Any] = answer["choices"][0]
        message: Mapping[str, Any] = choice["message"]
        content = message.get("content") or ""
        refusal = message.get("refusal") or ""
        usage: Mapping[str, Any] = answer.get("usage") or {}
        counted = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{len(body)} bytes that are no chat completion") from error
    if not isinstance(content, str) or not isinstance(refusal, str):
        raise ValueError(f"{len(body)} bytes whose message holds no text")  # noqa: TRY004 - as promised
    if choice.get("finish_reason") == "content_filter":
        refusal = refusal or "its content filter"
    return Reply(
        content=without_fence(content),
        cut_off=choice.get("finish_reason") == "length",
        refusal=refusal,
        input_tokens=max(0, counted[0]),
        output_tokens=max(0, counted[1]),
    )


def without_fence(content: str) -> str:
    """The JSON inside of ```json ... ```, as models without structured outputs like to give it."""
    text = content.strip()
    if text.startswith("```"):
        first_line, _, rest = text.partition("\n")
        text = rest.rstrip().removesuffix("```").strip() if len(first_line) < 20 else text
    return text
