import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.row_key import RowKey

PARTS = st.text("ab-", max_size=3)


@settings(deadline=None)
@given(st.lists(st.tuples(PARTS, PARTS)))
def test_keys_order_by_group_then_uuid(pairs: list[tuple[str, str]]):
    """Ties in a ranking break the same way in every layout of the groups."""
    keys = sorted(RowKey(group_id, uuid) for group_id, uuid in pairs)
    assert [(key.group_id, key.uuid) for key in keys] == sorted(pairs)


def test_equal_keys_are_one_row():
    """A row reported by both sides of a move is recognised as one."""
    assert len({RowKey("g", "u"), RowKey("g", "u"), RowKey("g", "v"), RowKey("h", "u")}) == 3


def test_a_key_cannot_be_changed():
    """A key used in a mapping keeps its hash."""
    key = RowKey("g", "u")
    with pytest.raises(AttributeError):
        key.uuid = "v"  # pyright: ignore[reportAttributeAccessIssue]
