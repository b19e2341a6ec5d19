"""What the server may do with a request instead of answering it properly."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HELD_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """An error status with OpenAI's error body."""

    code: int
    message: str = "scripted failure"
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset before an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """Status 200 with these bytes."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Vectors:
    """A well-formed answer with these vectors, however many were asked for."""

    rows: list[list[float]]
    indexes: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Reversed:
    """The proper answer with its items in reverse order, each with its own index."""


@dataclass(frozen=True, slots=True)
class Held:
    """The proper answer, once `release` is set, at the latest after HELD_S_MAX."""

    release: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Late:
    """The proper answer, so many seconds later than usual."""

    seconds: float


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The first half of the proper answer's bytes, then the connection ends."""


class Fault(StrEnum):
    CUT_OFF = "CUT_OFF"
    """The first half of the content, with finish_reason "length"."""
    NOT_JSON = "NOT_JSON"
    WRONG_SCHEMA = "WRONG_SCHEMA"
    EMPTY = "EMPTY"
    REFUSAL = "REFUSAL"
    UNKNOWN_IDS = "UNKNOWN_IDS"
    """Every reference to something that was given or made leads nowhere."""
    HUGE = "HUGE"
    """Every text is 100 times as long."""
    FENCED = "FENCED"
    """Proper, inside of ```json fences."""
    OBEDIENT = "OBEDIENT"
    """What a model answers that has fallen for an instruction in the episode."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """A chat completion whose content is spoilt."""

    fault: Fault


type Reply = Status | Reset | Body | Vectors | Reversed | Held | Late | BrokenOff | Faulty


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    inputs: list[str]
    """Texts to embed, passages to judge, or the contents of the messages."""
    body: dict[str, Any]
    headers: Mapping[str, str]
    """Names capitalised as "Content-Type"."""

    @property
    def schema_name(self) -> str:
        """Of a chat completion with a JSON schema; else empty."""
        asked: dict[str, Any] = self.body.get("response_format", {}).get("json_schema", {})
        return str(asked.get("name", ""))
