"""A configuration with its compiled table, and how a shard handles one message."""

from dataclasses import dataclass, field
from typing import cast

from drivers.fence_changes import FENCE_CHANGES, FenceChange
from tests.model_check.rules import Rules, compiled
from tests.model_check.state import (
    KEYS,
    NO_ROW,
    NO_ROWS,
    NO_TOMBSTONES,
    OPERATIONS,
    TOMB,
    TOMBSTONES,
    WIPING,
    Configuration,
    Fence,
    Message,
    Row,
    Shard,
    World,
    put,
)

APPLYING = 10


@dataclass(frozen=True, slots=True)
class Model:
    config: Configuration
    rules: Rules
    flags: frozenset[str]
    writes: tuple[tuple[str, int], ...]
    """put or delete, and the number of the key."""
    used: set[str] = field(default_factory=set[str])
    """Names of the rules that have changed a fence so far."""

    @staticmethod
    def of(config: Configuration, changes: tuple[FenceChange, ...] = FENCE_CHANGES) -> "Model":
        writes = tuple((text[0], "ab".index(text[1])) for text in config.writes)
        return Model(config, compiled(changes), config.flags, writes)


def deliver(model: Model, world: World, message: Message) -> World | None:
    """The state after one conditional statement in a shard, under the fence's lock. None: refused."""
    rule, index, given, load = message
    if world.transactions[index] and "no lock" not in model.flags:
        return None
    shard = world.shards[index]
    if rule == "wipe":
        return _wiped(model, world, index, given)
    fence = model.rules.by_name[rule].after(shard.fence, given)
    if fence is None:
        return None
    model.used.add(rule)
    if load:
        shard = _taken_in(model, shard, rule, load)
    told = world.told
    if rule == "COMMIT":
        told = _tell(told, fence.moved_to - 1, fence.moved_epoch)
    elif rule == "READY" and "READY tells its epoch" in model.flags:
        told = _tell(told, index, fence.epoch)
    return world._replace(shards=put(world.shards, index, shard._replace(fence=fence)), told=told)


def under_way(world: World, message: Message) -> World:
    """Its sender has no answer and does not wait any more."""
    late = sorted((*world.late, message), key=lambda m: (m.rule, m.shard, m.given))
    return world._replace(late=tuple(late), left=world.left._replace(late=world.left.late - 1))


def _tell(told: tuple[tuple[int, ...], ...], index: int, epoch: int) -> tuple[tuple[int, ...], ...]:
    return put(told, index, tuple(sorted({*told[index], epoch})))


def _wiped(model: Model, world: World, index: int, given: tuple[int, ...]) -> World | None:
    """drivers.moving.GroupMoves.wipe, whose condition is not in the table."""
    shard = world.shards[index]
    fence = shard.fence
    if fence is None:
        return None
    mine = fence.state == WIPING and (fence.token, fence.move_id) == given
    if "wipe asks for no token" in model.flags:
        mine = fence.state not in ("OPEN", "FROZEN")
    if not mine and fence.state != TOMB:
        return None
    if "no wipe" in model.flags:
        return world
    empty = Shard(fence, NO_ROWS, NO_TOMBSTONES, (0,) * len(model.writes))
    return world._replace(shards=put(world.shards, index, empty))


def _taken_in(model: Model, shard: Shard, rule: str, load: tuple[object, ...]) -> Shard:
    flags = model.flags
    if rule == "LOAD":
        section, found = cast("tuple[int, tuple[int, ...]]", load)
        if section < TOMBSTONES:
            return _merged(flags, shard, section, cast("Row", found), 0)
        if section == OPERATIONS:
            return _with_operations(flags, shard, found)
        for key in range(KEYS):
            shard = _merged(flags, shard, key, NO_ROW, found[key])
        return shard
    rows, tombstones, operations = cast("tuple[tuple[Row, ...], tuple[int, ...], tuple[int, ...]]", load)
    for key in range(KEYS):
        shard = _merged(flags, shard, key, rows[key], tombstones[key])
    return _with_operations(flags, shard, operations)


def _with_operations(flags: frozenset[str], shard: Shard, found: tuple[int, ...]) -> Shard:
    if "operation records do not move" in flags:
        return shard
    return shard._replace(operations=tuple(map(max, shard.operations, found)))


def _merged(flags: frozenset[str], shard: Shard, key: int, row: Row, tombstone: int) -> Shard:
    """A row and a tombstone, each by its version."""
    present, buried = shard.rows[key], shard.tombstones[key]
    if row[0]:
        floor = present[0] if "rows compared without tombstones" in flags else max(present[0], buried)
        if row[0] > floor or "rows not compared" in flags:
            present = row
    if tombstone:
        if tombstone > present[0] or ("tombstones not compared" in flags and not row[0]):
            present = NO_ROW
        buried = max(buried, tombstone)
    return shard._replace(rows=put(shard.rows, key, present), tombstones=put(shard.tombstones, key, buried))


def seen_version(model: Model, world: World, index: int) -> int | None:
    """What a coordinator takes for the group's version; None: it waits for the lock."""
    fence: Fence | None = world.shards[index].fence
    assert fence is not None
    transaction = world.transactions[index]
    if "bound read without the lock" in model.flags:
        return fence.version + (transaction > APPLYING)
    return None if transaction and "no lock" not in model.flags else fence.version
