"""What the settings say of prompts holds from the gateway's settings to the model's requests."""

from pathlib import Path

import orjson

from gateway.bench.model_server.knowledge import KnownFact
from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.llm.text_care import tokens_estimate
from graphgate.v1 import ingest_service_pb2
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import known

TOKENS_MAX = 4_000


async def test_a_long_episode_is_cut_to_the_prompts_that_the_settings_allow(tmp_path: Path) -> None:
    """It is applied, and its status says what was not read; fillers are not sent."""
    server = ModelServer()
    fact = KnownFact("Ada Lovelace", "Charles Babbage", "MET", "Ada Lovelace met Charles Babbage.")
    server.knowledge.learn("Ada Lovelace met Charles Babbage, often, in a friend's house.", known(fact))
    await server.start()
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        settings = ingest_settings(fleet, server, tmp_path / "cache")
        llm = settings.llm.model_copy(update={"prompt_tokens_max": TOKENS_MAX, "compression": "high"})
        async with world_of(settings.model_copy(update={"llm": llm}), server) as world:
            content = "Ada Lovelace really met Charles Babbage, very often, in a friend's house. " * 1_000
            for _ in range(2):
                status = await world.tell("g", content)
                assert status.state == ingest_service_pb2.EPISODE_STATE_APPLIED, status
                assert "CONTENT_CUT" in {one.kind for one in status.problems}
    await server.stop()
    asked = [one.body["messages"] for one in server.requests if one.schema_name.startswith("extract")]
    assert len(asked) == 4
    for messages in asked:
        assert sum(tokens_estimate(one["content"]) for one in messages) <= TOKENS_MAX
        read = orjson.loads(messages[1]["content"])["episode"]["content"]
        assert len(read) > TOKENS_MAX
        assert "really" not in read
