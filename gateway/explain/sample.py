"""A small group with rows of every kind on a shard of one's own, so that profiles have figures."""

import uuid
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import SCHEMA_VERSION, Fence, FenceState, GroupRef, RootMember, ShardMarker
from drivers.graph_model import (
    AnyRow,
    Community,
    Entity,
    Episode,
    Fact,
    Membership,
    Mention,
    NextEpisode,
    Saga,
    SagaEpisode,
    Vector,
)
from drivers.write_plan import WriteStatus
from gateway.search.analyzer import row_terms
from gateway.writes import planner
from gateway.writes.intent import RowChange, WriteIntent

GROUPS = ("sample-1", "sample-2", "sample-3")
"""All have the same rows: a plan that looks at those of other groups shows it in its figures."""
_ENTITIES, _FACTS, _EPISODES = 24, 48, 12
_DIMENSION = 8
_NOW = 1_750_000_000_000_000
_MODEL = planner.VectorModel("sample")
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")


async def found_shard(driver: ShardDriver, deadline: Deadline) -> ShardMarker:
    """Makes a fleet of an empty shard: its marker, its schema. Raises ShardError."""
    marker = ShardMarker(
        fleet="sample",
        shard=driver.shard_id,
        incarnation=str(uuid.uuid4()),
        schema_version=SCHEMA_VERSION,
        root_version=1,
        root_ring=(RootMember(driver.shard_id, 1.0),),
        pool_graphs=1,
    )
    marker = await driver.create_marker(marker, deadline)
    driver.use_marker(marker)
    await driver.ensure_schema(deadline)
    return marker


async def write_sample(driver: ShardDriver, deadline: Deadline) -> Fence:
    """Writes GROUPS and returns the fence of the first. Raises ShardError."""
    for number, group_id in enumerate(GROUPS):
        await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), deadline)
        ref = GroupRef(group_id)
        intent = WriteIntent(
            group_id=group_id,
            op_id="sample",
            content_hash="sample",
            changes=tuple(RowChange(row) for row in _rows(number)),
        )
        images = await driver.read_images(ref, planner.image_request(intent), deadline)
        draft = planner.draft(
            intent, images, row_terms, embeds=False, models=planner.VectorModels(_MODEL, _MODEL)
        )
        outcome = await driver.apply(ref, planner.finish(draft, {}, 1, _NOW, ""), deadline)
        assert outcome.status is WriteStatus.APPLIED, outcome.status
    first = GroupRef(GROUPS[0])
    return (await driver.read_fences([first], deadline))[first.group_id]


def _rows(seed: int) -> Sequence[AnyRow]:
    random = np.random.default_rng(seed)

    def new() -> str:
        return str(uuid.UUID(bytes=random.bytes(16), version=4))

    def text() -> str:
        return " ".join(_WORDS[index] for index in random.integers(0, len(_WORDS), 4))

    def vector() -> Vector:
        values = random.standard_normal(_DIMENSION)
        return (values / np.linalg.norm(values)).astype(np.float32)

    entities = [Entity(uuid=new(), name=text(), summary=text(), embedding=vector()) for _ in range(_ENTITIES)]
    episodes = [
        Episode(uuid=new(), name=text(), content=text(), embedding=vector()) for _ in range(_EPISODES)
    ]
    community = Community(uuid=new(), name=text(), embedding=vector())
    saga = Saga(uuid=new(), name=text())
    ends = random.integers(0, _ENTITIES, (_FACTS, 2))
    return [
        *entities,
        *episodes,
        community,
        saga,
        *(
            Fact(
                uuid=new(),
                source_uuid=entities[source].uuid,
                target_uuid=entities[target].uuid,
                name="KNOWS",
                fact=text(),
                episodes=(episodes[number % _EPISODES].uuid,),
                embedding=vector(),
            )
            for number, (source, target) in enumerate(ends)
        ),
        *(
            Mention(uuid=new(), source_uuid=episodes[number % _EPISODES].uuid, target_uuid=entity.uuid)
            for number, entity in enumerate(entities)
        ),
        *(Membership(uuid=new(), source_uuid=community.uuid, target_uuid=entity.uuid) for entity in entities),
        *(SagaEpisode(uuid=new(), source_uuid=saga.uuid, target_uuid=episode.uuid) for episode in episodes),
        *(
            NextEpisode(uuid=new(), source_uuid=before.uuid, target_uuid=after.uuid, saga_uuid=saga.uuid)
            for before, after in pairwise(episodes)
        ),
    ]
