"""A Watch: the changes of the group from a position on, wherever it is."""

from tests.model_check.model import Model
from tests.model_check.state import FEED_GAP, FROZEN, KEYS, NO_ROWS, Feed, Scan, Step, World, owns

RESYNC = "watch starts anew"
"""A position below the floor: OUT_OF_RANGE, and the reader takes the whole group again."""


def feed(model: Model, world: World, out: list[Step]) -> None:
    state = world.feed
    scan = state.scan
    if scan is None:
        if world.left.rounds:
            _begin(world, out)
        return
    shard = world.shards[scan.shard]
    fence = shard.fence
    assert fence is not None
    if len(scan.found) < KEYS:
        key = len(scan.found)
        row, tombstone = shard.rows[key], shard.tombstones[key]
        change = row if row[0] > scan.after else (tombstone, 0) if tombstone > scan.after else (0, 0)
        more = state._replace(scan=scan._replace(found=(*scan.found, change)))
        out.append((f"watch scans {'ab'[key]}", world._replace(feed=more)))
        return
    same = owns(world, scan.shard) and (
        fence.epoch == scan.epoch or (fence.state == FROZEN and fence.epoch == scan.epoch + 1)
    )
    if not same and "watch reads no fence" not in model.flags:
        out.append(("watch drops a round", world._replace(feed=state._replace(scan=None))))
        return
    if scan.after and fence.prune_floor > scan.after and "watch knows no floor" not in model.flags:
        anew = Scan(scan.shard, scan.epoch, fence.version, 0, ())
        out.append((RESYNC, world._replace(feed=Feed(0, NO_ROWS, anew))))
        return
    bound = fence.version if "watch reads its bound last" in model.flags else scan.bound
    view = tuple(map(max, state.view, scan.found))
    if bound == world.version and tuple(row[1] for row in view) != world.truth:
        out.append((f"watch at v{bound}", FEED_GAP))
    else:
        out.append((f"watch at v{bound}", world._replace(feed=Feed(bound, view, None))))


def _begin(world: World, out: list[Step]) -> None:
    position, view, _ = world.feed
    for index, shard in enumerate(world.shards):
        fence = shard.fence
        if fence is None or fence.version <= position or not owns(world, index):
            continue
        scan = Scan(index, fence.epoch, fence.version, position, ())
        left = world.left._replace(rounds=world.left.rounds - 1)
        begun = world._replace(feed=Feed(position, view, scan), left=left)
        out.append((f"watch ({position}, {fence.version}] at {'ABC'[index]}", begun))
