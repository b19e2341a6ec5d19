"""The bulk copy of a group and the rounds that bring what was written meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeGuard

from drivers.fence import Fence, FenceState
from drivers.fence_changes import APPLY, LOAD, FenceChange, Value
from drivers.graph_model import (
    ENDPOINT_KINDS,
    AnyRow,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    SagaEpisode,
)
from drivers.moving import CURSOR_END, PAGE_ROWS_MAX, CopyCursor, GroupChanges, PageAhead
from drivers.reads import ROWS_PER_READ_MAX, Tombstone
from drivers.row_codec import kind_of
from shard_router.moves.batches import Item, bytes_of, cursor_after, in_order, intake, parts
from shard_router.moves.page_size import PAGE_BYTES
from shard_router.moves.side import Side

type AnyEdge = Fact | Mention | Membership | SagaEpisode | NextEpisode
type Key = tuple[Kind, str]
"""Kind and uuid; also of an edge."""


class CopyInconsistentError(Exception):
    """An edge without an endpoint that should be there: the copy cannot be trusted. Stays in this layer."""


@dataclass(frozen=True, slots=True)
class Copying:
    """Which copy it is, as both fences name it."""

    token: int
    move_id: str

    def is_sourced_by(self, fence: Fence | None) -> bool:
        return fence is not None and (fence.token, fence.move_id) == (self.token, self.move_id)

    def given(self, **more: Value) -> Mapping[str, Value]:
        return {"token": self.token, "move_id": self.move_id, **more}


@dataclass(frozen=True, slots=True)
class Brought:
    """What one round did; nothing if one of the fences was not as it should be."""

    source: Fence | None
    """Read last; None: look anew."""
    target: Fence | None
    """As the round left it; None: look anew."""
    items: int = 0
    versions: int = 0


@dataclass(frozen=True, slots=True)
class _Load:
    items: Sequence[Item]
    next: CopyCursor | None
    fence: Fence | None


class Copier:
    def __init__(
        self, source: Side, target: Side, page_rows: int, copied: Callable[[int, int], None]
    ) -> None:
        """`copied` is told of every batch: items and bytes."""
        self._source = source
        self._target = target
        self._page_rows = page_rows
        self._copied = copied

    async def copy_on(
        self, copying: Copying, target: Fence, is_stopped: Callable[[], bool]
    ) -> tuple[Fence | None, Fence | None]:
        """From the target's cursor to the end, or until a fence is not as it should be or it is stopped. The
        fences of source and target; None: look anew. Raises CopyInconsistentError."""
        start = CopyCursor.of(target.cursor)
        assert start is not None, "the copy is complete"
        pages = PageAhead()
        ahead: asyncio.Task[_Load] | None = asyncio.create_task(self._gather(start, pages))
        cursor: str = target.cursor
        source: Fence | None = None
        try:
            while ahead is not None:
                load = await ahead
                source, ahead = load.fence, None
                if not copying.is_sourced_by(source) or source is None or is_stopped():
                    return None, None
                if source.prune_floor > target.applied:
                    return source, None
                if load.next is not None:
                    ahead = asyncio.create_task(self._gather(load.next, pages))
                after = await self._load(copying, load, cursor, source.prune_floor, target.applied)
                if after is None:
                    return source, None
                target, cursor = after, after.cursor
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        return source, target

    async def bring(self, copying: Copying, applied: int, seen_version: int = 0) -> Brought:
        """One round: all that the source has after `applied`, or the first of it if that is much.
        `seen_version`: the source's, as last seen. Raises CopyInconsistentError."""
        changes = await self._source.changes(applied, PAGE_ROWS_MAX, seen_version)
        source = changes.fence
        if not copying.is_sourced_by(source) or source is None:
            return Brought(None, None)
        if source.prune_floor > applied:
            return Brought(source, None)
        apply = partial(self._apply, copying, source.prune_floor, applied)
        items, bound = in_order(changes), changes.bound
        # Nobody writes, and all of it is here: no edge can lack an end.
        is_whole = source.state is FenceState.FROZEN and source.version == bound
        target, homeless = await apply(bound if is_whole else applied, items)
        if target is not None and homeless and not is_whole:
            target, homeless = await apply(applied, await self._with_ends(changes, homeless))
        if homeless:
            raise CopyInconsistentError(f"{homeless[0][0]} {homeless[0][1]} came without its ends")
        if target is not None and not is_whole:
            # Only now the round counts: who goes on after a crash must not miss an edge that had to wait.
            target, _ = await apply(bound, ())
        if target is None:
            return Brought(source, None)
        return Brought(source, target, len(items), bound - applied)

    async def _apply(
        self, copying: Copying, prune_floor: int, applied: int, applied_after: int, items: Sequence[Item]
    ) -> tuple[Fence | None, Sequence[Key]]:
        """The target's fence, None: refused; and the edges that were left out because an end is not there."""
        pieces = list(self._parts(APPLY, items))
        target: Fence | None = None
        left_out: list[Key] = []
        for number, piece in enumerate(pieces, 1):
            after = applied_after if number == len(pieces) else applied
            given = copying.given(applied=applied, applied_after=after, owner_prune_floor=prune_floor)
            target, homeless = await self._take_in(APPLY, given, piece)
            if target is None:
                return None, ()
            left_out += homeless
        return target, left_out

    # --- the copy ---------------------------------------------------------------------------------

    async def _gather(self, cursor: CopyCursor, pages: PageAhead) -> _Load:
        """About a page, of as many sections as it takes: small groups come in one."""
        items: list[Item] = []
        while True:
            page = await self._source.page(cursor, self._page_rows - len(items), pages)
            items += [*page.rows, *page.tombstones, *page.operations]
            if page.next is None or 2 * len(items) >= self._page_rows or 2 * bytes_of(items) >= PAGE_BYTES:
                return _Load(items, page.next, page.fence)
            cursor = page.next

    async def _load(
        self, copying: Copying, load: _Load, cursor: str, prune_floor: int, copied_version: int
    ) -> Fence | None:
        """None: refused."""
        pieces = list(self._parts(LOAD, load.items))
        end = CURSOR_END if load.next is None else load.next.text
        target: Fence | None = None
        for number, piece in enumerate(pieces, 1):
            after = end if number == len(pieces) else cursor_after(piece[-1]).text
            given = copying.given(cursor=cursor, cursor_after=after, owner_prune_floor=prune_floor)
            target, homeless = await self._take_in(LOAD, given, piece)
            if target is None:
                return None
            _check_homeless(piece, homeless, copied_version)
            cursor = after
        return target

    def _parts(self, change: FenceChange, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        target = self._target
        return parts(change, items, target.write_weight_max, target.intake_bytes_max)

    async def _take_in(
        self, change: FenceChange, given: Mapping[str, Value], items: Sequence[Item]
    ) -> tuple[Fence | None, tuple[Key, ...]]:
        """The target's fence, None: refused; and the edges that were left out."""
        changed = await self._target.take_in(intake(change, given, items))
        if not changed.applied:
            return None, ()
        self._copied(len(items), bytes_of(items))
        return changed.fence, changed.homeless

    # --- the ends of edges ------------------------------------------------------------------------

    async def _with_ends(self, changes: GroupChanges, homeless: Collection[Key]) -> Sequence[AnyRow]:
        """Those edges of the round, after the nodes on which they hang and that are newer than its bound, and
        without the edges whose node is gone: the source was written to during the scan. An older node is at
        the target already.

        The nodes get the bound for their version: a reader of Neo4j may find a row of which a commit shows
        half, and the next round is to write it again."""
        coming = {(kind_of(row), row.uuid) for row in changes.rows}
        edges = [row for row in changes.rows if _is_edge(row) and (kind_of(row), row.uuid) in homeless]
        wanted: dict[Kind, list[str]] = defaultdict(list)
        for kind, uuid in dict.fromkeys(end for edge in edges for end in ends(edge)):
            if (kind, uuid) not in coming:
                wanted[kind].append(uuid)
        newer: dict[Key, AnyRow] = {}
        gone: set[Key] = set()
        for kind, uuids in wanted.items():
            there = {row.uuid: row.version for row in await self._rows(kind, uuids, with_vectors=False)}
            late = [uuid for uuid, version in there.items() if version > changes.bound]
            rows = {row.uuid: row for row in await self._rows(kind, late, with_vectors=True)}
            newer |= {(kind, uuid): replace(row, version=changes.bound) for uuid, row in rows.items()}
            gone |= {(kind, uuid) for uuid in uuids if uuid not in there}
            gone |= {(kind, uuid) for uuid in late if uuid not in rows}
        return [*newer.values(), *(edge for edge in edges if gone.isdisjoint(ends(edge)))]

    async def _rows(self, kind: Kind, uuids: Sequence[str], *, with_vectors: bool) -> list[AnyRow]:
        rows: list[AnyRow] = []
        for start in range(0, len(uuids), ROWS_PER_READ_MAX):
            rows += await self._source.rows(
                kind, uuids[start : start + ROWS_PER_READ_MAX], with_vectors=with_vectors
            )
        return rows


def _is_edge(item: Item) -> TypeGuard[AnyEdge]:
    return isinstance(item, Fact | Mention | Membership | SagaEpisode | NextEpisode)


def ends(edge: AnyEdge) -> tuple[Key, Key]:
    source_kind, target_kind = ENDPOINT_KINDS[kind_of(edge)]
    return (source_kind, edge.source_uuid), (target_kind, edge.target_uuid)


def _check_homeless(items: Sequence[Item], homeless: Sequence[tuple[Kind, str]], copied_version: int) -> None:
    """An edge that came to a node after the copy had passed it is newer than the copy's version and comes
    with a round; so does one that left a node which was deleted in between. Raises CopyInconsistentError for
    any other."""
    if not homeless:
        return
    left_out = set(homeless)
    deleted = {
        (item.kind, item.uuid)
        for item in items
        if isinstance(item, Tombstone) and item.version > copied_version
    }
    for item in items:
        if not _is_edge(item) or (kind_of(item), item.uuid) not in left_out:
            continue
        if item.version <= copied_version and deleted.isdisjoint(ends(item)):
            raise CopyInconsistentError(
                f"{kind_of(item)} {item.uuid} of version {item.version} came without its ends"
            )
