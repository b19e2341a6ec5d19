"""Which facts of the group new facts repeat, end or correct.

Candidates share an entity with the new fact: those between the same two, and of the others those that are
alike in relation, words or vector. They are found along the edges of the entities; of an entity with more
facts than are read so, by search among its facts.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.filters import RowFilter
from drivers.graph_model import OPEN_END, Episode, Fact, Kind, Vector
from gateway.ingest.closures import DatedFact, ended_by, ever_held
from gateway.ingest.extraction import ExtractedFact, ProblemKind, Problems
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.prompts.fitting import Part
from gateway.ingest.prompts.judgement import (
    CANDIDATES_PER_FACT_MAX,
    StatedFact,
    judge_facts,
    judgement_calls,
    read_judgements,
)
from gateway.ingest.prompts.material import Budget
from gateway.ingest.resolution.names import normalised
from gateway.ingest.temporal import Outcome, Verdict, VerdictKind, apply_verdicts
from gateway.llm.errors import ModelDisabled
from gateway.search.analyzer import analyze
from gateway.writes.intent import AT_WRITE

EDGES_PER_ENTITY_MAX = 100
EDGES_MAX = 4_000
"""Facts that one unit looks at along edges."""
NEAR_MAX = 10
COSINE_MIN = 0.6
WORDS_ALIKE_MIN = 0.34
"""Jaccard, of the facts' words without the names of their entities."""
EPISODES_READ_MAX = 10
"""Of a candidate, to know when it was stated first."""


@dataclass(frozen=True, slots=True)
class NewFact:
    """Between entities as they will be in the graph."""

    uuid: str
    source_uuid: str
    target_uuid: str
    fact: ExtractedFact
    episode: int
    """Number in the unit."""
    vector: Vector | None

    @property
    def ends(self) -> tuple[str, str]:
        return self.source_uuid, self.target_uuid


@dataclass(frozen=True, slots=True)
class EpisodeTime:
    uuid: str
    reference_time: int


@dataclass(frozen=True, slots=True)
class Judged:
    outcome: Outcome
    stored: Mapping[str, Fact]
    """Candidates of the group by uuid, as they are."""


async def judge(
    new: Sequence[NewFact],
    known_entities: frozenset[str],
    names: Mapping[str, str],
    episodes: Sequence[EpisodeTime],
    reads: GroupReads,
    view: GroupView,
    model: str | None,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Judged:
    """`known_entities`: those of the group among the ends. `names`: of all ends. `episodes`: of the unit.
    `model`: of the vectors. Raises ModelError and what reads raise."""
    rows = await _candidates(new, known_entities, reads, view, model) if view.rows(Kind.FACT) else {}
    words = {one.uuid: _words(one.fact.text, one.ends, names) for one in new}
    own = [
        [
            *_alike_rows(one, rows, words[one.uuid], names),
            *_alike_new(one, number, new, words),
        ]
        for number, one in enumerate(new)
    ]
    verdicts = list(_word_for_word(new, own, rows))
    settled = {
        one.fact
        for one in verdicts
        if len(own[one.fact]) == 1 or (one.candidate in rows and rows[one.candidate].invalid_at == OPEN_END)
    }
    asked = [number for number in range(len(new)) if own[number] and number not in settled]
    try:
        verdicts += await _asked(asked, own, new, rows, asker, account, problems, budget)
    except ModelDisabled:
        problems.add(ProblemKind.NOT_ASKED, f"{len(asked)} facts")
    told = {one.candidate for one in verdicts} & rows.keys()
    corrected = {one.candidate for one in verdicts if one.kind is VerdictKind.CORRECTS}
    told |= {row.uuid for row in rows.values() if ended_by(row.closures, corrected)}
    stated = await _stated_at({uuid: rows[uuid] for uuid in told}, reads)
    dated = [dated_row(rows[uuid], stated[uuid]) for uuid in sorted(told)]
    return Judged(in_order([_dated_new(one, episodes) for one in new], new, dated, verdicts), rows)


def in_order(
    dated_new: Sequence[DatedFact],
    new: Sequence[NewFact],
    stored: Sequence[DatedFact],
    verdicts: Sequence[Verdict[str]],
) -> Outcome:
    """One episode of the unit after the other, so that the same comes out as if each were written before the
    next one is judged. `dated_new`: of `new`, in its order."""
    now = {one.uuid: one for one in stored}
    before = dict(now)
    repeated: dict[str, str] = {}
    for episode in sorted({one.episode for one in new}):
        numbers = [number for number, one in enumerate(new) if one.episode == episode]
        place = {number: at for at, number in enumerate(numbers)}
        own = [
            Verdict(place[one.fact], repeated.get(one.candidate, one.candidate), one.kind)
            for one in verdicts
            if one.fact in place
        ]
        corrected = {one.candidate for one in own if one.kind is VerdictKind.CORRECTS}
        ended = (uuid for uuid, one in now.items() if ended_by(one.closures, corrected))
        asked = dict.fromkeys((*(one.candidate for one in own), *ended))
        candidates = [now[uuid] for uuid in asked if uuid in now]
        outcome = apply_verdicts([dated_new[number] for number in numbers], candidates, own, now=AT_WRITE)
        now |= {one.uuid: one for one in (*outcome.stored, *outcome.changed)}
        repeated |= outcome.repeated_by
    return Outcome(
        tuple(one for uuid, one in now.items() if uuid not in before),
        tuple(one for uuid, one in now.items() if uuid in before and one != before[uuid]),
        repeated,
    )


def dated_row(row: Fact, stated_at: int) -> DatedFact:
    return DatedFact(
        row.uuid, row.valid_at, row.invalid_at, stated_at, row.episodes, row.closures, row.expired_at
    )


def _dated_new(one: NewFact, episodes: Sequence[EpisodeTime]) -> DatedFact:
    episode = episodes[one.episode]
    return DatedFact(
        uuid=one.uuid,
        valid_at=one.fact.valid_at,
        invalid_at=one.fact.invalid_at,
        stated_at=episode.reference_time,
        episodes=(episode.uuid,),
    )


async def _candidates(
    new: Sequence[NewFact],
    known_entities: frozenset[str],
    reads: GroupReads,
    view: GroupView,
    model: str | None,
) -> Mapping[str, Fact]:
    ends = [end for one in new for end in one.ends if end in known_entities]
    expanded = await reads.edges_of(list(dict.fromkeys(ends)), EDGES_PER_ENTITY_MAX, EDGES_MAX)
    uuids = dict.fromkeys(expanded.edges)
    if expanded.cut and model is not None and view.comparable(Kind.FACT, model):
        uuids |= dict.fromkeys(await _by_search(new, known_entities, reads, view))
    rows = await reads.rows(Kind.FACT, uuids, with_vectors=model is not None)
    # A fact that was never so contradicts nothing.
    return {
        row.uuid: row
        for row in rows.values()
        if isinstance(row, Fact) and ever_held(row.valid_at, row.invalid_at)
    }


async def _by_search(
    new: Sequence[NewFact], known_entities: frozenset[str], reads: GroupReads, view: GroupView
) -> Iterable[str]:
    asked = [
        (one.vector, ends)
        for one in new
        if one.vector is not None and (ends := tuple(end for end in one.ends if end in known_entities))
    ]
    return await reads.near(
        view,
        Kind.FACT,
        [vector for vector, _ in asked],
        NEAR_MAX,
        COSINE_MIN,
        [RowFilter(end_uuids=ends) for _, ends in asked],
    )


def _alike_rows(
    one: NewFact, rows: Mapping[str, Fact], words: frozenset[str], names: Mapping[str, str]
) -> list[str]:
    """uuids of candidates of the group, most alike first."""
    scores: dict[str, float] = {}
    for row in rows.values():
        shared = len({row.source_uuid, row.target_uuid} & set(one.ends))
        if not shared:
            continue
        score = _likeness(
            same_ends=shared == len(set(one.ends)),
            same_name=row.name == one.fact.name,
            words=_jaccard(words, _words(row.fact, (row.source_uuid, row.target_uuid), names)),
            cosine=_cosine(one.vector, row.embedding),
        )
        if score:
            scores[row.uuid] = score
    return sorted(scores, key=lambda uuid: (-scores[uuid], uuid))[:CANDIDATES_PER_FACT_MAX]


def _alike_new(
    one: NewFact, number: int, new: Sequence[NewFact], words: Mapping[str, frozenset[str]]
) -> list[str]:
    """uuids of facts of earlier episodes of the unit."""
    scores: dict[str, float] = {}
    for other in new[:number]:
        shared = len(set(other.ends) & set(one.ends))
        if not shared or other.episode == one.episode:
            continue
        score = _likeness(
            same_ends=shared == len(set(one.ends)),
            same_name=other.fact.name == one.fact.name,
            words=_jaccard(words[one.uuid], words[other.uuid]),
            cosine=_cosine(one.vector, other.vector),
        )
        if score:
            scores[other.uuid] = score
    return sorted(scores, key=lambda uuid: (-scores[uuid], uuid))[:CANDIDATES_PER_FACT_MAX]


def _likeness(*, same_ends: bool, same_name: bool, words: float, cosine: float) -> float:
    """0: no candidate."""
    if not (same_ends or same_name or words >= WORDS_ALIKE_MIN or cosine >= COSINE_MIN):
        return 0.0
    return 2.0 * same_ends + same_name + words + max(0.0, cosine)


def _word_for_word(
    new: Sequence[NewFact], own: Sequence[Sequence[str]], rows: Mapping[str, Fact]
) -> Iterable[Verdict[str]]:
    """What says the same between the same two needs no model, if that holds still: else it has become so
    again, and may end something."""
    known = {uuid: ((row.source_uuid, row.target_uuid), normalised(row.fact)) for uuid, row in rows.items()}
    said = {one.uuid: (one.ends, normalised(one.fact.text)) for one in new}
    known |= said
    for number, one in enumerate(new):
        for uuid in own[number]:
            if known[uuid] == said[one.uuid]:
                yield Verdict(number, uuid, VerdictKind.REPEATS)


async def _asked(
    numbers: Sequence[int],
    own: Sequence[Sequence[str]],
    new: Sequence[NewFact],
    rows: Mapping[str, Fact],
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> list[Verdict[str]]:
    if not numbers:
        return []
    of_new = {one.uuid: one.fact for one in new}
    uuids = list(dict.fromkeys(uuid for number in numbers for uuid in own[number]))
    place = {uuid: at for at, uuid in enumerate(uuids)}
    told = [_stated_row(rows[uuid]) if uuid in rows else _stated(of_new[uuid]) for uuid in uuids]
    about = [(_stated(new[number].fact), tuple(place[uuid] for uuid in own[number])) for number in numbers]
    # Some thousand candidates to measure: enough to keep the loop from others.
    calls = await asyncio.to_thread(judgement_calls, about, told, budget)

    async def ask(call: Sequence[Part]) -> list[Verdict[str]]:
        # Numbered anew: the same question is the same in whatever unit it is asked.
        candidates = list(dict.fromkeys(one for part in call for one in part.candidates))
        number_of = {one: at for at, one in enumerate(candidates)}
        asked = [(about[part.question][0], tuple(number_of[one] for one in part.candidates)) for part in call]
        request = judge_facts(asked, [told[one] for one in candidates])
        output = await asker.ask(request, account, problems)
        return [
            Verdict(numbers[call[one.fact].question], uuids[candidates[one.candidate]], one.kind)
            for one in read_judgements(output, asked, problems)
        ]

    found = await asyncio.gather(*(ask(call) for call in calls))
    return [one for part in found for one in part]


async def _stated_at(rows: Mapping[str, Fact], reads: GroupReads) -> Mapping[str, int]:
    """When each was stated first, in world time; without its episodes, when it was stored."""
    wanted = {uuid: row.episodes[:EPISODES_READ_MAX] for uuid, row in rows.items() if row.episodes}
    read = await reads.rows(Kind.EPISODE, (one for some in wanted.values() for one in some)) if wanted else {}
    found: dict[str, int] = {}
    for uuid, row in rows.items():
        times = [
            episode.reference_time
            for one in wanted.get(uuid, ())
            if isinstance(episode := read.get(one), Episode)
        ]
        found[uuid] = min(times, default=row.created_at)
    return found


def _stated(fact: ExtractedFact) -> StatedFact:
    return StatedFact(fact.text, fact.valid_at, fact.invalid_at)


def _stated_row(row: Fact) -> StatedFact:
    return StatedFact(row.fact, row.valid_at, row.invalid_at)


def _words(text: str, ends: tuple[str, str], names: Mapping[str, str]) -> frozenset[str]:
    own = {term for end in ends for term in analyze(names.get(end, ""))}
    return frozenset(analyze(text)) - own


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def _cosine(one: Vector | None, other: Vector | None) -> float:
    return float(one @ other) if one is not None and other is not None and one.shape == other.shape else 0.0
