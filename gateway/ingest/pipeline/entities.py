"""Which entities of the group the extracted ones are.

An entity that ingestion makes has a uuid that follows from its normalised name, so that one of exactly this
name is found by its key, however large the group is. Others are found by the words of their names and by
vectors.
"""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from drivers.graph_model import Entity, Kind, Vector
from drivers.search_reads import CLAUSE_TERMS_MAX, KeywordHit, TermClause
from gateway.ingest.extraction import ExtractedEntity, ProblemKind, Problems
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.prompts.contexts import NamedIn
from gateway.ingest.prompts.material import Budget
from gateway.ingest.prompts.resolution import (
    Described,
    context_tokens,
    read_resolution,
    resolution_calls,
    resolve_entities,
)
from gateway.ingest.resolution.likeness import COSINE_MIN, Named
from gateway.ingest.resolution.names import normalised
from gateway.ingest.resolution.resolve import NewIs, Question, Resolution, answered, plan_resolution, settle
from gateway.llm.errors import ModelDisabled
from gateway.search.analyzer import analyze

_NAMESPACE = uuid.UUID("8f0f2a5e-3f0b-5b60-9a0d-6a1f6f1a9c55")

TERMS_PER_QUERY_MAX = 64
HITS_PER_QUERY_MAX = 300
WORDS_MAX = 3
"""Of a name, by which rows are looked for."""
HITS_PER_NAME_MAX = 15
"""By the share of the name's words that a row has."""
NEAR_MAX = 5


@dataclass(frozen=True, slots=True)
class NewEntity:
    """As extracted from an episode of the unit."""

    entity: ExtractedEntity
    episode: int
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class Resolved:
    resolution: Resolution
    known: tuple[Entity, ...]
    """Candidates of the group; `resolution` names them by position."""


def entity_uuid(group_id: str, name: str, salt: str = "") -> str:
    """`salt`: for another thing of the same name."""
    return str(uuid.uuid5(_NAMESPACE, f"{group_id}/{normalised(name)}/{salt}"))


async def resolve(
    new: Sequence[NewEntity],
    contexts: Sequence[str],
    reads: GroupReads,
    view: GroupView,
    model: str | None,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Resolved:
    """`contexts`: the text of each episode. `model`: of the vectors. Raises ModelError and what reads
    raise."""
    known = await _known(new, reads, view, model) if view.rows(Kind.ENTITY) else ()
    named_new = [Named(one.entity.name, one.entity.type, one.vector) for one in new]
    named_known = [Named(one.name, _type(one), one.embedding) for one in known]
    # Some hundred names against each other: enough to keep the loop from others.
    plan = await asyncio.to_thread(plan_resolution, named_new, named_known)
    same = list(plan.same)
    described = [
        *(Described(one.name, _type(one), one.summary) for one in known),
        *(Described(one.entity.name, one.entity.type, one.entity.summary) for one in new),
    ]
    calls = await asyncio.to_thread(_calls, plan.questions, new, contexts, described, budget)
    try:
        answers = await asyncio.gather(*(_asked(call, described, asker, account, problems) for call in calls))
        same += [one for found in answers for one in found]
    except ModelDisabled:
        problems.add(ProblemKind.NOT_ASKED, f"{len(plan.questions)} entities")
    return Resolved(settle(named_new, named_known, same), known)


@dataclass(frozen=True, slots=True)
class _Asked:
    question: Question
    new: Described
    candidates: tuple[int, ...]
    """Positions in what is described: the known entities, behind them the new ones."""


def _calls(
    questions: Sequence[Question],
    new: Sequence[NewEntity],
    contexts: Sequence[str],
    described: Sequence[Described],
    budget: Budget,
) -> Sequence[Sequence[_Asked]]:
    """What is asked together, each with the words that name it in its own episode."""
    known = len(described) - len(new)
    tokens = context_tokens(len(questions))
    named_in = {at: NamedIn(contexts[at]) for at in {new[one.new].episode for one in questions}}
    asked: list[_Asked] = []
    for one in questions:
        about = described[known + one.new]
        context = named_in[new[one.new].episode].around(about.name, tokens)
        candidates = (*one.known, *(known + other for other in one.others))
        asked.append(_Asked(one, replace(about, context=context), candidates))
    calls = resolution_calls([(one.new, one.candidates) for one in asked], described, budget)
    return [[replace(asked[part.question], candidates=part.candidates) for part in call] for call in calls]


async def _asked(
    call: Sequence[_Asked],
    described: Sequence[Described],
    asker: Asker,
    account: Account,
    problems: Problems,
) -> Sequence[NewIs]:
    asked = [(one.new, one.candidates) for one in call]
    output = await asker.ask(resolve_entities(asked, described), account, problems)
    same = read_resolution(output, asked, problems)
    return [answered(call[at].question, call[at].candidates.index(found)) for at, found in same.items()]


async def _known(
    new: Sequence[NewEntity], reads: GroupReads, view: GroupView, model: str | None
) -> tuple[Entity, ...]:
    names = {normalised(one.entity.name): one for one in new}
    uuids = {entity_uuid(reads.group_id, name) for name in names}
    clauses = [clause for name in names for clause in _clauses(name)]
    by_words, by_vectors = await asyncio.gather(
        _by_words(names, clauses, reads), _by_vectors(list(names.values()), reads, view, model)
    )
    rows = await reads.rows(Kind.ENTITY, [*uuids, *by_words, *by_vectors], with_vectors=model is not None)
    return tuple(sorted((row for row in rows.values() if isinstance(row, Entity)), key=lambda row: row.uuid))


def _clauses(name: str) -> Sequence[TermClause]:
    """Rows with one of the longest words of the name, which are mostly its rarest."""
    return [
        TermClause(term)
        for term in sorted(set(analyze(name)), key=lambda term: (-len(term), term))[:WORDS_MAX]
    ]


async def _by_words(names: Iterable[str], clauses: Sequence[TermClause], reads: GroupReads) -> Sequence[str]:
    """uuids of rows that have most words of a name."""
    batches: list[list[TermClause]] = []
    for one in dict.fromkeys(clauses):
        if not batches or len(batches[-1]) >= min(TERMS_PER_QUERY_MAX, CLAUSE_TERMS_MAX):
            batches.append([])
        batches[-1].append(one)
    found = await asyncio.gather(
        *(reads.with_terms(Kind.ENTITY, batch, HITS_PER_QUERY_MAX) for batch in batches)
    )
    hits = {hit.key.uuid: hit for batch in found for hit in batch}
    return _likely(names, list(hits.values()))


def _likely(names: Iterable[str], hits: Sequence[KeywordHit]) -> Sequence[str]:
    by_term: dict[str, list[KeywordHit]] = {}
    for hit in hits:
        for term in dict.fromkeys(hit.terms.split()):
            by_term.setdefault(term, []).append(hit)
    kept: dict[str, None] = {}
    for name in names:
        terms = set(analyze(name))
        shares: dict[str, float] = {}
        for term in terms:
            for hit in by_term.get(term, ()):
                shares[hit.key.uuid] = shares.get(hit.key.uuid, 0.0) + 1 / len(terms)
        lengths = {hit.key.uuid: hit.term_count for term in terms for hit in by_term.get(term, ())}
        best = sorted(shares, key=lambda uuid: (-shares[uuid], lengths[uuid], uuid))
        kept |= dict.fromkeys(best[:HITS_PER_NAME_MAX])
    return list(kept)


async def _by_vectors(
    new: Sequence[NewEntity], reads: GroupReads, view: GroupView, model: str | None
) -> Sequence[str]:
    if model is None or not view.comparable(Kind.ENTITY, model):
        return ()
    vectors = [one.vector for one in new if one.vector is not None]
    return await reads.near(view, Kind.ENTITY, vectors, NEAR_MAX, COSINE_MIN)


def _type(one: Entity) -> str:
    return one.labels[0] if one.labels else ""
