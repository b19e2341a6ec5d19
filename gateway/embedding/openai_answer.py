"""The body of an OpenAI embeddings answer as one matrix."""

import base64
import binascii
from typing import Any

import numpy as np
import orjson

from gateway.embedding.errors import EmbedderAnswerInvalid
from gateway.embedding.port import Matrix
from gateway.embedding.preparation import unit_rows


def parse_answer(body: bytes, *, model: str, inputs: int, dimension: int) -> Matrix:
    """One L2-normalised row for each input, in the order of the inputs; `dimension` 0 accepts any.

    Each vector may be base64 of little-endian float32 or a list of numbers. Raises EmbedderAnswerInvalid.
    """
    try:
        items = _in_order(orjson.loads(body)["data"])
        rows = [_row(item["embedding"]) for item in items]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise EmbedderAnswerInvalid(model, f"{len(body)} bytes that are no list of embeddings") from error
    if len(rows) != inputs:
        raise EmbedderAnswerInvalid(model, f"{len(rows)} vectors for {inputs} texts")
    if len({row.shape for row in rows}) != 1 or rows[0].ndim != 1:
        raise EmbedderAnswerInvalid(model, "vectors of different dimensions")
    return unit_rows(np.stack(rows), model=model, dimension=dimension)


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By `index` where the server sends it, which is then 0..n-1 exactly; else as they come."""
    if not any("index" in item for item in items):
        return items
    ordered = sorted(items, key=lambda item: item["index"])
    if [item["index"] for item in ordered] != list(range(len(items))):
        raise ValueError("indexes have gaps or repeat")
    return ordered


def _row(embedding: str | list[float]) -> Matrix:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32, copy=False)
    return np.array(embedding, np.float32)
