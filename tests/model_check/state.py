"""What a state of the moving group is made of, and what must hold in every one."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from drivers.fence import FenceState

KEYS: Final = 2
"""Rows of the group: a and b."""
OPEN: Final = FenceState.OPEN.value
FROZEN: Final = FenceState.FROZEN.value
MOVED: Final = FenceState.MOVED.value
TOMB: Final = FenceState.TOMB.value
WIPING: Final = FenceState.WIPING.value
INCOMING: Final = FenceState.INCOMING.value
READY: Final = FenceState.READY.value

TOMBSTONES: Final = KEYS
"""Cursor of a copy whose rows are done; the tombstones are next."""
OPERATIONS: Final = KEYS + 1
END: Final = KEYS + 2
HOPS_MAX: Final = 8
"""As in shard_router.root_register."""

type Row = tuple[int, int]
"""Version and value; value 0: no row. In a view of the feed a deletion keeps its version."""
NO_ROW: Final[Row] = (0, 0)
NO_ROWS: Final = (NO_ROW,) * KEYS
NO_TOMBSTONES: Final = (0,) * KEYS


class Fence(NamedTuple):
    """Fields by the names of drivers.fence_codec.FENCE_COLUMNS; texts are numbers here, empty is 0."""

    state: str = ""
    epoch: int = 0
    version: int = 0
    token: int = 0
    move_id: int = 0
    moved_to: int = 0
    """Number of a shard plus 1."""
    moved_epoch: int = 0
    applied: int = 0
    cursor: int = 0
    prune_floor: int = 0


class Shard(NamedTuple):
    fence: Fence | None
    rows: tuple[Row, ...]
    tombstones: tuple[int, ...]
    """Version by key; 0: none."""
    operations: tuple[int, ...]
    """Version of the record by number of the write; 0: none."""


class Mover(NamedTuple):
    """A coordinator. Two of them differ by their tokens, so that their order means nothing."""

    token: int
    move_id: int
    source: int
    target: int
    at: str
    held: tuple[object, ...] = ()
    """What it has read and not sent yet."""
    frozen: tuple[int, ...] = ()
    """Epoch and version of the source, while this coordinator believes it frozen."""


class Message(NamedTuple):
    """One conditional change at a shard: its rule, what the rule is given, and the rows that come along."""

    rule: str
    shard: int
    given: tuple[int, ...]
    load: tuple[object, ...] = ()


class Left(NamedTuple):
    """How often it may still happen."""

    takes: int
    """A coordinator begins a move or takes one over."""
    late: int
    """A message times out at its sender and lands at any later time, or never."""
    thaws: int
    aborts: int
    prunes: int
    burials: int
    reads: int
    rounds: int
    """Of the change feed."""


class Read(NamedTuple):
    """A read that has begun with a route and reads the fence last."""

    shard: int
    epoch: int
    fresh: bool | None = None
    """Whether the row was the newest one; None: not read yet."""


class Scan(NamedTuple):
    shard: int
    epoch: int
    bound: int
    after: int
    found: tuple[Row, ...]


class Feed(NamedTuple):
    """A Watch."""

    position: int
    view: tuple[Row, ...]
    scan: Scan | None


class World(NamedTuple):
    shards: tuple[Shard, ...]
    transactions: tuple[int, ...]
    """By shard: 0, or the number of the write plus 1, plus APPLYING from where a lock-free reader sees it."""
    committed: int
    """Writes that were committed, acknowledged or not, as bits."""
    truth: tuple[int, ...]
    """By key: what the committed writes amount to."""
    version: int
    told: tuple[tuple[int, ...], ...]
    """By shard: the epochs with which a MOVED fence has led routers there; of the first owner its first."""
    movers: tuple[Mover, ...]
    late: tuple[Message, ...]
    """Under way; one that never arrives stays here."""
    left: Left
    read: Read | None
    feed: Feed


type Step = tuple[str, World | str]
"""What happens, and the state afterwards or the promise that it breaks."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What may happen, how often. Everything that is not bounded here may happen at any time."""

    name: str
    about: str
    writes: tuple[str, ...] = ("pa", "da")
    """put or delete, and the key."""
    has_b: bool = False
    """Whether b is there from the start."""
    routes: tuple[tuple[int, int], ...] = ((0, 1),)
    shards: int = 2
    register: int | None = None
    """A shard that only has a pointer to the first owner."""
    takes: int = 1
    late: int = 0
    thaws: int = 0
    aborts: int = 0
    prunes: int = 0
    burials: int = 0
    reads: int = 0
    rounds: int = 0
    replaces_moves: bool = False
    """Whether a coordinator may also begin another move while one is going on."""
    cut_batches: bool = False
    split_writes: bool = False
    """Whether a write's transaction has a begin and an end; else it is one step, which is the same as long
    as everything that changes a fence waits for its lock."""
    torn: bool = False
    """Whether readers without the lock see a commit's version before its rows."""
    late_rules: frozenset[str] = frozenset()
    """Which messages may be late; empty: all."""
    flags: frozenset[str] = field(default=frozenset())
    """Mutations outside the table."""


def initial(c: Configuration) -> World:
    rows = ((1, 90), (2, 91) if c.has_b else NO_ROW)
    version = 2 if c.has_b else 1
    none = (0,) * len(c.writes)
    shards = [
        Shard(Fence(OPEN, epoch=1, version=version), rows, NO_TOMBSTONES, none),
        *(Shard(None, NO_ROWS, NO_TOMBSTONES, none) for _ in range(1, c.shards)),
    ]
    if c.register is not None:
        shards[c.register] = shards[c.register]._replace(fence=Fence(MOVED, moved_to=1, moved_epoch=1))
    return World(
        shards=tuple(shards),
        transactions=(0,) * c.shards,
        committed=0,
        truth=tuple(row[1] for row in rows),
        version=version,
        told=((1,), *(() for _ in range(1, c.shards))),
        movers=(),
        late=(),
        left=Left(c.takes, c.late, c.thaws, c.aborts, c.prunes, c.burials, c.reads, c.rounds),
        read=None,
        feed=Feed(0, NO_ROWS, None),
    )


def put[T](values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def with_fence(world: World, index: int, fence: Fence) -> World:
    return world._replace(shards=put(world.shards, index, world.shards[index]._replace(fence=fence)))


def owns(world: World, index: int) -> bool:
    """Also a target between COMMIT and OPEN_UP."""
    fence = world.shards[index].fence
    if fence is None:
        return False
    state = fence.state
    return state in (OPEN, FROZEN) or (state == READY and fence.epoch in world.told[index])


TWO_OWNERS: Final = "two owners"
NO_OWNER: Final = "no owner"
LOST_WRITE: Final = "lost write"
RESURRECTED: Final = "resurrected delete"
RESTARTED: Final = "version restarted"
APPLIED_TWICE: Final = "applied twice"
STUCK: Final = "frozen without a move"
ASTRAY: Final = "a fence does not lead to the owner"
STALE_READ: Final = "stale read"
FEED_GAP: Final = "feed differs at its position"


def violation(world: World, flags: frozenset[str]) -> str | None:
    """The promise that this state breaks."""
    owner = -1
    for index in range(len(world.shards)):
        if owns(world, index):
            if owner >= 0:
                return TWO_OWNERS
            owner = index
    if owner < 0:
        return NO_OWNER
    shard = world.shards[owner]
    for row, value in zip(shard.rows, world.truth, strict=True):
        if row[1] != value:
            return LOST_WRITE if value else RESURRECTED
    fence = shard.fence
    assert fence is not None
    if fence.version != world.version and "versions unwatched" not in flags:
        return RESTARTED
    if fence.state == FROZEN and not fence.move_id:
        return STUCK
    return ASTRAY if _astray(world, owner) else None


def _astray(world: World, owner: int) -> bool:
    """Whether a walk from some fence does not come to the owner."""
    for start, shard in enumerate(world.shards):
        if start == owner or shard.fence is None:
            continue
        at, epoch = start, 0
        for _ in range(HOPS_MAX):
            fence = world.shards[at].fence
            if fence is None or not fence.moved_to:
                return True
            pointer = fence.state in (MOVED, TOMB)
            at, epoch = fence.moved_to - 1, fence.moved_epoch if pointer else 0
            there = world.shards[at].fence
            if at == owner and there is not None and (there.state != READY or there.epoch == epoch):
                break
        else:
            return True
    return False
