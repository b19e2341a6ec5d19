"""Rows by a model that reads query and row together; the order of the fusion where it does not answer."""

from collections.abc import Sequence
from typing import cast

from drivers.deadline import Deadline
from drivers.graph_model import AnyTextRow
from gateway.rerank.errors import CrossEncoderFailed
from gateway.rerank.port import CrossEncoder
from gateway.search.rerankers.order import Candidate, Reranking, by_score, unchanged
from gateway.writes.row_text import embedded_text

ANSWER_RESERVE_S = 0.1
"""Kept of the caller's deadline for the answer in fused order."""


async def by_cross_encoder(
    candidates: Sequence[Candidate],
    query: str,
    model: CrossEncoder,
    timeout_s: float | None,
    deadline: Deadline,
) -> Reranking:
    """Raises CrossEncoderDisabled; a failure of the model leaves the order of the fusion."""
    if not candidates:
        return by_score(candidates, lambda _: 0.0)
    passages = [embedded_text(cast("AnyTextRow", candidate.row)) for candidate in candidates]
    wait_s = model.timeout_s if timeout_s is None else min(timeout_s, model.timeout_s)
    wait_s = min(wait_s, deadline.remaining_s() - ANSWER_RESERVE_S)
    try:
        scores = await model.score(query, passages, Deadline.after(max(0.0, wait_s)))
    except CrossEncoderFailed as error:
        return unchanged(candidates, error.failure)
    by_key = {candidate.key: score for candidate, score in zip(candidates, scores, strict=True)}
    return by_score(candidates, lambda candidate: by_key[candidate.key])
