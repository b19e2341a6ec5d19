"""How long the server answers nobody while it applies a write that weighs as much as a write may."""

import asyncio
import random
import statistics
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import numpy as np

from drivers.falkordb.write import WEIGHT_MAX
from drivers.graph_model import AnyRow, Entity, Saga
from drivers.write_plan import WritePlan, write_weight
from gateway.rpc.validation import ATTRIBUTE_LIST_MAX, DIMENSION_MAX, SUMMARY_CHARS_MAX
from tests.contract.falkordb_specific.conftest import OpenGroup
from tests.contract.rows import entity, episode, new_uuid, random_vector
from tests.contract.tenant import Tenant
from tests.engines import FalkorDBServer

ROUNDS = 2
TIMES_MAX = 2.0
type MakeRow = Callable[[], AnyRow]
type LongestPing = Callable[[], Awaitable[float]]

_RNG = np.random.default_rng(7)
_RANDOM = random.Random(7)
_PLAIN = [random_vector(_RNG, 384) for _ in range(20)]
_WIDE = [random_vector(_RNG, DIMENSION_MAX) for _ in range(20)]


def plain() -> Entity:
    return entity("a name", embedding=_RANDOM.choice(_PLAIN))


def usual() -> Entity:
    return entity("a name", embedding=_RANDOM.choice(_PLAIN), summary=words(400))


def words(chars: int) -> str:
    """Distinct ones: an index has to find a place for each."""
    return " ".join(f"{_RANDOM.getrandbits(28):07x}" for _ in range(chars // 8))


WORST: Mapping[str, MakeRow] = {
    "vectors": lambda: entity("v", embedding=_RANDOM.choice(_WIDE)),
    "words": lambda: episode(words(20_000)),
    "text": lambda: Saga(uuid=new_uuid(), name="s", summary="x" * SUMMARY_CHARS_MAX),
    "lists": lambda: entity(
        "l", attributes={name: tuple(range(ATTRIBUTE_LIST_MAX)) for name in ("one", "two")}
    ),
    "strings": lambda: entity("a", attributes={f"name {n}": f"{n}" + "v" * 250 for n in range(250)}),
    "long strings": lambda: entity("a", attributes={f"name {n}": "v" * 60_000 for n in range(30)}),
    "labels": lambda: entity("l", labels=tuple(f"label {n}" for n in range(64))),
}
"""Rows that a caller may write, each large in another way."""


async def heaviest(tenant: Tenant, row: MakeRow) -> WritePlan:
    """Of as many such rows as still pass."""

    async def of(count: int) -> WritePlan:
        return await tenant.plan(tenant.intent(*(row() for _ in range(count))))

    count = WEIGHT_MAX * 4 // write_weight(await of(4))
    while write_weight(plan := await of(count)) > WEIGHT_MAX:
        count -= 1
    return plan


@asynccontextmanager
async def pinging(server: FalkorDBServer) -> AsyncGenerator[LongestPing]:
    """The longest PING since it was asked last."""
    pinger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.falkordb_specific.pinger", str(urlsplit(server.url).port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert pinger.stdin is not None
    assert pinger.stdout is not None
    stdin, stdout = pinger.stdin, pinger.stdout

    async def longest_s() -> float:
        stdin.write(b"\n")
        return float(await stdout.readline())

    try:
        yield longest_s
    finally:
        stdin.close()
        await pinger.wait()


async def test_the_heaviest_write_of_any_shape_holds_the_server_no_longer_than_plain_rows(
    falkordb_server: FalkorDBServer, open_group: OpenGroup
) -> None:
    """The longest PING beside a write of weight WEIGHT_MAX is at most twice that beside one of rows with
    384-d vectors, whatever the rows are made of."""
    plain_s: list[float] = []
    worst_s: dict[str, list[float]] = {name: [] for name in WORST}
    planner = await open_group()
    plain_plan = await heaviest(planner, plain)
    worst = {name: await heaviest(planner, row) for name, row in WORST.items()}
    async with pinging(falkordb_server) as longest_ping_s:

        async def hold_s(plan: WritePlan) -> float:
            """In a group of its own, where none of the rows is."""
            tenant = await open_group()
            await longest_ping_s()
            await tenant.apply(plan)
            return await longest_ping_s()

        for _ in range(ROUNDS):
            for name, plan in worst.items():
                plain_s.append(await hold_s(plain_plan))
                worst_s[name].append(await hold_s(plan))
    limit_s = TIMES_MAX * statistics.median(plain_s)
    assert {name: held for name, held in worst_s.items() if min(held) > limit_s} == {}, plain_s


async def test_a_usual_batch_passes(open_group: OpenGroup) -> None:
    """200 rows with 384-d vectors and summaries of 400 characters are within the weight of one write."""
    tenant = await open_group()
    await tenant.write(*(usual() for _ in range(200)))
