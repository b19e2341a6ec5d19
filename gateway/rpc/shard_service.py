"""The methods of AdminService that add, change, drain and remove shards."""

from collections.abc import Mapping
from typing import Final

from drivers.deadline import Deadline
from drivers.fence import Engine
from gateway.rpc import page_token
from gateway.rpc.call import Context
from gateway.rpc.row_messages import timestamp
from gateway.rpc.search_answer import SHARD_ENGINE
from gateway.rpc.validation import SHARD_ID_CHARS_MAX, Violations
from gateway.settings.section import BOLT_SCHEMES, REDIS_SCHEMES, check_url
from graphgate.v1 import shard_pb2 as pb
from shard_router.ring import WEIGHT_MAX, RingMember
from shard_router.shard_map import ShardEndpoint, ShardInfo
from shard_router.shards.drain import Drains
from shard_router.shards.shards import Operator, ShardChange, ShardDescription, Shards
from shard_router.shards.usage import ShardUsage

URL_CHARS_MAX: Final = 2_000
USER_CHARS_MAX: Final = 200
ZONE_CHARS_MAX: Final = 64
CREDENTIALS_CHARS_MAX: Final = 64
REQUESTED_BY_CHARS_MAX: Final = 128
PAGE_SIZE_DEFAULT: Final = 20
PAGE_SIZE_MAX: Final = 1_000

_ENGINE: Mapping[int, Engine] = {int(number): engine for engine, number in SHARD_ENGINE.items()}

type Changing = pb.UpdateShardRequest | pb.DrainShardRequest | pb.RemoveShardRequest


class ShardCalls:
    def __init__(self, shards: Shards, drains: Drains) -> None:
        self._shards = shards
        self._drains = drains

    async def add(
        self, request: pb.AddShardRequest, context: Context, deadline: Deadline
    ) -> pb.AddShardResponse:
        """Raises as Shards.add."""
        v = Violations()
        info = _info(v, request)
        operator = _operator(v, request, context)
        v.raise_if_any()
        assert info is not None, "nothing was wrong"
        admitted = await self._shards.add(info, operator, deadline, validate_only=request.validate_only)
        return pb.AddShardResponse(
            engine_version=admitted.engine_version,
            joined_before=admitted.joined_before,
            clock_skew_us=admitted.clock_skew_us,
            map_version=self._shards.map_version,
        )

    async def update(self, request: pb.UpdateShardRequest, context: Context) -> pb.UpdateShardResponse:
        """Raises as Shards.update."""
        v = Violations()
        operator = _changing(v, request, context)
        change = ShardChange(
            weight=_weight(v, request.weight) if request.HasField("weight") else None,
            zone=v.text("zone", request.zone, ZONE_CHARS_MAX) if request.HasField("zone") else None,
            cordoned=request.cordoned if request.HasField("cordoned") else None,
        )
        if change == ShardChange():
            v.add("weight", "give at least one of weight, zone and cordoned")
        v.raise_if_any()
        snapshot = await self._shards.update(request.shard, change, operator, request.if_map_version)
        return pb.UpdateShardResponse(map_version=snapshot.version)

    async def drain(self, request: pb.DrainShardRequest, context: Context) -> pb.DrainShardResponse:
        """Raises as Shards.drain."""
        v = Violations()
        operator = _changing(v, request, context)
        v.raise_if_any()
        snapshot = await self._shards.drain(request.shard, operator, request.if_map_version)
        return pb.DrainShardResponse(map_version=snapshot.version)

    async def remove(self, request: pb.RemoveShardRequest, context: Context) -> pb.RemoveShardResponse:
        """Raises as Shards.remove."""
        v = Violations()
        operator = _changing(v, request, context)
        v.raise_if_any()
        snapshot = await self._shards.remove(request.shard, operator, request.if_map_version)
        return pb.RemoveShardResponse(map_version=snapshot.version)

    async def describe(self, shard_id: str, deadline: Deadline) -> ShardDescription:
        """Raises as Shards.describe."""
        v = Violations()
        v.text("shard", shard_id, SHARD_ID_CHARS_MAX, required=True)
        v.raise_if_any()
        return await self._shards.describe(shard_id, deadline)

    def drain_problem(self, shard_id: str) -> str:
        return self._drains.progress(shard_id).problem

    async def history(
        self, request: pb.ListShardHistoryRequest, deadline: Deadline
    ) -> pb.ListShardHistoryResponse:
        """Raises CatalogUnavailable."""
        v = Violations()
        v.text("shard", request.shard, SHARD_ID_CHARS_MAX)
        size = request.page_size or PAGE_SIZE_DEFAULT
        v.number("page_size", size, 1, PAGE_SIZE_MAX)
        belongs_to = page_token.fingerprint("ListShardHistory", request.shard)
        position = page_token.decode(v, request.page_token, belongs_to, (str,))
        v.raise_if_any()
        before = "" if position is None else str(position[0])
        entries = await self._shards.history(before, size, request.shard, deadline)
        return pb.ListShardHistoryResponse(
            entries=[
                pb.ShardHistoryEntry(
                    time=timestamp(entry.at_us),
                    requested_by=entry.who,
                    action=entry.action,
                    shard=entry.shard_id,
                    detail=entry.detail,
                    request_id=entry.request_id,
                )
                for entry in entries
            ],
            next_page_token=page_token.encode(belongs_to, [entries[-1].entry_id])
            if len(entries) == size
            else "",
        )


def usage_message(usage: ShardUsage | None) -> pb.ShardUsage | None:
    if usage is None:
        return None
    return pb.ShardUsage(
        groups=usage.groups,
        leaving=usage.leaving,
        arriving=usage.arriving,
        reverse_windows=usage.reverse_windows,
        pointers=usage.pointers,
        complete=usage.complete,
    )


def root_message(described: ShardDescription) -> pb.RootRing:
    return pb.RootRing(
        member=described.root_member, version=described.root_version, pending_version=described.root_pending
    )


def _info(v: Violations, request: pb.AddShardRequest) -> ShardInfo | None:
    """None if something is wrong."""
    try:
        RingMember(request.shard, 1.0)
    except ValueError as error:
        v.add("shard", str(error))
    engine = _ENGINE.get(request.engine)
    if engine is None:
        v.add("engine", "is required: a known engine")
        return None
    _check_url(v, engine, request.url)
    weight = _weight(v, request.weight) if request.HasField("weight") else 1.0
    zone = v.text("zone", request.zone, ZONE_CHARS_MAX)
    endpoint = ShardEndpoint(
        request.url,
        v.text("user", request.user, USER_CHARS_MAX),
        v.text("credentials", request.credentials, CREDENTIALS_CHARS_MAX),
    )
    return ShardInfo(request.shard, engine, weight, zone, endpoint=endpoint)


def _check_url(v: Violations, engine: Engine, url: str) -> None:
    v.text("url", url, URL_CHARS_MAX, required=True)
    try:
        check_url(url, BOLT_SCHEMES if engine is Engine.NEO4J else REDIS_SCHEMES)
    except ValueError as error:
        v.add("url", str(error))
    if "@" in url:
        # Not repeated: it may hold a password.
        v.add("url", "must not hold user and password; give user and credentials")


def _weight(v: Violations, weight: float) -> float:
    if not 0 <= weight <= WEIGHT_MAX or round(weight, 2) != weight:
        v.add("weight", f"must be from 0 to {WEIGHT_MAX:g} with at most two decimals, got {weight:g}")
    return weight


def _changing(v: Violations, request: Changing, context: Context) -> Operator:
    v.text("shard", request.shard, SHARD_ID_CHARS_MAX, required=True)
    v.number("if_map_version", request.if_map_version, 0, 2**62)
    return _operator(v, request, context)


def _operator(v: Violations, request: Changing | pb.AddShardRequest, context: Context) -> Operator:
    who = v.text("requested_by", request.requested_by, REQUESTED_BY_CHARS_MAX)
    return Operator(who or context.peer(), v.request_id("request_id", request.request_id))
