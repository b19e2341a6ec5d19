"""What the OpenAI client raises, as this package's errors, without keys and addresses."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import openai

from gateway.embedding.errors import (
    EmbedderRateLimited,
    EmbedderRefused,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingError,
)

PROVIDER_TEXT_CHARS_MAX = 200
SAYS_WHAT_IS_WRONG = (400, 404, 413, 422)
"""Statuses whose message is about the request. Those about credentials quote parts of the key."""


def embedding_error(error: openai.APIError, *, model: str, texts: int, api_key: str) -> EmbeddingError:
    """The error that the callers of the embedder see."""
    if isinstance(error, openai.APITimeoutError):
        return EmbedderTimeout(model, texts)
    if not isinstance(error, openai.APIStatusError):
        return EmbedderUnavailable(model, "the connection failed")
    status = error.status_code
    wait_s = retry_after_s(error.response.headers)
    # The provider says 429 also when the account is out of credit: waiting does not help then.
    if status == 429 and error.code != "insufficient_quota":
        return EmbedderRateLimited(model, retry_after_s=wait_s)
    if status in (408, 409) or status >= 500:
        return EmbedderUnavailable(model, f"status {status}", retry_after_s=wait_s)
    said = (
        error.message.replace(api_key, "***")[:PROVIDER_TEXT_CHARS_MAX]
        if status in SAYS_WHAT_IS_WRONG
        else None
    )
    return EmbedderRefused(model, ", ".join(filter(None, (f"status {status}", error.code, said))))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from now that the answer asks to wait: milliseconds, seconds or a date; None if it does not."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        asked = headers.get("retry-after")
        if asked is None:
            return None
        if asked.replace(".", "", 1).isdigit():
            return float(asked)
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None
