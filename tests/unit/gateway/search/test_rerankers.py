"""The rerankers on rows that a test makes, against what their definitions give."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.graph_model import Entity, Fact, Vector
from drivers.row_key import RowKey
from gateway.rerank.errors import CrossEncoderDisabled, CrossEncoderFailed, Failure
from gateway.rerank.port import NoCrossEncoder
from gateway.search.rerankers.cross_encoding import by_cross_encoder
from gateway.search.rerankers.episode_mentions import by_mentions
from gateway.search.rerankers.mmr import LEAST, mmr
from gateway.search.rerankers.node_distance import by_distance
from gateway.search.rerankers.order import Candidate
from gateway.search.walk import Reached


def unit(*values: float) -> Vector:
    vector = np.array(values, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def entity(name: str, vector: Vector | None = None, group: str = "g", score: float = 0.0) -> Candidate:
    return Candidate(RowKey(group, name), Entity(uuid=name, name=name, embedding=vector), score)


def fact(name: str, source: str, target: str, episodes: int = 0) -> Candidate:
    row = Fact(
        uuid=name,
        source_uuid=source,
        target_uuid=target,
        name="R",
        fact=name,
        episodes=tuple(f"{name}-{number}" for number in range(episodes)),
    )
    return Candidate(RowKey("g", name), row, 0.0)


def brute_mmr(vectors: Sequence[Vector], query: Vector, weight: float, limit: int) -> list[int]:
    """By the definition, one after the other."""
    chosen: list[int] = []
    while len(chosen) < min(limit, len(vectors)):
        best, best_value = -1, -math.inf
        for position, vector in enumerate(vectors):
            if position in chosen:
                continue
            relevance = float(vector.astype(np.float64) @ query)
            closest = max(
                (float(vector.astype(np.float64) @ vectors[other]) for other in chosen), default=0.0
            )
            value = round(weight * relevance - (1 - weight) * closest, 9)
            if value > best_value:
                best, best_value = position, value
        chosen.append(best)
    return chosen


def always(_: RowKey) -> bool:
    return True


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_mmr_is_the_iterative_algorithm(weight: float) -> None:
    """On random vectors the order is that of the textbook's greedy loop, for every lambda."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        vectors = [unit(*rng.standard_normal(8)) for _ in range(15)]
        query = unit(*rng.standard_normal(8))
        candidates = [entity(f"{number:02}", vector) for number, vector in enumerate(vectors)]
        found = mmr(candidates, query, weight, 10, always)
        assert [int(row.key.uuid) for row in found.rows] == brute_mmr(vectors, query, weight, 10)


def test_mmr_puts_a_repetition_behind() -> None:
    """Twins of the best row lose to something new, unless relevance alone counts."""
    candidates = [entity("a", unit(1, 0.1)), entity("b", unit(1, 0.1)), entity("c", unit(0.5, -1))]
    query = unit(1, 0)
    assert [row.key.uuid for row in mmr(candidates, query, 0.5, 3, always).rows] == ["a", "c", "b"]
    assert [row.key.uuid for row in mmr(candidates, query, 1.0, 3, always).rows] == ["a", "b", "c"]


def test_mmr_leaves_rows_without_a_comparable_vector_in_fused_order_at_the_end() -> None:
    """No vector, another dimension and another model are no reason to drop a row, nor to make up a cosine."""
    candidates = [
        entity("none"),
        entity("other-dimension", unit(1, 0, 0)),
        entity("other-model", unit(1, 0), group="foreign"),
        entity("last", unit(-1, 0.01)),
    ]
    found = mmr(candidates, unit(1, 0), 0.5, 10, lambda key: key.group_id == "g")
    assert [row.key.uuid for row in found.rows] == ["last", "none", "other-dimension", "other-model"]
    assert [row.score for row in found.rows[1:]] == [LEAST] * 3
    assert [row.key.uuid for row in mmr(candidates, unit(1, 0), 0.5, 2, always).rows] == [
        "other-model",
        "last",
    ]


def test_near_rows_come_first_and_ties_keep_the_fusions_order() -> None:
    """The centre itself, then by distance; a fact counts by its nearer end; other groups are unreachable."""
    reached = {RowKey("g", "near"): Reached(1, 1.0), RowKey("g", "far"): Reached(3, 1.0)}
    candidates = [
        entity("lost"),
        entity("near", group="elsewhere"),
        entity("far"),
        fact("f", "lost", "near"),
        entity("near"),
        entity("center"),
    ]
    found = by_distance(candidates, RowKey("g", "center"), reached)
    assert [(row.key.uuid, row.score) for row in found.rows] == [
        ("center", 1.0),
        ("f", 0.5),
        ("near", 0.5),
        ("far", 0.25),
        ("lost", 0.0),
        ("near", 0.0),
    ]


def test_mentions_count_episodes() -> None:
    """Of an entity those that were counted, of a fact its own list."""
    candidates = [entity("a"), fact("f", "x", "y", episodes=3), entity("b"), entity("c")]
    found = by_mentions(candidates, {RowKey("g", "b"): 5, RowKey("g", "c"): 3})
    assert [(row.key.uuid, row.score) for row in found.rows] == [("b", 5), ("f", 3), ("c", 3), ("a", 0)]


class Judge:
    timeout_s = 1.5

    def __init__(self, *, fails: Failure | None = None) -> None:
        self.fails = fails
        self.waits: list[float] = []

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        self.waits.append(deadline.remaining_s())
        if self.fails is not None:
            raise CrossEncoderFailed(self.fails, "a test")
        return [float(passage == query) for passage in passages]

    async def close(self) -> None:
        """Nothing to free."""


async def test_a_cross_encoder_orders_by_its_scores() -> None:
    """What the model scores highest comes first; equal scores keep the order of the fusion."""
    candidates = [entity("a", score=0.9), entity("b", score=0.5), entity("q", score=0.1)]
    found = await by_cross_encoder(candidates, "q", Judge(), None, Deadline.after(30))
    assert [row.key.uuid for row in found.rows] == ["q", "a", "b"]
    assert found.report.reranked


@pytest.mark.parametrize("failure", list(Failure))
async def test_a_cross_encoder_that_fails_leaves_the_fused_order_and_says_so(failure: Failure) -> None:
    """The search answers either way; which it was can be read from the answer."""
    candidates = [entity("a", score=0.9), entity("q", score=0.1)]
    found = await by_cross_encoder(candidates, "q", Judge(fails=failure), None, Deadline.after(30))
    assert [(row.key.uuid, row.score) for row in found.rows] == [("a", 0.9), ("q", 0.1)]
    assert (found.report.reranked, found.report.reason) == (False, failure)


async def test_the_model_is_waited_for_no_longer_than_asked_configured_and_left() -> None:
    """The shortest of the request's timeout, the gateway's and the call's deadline less the answer's time."""
    judge = Judge()
    for timeout_s, left_s in ((None, 30.0), (0.5, 30.0), (9.0, 30.0), (None, 0.4)):
        await by_cross_encoder([entity("a")], "q", judge, timeout_s, Deadline.after(left_s))
    for waited, most in zip(judge.waits, (1.5, 0.5, 1.5, 0.3), strict=True):
        assert most * 0.5 < waited <= most


async def test_a_missing_cross_encoder_is_an_error() -> None:
    """Asking for what the gateway does not have is told, not passed over."""
    with pytest.raises(CrossEncoderDisabled):
        await by_cross_encoder([entity("a")], "q", NoCrossEncoder(), None, Deadline.after(30))
