"""Checks of requests: every bad field is named at once, and nothing is done before all are good."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from drivers.errors import GraphgateError
from drivers.graph_model import Vector

GROUP_ID_CHARS_MAX = 128
NAME_CHARS_MAX = 1_024
SUMMARY_CHARS_MAX = 65_536
CONTENT_CHARS_MAX = 1_000_000
QUERY_CHARS_MAX = 65_536
LABELS_MAX = 64
LABEL_CHARS_MAX = 128
ATTRIBUTES_MAX = 256
ATTRIBUTE_NAME_CHARS_MAX = 128
ATTRIBUTE_TEXT_CHARS_MAX = 65_536
ATTRIBUTE_LIST_MAX = 1_000
ROW_ATTRIBUTE_VALUES_MAX = 2_000
"""Of one row, the elements of its lists counted one by one."""
WRITE_ATTRIBUTE_VALUES_MAX = 20_000
"""Of all rows of one write: reading and sending one takes 3 to 10 us of the event loop, in which nobody else
is served, so that these take about as long as the most rows with vectors that a write may have."""
WRITE_EPISODE_UUIDS_MAX = 20_000
"""Of all facts of one write, for the same reason."""
DIMENSION_MAX = 4_096
REQUEST_ID_CHARS_MAX = 64
SHARD_ID_CHARS_MAX = 128
UUIDS_MAX = 1_000
GROUPS_MAX = 1_000
ROW_BYTES_MAX = 2 * 1024 * 1024
"""Of one row's message: with what the shard adds it still fits into a reply by itself."""
VIOLATIONS_MAX = 50
VIOLATIONS_BYTES_MAX = 2_400
"""Violations that one error lists; trailers hold 8 KiB in all, and the text repeats some of them."""
FIELD_CHARS_MAX = 120

_TIMESTAMP_SECONDS_MIN = -62_135_596_800  # 0001-01-01, the range of google.protobuf.Timestamp
_TIMESTAMP_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59

_INDEX = re.compile(r"\[[^\]]*\]")
_GROUP_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class InvalidRequest(GraphgateError):
    """At least one field of a request is bad; `violations` are (field path, what is wrong)."""

    reason = "INVALID_FIELDS"

    def __init__(self, violations: Sequence[tuple[str, str]], found: int | None = None) -> None:
        """`found`: how many there are, where not all are given."""
        count = len(violations) if found is None else found
        self.violations = tuple(_fitting(violations))
        shown = "; ".join(f"{field}: {what}" for field, what in self.violations[:5])
        more = count - len(self.violations[:5])
        super().__init__(
            f"the request has {count} bad field(s): {shown}" + (f"; and {more} more" if more > 0 else "")
        )

    def metadata(self) -> dict[str, str]:
        return {"fields": ",".join(field for field, _ in self.violations[:10])}


def _fitting(violations: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first violations, as many as an error's trailer holds."""
    budget = VIOLATIONS_BYTES_MAX
    for field, what in violations[:VIOLATIONS_MAX]:
        budget -= len(field.encode()) + len(what.encode())
        if budget < 0:
            return
        yield field, what


class Violations:
    """Collects what is wrong with a request; the checks return a usable value either way."""

    def __init__(self, path: str = "") -> None:
        """`path` leads the names of all fields, e.g. "search."."""
        self._path = path
        self._first: list[tuple[str, str]] = []
        self._found = 0

    def add(self, field: str, what: str) -> None:
        self._found += 1
        if len(self._first) < VIOLATIONS_MAX:
            self._first.append(((self._path + field)[:FIELD_CHARS_MAX], what))

    def raise_if_any(self) -> None:
        """Raises InvalidRequest."""
        if self._found:
            raise InvalidRequest(self._first, self._found)

    def group_id(self, field: str, value: str) -> str:
        if not _GROUP_ID.fullmatch(value):
            self.add(field, f"must be 1 to {GROUP_ID_CHARS_MAX} of A-Z a-z 0-9 _ - . :, got {shown(value)}")
        return value

    def uuid(self, field: str, value: str) -> str:
        if not _UUID.fullmatch(value):
            self.add(field, f"must be a UUID of 36 characters in lower case, got {shown(value)}")
        return value

    def uuids(self, field: str, values: Iterable[str], *, at_most: int = UUIDS_MAX) -> tuple[str, ...]:
        uuids = tuple(values)
        self.count(field, len(uuids), at_most)
        for position, value in enumerate(uuids[:at_most]):
            self.uuid(f"{field}[{position}]", value)
        return uuids

    def request_id(self, field: str, value: str) -> str:
        if value and not _REQUEST_ID.fullmatch(value):
            self.add(field, f"must be 1 to {REQUEST_ID_CHARS_MAX} of A-Z a-z 0-9 _ - . :, got {shown(value)}")
        return value

    def text(self, field: str, value: str, chars_max: int, *, required: bool = False) -> str:
        if len(value) > chars_max:
            name = _limit_name(field, "chars_max")
            self.add(field, f"has {len(value)} characters, at most {chars_max} are allowed ({name})")
        elif "\0" in value:
            self.add(field, "has a NUL character; remove it")
        elif required and not value.strip():
            self.add(field, "must not be empty")
        return value

    def count(self, field: str, count: int, at_most: int, *, at_least: int = 0) -> None:
        if count > at_most:
            self.add(field, f"has {count} items, at most {at_most} are allowed ({_limit_name(field, 'max')})")
        elif count < at_least:
            self.add(field, f"needs at least {at_least} item(s)")

    def number(self, field: str, value: float, least: float, most: float) -> None:
        if not least <= value <= most:
            self.add(field, f"must be from {least:g} to {most:g}, got {value:g}")

    def row_bytes(self, field: str, size: int) -> None:
        """A larger row could be stored, but never read again."""
        if size > ROW_BYTES_MAX:
            self.add(
                field, f"has {size} bytes as a message, at most {ROW_BYTES_MAX} are allowed (row_bytes_max)"
            )

    def time(self, field: str, message: TimestampMessage) -> int:
        """Microseconds since the epoch; finer digits are cut."""
        seconds, nanos = message.seconds, message.nanos
        if not (_TIMESTAMP_SECONDS_MIN <= seconds <= _TIMESTAMP_SECONDS_MAX and 0 <= nanos < 1_000_000_000):
            self.add(field, "must be a valid Timestamp from year 1 to 9999")
            return 0
        return seconds * 1_000_000 + nanos // 1_000

    def vector(self, field: str, values: Sequence[float]) -> Vector | None:
        """L2-normalised float32, or None when none is given."""
        if not values:
            return None
        if len(values) > DIMENSION_MAX:
            self.add(
                field, f"has {len(values)} dimensions, at most {DIMENSION_MAX} are allowed (dimension_max)"
            )
            return None
        vector: Vector = np.array(values, dtype=np.float32)
        wide = vector.astype(np.float64)
        norm = math.sqrt(wide @ wide)
        if not math.isfinite(norm):
            self.add(field, "has a value that is not finite")
            return None
        if norm == 0.0:
            self.add(field, "is a zero vector; leave it out instead")
            return None
        return vector if abs(norm - 1.0) < 1e-6 else (wide / norm).astype(np.float32)


def _limit_name(field: str, unit: str) -> str:
    """After the last name in the field's path: `labels_max`, `name_chars_max`."""
    return f"{_INDEX.sub('', field).rpartition('.')[2]}_{unit}"


def shown(value: str) -> str:
    """A value of the caller's, cut to what an error should repeat."""
    return repr(value if len(value) <= 40 else value[:40] + "...")
