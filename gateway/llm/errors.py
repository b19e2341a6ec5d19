"""Everything that asking a language model can fail with.

    GraphgateError
     +- ModelError              names the task and, where one was asked, the model
         +- ModelUnavailable    retryable: no connection, 408, 409, 5xx, closing
         +- ModelRateLimited    retryable: 429, or the gateway's own limit leaves no room before the deadline
         +- ModelTimeout        retryable: no answer in time
         +- ModelOverloaded     retryable: too many requests wait inside the gateway
         +- ModelAccessDenied   credentials, credit or the name of the model: every request would fail alike
         +- ModelRefused        the provider or the model rejects this very request
         +- ModelAnswerInvalid  cut off, not JSON or wrong schema, also after the repair; or too long
         +- PromptTooLong       the prompt is over the budget of its call; nothing was sent
         +- ModelDisabled       this gateway has no language model
         +- ModelSetupInvalid   a setting is missing or wrong

Texts never hold addresses, keys, prompts or answers: they may reach the caller.
"""

from typing import ClassVar

from drivers.errors import GraphgateError
from gateway.llm.usage import Usage


class ModelError(GraphgateError):
    """Root of this package's errors."""

    reason = "MODEL_FAILED"
    about_request: ClassVar[bool] = False
    """True: other requests may well succeed, this one fails again whenever it is asked; so its episode is a
    listed failure, while the other kinds only delay an episode."""
    retry_after_s: float | None = None
    """How long to wait before the next try; None where nobody said."""

    def __init__(self, message: str, *, task: str, model: str = "") -> None:
        super().__init__(message)
        self.task = task
        self.model = model
        self.usage = Usage()
        """What the call has cost before it failed."""

    def metadata(self) -> dict[str, str]:
        return {"task": self.task} | ({"model": self.model} if self.model else {})


class ModelUnavailable(ModelError):
    reason = "MODEL_UNAVAILABLE"
    retryable = True

    def __init__(self, task: str, model: str, why: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(
            f"the model {model} is not available for {task} ({why}); retry after a short wait",
            task=task,
            model=model,
        )
        self.retry_after_s = retry_after_s


class ModelRateLimited(ModelError):
    reason = "MODEL_RATE_LIMITED"
    retryable = True

    def __init__(self, task: str, model: str, whose: str, *, retry_after_s: float | None = None) -> None:
        """`whose`: who limits, "the provider" or the name of the gateway's own limit."""
        wait = "a short wait" if retry_after_s is None else f"{retry_after_s:.1f} s"
        super().__init__(
            f"{whose} limits the rate of the model {model}, asked for {task}; retry after {wait}",
            task=task,
            model=model,
        )
        self.retry_after_s = retry_after_s

    def metadata(self) -> dict[str, str]:
        asked = {} if self.retry_after_s is None else {"retry_after_s": f"{self.retry_after_s:.1f}"}
        return super().metadata() | asked


class ModelTimeout(ModelError):
    reason = "MODEL_TIMEOUT"
    retryable = True

    def __init__(self, task: str, model: str) -> None:
        super().__init__(
            f"the model {model} did not answer {task} in time; retry with a longer deadline",
            task=task,
            model=model,
        )


class ModelOverloaded(ModelError):
    reason = "MODEL_OVERLOADED"
    retryable = True

    def __init__(self, task: str, waiting_max: int) -> None:
        super().__init__(
            f"too many requests wait for a language model (requests_waiting_max = {waiting_max}); "
            f"retry {task} after a short wait",
            task=task,
        )
        self.waiting_max = waiting_max

    def metadata(self) -> dict[str, str]:
        limit = {"limit_name": "requests_waiting_max", "limit": str(self.waiting_max)}
        return super().metadata() | limit


class ModelAccessDenied(ModelError):
    reason = "MODEL_ACCESS_DENIED"

    def __init__(self, task: str, model: str, why: str) -> None:
        super().__init__(
            f"the provider gives no access to the model {model} ({why}); correct the model's settings",
            task=task,
            model=model,
        )


class ModelRefused(ModelError):
    reason = "MODEL_REFUSED"
    about_request = True

    def __init__(self, task: str, model: str, why: str) -> None:
        super().__init__(
            f"the model {model} does not take this request for {task} ({why}); change the text or the model",
            task=task,
            model=model,
        )


class ModelAnswerInvalid(ModelError):
    reason = "MODEL_ANSWER_INVALID"
    about_request = True

    def __init__(self, task: str, model: str, why: str, *, cut_off: bool = False) -> None:
        """`cut_off`: it did not fit into the longest output."""
        super().__init__(
            f"the model {model} gave no usable answer for {task} ({why}); "
            "use a more capable model or a shorter text",
            task=task,
            model=model,
        )
        self.why = why
        self.cut_off = cut_off


class PromptTooLong(ModelError):
    reason = "MODEL_PROMPT_TOO_LONG"
    about_request = True

    def __init__(self, task: str, limit_name: str, found: int, limit: int) -> None:
        super().__init__(
            f"the prompt of {task} is too long ({found}, {limit_name} = {limit}); "
            "shorten the text, or its types and instructions",
            task=task,
        )
        self.limit_name = limit_name
        self.limit = limit

    def metadata(self) -> dict[str, str]:
        return super().metadata() | {"limit_name": self.limit_name, "limit": str(self.limit)}


class ModelDisabled(ModelError):
    reason = "MODEL_DISABLED"

    def __init__(self, task: str) -> None:
        super().__init__(
            f"this gateway has no language model for {task}; configure one or give entities and facts",
            task=task,
        )


class ModelSetupInvalid(ModelError):
    reason = "MODEL_SETUP_INVALID"

    def __init__(self, what: str, action: str) -> None:
        super().__init__(f"{what}; {action}", task="")

    def metadata(self) -> dict[str, str]:
        return {}
