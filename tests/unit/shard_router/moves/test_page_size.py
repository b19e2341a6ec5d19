"""The bound of a page in bytes."""

from random import Random

from drivers.graph_model import Episode
from drivers.moving import PAGE_ROWS_MAX
from shard_router.moves.batches import bytes_of
from shard_router.moves.page_size import GROWTH_MAX, PAGE_BYTES, ROWS_FIRST, PageSize


def episodes(count: int, chars: int) -> list[Episode]:
    return [Episode(uuid=f"{n:036d}", name="", content="x" * chars) for n in range(count)]


def test_pages_of_small_rows_become_as_long_as_pages_may_be() -> None:
    size, pages = PageSize(), 0
    assert size.rows == ROWS_FIRST
    while size.rows < PAGE_ROWS_MAX:
        size.note(episodes(size.rows, 100))
        pages += 1
    assert pages <= 3
    size.note([])
    assert size.rows == PAGE_ROWS_MAX


def test_a_page_has_about_the_bytes_that_it_may_have() -> None:
    """Of rows of any size: once too large by GROWTH_MAX at most, and never without a row."""
    rng = Random(7)
    for _ in range(200):
        size, chars = PageSize(), rng.choice((10, 1_000, 100_000, 1_000_000))
        for _ in range(6):
            page = episodes(min(size.rows, 64), chars)
            size.note(page)
            per_row = bytes_of(page) / len(page)
            assert 1 <= size.rows <= PAGE_ROWS_MAX
            assert size.rows == 1 or size.rows * per_row <= PAGE_BYTES
        before = size.rows
        size.note(episodes(1, 1))
        assert size.rows <= GROWTH_MAX * before
