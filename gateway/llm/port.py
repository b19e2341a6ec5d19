"""The port that ingestion asks for answers of a given form, whichever model gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel

from drivers.deadline import Deadline
from gateway.llm.errors import ModelDisabled
from gateway.llm.tasks import Complexity, Task, Tier
from gateway.llm.usage import Usage


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    """"system", "user" or "assistant"."""
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest[T: BaseModel]:
    task: Task
    messages: tuple[Message, ...]
    output: type[T]
    """The form of the answer: its JSON schema is sent along, and the answer is validated by it."""
    length_chars: int
    """Of the text that the task is about; chooses the tier."""
    complexity: Complexity = Complexity.MEDIUM
    tier: Tier | None = None
    """Overrides the choice."""
    divisible: bool = False
    """The caller can ask about parts of the text instead: an answer that the longest output cuts off fails
    at once, with ModelAnswerInvalid.cut_off, and no half of it is asked for."""


@dataclass(frozen=True, slots=True)
class ModelAnswer[T: BaseModel]:
    value: T
    model: str
    usage: Usage = field(default_factory=Usage)
    """Of this call alone; nothing for an answer from the cache or from another caller's request."""
    from_cache: bool = False
    repaired: bool = False
    halved: bool = False
    """It was cut off, and the model gave the most important half only."""
    fell_back: bool = False
    """The fallback model gave it."""


@dataclass(slots=True)
class TaskAccount:
    """Of a task since the start, or of one call. Grows only; written on the event loop."""

    asked: int = 0
    cache_hits: int = 0
    joined: int = 0
    """Shared the request of another caller who asked the same."""
    repairs: int = 0
    fallbacks: int = 0
    retries: int = 0
    usage: Usage = field(default_factory=Usage)

    def add(self, call: "TaskAccount") -> None:
        """What one call has cost beyond being asked."""
        self.repairs += call.repairs
        self.fallbacks += call.fallbacks
        self.retries += call.retries
        self.usage += call.usage


class LanguageModel(Protocol):
    """Safe to share between tasks of one loop."""

    async def start(self) -> None:
        """Opens the cache and the connection pool. Idempotent. Raises ModelSetupInvalid."""
        ...

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        """An answer that fits `request.output`. Raises ModelError."""
        ...

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        """What each task has cost since the start."""
        ...

    async def close(self) -> None:
        """Requests that still run get ModelUnavailable. Idempotent."""
        ...


class NoLanguageModel:
    """Of a gateway that is configured without one."""

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return {}

    async def start(self) -> None:
        """Nothing to open."""

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        """Raises ModelDisabled."""
        raise ModelDisabled(request.task)

    async def close(self) -> None:
        """Nothing to free."""
