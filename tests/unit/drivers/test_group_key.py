from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.group_key import group_key

GROUP_IDS = st.from_regex(r"[A-Za-z0-9_.:\-]{1,128}", fullmatch=True)


def test_keys_are_those_stored_in_existing_rows():
    """A changed key would orphan every stored row's fulltext scope."""
    assert group_key("tenant-1") == "g845098618bf13bfe19ea2d991b811f1a"
    assert group_key("Tenant-1") == "gf5c80b5f376904c5c232527b6727c712"


@settings(deadline=None)
@given(GROUP_IDS)
def test_a_key_is_one_plain_token(group_id: str):
    """Neither engine's analyser may split, fold or interpret a key."""
    key = group_key(group_id)
    assert len(key) == 33
    assert key.startswith("g")
    assert set(key[1:]) <= set("0123456789abcdef")


@settings(deadline=None)
@given(GROUP_IDS, GROUP_IDS)
def test_two_groups_never_share_a_key(one: str, other: str):
    """Keys tell apart what an engine's analyser would fold together, such as case and punctuation."""
    assert (group_key(one) == group_key(other)) == (one == other)
    assert (group_key(one) == group_key(one.swapcase())) == (one == one.swapcase())
