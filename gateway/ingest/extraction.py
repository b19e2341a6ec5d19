"""What an episode says, as ingestion goes on with it: free of pydantic, bounded, every reference resolved."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.graph_model import OPEN_END, OPEN_START, Attributes

ENTITIES_MAX = 200
FACTS_MAX = 400
"""Of one call's answer; what follows is left out."""
NAME_CHARS_MAX = 256
SUMMARY_CHARS_MAX = 1_000
FACT_NAME_CHARS_MAX = 128
FACT_CHARS_MAX = 2_000
ATTRIBUTE_CHARS_MAX = 1_000
PROBLEMS_MAX = 50


class ProblemKind(StrEnum):
    """Why a part of an answer was not taken as it came. Part of the API: an episode's status."""

    UNKNOWN_ENTITY = "UNKNOWN_ENTITY"
    """A fact, judgement or resolution names an id that was neither given nor made."""
    BLANK = "BLANK"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"
    REPEATED_ID = "REPEATED_ID"
    EXCLUDED_TYPE = "EXCLUDED_TYPE"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    TYPE_MAP = "TYPE_MAP"
    """A fact between entities of types that it may not join."""
    BAD_TIME = "BAD_TIME"
    BAD_ATTRIBUTE = "BAD_ATTRIBUTE"
    CONTENT_CUT = "CONTENT_CUT"
    """The episode was too long for one prompt: only its beginning was read."""
    ANSWER_CUT = "ANSWER_CUT"
    """The model's answer was too long, and it gave the most important half only."""
    SAME_ENDS = "SAME_ENDS"
    """A fact whose two entities turned out to be one is left out."""
    NOT_ASKED = "NOT_ASKED"
    """There is no language model to ask: what names do not settle counts as different."""
    NOT_ANSWERED = "NOT_ANSWERED"
    """The model's answer to a question beside the extraction could not be used: what was known stays."""


@dataclass(frozen=True, slots=True)
class Problem:
    kind: ProblemKind
    what: str
    """Where in the answer, without its content: "fact 3, source"."""


@dataclass(frozen=True, slots=True)
class ExtractedEntity:
    name: str
    type: str = ""
    """A custom type's name; empty: none."""
    summary: str = ""
    attributes: Attributes | None = None
    unread_fields: bool = False
    """The answer had a value for a field of its type that the field cannot hold."""


@dataclass(frozen=True, slots=True)
class ExtractedFact:
    source: int
    """Position in Extraction.entities."""
    target: int
    name: str
    text: str
    valid_at: int = OPEN_START
    """Microseconds since the epoch; OPEN_START: the text does not tell."""
    invalid_at: int = OPEN_END
    attributes: Attributes | None = None
    unread_fields: bool = False
    """As of ExtractedEntity."""


@dataclass(frozen=True, slots=True)
class Extraction:
    entities: tuple[ExtractedEntity, ...] = ()
    facts: tuple[ExtractedFact, ...] = ()
    problems: tuple[Problem, ...] = ()
    """At most PROBLEMS_MAX."""
    problems_found: int = 0


class Problems:
    """Collects them, bounded."""

    def __init__(self) -> None:
        self._kept: list[Problem] = []
        self.found = 0

    def add(self, kind: ProblemKind, what: str) -> None:
        self.found += 1
        if len(self._kept) < PROBLEMS_MAX:
            self._kept.append(Problem(kind, what))

    @property
    def kept(self) -> tuple[Problem, ...]:
        return tuple(self._kept)
