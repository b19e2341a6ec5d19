"""What happens besides: routers that open and point, cleanup, pruning, a late message, one read."""

from tests.model_check.model import Model, deliver, under_way
from tests.model_check.state import (
    FROZEN,
    INCOMING,
    KEYS,
    MOVED,
    NO_TOMBSTONES,
    OPEN,
    READY,
    STALE_READ,
    WIPING,
    Fence,
    Message,
    Read,
    Step,
    World,
    owns,
    put,
    with_fence,
)


def surroundings(model: Model, world: World, out: list[Step]) -> None:
    for place, message in enumerate(world.late):
        landed = deliver(model, world, message)
        if landed is not None:
            others = (*world.late[:place], *world.late[place + 1 :])
            out.append((f"late {message.rule} lands", landed._replace(late=others)))
    for index, shard in enumerate(world.shards):
        fence = shard.fence
        if fence is None:
            continue
        if fence.state in (WIPING, INCOMING, READY):
            _discard(model, world, index, fence, out)
        if fence.state == READY:
            _open_up(model, world, index, fence, out)
        elif fence.state == MOVED:
            _bury(model, world, index, fence, out)
        elif fence.state == OPEN and world.left.prunes and not world.transactions[index]:
            _prune(model, world, index, fence, out)
        elif fence.state == FROZEN and world.left.thaws and "source thaws itself" in model.flags:
            left = world.left._replace(thaws=world.left.thaws - 1)
            thawed = with_fence(world, index, fence._replace(state=OPEN))._replace(left=left)
            out.append(("the source thaws itself", thawed))
    if model.config.register is not None:
        _point(model, world, model.config.register, out)
    if world.read is not None or world.left.reads:
        _read(model, world, out)


def _open_up(model: Model, world: World, index: int, fence: Fence, out: list[Step]) -> None:
    """By a router with any epoch that it was ever told for this shard."""
    epochs = {*world.told[index]}
    if "OPEN_UP by READY's own epoch" in model.flags:
        epochs.add(fence.epoch)
    for epoch in sorted(epochs):
        opened = deliver(model, world, Message("OPEN_UP", index, (epoch,)))
        if opened is not None:
            out.append((f"OPEN_UP {epoch} at {'ABC'[index]}", opened))


def _discard(model: Model, world: World, index: int, fence: Fence, out: list[Step]) -> None:
    """By anybody who sees that the source does not name this copy any more: its coordinator may be dead."""
    source = world.shards[fence.moved_to - 1].fence
    if source is None or source.move_id == fence.move_id or source.token < fence.token:
        return
    message = Message("DISCARD", index, (fence.token, fence.move_id, source.epoch))
    discarded = deliver(model, world, message)
    if discarded is not None:
        out.append((f"DISCARD at {'ABC'[index]}", discarded))
    if world.left.late:
        out.append((f"DISCARD at {'ABC'[index]}: under way", under_way(world, message)))


def _bury(model: Model, world: World, index: int, fence: Fence, out: list[Step]) -> None:
    """The reverse window is over, which begins when the target is open; the rows go at once or by late chunks
    of a wipe."""
    target = world.shards[fence.moved_to - 1].fence
    waits = target is not None and (target.state, target.epoch) == (READY, fence.moved_epoch)
    if not world.left.burials or (waits and "BURY before OPEN_UP" not in model.flags):
        return
    left = world.left._replace(burials=world.left.burials - 1)
    message = Message("BURY", index, (fence.moved_epoch,))
    buried = deliver(model, world._replace(left=left), message)
    if buried is not None:
        wipe = Message("wipe", index, (0, 0))
        wiped = deliver(model, buried, wipe)
        if wiped is not None:
            out.append((f"BURY and wipe {'ABC'[index]}", wiped))
        if left.late:
            out.append((f"BURY {'ABC'[index]}, wipe under way", under_way(buried, wipe)))
    if left.late:
        late = under_way(world._replace(left=left), message)
        out.append((f"BURY {'ABC'[index]}: no answer, under way", late))


def _prune(model: Model, world: World, index: int, fence: Fence, out: list[Step]) -> None:
    """The owner forgets tombstones and raises the floor in the same transaction."""
    shard = world.shards[index]
    if not any(shard.tombstones):
        return
    floor = fence.prune_floor if "floor not raised" in model.flags else fence.version
    pruned = shard._replace(fence=fence._replace(prune_floor=floor), tombstones=NO_TOMBSTONES)
    left = world.left._replace(prunes=world.left.prunes - 1)
    out.append(
        (f"prune at {'ABC'[index]}", world._replace(shards=put(world.shards, index, pruned), left=left))
    )


def _point(model: Model, world: World, register: int, out: list[Step]) -> None:
    """By anybody who was led to an owner once, however long ago."""
    for index, epochs in enumerate(world.told):
        for epoch in epochs:
            if index == register:
                continue
            pointed = deliver(model, world, Message("POINT", register, (epoch, index + 1)))
            if pointed is not None:
                out.append((f"POINT to {'ABC'[index]} {epoch}", pointed))


def _read(model: Model, world: World, out: list[Step]) -> None:
    """Several queries; the route was right when it was learned, the fence is read last."""
    by_state = "read judges by state" in model.flags
    read = world.read
    if read is None:
        for index, shard in enumerate(world.shards):
            if shard.fence is not None and (owns(world, index) or by_state):
                left = world.left._replace(reads=world.left.reads - 1)
                begun = world._replace(read=Read(index, shard.fence.epoch), left=left)
                out.append((f"read begins at {'ABC'[index]} epoch {shard.fence.epoch}", begun))
        return
    shard = world.shards[read.shard]
    fence = shard.fence
    assert fence is not None
    if read.fresh is None:
        for key in range(KEYS):
            fresh = shard.rows[key][1] == world.truth[key]
            out.append((f"reads {'ab'[key]}", world._replace(read=read._replace(fresh=fresh))))
        return
    counts = (fence.state == OPEN and fence.epoch == read.epoch) or (
        fence.state == FROZEN and fence.epoch - read.epoch in (0, 1)
    )
    if by_state:
        counts = fence.state in (OPEN, FROZEN)
    if "read takes the fence first" in model.flags:
        counts = True
    after = STALE_READ if counts and not read.fresh else world._replace(read=None)
    out.append(("read ends", after))
