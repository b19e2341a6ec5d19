"""Page tokens: where a list goes on, bound to the request that it belongs to.

A token carries no authority: it only names a position. Its form may change between versions; a
token that cannot be read is INVALID_ARGUMENT, and the caller starts from the first page.
"""

import base64
import binascii
from collections.abc import Sequence
from hashlib import blake2b

import orjson

from drivers.graph_model import INT64_MAX, INT64_MIN
from gateway.rpc.validation import Violations

FORMAT = 1
TOKEN_CHARS_MAX = 1_024


def fingerprint(*parts: str | int | bool) -> str:
    """Of the fields that must stay the same from page to page."""
    return blake2b(orjson.dumps(parts), digest_size=8).hexdigest()


def encode(request: str, position: Sequence[str | int]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([FORMAT, request, *position])).decode().rstrip("=")


def decode(v: Violations, token: str, request: str, types: tuple[type, ...]) -> list[str | int] | None:
    """The position, None for the first page. `types`: of the values of the position."""
    if not token:
        return None
    try:
        padded = token[:TOKEN_CHARS_MAX] + "=" * (-len(token[:TOKEN_CHARS_MAX]) % 4)
        parts = orjson.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        form, belongs_to, *position = parts
    except (ValueError, TypeError, UnicodeEncodeError, binascii.Error):
        v.add("page_token", "is not a token that this service gave; start from the first page")
        return None
    fits = [type(value) for value in position] == list(types) and all(
        isinstance(value, str) or INT64_MIN <= value <= INT64_MAX for value in position
    )
    if form != FORMAT or not fits:
        v.add("page_token", "is not a token that this service gave; start from the first page")
        return None
    if belongs_to != request:
        v.add(
            "page_token", "belongs to a request with other fields; repeat them or start from the first page"
        )
        return None
    return position
