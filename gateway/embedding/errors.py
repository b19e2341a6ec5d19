"""Everything that turning texts into vectors can fail with.

    GraphgateError
     +- EmbeddingError            names the model where one was asked
         +- EmbedderUnavailable   retryable: no connection, 408, 409, 5xx, closed, a failed computation
         +- EmbedderRateLimited   retryable: the provider answered 429
         +- EmbedderTimeout       retryable: the deadline passed before all vectors were there
         +- EmbedderOverloaded    retryable: the gateway's own queue of texts is full
         +- EmbedderRefused       the provider rejected the request or the credentials
         +- EmbedderAnswerInvalid the vectors are unusable: wrong count or dimension, zero, non-finite
         +- EmbedderDisabled      this gateway has no embedder
         +- EmbedderSetupInvalid  a setting or an installed part is missing or wrong
         +- EmbeddingTextInvalid  the caller's texts cannot be embedded: blank, or too many at once

Texts never hold addresses, keys or the embedded texts themselves: they may reach the caller.
"""

from drivers.errors import GraphgateError


class EmbeddingError(GraphgateError):
    """Root of this package's errors."""

    reason = "EMBEDDING_FAILED"
    retry_after_s: float | None = None
    """How long the provider asked to wait before the next try; None where it did not say."""


class EmbedderUnavailable(EmbeddingError):
    reason = "EMBEDDER_UNAVAILABLE"
    retryable = True

    def __init__(self, model: str, why: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"the embedding model {model} is not available ({why}); retry after a short wait")
        self.model = model
        self.retry_after_s = retry_after_s

    def metadata(self) -> dict[str, str]:
        return {"model": self.model}


class EmbedderRateLimited(EmbeddingError):
    reason = "EMBEDDER_RATE_LIMITED"
    retryable = True

    def __init__(self, model: str, *, retry_after_s: float | None = None) -> None:
        wait = "a short wait" if retry_after_s is None else f"{retry_after_s:.1f} s"
        super().__init__(f"the provider limits the rate of the embedding model {model}; retry after {wait}")
        self.model = model
        self.retry_after_s = retry_after_s

    def metadata(self) -> dict[str, str]:
        asked = {} if self.retry_after_s is None else {"retry_after_s": f"{self.retry_after_s:.1f}"}
        return {"model": self.model} | asked


class EmbedderTimeout(EmbeddingError):
    reason = "EMBEDDER_TIMEOUT"
    retryable = True

    def __init__(self, model: str, texts: int) -> None:
        super().__init__(
            f"the embedding model {model} did not finish {texts} texts in time; "
            "retry with a longer deadline or fewer texts"
        )
        self.model = model
        self.texts = texts

    def metadata(self) -> dict[str, str]:
        return {"model": self.model, "texts": str(self.texts)}


class EmbedderOverloaded(EmbeddingError):
    reason = "EMBEDDER_OVERLOADED"
    retryable = True

    def __init__(self, model: str, pending_max: int) -> None:
        super().__init__(
            f"too many texts wait for the embedding model {model} (pending_max = {pending_max}); "
            "retry after a short wait"
        )
        self.model = model
        self.pending_max = pending_max

    def metadata(self) -> dict[str, str]:
        return {"model": self.model, "limit_name": "pending_max", "limit": str(self.pending_max)}


class EmbedderRefused(EmbeddingError):
    reason = "EMBEDDER_REFUSED"

    def __init__(self, model: str, why: str) -> None:
        super().__init__(
            f"the provider refused to embed with {model} ({why}); check the model, the key and the lengths"
        )
        self.model = model
        self.why = why

    def metadata(self) -> dict[str, str]:
        return {"model": self.model, "why": self.why}


class EmbedderAnswerInvalid(EmbeddingError):
    reason = "EMBEDDER_ANSWER_INVALID"

    def __init__(self, model: str, what: str) -> None:
        super().__init__(f"the embedding model {model} answered {what}; nothing was stored, check the model")
        self.model = model
        self.what = what

    def metadata(self) -> dict[str, str]:
        return {"model": self.model, "what": self.what}


class EmbedderDisabled(EmbeddingError):
    reason = "EMBEDDER_DISABLED"

    def __init__(self, texts: int) -> None:
        super().__init__(
            f"this gateway has no embedder, {texts} texts came without vectors; "
            "send the vectors or configure an embedder (local or openai)"
        )
        self.texts = texts

    def metadata(self) -> dict[str, str]:
        return {"texts": str(self.texts)}


class EmbedderSetupInvalid(EmbeddingError):
    reason = "EMBEDDER_SETUP_INVALID"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what

    def metadata(self) -> dict[str, str]:
        return {"what": self.what}


class EmbeddingTextInvalid(EmbeddingError):
    reason = "EMBEDDING_TEXT_INVALID"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what

    def metadata(self) -> dict[str, str]:
        return {"what": self.what}
