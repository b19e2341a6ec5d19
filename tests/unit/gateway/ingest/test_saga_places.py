"""The order of a saga's episodes, of which many came with one write."""

import uuid
from collections.abc import Sequence
from random import Random
from typing import cast

import pytest

from drivers.graph_model import AnyRow, Kind, NextEpisode, SagaEpisode
from drivers.reads import Anchor
from gateway.ingest.pipeline.group_reads import GroupReads
from gateway.ingest.pipeline.saga_places import last_places

SEED = 11


class _Group:
    """Places and links as an engine lists them: newest first, rows of one write by uuid."""

    def __init__(self) -> None:
        self.rows: list[SagaEpisode | NextEpisode] = []
        self.links_read = 0
        self._rng = Random(SEED)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def write(self, at: int, *links: tuple[str, str], saga: str = "saga") -> None:
        """(previous episode, episode)"""
        for before, episode in links:
            self.rows.append(
                SagaEpisode(uuid=self._uuid(), source_uuid=saga, target_uuid=episode, created_at=at)
            )
            if before:
                self.rows.append(
                    NextEpisode(
                        uuid=self._uuid(), source_uuid=before, target_uuid=episode, saga_uuid=saga,
                        created_at=at,
                    )
                )  # fmt: skip

    async def newest(self, kind: Kind, limit: int, anchor: Anchor | None = None) -> Sequence[AnyRow]:
        assert kind is Kind.SAGA_EPISODE
        assert anchor is not None
        hanging = [
            row for row in self.rows if isinstance(row, SagaEpisode) and row.source_uuid == anchor.uuid
        ]
        return sorted(hanging, key=lambda row: (-row.created_at, row.uuid))[:limit]

    async def made_at(self, kind: Kind, created_at: int) -> Sequence[AnyRow]:
        wanted = {Kind.NEXT_EPISODE: NextEpisode, Kind.SAGA_EPISODE: SagaEpisode}[kind]
        self.links_read += kind is Kind.NEXT_EPISODE
        found = [row for row in self.rows if type(row) is wanted and row.created_at == created_at]
        return sorted(found, key=lambda row: row.uuid)

    async def last(self, count: int, but: Sequence[str] = ()) -> list[str]:
        places = await last_places("saga", count, cast("GroupReads", self), but)
        return [one.target_uuid for one in places]


def _chain(names: Sequence[str], before: str = "") -> list[tuple[str, str]]:
    return list(zip([before, *names], names, strict=False))


async def test_places_of_one_write_are_in_the_order_of_their_links() -> None:
    """However their uuids are ordered, and whatever another saga got with the same write."""
    group = _Group()
    first, second = [f"a{number}" for number in range(30)], [f"b{number}" for number in range(30)]
    group.write(1, *_chain(first))
    group.write(2, *_chain(second, first[-1]))
    group.write(2, ("b3", "x"), ("x", "b1"), saga="other")
    assert await group.last(5) == second[-5:]
    assert await group.last(29) == second[-29:]
    assert await group.last(40) == [*first, *second][-40:]
    assert await group.last(5, but=second[-3:]) == second[-8:-3]
    assert await group.last(100) == [*first, *second]


async def test_single_writes_need_no_links() -> None:
    group = _Group()
    for number in range(6):
        group.write(number + 1, (f"e{number - 1}" if number else "", f"e{number}"))
    assert await group.last(4) == ["e2", "e3", "e4", "e5"]
    assert group.links_read == 0


@pytest.mark.parametrize(
    "links",
    [
        [("", "a"), ("", "b"), ("", "c")],
        [("c", "a"), ("a", "b"), ("b", "c")],
        [("", "a"), ("a", "b"), ("a", "c")],
    ],
    ids=["none", "a circle", "a fork"],
)
async def test_links_that_are_no_chain_lose_no_place(links: list[tuple[str, str]]) -> None:
    """Callers may name any episode as the one before."""
    group = _Group()
    group.write(1, *links)
    assert sorted(await group.last(10)) == ["a", "b", "c"]
