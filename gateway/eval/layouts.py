"""The layouts that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

GROUPS = 100
PASSAGES = 1_890


class Ingest(StrEnum):
    """How the passages become a graph."""

    PROVIDED = "provided"
    """Episodes, entities and facts are written as the data names them."""
    LLM = "llm"
    """Episodes are sent in mode LLM; the model answers with what the data names."""
    BOTH = "both"
    """One after the other, and compared. Of no single layout."""


@dataclass(frozen=True, slots=True)
class Layout:
    name: str
    falkordb_shards: int
    neo4j_shards: int
    one_group: bool = False
    """All passages in a single group, whose entities are then shared by all of them: another graph, so that
    its lists are not expected to be those of the others."""
    ingest: Ingest = Ingest.PROVIDED

    def by_llm(self) -> "Layout":
        return replace(self, name=f"{self.name}_{Ingest.LLM}", ingest=Ingest.LLM)

    def groups(self, passages: int) -> int:
        """Passage i is in group i * 100 // 1890; of fewer passages there are fewer groups, as full."""
        return 1 if self.one_group else max(1, passages * GROUPS // PASSAGES)


LAYOUTS = (
    Layout("falkordb_1", 1, 0),
    Layout("falkordb_4", 4, 0),
    Layout("falkordb_8", 8, 0),
    Layout("neo4j_1", 0, 1),
    Layout("mixed", 1, 1),
    Layout("single_group", 1, 0, one_group=True),
)
"""The first one that is measured is what the others are compared with."""


def chosen_layouts(names: str) -> Sequence[Layout]:
    """`names`: comma-separated, without repeats, in the order in which they are measured.

    Raises ValueError with the names that there are.
    """
    by_name = {layout.name: layout for layout in LAYOUTS}
    wanted = [name.strip() for name in names.split(",")]
    if len(set(wanted)) < len(wanted) or not by_name.keys() >= set(wanted):
        raise ValueError(f"{names!r} are not all layouts, each once; there are {', '.join(by_name)}")
    return [by_name[name] for name in wanted]


def provided_name(name: str) -> str:
    """Of the layout that by_llm() was made of; else the name itself."""
    return name.removesuffix(f"_{Ingest.LLM}")


def filled(layouts: Sequence[Layout], ingest: Ingest) -> Sequence[Layout]:
    """The layouts with their ways of ingestion, in the order in which they are measured."""
    match ingest:
        case Ingest.PROVIDED:
            return layouts
        case Ingest.LLM:
            return [layout.by_llm() for layout in layouts]
        case Ingest.BOTH:
            return [way for layout in layouts for way in (layout, layout.by_llm())]
