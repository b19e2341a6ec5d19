"""Answers in memory: bounded by bytes, found by their groups."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from gateway.search_cache.kept_answers import KeptAnswer, KeptAnswers

GROUPS = ("ada", "bob", "cid")
STEP = st.one_of(
    st.tuples(
        st.just("put"), st.sampled_from("abcdef"), st.integers(0, 5_000), st.sets(st.sampled_from(GROUPS))
    ),
    st.tuples(st.just("get"), st.sampled_from("abcdef"), st.just(0), st.just(set[str]())),
    st.tuples(st.just("drop"), st.sampled_from("abcdef"), st.just(0), st.just(set[str]())),
    st.tuples(st.just("groups"), st.just(""), st.just(0), st.sets(st.sampled_from(GROUPS))),
)


def kept(size: int, groups: set[str]) -> KeptAnswer:
    names = tuple(sorted(groups))
    return KeptAnswer(b"x" * size, names, (None,) * len(names), made_s=0, asked_us=0, until_us=1)


@given(st.integers(0, 12_000), st.lists(STEP, min_size=10, max_size=40))
def test_behaves_like_a_plain_lru_of_bytes(
    bytes_max: int, steps: list[tuple[str, str, int, set[str]]]
) -> None:
    """After every step: at most bytes_max, the least recently used gone first, an answer that is larger than
    all the room never kept (nor what it should have replaced), and every group finds its answers."""
    answers = KeptAnswers(bytes_max)
    reference: OrderedDict[bytes, KeptAnswer] = OrderedDict()
    evictions = 0
    for step, name, size, groups in steps:
        key = name.encode()
        match step:
            case "put":
                answer = kept(size, groups)
                assert answers.put(key, answer) == (answer.size_bytes <= bytes_max)
                reference.pop(key, None)
                if answer.size_bytes <= bytes_max:
                    reference[key] = answer
                while sum(one.size_bytes for one in reference.values()) > bytes_max:
                    reference.popitem(last=False)
                    evictions += 1
            case "get":
                assert answers.get(key) is reference.get(key)
                if key in reference:
                    reference.move_to_end(key)
            case "drop":
                answers.drop(key)
                reference.pop(key, None)
            case _:
                gone = [key for key, one in reference.items() if groups & set(one.group_ids)]
                assert answers.drop_groups(groups) == len(gone)
                for key in gone:
                    del reference[key]
        assert answers.bytes == sum(one.size_bytes for one in reference.values()) <= bytes_max
        assert (len(answers), answers.evictions) == (len(reference), evictions)
        assert set(answers.groups()) == {group for one in reference.values() for group in one.group_ids}
