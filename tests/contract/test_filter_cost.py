"""What a filter costs: the largest one that the gateway lets through is bounded per row that is looked at."""

import time
from collections.abc import Iterator
from itertools import batched, cycle

import pytest

from drivers.filters import (
    ATTRIBUTE_VALUES_MAX,
    CONDITIONS_MAX,
    TIME_CONDITIONS_MAX,
    AttributeCondition,
    AttributeTest,
    RowFilter,
    TimeCondition,
    TimeField,
)
from drivers.graph_model import AttributeScalar, Entity, Kind
from drivers.search_reads import SemanticQuery
from tests.contract.conftest import OpenTenant
from tests.contract.rows import vector
from tests.contract.tenant import Tenant, soon

ROWS = 1_500
WRITE_ROWS = 300
NAMES = ("tenant", "city", "colour", "size")
ROUNDS = 3
TIMES_MAX = 3.0
"""Of the time that the largest filter of times takes."""


def entity(number: int) -> Entity:
    return Entity(
        uuid=f"{number:08x}-0000-4000-8000-000000000000",
        name="",
        attributes={name: tuple(f"value {number % 50} of {n}" for n in range(2)) for name in NAMES},
        embedding=vector([1.0, number / ROWS]),
    )


def wanted(conditions: int) -> RowFilter:
    """So many conditions with all the values that are allowed together; every row passes, and none before the
    last value was looked for."""
    names: Iterator[str] = cycle(NAMES)
    share = ATTRIBUTE_VALUES_MAX // conditions

    def values(one: int) -> tuple[AttributeScalar, ...]:
        return ("value", *(f"value {one} {n}" for n in range(share - 2)), "value zzz")

    return RowFilter(
        attributes=tuple(
            AttributeCondition(next(names), AttributeTest.NONE_OF, values(one)) for one in range(conditions)
        )
    )


def times() -> RowFilter:
    """As many conditions as are allowed together, which every row passes by the last ones."""
    never, ever = TimeCondition(TimeField.CREATED_AT, before=0), TimeCondition(TimeField.CREATED_AT)
    return RowFilter(
        times=(*[(never,)] * (CONDITIONS_MAX - 1), (ever,) * (TIME_CONDITIONS_MAX - CONDITIONS_MAX))
    )


async def scan_s(tenant: Tenant, wanted: RowFilter) -> float:
    """Seconds of one call."""
    query = SemanticQuery(Kind.ENTITY, vector([1.0, 0.0]), 10, filter=wanted)
    started = time.perf_counter()
    read = await tenant.driver.semantic([tenant.ref], query, soon())
    taken = time.perf_counter() - started
    assert [hit.key.uuid for hit in read.hits] == [entity(n).uuid for n in range(10)]
    return taken


@pytest.mark.parametrize("subject", ["falkordb", "neo4j"], indirect=True)
async def test_the_largest_attribute_filter_is_bounded_per_row(open_tenant: OpenTenant) -> None:
    """However the allowed values are shared out among conditions, a scan of many rows that each are held
    against all of them takes about as long as with the largest filter of times, measured in turns."""
    tenant = await open_tenant()
    for rows in batched(map(entity, range(ROWS)), WRITE_ROWS):
        await tenant.write(*rows)
    filters = {"times": times(), "one": wanted(1), "many": wanted(CONDITIONS_MAX)}
    best_s = dict.fromkeys(filters, float("inf"))
    for name in ROUNDS * tuple(filters):
        best_s[name] = min(best_s[name], await scan_s(tenant, filters[name]))
    assert max(best_s["one"], best_s["many"]) < TIMES_MAX * best_s["times"], best_s
