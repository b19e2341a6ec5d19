"""The layouts that are measured."""

import pytest

from gateway.corpus.dataset import load_dataset
from gateway.corpus.graph_rows import build_groups
from gateway.eval.layouts import GROUPS, LAYOUTS, chosen_layouts


def test_every_layout_has_the_same_groups_but_the_single_one():
    """Passage i is in group i * 100 // 1890 wherever the groups live: else lists could not be the same."""
    passages = len(load_dataset().passages)
    groups = build_groups(load_dataset(), LAYOUTS[0].groups(passages))
    for number, group in enumerate(groups):
        assert all(passage.index * GROUPS // passages == number for passage in group.passages)
    counts = {layout.name: layout.groups(passages) for layout in LAYOUTS}
    assert counts.pop("single_group") == 1
    assert set(counts.values()) == {100} == {len(groups)}


def test_a_passage_is_the_same_episode_in_the_single_group():
    """Overlaps are compared by uuid."""
    dataset = load_dataset().first(60)
    some, (one,) = build_groups(dataset, 3), build_groups(dataset, 1)
    assert [p.episode for group in some for p in group.passages] == [p.episode for p in one.passages]


def test_fewer_passages_give_fewer_groups_of_the_same_size():
    """A quick look searches groups like those of the whole."""
    assert [LAYOUTS[0].groups(passages) for passages in (1, 20, 200, 1_890)] == [1, 1, 10, 100]


def test_layouts_are_chosen_by_name_in_the_order_given():
    """The first one is what the others are compared with."""
    assert [layout.name for layout in chosen_layouts("neo4j_1, falkordb_1")] == ["neo4j_1", "falkordb_1"]


@pytest.mark.parametrize("names", ["", "falkordb_2", "mixed,mixed", "mixed,"])
def test_other_names_are_refused_with_those_that_there_are(names: str):
    """A typing error must not measure something else."""
    with pytest.raises(ValueError, match="single_group"):
        chosen_layouts(names)
