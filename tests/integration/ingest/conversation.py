"""Scripted conversations: episodes with what they say, and what holds at which time once all is told.

Each fact has a short key, by which it is named here; its text is unique to the group.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.bench.model_server.knowledge import KnownFact, KnownText
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.integration.ingest.world import PATIENCE_S, World, known, time_message

type Span = tuple[str | None, str | None]
"""Start and end, ISO 8601 without what is zero after the date; None: unknown, open."""


@dataclass(frozen=True, slots=True)
class Says:
    key: str
    source: str
    name: str
    target: str
    begins: str | None = None
    ends: str | None = None
    repeats: Sequence[str] = ()
    supersedes: Sequence[str] = ()
    corrects: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    at: str
    says: Sequence[Says]
    removed: bool = False
    """At the end of the conversation, in the order of the episodes."""


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    episodes: Sequence[Episode]
    spans: Mapping[str, Span | Sequence[Span]]
    """Of all facts at the end by key; several of one text."""
    holding: Mapping[str, set[str]] = field(default_factory=dict[str, set[str]])
    """At a time: keys of the facts that hold then."""
    removed_in_order: Sequence[int] = ()
    """Numbers of episodes, where their order is not that of the removals."""
    problems: frozenset[str] = frozenset()
    """Kinds that the statuses name."""

    def __str__(self) -> str:
        return self.name

    @property
    def removals(self) -> Sequence[int]:
        return self.removed_in_order or [at for at, one in enumerate(self.episodes) if one.removed]


def lives(
    key: str,
    city: str,
    begins: str | None = None,
    ends: str | None = None,
    *,
    repeats: Sequence[str] = (),
    supersedes: Sequence[str] = (),
    corrects: Sequence[str] = (),
) -> Says:
    return Says(key, "Ada", "LIVES_IN", city, begins, ends, repeats, supersedes, corrects)


def works(
    key: str, firm: str, begins: str | None, ends: str | None = None, **verdicts: Sequence[str]
) -> Says:
    return Says(key, "Ada", "WORKS_AT", firm, begins, ends, **verdicts)


def text_of(group: str, key: str) -> str:
    return f"{key}, so it is said in {group}"


def knowledge(group: str, episode: Episode) -> KnownText:
    def texts(keys: Sequence[str]) -> tuple[str, ...]:
        return tuple(text_of(group, key) for key in keys)

    return known(
        *(
            KnownFact(
                one.source,
                one.target,
                one.name,
                text_of(group, one.key),
                one.begins,
                one.ends,
                repeats=texts(one.repeats),
                supersedes=texts(one.supersedes),
                corrects=texts(one.corrects),
            )
            for one in episode.says
        )
    )


async def tell(
    world: World, group: str, conversation: Conversation, *, together: bool
) -> Sequence[pb.EpisodeStatus]:
    """All episodes, in their order, until each is applied."""
    requests: list[pb.AddEpisodeRequest] = []
    for number, episode in enumerate(conversation.episodes):
        content = f"Episode {number} of {conversation.name}, {group}."
        world.server.knowledge.learn(content, knowledge(group, episode))
        at = episode.at if "T" in episode.at else f"{episode.at}T00:00:00"
        requests.append(world.request(group, content, at, request_id=f"e-{number}", wait=not together))
    if together:
        await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=requests))
    else:
        for request in requests:
            await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
    return await asyncio.gather(*(_applied(world, request) for request in requests))


async def remove(
    world: World, group: str, conversation: Conversation, statuses: Sequence[pb.EpisodeStatus]
) -> None:
    for number in conversation.removals:
        request = pb.RemoveEpisodeRequest(group_id=group, episode_uuid=statuses[number].episode_uuid)
        await world.ingest.RemoveEpisode(request)


async def check(world: World, group: str, conversation: Conversation) -> None:
    """That the facts of the group are those of the conversation, with their times."""
    listed = graph_service_pb2.ListFactsRequest(group_id=group, page_size=1_000)
    facts = list((await world.graph.ListFacts(listed)).facts)
    found: dict[str, list[Span]] = {}
    for fact in facts:
        found.setdefault(fact.fact, []).append(_span(fact))
    expected = {
        text_of(group, key): [spans] if isinstance(spans, tuple) else list(spans)
        for key, spans in conversation.spans.items()
    }
    assert {text: sorted(spans, key=str) for text, spans in found.items()} == {
        text: sorted(spans, key=str) for text, spans in expected.items()
    }
    for at, keys in conversation.holding.items():
        moment = time_message(at if "T" in at else f"{at}T00:00:00").ToDatetime(UTC)
        assert {one.fact for one in facts if _holds(one, moment)} == {text_of(group, key) for key in keys}, at
    for fact in facts:
        times = [(one.closed_at.seconds, one.closed_at.nanos) for one in fact.closures]
        assert times == sorted(times)
        assert fact.HasField("expired_at") == fact.HasField("invalid_at")


def _holds(fact: graph_pb2.Fact, at: datetime) -> bool:
    begun = not fact.HasField("valid_at") or fact.valid_at.ToDatetime(UTC) <= at
    return begun and not (fact.HasField("invalid_at") and fact.invalid_at.ToDatetime(UTC) <= at)


def _span(fact: graph_pb2.Fact) -> Span:
    return (
        _iso(fact.valid_at) if fact.HasField("valid_at") else None,
        _iso(fact.invalid_at) if fact.HasField("invalid_at") else None,
    )


def _iso(time: Timestamp) -> str:
    return time.ToDatetime(UTC).replace(tzinfo=None).isoformat().removesuffix("T00:00:00")


async def _applied(world: World, request: pb.AddEpisodeRequest) -> pb.EpisodeStatus:
    watched = pb.WatchEpisodeRequest(group_id=request.group_id, request_id=request.request_id)
    seen = [one.status async for one in world.ingest.WatchEpisode(watched, timeout=PATIENCE_S)]
    assert seen[-1].state == pb.EPISODE_STATE_APPLIED, seen[-1]
    return seen[-1]
