"""What the OpenAI client raises, as this package's errors, without keys and addresses."""

import openai

from gateway.embedding.errors import (
    EmbedderRateLimited,
    EmbedderRefused,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingError,
)
from gateway.provider.openai_api import OUT_OF_CREDIT, SAYS_WHAT_IS_WRONG, is_passing, retry_after_s, shown


def embedding_error(error: openai.APIError, *, model: str, texts: int, api_key: str) -> EmbeddingError:
    """The error that the callers of the embedder see."""
    if isinstance(error, openai.APITimeoutError):
        return EmbedderTimeout(model, texts)
    if not isinstance(error, openai.APIStatusError):
        return EmbedderUnavailable(model, "the connection failed")
    status = error.status_code
    wait_s = retry_after_s(error.response.headers)
    # The provider says 429 also when the account is out of credit: waiting does not help then.
    if status == 429 and error.code != OUT_OF_CREDIT:
        return EmbedderRateLimited(model, retry_after_s=wait_s)
    if is_passing(status):
        return EmbedderUnavailable(model, f"status {status}", retry_after_s=wait_s)
    said = shown(error.message, api_key) if status in SAYS_WHAT_IS_WRONG else None
    return EmbedderRefused(model, ", ".join(filter(None, (f"status {status}", error.code, said))))
