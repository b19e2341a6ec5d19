"""A model that is in trouble now and then, and texts that it never reads: what a server chooses instead of an
answer, a pure function of the seed and of the number of the request."""

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from gateway.bench.model_server.replies import Fault, Faulty, Late, Reply, Request, Reset, Status

LATE_S = 1.0
_EXTRACTIONS = ("extract", "extract_entities", "extract_facts")


@dataclass(frozen=True, slots=True)
class TroubleOptions:
    share: float = 0.0
    """Of the requests that get no answer for now: 429 with and without Retry-After, 500, 503, a reset
    connection, or an answer that is LATE_S late."""
    refuses: str = ""
    """Episodes that hold these words are refused whenever they are asked about; empty: none are."""
    seed: int = 0


class Trouble:
    """For ModelServer.chooses."""

    def __init__(self, options: TroubleOptions) -> None:
        self._options = options
        self._rng = Random(f"trouble {options.seed}")  # noqa: S311 - which requests fail

    def __call__(self, request: Request) -> Reply | None:
        if self._options.refuses and self._options.refuses in _episode(request):
            return Faulty(Fault.REFUSAL)
        if self._rng.random() >= self._options.share:
            return None
        return self._rng.choice(
            [
                Status(429, "slow down", "rate_limit_exceeded", {"Retry-After": "1"}),
                Status(429, "slow down", "rate_limit_exceeded"),
                Status(500, "internal error"),
                Status(503, "overloaded"),
                Reset(),
                Late(LATE_S),
            ]
        )


def _episode(request: Request) -> str:
    """Content of the episode that an extraction is about: others may quote it as one before theirs."""
    if request.schema_name not in _EXTRACTIONS:
        return ""
    asked = next(str(one["content"]) for one in request.body["messages"] if one["role"] == "user")
    material: dict[str, Any] = orjson.loads(asked)
    return str(material["episode"]["content"])
