"""What a parameter's text says is what the engine stores."""

import random
import sys

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.falkordb.client import GraphClient
from drivers.graph_model import INT64_MAX, INT64_MIN, OPEN_END, OPEN_START
from tests.contract.tenant import soon

ECHO = "UNWIND $values AS value RETURN value"
HOSTILE = (
    '"', "'", "\\", "\\\\", "\n", "\r", "\t", "`", "{", "}", "[", "]", "(", ")", "$p", "$values", "=", ",",
    ":", ";", " ", "CYPHER ", "RETURN ", "MATCH (n) DETACH DELETE n", "//", "/*", "*/", "--", "%s", "\\u0041",
    "\\n", "null", "true", "1", "é", "😀", "\u2028", "\ufeff", "\x01", "\x1f", "\x7f", "\x85",
)  # fmt: skip
SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.lists(st.sampled_from(HOSTILE)).map("".join)
    | st.integers(INT64_MIN, INT64_MAX)
    | st.booleans()
)


async def _echo(client: GraphClient, graph: str, values: list[object]) -> list[object]:
    rows = await client.read(graph, ECHO, {"values": values}, soon(), "an echo")  # type: ignore[dict-item]
    return [value for (value,) in rows]


@settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(SCALARS | st.lists(SCALARS, max_size=4), max_size=20))
async def test_any_value_comes_back_as_it_was_given(
    client: GraphClient, scratch: str, values: list[object]
) -> None:
    """Strings of any signs, integers, truth values and lists of them pass through a query unchanged, and no
    string ends its literal early."""
    assert await _echo(client, scratch, values) == values


async def test_every_code_point_comes_back(client: GraphClient, scratch: str) -> None:
    """Each code point but NUL and the surrogates, alone and in company, is stored as itself."""
    points = [chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF]
    for start in range(0, len(points), 50_000):
        part = points[start : start + 50_000]
        joined = "".join(part)
        assert await _echo(client, scratch, [*part, joined]) == [*part, joined]


async def test_extreme_integers_are_exact(client: GraphClient, scratch: str) -> None:
    """The open ends of intervals and all int64 next to a limit of some number format are exact, alone, in
    lists and as properties."""
    values = [
        sign * (2**bits + off) for bits in (31, 32, 52, 53, 62) for off in (-1, 0, 1) for sign in (1, -1)
    ]
    values += [OPEN_START, OPEN_END, INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, 0]
    assert await _echo(client, scratch, [*values, values]) == [*values, values]
    ((kept, listed),) = await client.write(
        scratch,
        "CREATE (n:Row {lows: $values}) SET n.low = $low RETURN n.low, n.lows",
        {"values": values, "low": INT64_MIN},
        soon(),
        "storing",
    )
    assert (kept, listed) == (INT64_MIN, values)


async def test_doubles_come_back_to_fifteen_digits(client: GraphClient, scratch: str) -> None:
    """A double in a parameter is parsed whatever its exponent; the engine prints fifteen digits."""
    values = [0.5, -1e-7, 1e22, 1e300, 5e-324, 0.1 + 0.2, 123456789.123456]
    found = await _echo(client, scratch, list(values))
    assert found == [float(f"{value:.15g}") for value in values]


async def test_every_float32_comes_back_bit_for_bit(client: GraphClient, scratch: str) -> None:
    """Random bit patterns, denormals, both zeros and the extremes survive text, vecf32 and the way back."""
    rng = np.random.default_rng(random.Random(5).randrange(2**32))
    bits = rng.integers(0, 2**32, 40_000, dtype=np.uint32)
    edges = [0, 1, 2, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x80000000, 0x80000001, 0xFF7FFFFF, 0x33D6BF95]
    patterns = np.concatenate([bits, np.array(edges, dtype=np.uint32)]).view(np.float32)
    patterns = patterns[np.isfinite(patterns)]
    for part in np.array_split(patterns, 20):
        ((stored,),) = await client.write(
            scratch, "CREATE (n:Row {v: vecf32($v)}) RETURN n.v", {"v": part}, soon(), "storing"
        )
        ((read,),) = await client.read(scratch, "MATCH (n:Row) RETURN n.v", {}, soon(), "reading")
        await client.write(scratch, "MATCH (n:Row) DELETE n", {}, soon(), "dropping")
        assert stored.tobytes() == read.tobytes() == part.tobytes()
