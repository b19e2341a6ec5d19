"""A small graph that tests of search and graph reading share: five people and what is told of them."""

from dataclasses import dataclass
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.integration.gateway.calls import new_uuid
from tests.integration.gateway.conftest import Client

NAMES = ("ada", "bob", "cid", "dan", "eve")
ENDED_S = 1_000_000_000
"""When ada stopped to work with cid, in world time."""


@dataclass(frozen=True, slots=True)
class People:
    group_id: str
    uuid: dict[str, str]
    """Of every row by its short name: "ada", "ada-bob" the fact, "tale-ada" the episode about her."""

    def name_of(self, uuid: str) -> str:
        """ "?" for a row that was there before."""
        return next((name for name, known in self.uuid.items() if known == uuid), "?")

    def names_of(self, uuids: list[str]) -> list[str]:
        return [self.name_of(uuid) for uuid in uuids]


async def write_people(client: Client, group_id: str) -> People:
    """ada knows bob knows cid knows dan knows eve; ada worked with cid until ENDED_S. One episode mentions
    each of them, three more mention bob. One community of ada and bob."""
    uuid = {name: new_uuid() for name in NAMES}
    entities = [
        graph_pb2.Entity(
            uuid=uuid[name],
            name=name,
            summary=f"{name} the {'sailor' if i < 2 else 'baker'}",
            labels=["Person", "Sailor" if i < 2 else "Baker"],
            attributes={
                "age": graph_pb2.AttributeValue(scalar=graph_pb2.AttributeScalar(int64_value=20 + 10 * i))
            },
        )
        for i, name in enumerate(NAMES)
    ]
    facts: list[graph_pb2.Fact] = []
    for i, (a, b) in enumerate(pairwise(NAMES)):
        uuid[f"{a}-{b}"] = new_uuid()
        facts.append(
            graph_pb2.Fact(
                uuid=uuid[f"{a}-{b}"],
                source_uuid=uuid[a],
                target_uuid=uuid[b],
                name="KNOWS",
                fact=f"{a} knows {b} well",
                episode_uuids=[new_uuid() for _ in range(i)],
            )
        )
    uuid["ada-cid"] = new_uuid()
    facts.append(
        graph_pb2.Fact(
            uuid=uuid["ada-cid"],
            source_uuid=uuid["ada"],
            target_uuid=uuid["cid"],
            name="WORKED_WITH",
            fact="ada worked with cid at the harbour",
            invalid_at=TimestampMessage(seconds=ENDED_S),
        )
    )
    episodes: list[graph_pb2.Episode] = []
    mentions: list[graph_pb2.Mention] = []
    for told, name in [(f"tale-{name}", name) for name in NAMES] + [(f"more-{i}", "bob") for i in range(3)]:
        uuid[told] = new_uuid()
        episodes.append(
            graph_pb2.Episode(
                uuid=uuid[told],
                name=told,
                content=f"a story about {name} and the sea",
                source="EPISODE_SOURCE_JSON" if told == "tale-ada" else "EPISODE_SOURCE_TEXT",
            )
        )
        mentions.append(graph_pb2.Mention(episode_uuid=uuid[told], entity_uuid=uuid[name]))
    uuid["sailors"] = new_uuid()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group_id,
            entities=entities,
            facts=facts,
            episodes=episodes,
            mentions=mentions,
            communities=[
                graph_pb2.Community(uuid=uuid["sailors"], name="sailors", summary="people of the sea")
            ],
            memberships=[
                graph_pb2.Membership(community_uuid=uuid["sailors"], entity_uuid=uuid[name])
                for name in ("ada", "bob")
            ],
        )
    )
    return People(group_id, uuid)
