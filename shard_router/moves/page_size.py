"""How many rows the next page of a group may have, so that it fits memory: rows differ a thousandfold."""

from collections.abc import Sequence
from typing import Final

from drivers.moving import PAGE_ROWS_MAX
from shard_router.moves.batches import Item, bytes_of

PAGE_BYTES: Final = 512 << 10
"""Of one page, about; a row has at most some 1 MB. The gateway decodes it in one piece, 70 us a row with a
384-d vector, while its other calls wait."""
ROWS_FIRST: Final = 64
GROWTH_MAX: Final = 4
"""Times as many rows as before: a page of large rows after pages of small ones is so many times too large."""


class PageSize:
    def __init__(self) -> None:
        self.rows = ROWS_FIRST

    def note(self, items: Sequence[Item]) -> None:
        """What came with the last page."""
        if items:
            per_row = max(1, bytes_of(items) // len(items))
            self.rows = max(1, min(PAGE_BYTES // per_row, GROWTH_MAX * self.rows, PAGE_ROWS_MAX))
