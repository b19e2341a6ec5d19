"""Fences from what the engines store."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from drivers.fence import EmbeddingSpec, Fence, FenceState, KindStats
from drivers.fence_codec import FENCE_COLUMNS, decode_fence, encode_fence
from drivers.graph_model import KINDS, TEXT_KINDS, Kind

STATS = {kind: KindStats(5, 9 if kind in TEXT_KINDS else 0) for kind in KINDS}
FENCE = Fence(
    "g", 3, FenceState.OPEN, version=7, stats=STATS, embeddings={Kind.ENTITY: EmbeddingSpec("m", 4)}
)


def decoded(fence: Fence) -> Fence:
    stored = encode_fence(fence)
    return decode_fence([stored[column] for column in FENCE_COLUMNS])


@pytest.mark.parametrize(
    "change",
    [
        lambda fence: fence,
        lambda fence: replace(fence, version=8),
        lambda fence: replace(fence, state=FenceState.MOVED, moved_to="b"),
        lambda fence: replace(fence, stats=STATS | {Kind.FACT: KindStats(6, 9)}),
        lambda fence: replace(fence, embeddings={}),
    ],
)
def test_every_change_of_a_fence_is_seen(change: Callable[[Fence], Fence]) -> None:
    """A fence that was decoded before is never taken for one that differs in a single value."""
    assert decoded(FENCE) == FENCE
    assert decoded(change(FENCE)) == change(FENCE)


def test_what_is_shared_cannot_be_changed() -> None:
    """Equal fences are decoded once: who reads one cannot change another's statistics."""
    stats = cast("dict[Kind, KindStats]", decoded(FENCE).stats)
    with pytest.raises(TypeError):
        stats[Kind.FACT] = KindStats(1, 1)
