"""The coordinators that there are: how one begins, and when one can be forgotten."""

from collections.abc import Sequence
from typing import Final

from tests.model_check.model import Model
from tests.model_check.rules import GIVEN
from tests.model_check.state import FROZEN, OPEN, Fence, Message, Mover, Step, World

NONE: Final = Fence()
"""Stands for a fence that is not there, where only its numbers matter."""


def begin(model: Model, world: World, source: int, target: int, out: list[Step]) -> None:
    """A new one begins a move, goes on with the one that the fence names, or puts its own in that place."""
    fence = world.shards[source].fence
    if fence is None or fence.state not in (OPEN, FROZEN):
        return
    token = max(fence.token, (world.shards[target].fence or NONE).token) + 1
    if "token not raised" in model.flags:
        token = max(1, fence.token)
    move_ids = {token}
    if fence.move_id:
        move_ids = {fence.move_id} if fence.moved_to == target + 1 else set[int]()
        if model.config.replaces_moves:
            move_ids.add(token)
    rest = world._replace(left=world.left._replace(takes=world.left.takes - 1))
    for move_id in sorted(move_ids):
        mover = Mover(token, move_id, source, target, "take", (fence.move_id,))
        label = f"coordinator {token} looks at {'ABC'[source]} and {'ABC'[target]}, move {move_id}"
        out.append((label, with_movers(model, rest, (*world.movers, mover))))


def may_be_late(model: Model, world: World, message: Message) -> bool:
    rules = model.config.late_rules
    return bool(world.left.late) and (not rules or message.rule in rules)


def with_movers(model: Model, world: World, movers: Sequence[Mover]) -> World:
    """In the order of their tokens. If the table guards tokens, a coordinator that both its fences have left
    behind can change nothing any more and is forgotten, as is a message that one has left behind."""
    kept = sorted(movers)
    late = world.late
    if model.rules.guards_tokens:
        kept = [mover for mover in kept if not _is_behind(world, mover)]
        if late:
            late = tuple(message for message in late if not _is_refused(world, message))
    return world._replace(movers=tuple(kept), late=late)


def _is_refused(world: World, message: Message) -> bool:
    """For ever, by its token, which comes first in what it carries."""
    fence = world.shards[message.shard].fence
    by_token = message.rule in GIVEN and GIVEN[message.rule][0] == "token"
    return by_token and fence is not None and fence.token > message.given[0]


def _is_behind(world: World, mover: Mover) -> bool:
    source, target = world.shards[mover.source].fence, world.shards[mover.target].fence
    behind = source is not None and source.token > mover.token
    return behind and target is not None and target.token > mover.token


def spent(world: World, what: str) -> World:
    left = world.left
    return world._replace(left=left._replace(**{what: getattr(left, what) - 1}))
