"""Which facts end when new ones arrive, and which are open again when an episode is removed. Pure.

A fact holds in world time from `valid_at` until before `invalid_at`. One that does not tell its start began,
as far as order goes, when it was first stated (`begins`). Rules, for a new fact N and a candidate C that the
model has judged about:

- N repeats C while C holds: N is not stored; C gets N's episode, a start where it has none or N's is earlier,
  and an end if N tells one that is earlier. Once C has ended, N is a fact of its own: it has become so again,
  when it was stated if N does not tell since when.
- N supersedes C, C began earlier: C ends where N begins, unless it has ended before.
- N supersedes C, both begin at the same time: who was told later wins, in one batch the later one in its
  order; the other ends where it begins.
- N supersedes C, C began later (N arrives late): N is stored, ended where the earliest such C begins.
- N corrects C: C was never so. It ends where it begins, whenever N was told; at NEVER if that is unknown.
  What C had ended ends where N begins; where C began, if N does not tell.

Facts whose times would not overlap without any closure contradict nothing, whatever the verdict; nor do those
that were never so. One that was
over when it was stated and does not tell its start is older than any that overlaps with it. But for
corrections, ends only move to earlier times, so that the order of the judgements does not matter. Nothing is
deleted: each end is a Closure of the fact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from drivers.graph_model import OPEN_END, OPEN_START
from gateway.ingest.closures import DatedFact, close, ever_held, with_corrected_ends


class VerdictKind(StrEnum):
    REPEATS = "repeats"
    SUPERSEDES = "supersedes"
    CORRECTS = "corrects"


@dataclass(frozen=True, slots=True)
class Verdict[K]:
    """Of a new fact about a candidate: another new fact of the same batch, or a stored one."""

    fact: int
    """Position among the new facts."""
    candidate: K
    kind: VerdictKind


@dataclass(frozen=True, slots=True)
class Outcome:
    stored: tuple[DatedFact, ...]
    """The new facts that are not repetitions, as they are to be stored, in their order."""
    changed: tuple[DatedFact, ...]
    """Candidates as they are to be, those that change only; in the order of `candidates`."""
    repeated_by: Mapping[str, str] = field(default_factory=dict[str, str])
    """uuid of a new fact that is not stored -> that of the fact that it repeats."""


def apply_verdicts(
    new: Sequence[DatedFact],
    candidates: Sequence[DatedFact],
    verdicts: Iterable[Verdict[str]],
    *,
    now: int,
) -> Outcome:
    """`verdicts` name candidates by uuid, those of other new facts included. `candidates`: also the facts
    that corrected ones have ended (ended_by). `now`: system time.

    The result does not depend on the order of the verdicts.
    """
    facts = {fact.uuid: fact for fact in (*candidates, *new)}
    known = frozenset(fact.uuid for fact in candidates)
    given = [one for one in verdicts if one.candidate in facts and _says_something(new[one.fact], facts, one)]
    repeats = _repetitions(new, given, facts, known)
    facts |= {fact.uuid: fact for fact in _so_again(new, given, facts) if fact.uuid not in repeats}
    for uuid, of in repeats.items():
        facts[of] = _joined(facts[of], facts[uuid], now)
    order = {fact.uuid: number for number, fact in enumerate(new)}
    ends: set[tuple[str, int, str, str]] = set()
    for one in given:
        said = new[one.fact]
        mine = facts[repeats.get(said.uuid, said.uuid)]
        theirs = facts[repeats.get(one.candidate, one.candidate)]
        if one.kind is VerdictKind.REPEATS or mine.uuid == theirs.uuid:
            continue
        later = order.get(mine.uuid, -1) > order.get(theirs.uuid, -1)
        closed = _closed(mine, theirs, one.kind, said, mine_is_later=later)
        if closed is not None:
            ends.add(closed)
    corrected = _corrections(new, given, repeats, facts)
    for uuid, fact in tuple(facts.items()):
        facts[uuid] = with_corrected_ends(fact, corrected, now)
    for uuid, end, by_episode, by_fact in sorted(ends):
        facts[uuid] = close(facts[uuid], end, by_episode, by_fact, now=now)
    stored = tuple(facts[fact.uuid] for fact in new if fact.uuid not in repeats)
    return Outcome(
        tuple(_expired_if_ended(fact, now) for fact in stored),
        tuple(_expired_if_ended(facts[one.uuid], now) for one in candidates if facts[one.uuid] != one),
        repeats,
    )


def _says_something(said: DatedFact, facts: Mapping[str, DatedFact], verdict: Verdict[str]) -> bool:
    """What never was is not contradicted again and cannot be so again; what is for no time ends nothing."""
    candidate = facts[verdict.candidate]
    if candidate.uuid == said.uuid or not ever_held(candidate.valid_at, candidate.invalid_at):
        return False
    return verdict.kind is not VerdictKind.SUPERSEDES or ever_held(said.valid_at, said.invalid_at)


def _corrections(
    new: Sequence[DatedFact],
    verdicts: Iterable[Verdict[str]],
    repeats: Mapping[str, str],
    facts: Mapping[str, DatedFact],
) -> Mapping[str, tuple[DatedFact, str]]:
    """Corrected fact -> the one that corrects it, the one that begins first of several, and its episode."""
    found: dict[str, tuple[DatedFact, str]] = {}
    for one in verdicts:
        if one.kind is not VerdictKind.CORRECTS:
            continue
        said = new[one.fact]
        mine = facts[repeats.get(said.uuid, said.uuid)]
        theirs = repeats.get(one.candidate, one.candidate)
        key = (mine.begins, mine.uuid)
        if mine.uuid != theirs and (
            theirs not in found or key < (found[theirs][0].begins, found[theirs][0].uuid)
        ):
            found[theirs] = (mine, said.episodes[0] if said.episodes else "")
    return found


def _repetitions(
    new: Sequence[DatedFact],
    verdicts: Iterable[Verdict[str]],
    facts: Mapping[str, DatedFact],
    known: frozenset[str],
) -> dict[str, str]:
    """New fact -> the fact that stands for it: a stored one of those it repeats, else the first new one."""
    position = {fact.uuid: number for number, fact in enumerate(new)}
    repeated: dict[str, set[str]] = {}
    for one in verdicts:
        if one.kind is VerdictKind.REPEATS and _overlap(new[one.fact], facts[one.candidate]):
            repeated.setdefault(new[one.fact].uuid, set()).add(one.candidate)
    stands_for: dict[str, str] = {}
    for fact in new:
        stored = sorted(repeated.get(fact.uuid, set()) & known)
        earlier = [
            uuid for uuid in repeated.get(fact.uuid, set()) - known if position[uuid] < position[fact.uuid]
        ]
        if stored:
            stands_for[fact.uuid] = stored[0]
        elif earlier:
            first = min(earlier, key=position.__getitem__)
            stands_for[fact.uuid] = stands_for.get(first, first)
    return stands_for


def _so_again(
    new: Sequence[DatedFact], verdicts: Iterable[Verdict[str]], facts: Mapping[str, DatedFact]
) -> Iterable[DatedFact]:
    """Those that repeat what has ended before and do not tell their start: not so since ever, but again."""
    for one in verdicts:
        said = new[one.fact]
        if (
            one.kind is VerdictKind.REPEATS
            and said.valid_at == OPEN_START
            and not said.over_when_stated
            and facts[one.candidate].invalid_at <= said.stated_at
        ):
            yield replace(said, valid_at=said.stated_at)


def _joined(kept: DatedFact, repetition: DatedFact, now: int) -> DatedFact:
    """Supported by both."""
    starts = [at for at in (kept.valid_at, repetition.valid_at) if at != OPEN_START]
    valid_at = min(starts, default=OPEN_START)
    joined = replace(
        kept,
        valid_at=valid_at if valid_at < kept.invalid_at else kept.valid_at,
        stated_at=min(kept.stated_at, repetition.stated_at),
        episodes=tuple(dict.fromkeys((*kept.episodes, *repetition.episodes))),
    )
    # As a closure, so that the end goes with the episode that told it.
    by_episode = repetition.episodes[0] if repetition.episodes else ""
    return close(joined, repetition.invalid_at, by_episode, now=now)


def _closed(
    mine: DatedFact, theirs: DatedFact, kind: VerdictKind, said: DatedFact, *, mine_is_later: bool
) -> tuple[str, int, str, str] | None:
    """(the fact that ends, where, by which episode, by which fact); None: they do not contradict. `said`: the
    new fact as it came, whose episode is the cause also where a stored fact stands for it."""
    cause = said.episodes[0] if said.episodes else ""
    if kind is VerdictKind.CORRECTS:
        return theirs.uuid, theirs.valid_at, cause, mine.uuid
    # By the ends that they have without closures: what has ended one of them may be removed later.
    if not (mine.begins < theirs.own_end and theirs.begins < mine.own_end):
        return None
    if mine.begins == theirs.begins == OPEN_START:
        return None
    if (theirs.begins, theirs.stated_at, False) < (mine.begins, mine.stated_at, mine_is_later):
        return theirs.uuid, mine.begins, cause, mine.uuid
    # What keeps the late fact closed is the episode that stated the later one: with it the closure goes.
    return mine.uuid, theirs.begins, theirs.episodes[0] if theirs.episodes else "", theirs.uuid


def _overlap(one: DatedFact, other: DatedFact) -> bool:
    return one.held_first < other.invalid_at and other.held_first < one.invalid_at


def _expired_if_ended(fact: DatedFact, now: int) -> DatedFact:
    """A fact with an end is known to have one since now, unless it was known before."""
    if fact.invalid_at != OPEN_END and fact.expired_at == OPEN_END:
        return replace(fact, expired_at=now)
    return fact
