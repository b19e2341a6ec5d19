"""Get, BatchGet and List of any kind of row: what the methods of GraphService share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef
from drivers.graph_model import AnyRow, Edge, Kind
from drivers.reads import Anchor, ListCursor, ListOrder, ListQuery, RowsRead
from gateway.rpc import page_token
from gateway.rpc.call import CallLimits
from gateway.rpc.errors import ReplyTooLarge, VersionNotReached
from gateway.rpc.row_messages import RowMessage, row_message
from gateway.rpc.validation import Violations
from gateway.writes.errors import RowsMissing
from graphgate.v1 import graph_service_pb2 as pb
from shard_router.errors import StalePlacement
from shard_router.placement import Placement
from shard_router.router import Router

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 1_000


class ListRequest(Protocol):
    """The fields that every List request has."""

    @property
    def group_id(self) -> str: ...
    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...
    @property
    def order(self) -> pb.RowOrder: ...
    @property
    def min_version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Batch:
    messages: tuple[RowMessage, ...]
    missing: tuple[str, ...]
    unread: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Page:
    messages: tuple[RowMessage, ...]
    next_page_token: str
    version: int


_LINK: Mapping[tuple[Kind, Kind], Kind] = {
    (Kind.EPISODE, Kind.SAGA): Kind.SAGA_EPISODE,
    (Kind.ENTITY, Kind.COMMUNITY): Kind.MEMBERSHIP,
}
"""Nodes that hang on another node do so over an edge, whose place orders the list."""


def page_size(v: Violations, asked: int) -> int:
    """0 is the default, more than the maximum is the maximum (AIP-158)."""
    if asked < 0:
        v.add("page_size", f"must not be negative, got {asked}")
    return min(asked or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


class RowReads:
    def __init__(self, router: Router, limits: CallLimits) -> None:
        self._router = router
        self._limits = limits

    async def get(
        self, kind: Kind, group_id: str, uuid: str, min_version: int, with_vector: bool, deadline: Deadline
    ) -> tuple[RowMessage, int]:
        """Raises GroupNotFound, RowsMissing."""
        v = Violations()
        check_read(v, group_id, min_version)
        v.uuid("uuid", uuid)
        v.raise_if_any()
        rows, fence = await self._read(kind, group_id, (uuid,), min_version, with_vector, deadline)
        if not rows:
            raise RowsMissing(kind, (uuid,))
        return row_message(rows[0]), fence.version

    async def batch_get(
        self,
        kind: Kind,
        group_id: str,
        uuids: Sequence[str],
        min_version: int,
        with_vectors: bool,
        deadline: Deadline,
    ) -> Batch:
        v = Violations()
        check_read(v, group_id, min_version)
        wanted = tuple(dict.fromkeys(v.uuids("uuids", uuids)))
        v.count("uuids", len(wanted), len(wanted), at_least=1)
        v.raise_if_any()
        rows, fence = await self._read(kind, group_id, wanted, min_version, with_vectors, deadline)
        messages = self.fitting(rows)
        found = {row.uuid for row in rows}
        return Batch(
            messages=messages,
            missing=tuple(uuid for uuid in wanted if uuid not in found),
            unread=tuple(row.uuid for row in rows[len(messages) :]),
            version=fence.version,
        )

    async def list_rows(
        self,
        kind: Kind,
        request: ListRequest,
        with_vectors: bool,
        anchors: Mapping[Kind, str],
        deadline: Deadline,
        other_uuid: str = "",
    ) -> Page:
        """`anchors`: the nodes that the list may hang on; at most one has a uuid. `other_uuid`: with an
        entity as anchor of facts, the entity at their other end."""
        v = Violations()
        check_read(v, request.group_id, request.min_version)
        size = page_size(v, request.page_size)
        anchor = _anchor(v, anchors)
        if other_uuid:
            v.uuid("other_entity_uuid", other_uuid)
            if anchor is None or anchor.kind is not Kind.ENTITY:
                v.add("other_entity_uuid", "needs entity_uuid")
        order = _order(v, request.order)
        hangs_on = f"{anchor.kind}/{anchor.uuid}/{other_uuid}".rstrip("/") if anchor else ""
        belongs = page_token.fingerprint(kind, request.group_id, order, hangs_on, with_vectors)
        position = page_token.decode(v, request.page_token, belongs, (str, int))
        if position is not None:
            v.uuid("page_token", str(position[0]))
        v.raise_if_any()
        link = _LINK.get((kind, anchor.kind)) if anchor is not None else None
        query = ListQuery(
            kind=link or kind,
            limit=size + 1,
            order=order,
            after=ListCursor(str(position[0]), int(position[1])) if position else None,
            anchor=anchor,
            with_vectors=with_vectors and link is None,
            other_uuid=other_uuid,
        )

        async def read(driver: ShardDriver, placement: Placement) -> tuple[RowsRead, RowsRead]:
            """What the page is made of, and its rows: the same unless they are reached over a link."""
            listed = owned(await driver.list_rows(placement.ref, query, deadline), placement.ref)
            if link is None:
                return listed, listed
            uuids = [cast("Edge", edge).target_uuid for edge in listed.rows]
            return listed, owned(
                await driver.get_rows(placement.ref, kind, uuids, with_vectors, deadline), placement.ref
            )

        listed, linked = await self._router.on_owner(
            request.group_id, deadline, read, create=False, writes=False
        )
        fence = checked_fence(linked, request.group_id, request.min_version)
        # A row may have gone between its edge and itself: it is passed over, the page goes on.
        present = {row.uuid for row in linked.rows}
        places = [
            place
            for place in listed.rows
            if (place.uuid if link is None else cast("Edge", place).target_uuid) in present
        ]
        messages = self.fitting(linked.rows[:size])
        token = ""
        if len(messages) < len(places) or len(listed.rows) > size:
            last = places[len(messages) - 1] if messages else listed.rows[-1]
            token = page_token.encode(belongs, (last.uuid, last.created_at))
        return Page(messages, token, fence.version)

    async def _read(
        self,
        kind: Kind,
        group_id: str,
        uuids: Sequence[str],
        min_version: int,
        with_vectors: bool,
        deadline: Deadline,
    ) -> tuple[Sequence[AnyRow], Fence]:
        async def read(driver: ShardDriver, placement: Placement) -> RowsRead:
            return owned(
                await driver.get_rows(placement.ref, kind, uuids, with_vectors, deadline), placement.ref
            )

        result = await self._router.on_owner(group_id, deadline, read, create=False, writes=False)
        return result.rows, checked_fence(result, group_id, min_version)

    def fitting(self, rows: Sequence[AnyRow]) -> tuple[RowMessage, ...]:
        """As many messages, from the first, as fit one reply. Raises ReplyTooLarge when none does."""
        messages: list[RowMessage] = []
        budget = self._limits.reply_bytes_max
        for row in rows:
            message = row_message(row)
            budget -= message.ByteSize() + 8
            if budget < 0:
                if not messages:
                    raise ReplyTooLarge(message.ByteSize(), self._limits.reply_bytes_max)
                break
            messages.append(message)
        return tuple(messages)


def check_read(v: Violations, group_id: str, min_version: int) -> None:
    v.group_id("group_id", group_id)
    if min_version < 0:
        v.add("min_version", f"must not be negative, got {min_version}")


def _anchor(v: Violations, given: Mapping[Kind, str]) -> Anchor | None:
    anchors = [Anchor(kind, uuid) for kind, uuid in given.items() if uuid]
    for anchor in anchors:
        v.uuid(f"{anchor.kind.lower()}_uuid", anchor.uuid)
    if len(anchors) > 1:
        v.add(f"{anchors[1].kind.lower()}_uuid", f"cannot be combined with {anchors[0].kind.lower()}_uuid")
    return anchors[0] if anchors else None


def _order(v: Violations, number: int) -> ListOrder:
    if number not in pb.RowOrder.values():
        v.add("order", f"has the unknown value {number}")
    return ListOrder.NEWEST if number == pb.ROW_ORDER_NEWEST else ListOrder.UUID


def owned(result: RowsRead, ref: GroupRef) -> RowsRead:
    """Raises StalePlacement: the rows count only if their fence, read last, has owned the group all along."""
    if result.fence is None or not result.fence.owned_throughout(ref):
        raise StalePlacement(result.fence)
    return result


def checked_fence(result: RowsRead, group_id: str, min_version: int) -> Fence:
    assert result.fence is not None
    if result.fence.version < min_version:
        raise VersionNotReached(group_id, min_version, result.fence.version)
    return result.fence
