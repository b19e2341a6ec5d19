"""The statistics in the fence are those of the rows."""

import random

from drivers.fence import KindStats
from drivers.graph_model import AnyRow, Kind
from tests.contract.rows import entity, episode, fact, mention, one_of_each, uuids
from tests.contract.tenant import Tenant


async def test_a_new_group_has_zeros_for_every_kind(tenant: Tenant) -> None:
    """Every kind is present in a fence's statistics from the start."""
    assert (await tenant.fence()).stats == dict.fromkeys(Kind, KindStats())


async def test_statistics_equal_a_recount_after_every_write(tenant: Tenant) -> None:
    """Rows and terms per kind, which BM25 is computed from, are right after creations, changes, moves of
    facts and deletions with their cascades."""
    rng = random.Random(20)
    ids = uuids(6)
    words = ["alpha", "beta", "gamma", "delta", "it", "cats"]

    def text() -> str:
        return " ".join(rng.choices(words, k=rng.randrange(6)))

    await tenant.write(*one_of_each().values(), *(entity(text(), at=at) for at in ids))
    for _ in range(12):
        rows: list[AnyRow] = [
            fact(rng.choice(ids), rng.choice(ids), text(), at=ids[0]),
            fact(rng.choice(ids), rng.choice(ids), text(), at=ids[1]),
            episode(text(), at=ids[2]),
            mention(ids[2], rng.choice(ids), at=ids[3]),
            *(entity(text(), at=at) for at in ids),
        ]
        await tenant.write(*rows)
        assert (await tenant.fence()).stats == await tenant.recount()
        doomed = rng.choice([(Kind.ENTITY, rng.choice(ids)), (Kind.FACT, ids[0]), (Kind.EPISODE, ids[2])])
        await tenant.write(deletions=[doomed])
        assert (await tenant.fence()).stats == await tenant.recount()


async def test_every_answer_carries_the_same_fence(tenant: Tenant) -> None:
    """Reads return the fence as the last write left it, whichever call brings it."""
    rows = one_of_each()
    outcome = await tenant.write(*rows.values())
    fence = await tenant.fence()
    assert outcome.fence == fence
    assert (await tenant.page(Kind.FACT)).fence == fence
    assert (await tenant.get(Kind.SAGA)).fence == fence
    assert (await tenant.changes()).fence == fence
    assert (await tenant.images(tenant.intent())).fence == fence
