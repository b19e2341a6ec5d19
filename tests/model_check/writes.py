"""Writes of any number of gateways: at any time, at every shard that takes them, and again."""

from tests.model_check.model import APPLYING, Model
from tests.model_check.state import NO_ROW, OPEN, Shard, Step, World, put

TWICE = "applied twice"


def writes(model: Model, world: World, out: list[Step]) -> None:
    split, flags = model.config.split_writes, model.flags
    for index, shard in enumerate(world.shards):
        fence = shard.fence
        if fence is None:
            continue
        if world.transactions[index]:
            _end(model, world, index, out)
            continue
        if fence.state != OPEN and not ("router trusts its cache" in flags and world.told[index]):
            continue
        for number in range(len(model.writes)):
            if not world.committed >> number & 1:
                if split:
                    begun = world._replace(transactions=put(world.transactions, index, number + 1))
                    out.append((f"begin {_text(model, number, index)}", begun))
                else:
                    out.append(_commit(model, world, index, number))
            elif not shard.operations[number]:
                # A retry, or the same request on two ways: here it is not known.
                out.append((f"again {_text(model, number, index)}", TWICE))


def _end(model: Model, world: World, index: int, out: list[Step]) -> None:
    transaction = world.transactions[index]
    number = transaction % APPLYING - 1
    over = world._replace(transactions=put(world.transactions, index, 0))
    if transaction < APPLYING:
        out.append((f"roll back {_text(model, number, index)}", over))
    if model.config.torn and transaction < APPLYING:
        seen = put(world.transactions, index, transaction + APPLYING)
        out.append((f"begin to apply {_text(model, number, index)}", world._replace(transactions=seen)))
        return
    if not world.committed >> number & 1:
        out.append(_commit(model, over, index, number))
    elif not world.shards[index].operations[number]:
        out.append((f"again {_text(model, number, index)}", TWICE))


def _commit(model: Model, world: World, index: int, number: int) -> Step:
    kind, key = model.writes[number]
    shard = world.shards[index]
    fence = shard.fence
    assert fence is not None
    version = fence.version + 1
    rows, tombstones, operations = shard.rows, shard.tombstones, shard.operations
    if kind == "p":
        rows = put(rows, key, (version, number + 1))
    else:
        rows = put(rows, key, NO_ROW)
        if "tombstones not kept" not in model.flags:
            tombstones = put(tombstones, key, version)
    if "no operation records" not in model.flags:
        operations = put(operations, number, version)
    written = Shard(fence._replace(version=version), rows, tombstones, operations)
    after = world._replace(
        shards=put(world.shards, index, written),
        committed=world.committed | 1 << number,
        truth=put(world.truth, key, number + 1 if kind == "p" else 0),
        version=world.version + 1,
    )
    return f"{_text(model, number, index)} v{version}", after


def _text(model: Model, number: int, index: int) -> str:
    kind, key = model.writes[number]
    return f"{'put' if kind == 'p' else 'delete'} {'ab'[key]} at {'ABC'[index]}"
