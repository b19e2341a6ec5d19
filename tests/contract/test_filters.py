"""Filters mean on every engine what drivers.filters.matches says, and apply before the limit.

GRAPHGATE_EXAMPLES=20 runs twenty times as many graphs, other ones every time; the number of cases (one
filter, one method, one kind) stands at the end of the run.
"""

import itertools
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings

from drivers.contract import ShardDriver
from drivers.fence import Fence, FenceState, GroupRef
from drivers.filters import RowFilter, matches
from drivers.graph_model import TEXT_KINDS, AnyTextRow, Fact, Kind, TextRow, Vector
from drivers.row_key import RowKey
from drivers.search_reads import ExpandQuery, KeywordQuery, MatchingQuery, SemanticQuery
from tests.contract.filter_worlds import ENTITIES, Question, World, worlds
from tests.contract.rows import vector
from tests.contract.tenant import Tenant, soon

EXAMPLES = 12
FACTOR = int(os.environ.get("GRAPHGATE_EXAMPLES", "1"))

type Stored = Sequence[Mapping[RowKey, AnyTextRow]]
"""By group: its rows of one kind, without vectors."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one write left behind of a group's facts, read before the next one."""

    at: int
    """System time of the write."""
    ends: Mapping[str, tuple[int, int]]
    """By uuid: invalid_at and expired_at."""


@dataclass(frozen=True, slots=True)
class Written:
    tenants: Sequence[Tenant]
    history: Mapping[str, Sequence[Known]]
    """By group_id, oldest first."""


_run = secrets.token_hex(4)
_numbers = itertools.count()
_cases: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _told(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    plugins = request.config.pluginmanager
    reporter: Any = plugins.getplugin("terminalreporter")
    capture: Any = plugins.getplugin("capturemanager")
    told = ", ".join(f"{count} {method}" for method, count in sorted(_cases.items()))
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"filter cases compared with brute force: {told}")


async def _written(driver: ShardDriver, world: World) -> Written:
    """Groups whose names differ in case alone."""
    number = next(_numbers)
    tenants: list[Tenant] = []
    history: dict[str, list[Known]] = {}
    for name, writes in zip(("g", "G"), world.groups, strict=True):
        ref = GroupRef(f"oracle-{_run}-{number}-{name}")
        await driver.create_fence(Fence(ref.group_id, 1, FenceState.OPEN), soon())
        tenant = Tenant(driver, ref)
        history[ref.group_id] = []
        for rows in filter(None, writes):
            await tenant.write(*rows)
            facts = (await _stored(tenant, Kind.FACT)).values()
            ends = {fact.uuid: (fact.invalid_at, fact.expired_at) for fact in facts if isinstance(fact, Fact)}
            history[ref.group_id].append(Known(tenant.now, ends))
        tenants.append(tenant)
    return Written(tenants, history)


@pytest.mark.timeout(120 * FACTOR)
@settings(
    max_examples=EXAMPLES * FACTOR,
    deadline=None,
    derandomize=FACTOR == 1,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(world=worlds())
async def test_engines_filter_as_brute_force_does(driver: ShardDriver, world: World) -> None:
    """Semantic, keyword and graph search with any filter find what a look at every row finds; what was known
    at a time is what a look at that time found."""
    written = await _written(driver, world)
    tenants = written.tenants
    rows = {
        (group, kind): await _stored(tenant, kind)
        for group, tenant in enumerate(tenants)
        for kind in TEXT_KINDS
    }
    vectors = {
        RowKey(tenant.ref.group_id, row.uuid): row.embedding
        for tenant, writes in zip(tenants, world.groups, strict=True)
        for row in itertools.chain(*writes)
        if isinstance(row, TextRow | Fact) and row.embedding is not None
    }
    for question in world.questions:
        note(f"{question}")
        asked = [tenants[group] for group in question.groups]
        stored: Stored = [rows[group, question.kind] for group in question.groups]
        passing = _passing(stored, written.history, question)
        await _semantic_is_right(asked, passing, vectors, question)
        await _keyword_is_right(asked, stored, passing, question)
        await _matching_is_right(asked, stored, passing, question)
        if question.kind is Kind.FACT and question.filter.as_of is not None:
            # Asked so often that it has a condition of its own.
            held = replace(question, filter=RowFilter(as_of=question.filter.as_of))
            holding = _passing(stored, written.history, held)
            await _semantic_is_right(asked, holding, vectors, held)
            await _matching_is_right(asked, stored, holding, held)
        if question.kind is Kind.FACT:
            await _expand_is_right(asked, passing, question)


async def _stored(tenant: Tenant, kind: Kind) -> dict[RowKey, AnyTextRow]:
    rows = await tenant.listed(kind)
    return {RowKey(tenant.ref.group_id, row.uuid): row for row in rows if isinstance(row, TextRow | Fact)}


def _passing(
    stored: Stored, history: Mapping[str, Sequence[Known]], question: Question
) -> dict[RowKey, AnyTextRow]:
    """Rows that pass as they were then, which is those that pass by the changes that they remember."""
    known_at = question.filter.known_at
    untimed = replace(question.filter, known_at=None)
    passing: dict[RowKey, AnyTextRow] = {}
    for key, row in itertools.chain(*(rows.items() for rows in stored)):
        then = row if known_at is None else _as_known(row, history[key.group_id], known_at)
        passes = then is not None and matches(then, untimed)
        assert passes == matches(row, question.filter), (row, then)
        if passes:
            passing[key] = row
    return passing


def _as_known(row: AnyTextRow, history: Sequence[Known], known_at: int) -> AnyTextRow | None:
    """None: it was not there."""
    if not isinstance(row, Fact):
        return row if row.created_at <= known_at else None
    ends = next((known.ends for known in reversed(history) if known.at <= known_at), {})
    if row.uuid not in ends:
        return None
    invalid_at, expired_at = ends[row.uuid]
    return replace(row, invalid_at=invalid_at, expired_at=expired_at)


async def _semantic_is_right(
    asked: Sequence[Tenant],
    passing: Mapping[RowKey, AnyTextRow],
    vectors: Mapping[RowKey, Vector],
    question: Question,
) -> None:
    query = vector([1.0, 0.2])
    found = [(key, vectors[key].astype(np.float64)) for key in passing if key in vectors]
    ranked = sorted((-float(one @ query.astype(np.float64)), key) for key, one in found)
    read = await asked[0].driver.semantic(
        [tenant.ref for tenant in asked],
        SemanticQuery(question.kind, query, question.limit, filter=question.filter),
        soon(),
    )
    assert [hit.key for hit in read.hits] == [key for _, key in ranked[: question.limit]]
    _cases["semantic"] += 1


async def _keyword_is_right(
    asked: Sequence[Tenant], stored: Stored, passing: Mapping[RowKey, AnyTextRow], question: Question
) -> None:
    def has(row: AnyTextRow, *terms: str) -> bool:
        return not set(terms).isdisjoint(row.terms.split(" "))

    expected = {key for key, row in passing.items() if has(row, *question.terms)}
    read = await asked[0].driver.keyword(
        [tenant.ref for tenant in asked],
        KeywordQuery(question.kind, question.terms, question.limit, question.filter),
        soon(),
    )
    found = [hit.key for hit in read.hits]
    assert len(found) == len(set(found)) == min(question.limit, len(expected))
    assert set(found) <= expected
    assert read.complete == (len(expected) < question.limit)
    assert read.document_frequency == {
        term: sum(has(row, term) for rows in stored for row in rows.values()) for term in question.terms
    }
    _cases["keyword"] += 1


async def _matching_is_right(
    asked: Sequence[Tenant], stored: Stored, passing: Mapping[RowKey, AnyTextRow], question: Question
) -> None:
    expected = {
        (key, row.term_count, row.terms, key in passing)
        for rows in stored
        for key, row in rows.items()
        if not set(question.terms).isdisjoint(row.terms.split(" "))
    }
    read = await asked[0].driver.matching(
        [tenant.ref for tenant in asked],
        MatchingQuery(question.kind, question.terms, question.filter),
        soon(),
    )
    found = read.rows
    assert found is not None
    keys = list(map(RowKey, found.group_ids, found.uuids))
    passes = [True] * len(keys) if found.passing is None else found.passing
    assert len(keys) == len(expected)
    assert set(zip(keys, found.term_counts, found.terms, passes, strict=True)) == expected
    _cases["matching"] += 1


async def _expand_is_right(
    asked: Sequence[Tenant], passing: Mapping[RowKey, AnyTextRow], question: Question
) -> None:
    start = ENTITIES[:2]
    queries = [
        ExpandQuery(tenant.ref.group_id, "", start, Kind.FACT, question.limit, question.filter)
        for tenant in asked
    ]
    read = await asked[0].driver.expand(queries, soon())
    newest_first = sorted(passing.items(), key=lambda item: (-item[1].created_at, item[0].uuid))
    for tenant in asked:
        expected: set[str] = set()
        cut = False
        for entity in start:
            hanging = [
                fact.uuid
                for key, fact in newest_first
                if isinstance(fact, Fact)
                and key.group_id == tenant.ref.group_id
                and entity in (fact.source_uuid, fact.target_uuid)
            ]
            expected.update(hanging[: question.limit])
            cut = cut or len(hanging) > question.limit
        assert {edge.uuid for edge in read.edges.get(tenant.ref.group_id, ())} == expected
        assert (tenant.ref.group_id in read.cut) == cut
    _cases["graph"] += 1
