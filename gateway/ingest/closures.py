"""The ends of a fact, each with its cause, so that any of them can be taken back. Pure.

An end that is not before the present one is kept among the closures too, before those that came to stricter
ends: it counts when their causes are removed. There its `closed_at` is that of the next one, so that reads of
what was known at a time find the same end with it as without. A closure that is followed by one with a later
end does not count: its fact was corrected, and the next one with a later end is what has set it aside.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.graph_model import OPEN_END, OPEN_START, Closure

NEVER = -62_135_596_800_000_000
"""Midnight of 0001-01-01, before which no time can be named: the end of a fact that was never so and does not
tell its start. An end at OPEN_START would be read as an open one."""


@dataclass(frozen=True, slots=True)
class DatedFact:
    """What the rules need to know of a fact, new or stored."""

    uuid: str
    valid_at: int = OPEN_START
    invalid_at: int = OPEN_END
    stated_at: int = OPEN_START
    """reference_time of the earliest episode that supports it."""
    episodes: tuple[str, ...] = ()
    """Those that support it, in the order in which they joined; of a new fact its own."""
    closures: tuple[Closure, ...] = ()
    expired_at: int = OPEN_END

    @property
    def own_end(self) -> int:
        """Where it would end without any closure."""
        return self.closures[0].previous_end if self.closures else self.invalid_at

    @property
    def over_when_stated(self) -> bool:
        """And nobody knows since when it was so."""
        return self.valid_at == OPEN_START and self.own_end <= self.stated_at

    @property
    def begins(self) -> int:
        """For order only: an unknown start is when it was stated, or before all if it was over by then."""
        if self.valid_at != OPEN_START or self.over_when_stated:
            return self.valid_at
        return self.stated_at

    @property
    def held_first(self) -> int:
        """The first moment that is known at which it held."""
        return self.own_end - 1 if self.over_when_stated else self.begins

    def holds_at(self, world_time: int) -> bool:
        return self.valid_at <= world_time < self.invalid_at


def ever_held(valid_at: int, invalid_at: int) -> bool:
    """False: the fact has been corrected."""
    return max(valid_at, NEVER) < invalid_at


def ended_by(closures: Iterable[Closure], facts: Container[str]) -> bool:
    return any(one.fact_uuid and one.fact_uuid in facts for one in closures)


def close(fact: DatedFact, end: int, by_episode: str, by_fact: str = "", *, now: int) -> DatedFact:
    """Ended at `end`, not before its start; itself if it would have ended by then without any closure, or if
    this fact, or this episode without naming a fact, has ended it there already."""
    end = max(end, fact.valid_at, NEVER)
    chain = _chain(fact)
    # What a fact has ended stays so as long as any episode supports it: further ones add nothing.
    cause = by_fact or by_episode
    known = any(
        (one.closure.fact_uuid or one.closure.episode_uuid) == cause and one.end == end for one in chain
    )
    if end >= fact.own_end or known:
        return fact
    place = next((at + 1 for at in range(len(chain) - 1, -1, -1) if chain[at].end >= end), 0)
    closed_at = now if place == len(chain) else chain[place].closure.closed_at
    chain.insert(place, _End(end, Closure(closed_at, 0, by_episode, by_fact)))
    return _chained(fact, chain)


def reopen(fact: DatedFact, episode: str, heirs: Iterable[DatedFact] = ()) -> DatedFact:
    """The fact without the closures that `episode` caused: it ends where the others say.

    `heirs`: facts that others still support, as they are without the episode. A closure in the name of one of
    them stays, in that of its next episode, and is where it begins now: without its first statement a fact
    that does not tell its start begins later. Itself if nothing of this concerns it.
    """
    heir_of = {heir.uuid: heir for heir in heirs}
    before = _chain(fact)
    left = [_without(fact, one, episode, heir_of) for one in before]
    counting: list[_End] = []
    set_aside: dict[int, list[int]] = {}
    for at, one in enumerate(left):
        by = _set_aside_by(before, at)
        setter = None if by is None else left[by]
        if one is not None and by is not None and setter is not None and setter.end > one.end:
            set_aside.setdefault(by, []).append(at)
        elif one is not None:
            counting.append(one)
    counting.sort(key=lambda one: -one.end)
    place = {id(one): at for at, one in enumerate(left)}

    def with_those(one: _End) -> Iterable[_End]:
        """Before it those that it sets aside."""
        for at in set_aside.get(place[id(one)], ()):
            earlier = left[at]
            if earlier is not None:
                yield from with_those(earlier)
        yield one

    chain = [each for one in counting for each in with_those(one)]
    return fact if chain == before else _chained(fact, chain)


def with_corrected_ends(
    fact: DatedFact, corrected: Mapping[str, tuple[DatedFact, str]], now: int
) -> DatedFact:
    """Where corrected facts had ended it, those that correct them do. `corrected`: by the uuid of such a fact
    the one that is true instead, and the episode that says so."""
    for one in _chain(fact):
        if one.closure.fact_uuid not in corrected or not ever_held(fact.valid_at, one.end):
            continue
        by, episode = corrected[one.closure.fact_uuid]
        if by.uuid == fact.uuid:
            continue
        end = one.end if by.valid_at == OPEN_START else by.valid_at
        if end <= one.end:
            fact = close(fact, end, episode, by.uuid, now=now)
        else:
            fact = _ended_later(
                fact, _End(min(end, fact.own_end), Closure(now, 0, episode, by.uuid)), corrected
            )
    return fact


def _ended_later(fact: DatedFact, by: "_End", corrected: Container[str]) -> DatedFact:
    """`by` sets aside what corrected facts have ended earlier; what others have goes behind it."""
    chain = _chain(fact)
    behind: set[int] = set()
    for at in range(len(chain) - 1, -1, -1):
        one, aside = chain[at], _set_aside_by(chain, at)
        if aside in behind or (aside is None and one.end < by.end and one.closure.fact_uuid not in corrected):
            behind.add(at)
    stricter = [chain[at] for at in sorted(behind)]
    rest = [one for at, one in enumerate(chain) if at not in behind]
    if stricter and stricter[-1].end == fact.invalid_at:
        by = by.at(stricter[0].closure.closed_at)
    else:
        stricter = [one.at(by.closure.closed_at) for one in stricter]
    return _chained(fact, [*rest, by, *stricter])


def _without(fact: DatedFact, one: "_End", episode: str, heir_of: Mapping[str, DatedFact]) -> "_End | None":
    """The closure without the episode; None: it goes."""
    caused = one.closure.episode_uuid == episode
    heir = heir_of.get(one.closure.fact_uuid)
    supporting = [uuid for uuid in heir.episodes if uuid != episode] if heir is not None else []
    if caused and not supporting:
        return None
    if heir is None:
        return one
    end = one.end
    if end < fact.own_end and ever_held(fact.valid_at, end):
        if heir.begins == OPEN_START:
            return None
        # One that another episode caused is no earlier than it was when the heir was first stated.
        end = max(heir.begins, fact.valid_at) if caused else max(heir.begins, end)
        if end >= fact.own_end:
            return None
    return _End(end, replace(one.closure, episode_uuid=supporting[0]) if caused else one.closure)


@dataclass(frozen=True, slots=True)
class _End:
    end: int
    """That the closure set."""
    closure: Closure
    """Its previous_end is that of the closure before it, whatever is given."""

    def at(self, closed_at: int) -> "_End":
        return replace(self, closure=replace(self.closure, closed_at=closed_at))


def _chain(fact: DatedFact) -> list[_End]:
    ends = [*(closure.previous_end for closure in fact.closures), fact.invalid_at][1:]
    return [_End(end, closure) for end, closure in zip(ends, fact.closures, strict=True)]


def _set_aside_by(chain: Sequence[_End], at: int) -> int | None:
    """The closure because of which this one does not count; None: it counts."""
    return next((later for later in range(at + 1, len(chain)) if chain[later].end > chain[at].end), None)


def _chained(fact: DatedFact, chain: Sequence[_End]) -> DatedFact:
    """With these closures, in this order: the last one is where it ends."""
    closures: list[Closure] = []
    # Ascending, as reads of what was known at a time need it.
    closed_at = OPEN_END
    for at in range(len(chain) - 1, -1, -1):
        closed_at = min(closed_at, chain[at].closure.closed_at)
        previous_end = chain[at - 1].end if at else fact.own_end
        closures.append(replace(chain[at].closure, closed_at=closed_at, previous_end=previous_end))
    closures.reverse()
    end = chain[-1].end if chain else fact.own_end
    expired_at = fact.expired_at
    if end == OPEN_END:
        expired_at = OPEN_END
    elif chain and end != fact.invalid_at:
        expired_at = closures[-1].closed_at
    return replace(fact, invalid_at=end, closures=tuple(closures), expired_at=expired_at)
