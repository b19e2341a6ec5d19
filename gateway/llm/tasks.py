"""What models are asked for, and how much a task may cost: the tier is chosen here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """The value is a label of metrics."""

    EXTRACT = "extract"
    """Entities and facts of a short episode."""
    EXTRACT_ENTITIES = "extract_entities"
    EXTRACT_FACTS = "extract_facts"
    REFLECT = "reflect"
    """What an extraction has missed."""
    RESOLVE_ENTITIES = "resolve_entities"
    JUDGE_FACTS = "judge_facts"
    """Which known facts a new one repeats, supersedes or corrects."""
    ATTRIBUTES = "attributes"
    SUMMARISE = "summarise"
    SUMMARISE_SAGA = "summarise_saga"


class Complexity(StrEnum):
    LOW = "low"
    """One plain statement or question, few candidates."""
    MEDIUM = "medium"
    HIGH = "high"
    """Custom types with fields, many candidates, nested JSON."""


class Tier(StrEnum):
    FAST = "fast"
    BALANCED = "balanced"
    ACCURATE = "accurate"
    CREATIVE = "creative"


@dataclass(frozen=True, slots=True)
class TierLimits:
    output_tokens_max: int
    temperature: float


TIER_LIMITS: Mapping[Tier, TierLimits] = {
    Tier.FAST: TierLimits(500, 0.0),
    Tier.BALANCED: TierLimits(1_500, 0.3),
    Tier.ACCURATE: TierLimits(4_000, 0.0),
    Tier.CREATIVE: TierLimits(2_000, 0.8),
}

SHORT_CHARS_MAX = 500
MEDIUM_CHARS_MAX = 2_000

_ANSWER_GROWS = frozenset((Task.EXTRACT, Task.EXTRACT_ENTITIES, Task.EXTRACT_FACTS, Task.REFLECT))
"""The answer grows with the text and is about as long: 500 characters give more than FAST may answer."""
_TELLS = frozenset((Task.SUMMARISE_SAGA,))


def choose_tier(task: Task, length_chars: int, complexity: Complexity = Complexity.MEDIUM) -> Tier:
    """The cheapest tier that fits; `length_chars`: of the text that the task is about, prompt excluded."""
    if task in _TELLS:
        return Tier.CREATIVE
    if complexity is Complexity.HIGH or length_chars > MEDIUM_CHARS_MAX:
        return Tier.ACCURATE
    if task in _ANSWER_GROWS:
        return Tier.BALANCED
    if complexity is Complexity.LOW or length_chars <= SHORT_CHARS_MAX:
        return Tier.FAST
    return Tier.BALANCED
