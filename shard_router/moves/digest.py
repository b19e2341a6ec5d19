"""Comparison of two copies of a group, on whatever engines: digests of buckets, then the rows of those that
differ. Streams both sides; the memory is bounded by KEYS_MAX."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import numpy as np
import orjson

from drivers.deadline import Deadline
from drivers.fence import POOLED
from drivers.graph_model import KINDS
from drivers.moving import PAGE_ROWS_MAX, SECTIONS, CopyCursor, GroupPage, PageAhead, Section
from shard_router.errors import MoveRefused
from shard_router.moves.batches import Item, cursor_after
from shard_router.moves.ports import MoveShards
from shard_router.moves.record import Place
from shard_router.moves.settings import MoveSettings
from shard_router.moves.side import Side

BUCKETS: Final = 256
KEYS_MAX: Final = 50_000
"""Rows whose digests are held at once while unequal buckets are looked into: about 10 MB a side."""
_MODULUS: Final = 1 << 128
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class GroupCopy:
    shard_id: str
    group_id: str
    space: str = POOLED


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    left: GroupCopy
    right: GroupCopy
    differences_max: int = 100
    """Named in each list; all are counted."""
    as_copy: bool = False
    """Versions and times of creation are compared too, and tombstones and operation records."""


@dataclass(frozen=True, slots=True)
class RowDifference:
    section: Section
    """A kind of row, or TOMBSTONE or OPERATION."""
    key: str
    """uuid; of a tombstone KIND/uuid, of an operation its op id."""


@dataclass(slots=True)
class VerifyReport:
    """left is the original."""

    left_rows: int = 0
    right_rows: int = 0
    left_version: int = 0
    right_version: int = 0
    missing: list[RowDifference] = field(default_factory=list[RowDifference])
    """Only at the left. Of each list the first differences_max are named."""
    extra: list[RowDifference] = field(default_factory=list[RowDifference])
    different: list[RowDifference] = field(default_factory=list[RowDifference])
    missing_total: int = 0
    extra_total: int = 0
    different_total: int = 0

    @property
    def differences(self) -> int:
        return self.missing_total + self.extra_total + self.different_total

    @property
    def equal(self) -> bool:
        return not self.differences


# --- one row --------------------------------------------------------------------------------------


def item_digest(item: Item, *, as_copy: bool) -> int:
    """blake2b-128 of the canonical form: fields in their order, labels sorted, attributes by name with their
    types, the vector's float32 bytes."""
    vector = getattr(item, "embedding", None)
    values = [_canonical(name, getattr(item, name)) for name in _digested(type(item), as_copy)]
    body = orjson.dumps(
        values, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    )
    digest = blake2b(body, digest_size=_DIGEST_BYTES)
    if vector is not None:
        digest.update(np.ascontiguousarray(vector, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest())


@lru_cache(maxsize=64)
def _digested(row_type: type[Any], as_copy: bool) -> tuple[str, ...]:
    left_out = {"embedding"} if as_copy else {"embedding", "version", "created_at"}
    return tuple(each.name for each in fields(row_type) if each.name not in left_out)


def _canonical(name: str, value: Any) -> Any:
    return sorted(value) if name == "labels" else value


def _plain(value: Any) -> Any:
    """Mappings that are not dict, and the values that are dataclasses: by the name of their type, so that a
    Timestamp is no number."""
    if isinstance(value, Mapping):
        return dict(value)
    return [type(value).__name__, *(getattr(value, each.name) for each in fields(value))]


# --- one section ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Buckets:
    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    sums: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, key: str, digest: int) -> None:
        bucket = bucket_of(key)
        self.counts[bucket] += 1
        self.sums[bucket] = (self.sums[bucket] + digest) % _MODULUS

    def unequal(self, other: "Buckets") -> list[int]:
        mine, theirs = zip(self.counts, self.sums, strict=True), zip(other.counts, other.sums, strict=True)
        return [bucket for bucket, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]


def bucket_of(key: str) -> int:
    return crc32(key.encode()) % BUCKETS


class ComparisonStoppedError(Exception):
    """Before its end, as was asked for. Stays in this layer."""


class Scan:
    """What one copy holds, section by section."""

    def __init__(self, side: Side, *, as_copy: bool, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """`is_stopped` is asked before each page; then whoever reads gets ComparisonStoppedError."""
        self.side = side
        self._as_copy = as_copy
        self._is_stopped = is_stopped
        self._ahead: tuple[Section, GroupPage] | None = None
        """What a page gave that passed over sections without rows."""

    async def items(self, section: Section) -> AsyncGenerator[Sequence[Item]]:
        cursor: CopyCursor | None = CopyCursor(section)
        keys = PageAhead()
        while cursor is not None and cursor.section == section:
            page = await self._page(cursor, keys)
            if page is None:
                return
            yield _contents(page)
            cursor = page.next

    async def _page(self, cursor: CopyCursor, keys: PageAhead) -> GroupPage | None:
        """None: there is nothing of this section after the cursor."""
        ahead, section = self._ahead, cursor.section
        if ahead is not None and SECTIONS.index(ahead[0]) > SECTIONS.index(section):
            return None
        if ahead is not None and ahead[0] == section and not cursor.after:
            self._ahead = None
            return ahead[1]
        if self._is_stopped():
            raise ComparisonStoppedError
        page = await self.side.page(cursor, PAGE_ROWS_MAX, keys)
        found = _contents(page)
        if found and (there := cursor_after(found[0]).section) != section:
            self._ahead = (there, page)
            return None
        return page

    async def buckets(self, section: Section, allows: "Allows") -> Buckets:
        made = Buckets()
        async with aclosing(self.items(section)) as pages:
            async for page in pages:
                for item in page:
                    key = cursor_after(item).after
                    if allows(section, key, item):
                        made.add(key, item_digest(item, as_copy=self._as_copy))
        return made

    async def digests(self, section: Section, buckets: set[int], allows: "Allows") -> dict[str, int]:
        found: dict[str, int] = {}
        async with aclosing(self.items(section)) as pages:
            async for page in pages:
                for item in page:
                    key = cursor_after(item).after
                    if bucket_of(key) in buckets and allows(section, key, item):
                        found[key] = item_digest(item, as_copy=self._as_copy)
        return found


def _contents(page: GroupPage) -> tuple[Item, ...]:
    return (*page.rows, *page.tombstones, *page.operations)


class Allows:
    """Everything is compared. Subclasses leave out what is still on its way."""

    def __call__(self, section: Section, key: str, item: Item) -> bool:
        return True


# --- the whole ------------------------------------------------------------------------------------


class Comparison:
    def __init__(self, left: Scan, right: Scan, sections: Iterable[Section], differences_max: int) -> None:
        self._left = left
        self._right = right
        self._sections = tuple(sections)
        self._differences_max = differences_max

    async def run(self, left_allows: Allows, right_allows: Allows) -> VerifyReport:
        """Each section first left, then right. Raises what the shards raise."""
        report = VerifyReport()
        for section in self._sections:
            left = await self._left.buckets(section, left_allows)
            right = await self._right.buckets(section, right_allows)
            report.left_rows += sum(left.counts)
            report.right_rows += sum(right.counts)
            for buckets in _few_keys(left, right):
                mine = await self._left.digests(section, buckets, left_allows)
                await self.look_again()
                theirs = await self._right.digests(section, buckets, right_allows)
                self._differ(report, section, mine, theirs)
        return report

    async def look_again(self) -> None:
        """Between the left and the right rows of unequal buckets."""

    def is_excused(self, section: Section, key: str, *, extra: bool) -> bool:
        """Whether this is no difference; `extra`: only the right copy has it."""
        return False

    def _differ(
        self, report: VerifyReport, section: Section, left: Mapping[str, int], right: Mapping[str, int]
    ) -> None:
        unequal = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
        unequal = [key for key in unequal if not self.is_excused(section, key, extra=key not in left)]
        missing = [key for key in unequal if key not in right]
        extra = [key for key in unequal if key not in left]
        different = [key for key in unequal if key in left and key in right]
        report.missing_total += len(missing)
        report.extra_total += len(extra)
        report.different_total += len(different)
        lists = ((missing, report.missing), (extra, report.extra), (different, report.different))
        for keys, named in lists:
            room = max(0, self._differences_max - len(named))
            named += [RowDifference(section, key) for key in keys[:room]]


def _few_keys(left: Buckets, right: Buckets) -> list[set[int]]:
    """The unequal buckets, as many at a time as KEYS_MAX allows, at least one."""
    groups: list[set[int]] = []
    room = 0
    for bucket in left.unequal(right):
        keys = max(left.counts[bucket], right.counts[bucket])
        if not groups or keys > room:
            groups.append(set())
            room = KEYS_MAX
        groups[-1].add(bucket)
        room -= keys
    return groups


async def verify(
    shards: MoveShards, request: VerifyRequest, settings: MoveSettings, deadline: Deadline
) -> VerifyReport:
    """As Moves.verify. Of a copy that is written to meanwhile, rows may be told different that are not."""
    left, right = (_side(shards, copy, settings, deadline) for copy in (request.left, request.right))
    sections = SECTIONS if request.as_copy else KINDS
    for side in (left, right):
        if await side.fence() is None:
            raise MoveRefused(
                side.group_id, f"shard {side.place.shard_id} has no copy of it there; name another place"
            )
    comparison = Comparison(
        Scan(left, as_copy=request.as_copy),
        Scan(right, as_copy=request.as_copy),
        sections,
        request.differences_max,
    )
    report = await comparison.run(Allows(), Allows())
    fences = [await side.fence() for side in (left, right)]
    report.left_version, report.right_version = (0 if fence is None else fence.version for fence in fences)
    return report


def _side(shards: MoveShards, copy: GroupCopy, settings: MoveSettings, deadline: Deadline) -> Side:
    side = Side(shards, copy.group_id, Place(copy.shard_id, copy.space), settings.call_s_max)
    side.until = deadline
    return side
