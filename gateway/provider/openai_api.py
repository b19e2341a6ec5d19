"""The conventions of OpenAI's API that embeddings, scores and answers share; imports no client library."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

DEFAULT_BASE_URL = "https://api.openai.com/v1"
CONNECT_TIMEOUT_S = 5.0
NO_KEY = "none"
"""Sent to a server of one's own that checks no key: clients insist on one."""
PROVIDER_TEXT_CHARS_MAX = 200
SAYS_WHAT_IS_WRONG = (400, 404, 413, 422)
"""Statuses whose message is about the request. Those about credentials quote parts of the key."""
OUT_OF_CREDIT = "insufficient_quota"
"""The code of a 429 that no waiting helps against."""
BACKOFF_FACTOR = 2.0


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


def is_passing(status: int) -> bool:
    """Whether the same request may succeed a little later; 429 is told apart by the caller."""
    return status in (408, 409) or status >= 500


def shown(message: str, api_key: str) -> str:
    """A provider's message as an error may carry it: short, and without the key."""
    return message.replace(api_key, "***")[:PROVIDER_TEXT_CHARS_MAX]
