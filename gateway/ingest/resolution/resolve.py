"""Who is who among the entities of one or many episodes and of the graph.

    plan = plan_resolution(new, known)         what names settle, and what is to be asked
    ... the model answers plan.questions ...
    resolution = settle(new, known, [*plan.same, *answered])
    facts, dropped = follow(facts, resolution)

New entities are numbered by their place in `new` (of the whole batch), known ones in `known`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.ingest.extraction import ExtractedFact
from gateway.ingest.resolution.likeness import Likeness, Named, NameIndex
from gateway.ingest.resolution.names import normalised
from gateway.ingest.resolution.union_find import UnionFind


@dataclass(frozen=True, slots=True)
class NewIs:
    """Two entities are one: the new one and another new one, or a known one."""

    new: int
    other: int
    known: bool
    """Whether `other` is among the known entities."""


@dataclass(frozen=True, slots=True)
class Question:
    """What only the model can tell of one new entity."""

    new: int
    known: tuple[int, ...] = ()
    """Candidates, most alike first."""
    others: tuple[int, ...] = ()
    """Candidates among the new entities before it."""


@dataclass(frozen=True, slots=True)
class Plan:
    same: tuple[NewIs, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Survivor:
    """What an entity is from now on."""

    position: int
    known: bool
    """True: `position` is of a known entity, which the new one joins."""


@dataclass(frozen=True, slots=True)
class Resolution:
    survivors: tuple[Survivor, ...]
    """Of each new entity."""
    conflicts: tuple[tuple[int, ...], ...] = ()
    """Known entities that turn out to be one: they are not merged, the first of each took the new ones."""

    @property
    def created(self) -> tuple[int, ...]:
        """The new entities that stay, each for those that are the same."""
        return tuple(
            position
            for position, survivor in enumerate(self.survivors)
            if survivor == Survivor(position, known=False)
        )


def plan_resolution(new: Sequence[Named], known: Sequence[Named]) -> Plan:
    """What names, words and vectors settle. An entity that is surely another's double asks nothing itself;
    one that fits several known ones alike is asked about, as is whoever is only nominated."""
    of_known, of_new = NameIndex(known), NameIndex(new)
    same: list[NewIs] = []
    questions: list[Question] = []
    for position, one in enumerate(new):
        before = [found for found in of_new.nominees(one, but=position) if found.position < position]
        double = next((found for found in before if found.likeness is Likeness.SAME), None)
        if double is not None:
            same.append(NewIs(position, double.position, known=False))
            continue
        nominees = of_known.nominees(one)
        certain = [found.position for found in nominees if found.likeness is Likeness.SAME]
        exact = [at for at in certain if normalised(known[at].name) == normalised(one.name)]
        settled = exact if len(exact) == 1 else certain
        if len(settled) == 1:
            same.append(NewIs(position, settled[0], known=True))
        elif nominees or before:
            questions.append(
                Question(
                    position,
                    tuple(found.position for found in nominees),
                    tuple(found.position for found in before),
                )
            )
    return Plan(tuple(same), tuple(questions))


def settle(new: Sequence[Named], known: Sequence[Named], same: Iterable[NewIs]) -> Resolution:
    """Joins chains of doubles. The survivor of a set is its known entity, the one with the lowest number if
    there are several; else the new one with the longest name, the first of those."""
    sets: UnionFind[tuple[bool, int]] = UnionFind((False, position) for position in range(len(new)))
    for one in same:
        sets.join((False, one.new), (one.known, one.other))
    survivors: dict[int, Survivor] = {}
    conflicts: list[tuple[int, ...]] = []
    for members in sets.sets():
        of_known = sorted(position for is_known, position in members if is_known)
        of_new = sorted(position for is_known, position in members if not is_known)
        if len(of_known) > 1:
            conflicts.append(tuple(of_known))
        if of_known:
            survivor = Survivor(of_known[0], known=True)
        else:
            survivor = Survivor(max(of_new, key=lambda at: (len(new[at].name), -at)), known=False)
        survivors |= dict.fromkeys(of_new, survivor)
    return Resolution(tuple(survivors[position] for position in range(len(new))), tuple(sorted(conflicts)))


@dataclass(frozen=True, slots=True)
class FollowedFact:
    """A fact between survivors."""

    fact: ExtractedFact
    source: Survivor
    target: Survivor
    episodes: tuple[int, ...]
    """Numbers of the episodes that state it, ascending."""


@dataclass(frozen=True, slots=True)
class LoopedFact:
    """A fact whose two entities turned out to be one, while the model took them for two."""

    fact: ExtractedFact
    entity: Survivor
    episode: int


def follow(
    facts: Iterable[tuple[int, ExtractedFact]], resolution: Resolution
) -> tuple[list[FollowedFact], list[LoopedFact]]:
    """(number of the episode, its fact with ends numbered as in the batch) -> facts between survivors.

    Facts that say the same of the same, word for word, and tell the same times become one.
    """
    found: dict[tuple[object, ...], FollowedFact] = {}
    looped: list[LoopedFact] = []
    for episode, fact in facts:
        source, target = resolution.survivors[fact.source], resolution.survivors[fact.target]
        if source == target and fact.source != fact.target:
            looped.append(LoopedFact(fact, source, episode))
            continue
        key = (source, target, normalised(fact.text), fact.valid_at, fact.invalid_at)
        known = found.get(key)
        if known is None:
            found[key] = FollowedFact(fact, source, target, (episode,))
        elif episode not in known.episodes:
            found[key] = replace(known, episodes=tuple(sorted((*known.episodes, episode))))
    return list(found.values()), looped


def renumbered(facts: Sequence[ExtractedFact], offset: int) -> list[ExtractedFact]:
    """The facts of one episode, whose entities begin at `offset` in the batch."""
    return [replace(one, source=one.source + offset, target=one.target + offset) for one in facts]


def answered(question: Question, answer: int) -> NewIs:
    """`answer`: place in the question's candidates, the known ones first."""
    if answer < len(question.known):
        return NewIs(question.new, question.known[answer], known=True)
    return NewIs(question.new, question.others[answer - len(question.known)], known=False)


def names_of(resolution: Resolution, new: Sequence[Named], known: Sequence[Named]) -> Mapping[int, str]:
    """New entity -> the name it goes by."""
    return {
        position: (known if survivor.known else new)[survivor.position].name
        for position, survivor in enumerate(resolution.survivors)
    }
