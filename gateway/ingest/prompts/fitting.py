"""What a prompt takes as it is sent, texts that fit into it, and questions in as few calls as hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.llm.text_care import cut_at_sentence, tokens_estimate

NUMBER_BYTES = 8
"""Of a candidate's number and its comma in the list of a question."""


@dataclass(frozen=True, slots=True)
class Part:
    """A question of one call."""

    question: int
    candidates: tuple[int, ...]
    """Its first ones, as many as fit."""


def size_of(value: Any) -> int:
    """Bytes that it takes in a prompt."""
    return len(orjson.dumps(value))


def json_tokens(text: str) -> int:
    """Estimated, of the text inside of JSON, where quotes and line ends take more."""
    return tokens_estimate(orjson.dumps(text).decode())


def cut_to_fit(text: str, tokens_max: int) -> str:
    """cut_at_sentence(), of the text as it stands in a prompt."""
    limit = tokens_max
    while limit > 0:
        found = cut_at_sentence(text, limit)
        tokens = json_tokens(found)
        if tokens <= tokens_max:
            return found
        limit = min(limit - 1, limit * tokens_max // tokens)
    return ""


def first_that_fit[T](items: Sequence[T], room: int) -> list[T]:
    """As many of the first as take no more than `room` bytes."""
    kept: list[T] = []
    for one in items:
        room -= size_of(one) + 1
        if room < 0:
            break
        kept.append(one)
    return kept


def in_calls(
    own: Sequence[int],
    candidates: Sequence[Sequence[int]],
    candidate_sizes: Mapping[int, int],
    *,
    room: int,
    count_max: int,
) -> Sequence[Sequence[Part]]:
    """Questions in their order, each in one call. `own`: bytes of each question; `candidate_sizes`: of the
    candidates, which a call holds once; `room`: of one call. The last candidates of a question that fills a
    call by itself are left out; one that leaves no room for any is not asked."""
    calls: list[list[Part]] = []
    held: set[int] = set()
    left = 0
    for question, size in enumerate(own):
        alone = _prefix(candidates[question], candidate_sizes, room - size)
        if candidates[question] and not alone:
            continue
        needed = size + _taken(alone, candidate_sizes, held)
        if not calls or needed > left or len(calls[-1]) >= count_max:
            calls.append([])
            held, left = set(), room
            needed = size + _taken(alone, candidate_sizes, held)
        calls[-1].append(Part(question, alone))
        held.update(alone)
        left -= needed
    return calls


def _prefix(candidates: Sequence[int], sizes: Mapping[int, int], room: int) -> tuple[int, ...]:
    kept: list[int] = []
    for one in candidates:
        room -= NUMBER_BYTES + sizes[one] + 1
        if room < 0:
            break
        kept.append(one)
    return tuple(kept)


def _taken(candidates: Sequence[int], sizes: Mapping[int, int], held: set[int]) -> int:
    return sum(NUMBER_BYTES + (0 if one in held else sizes[one] + 1) for one in candidates)
