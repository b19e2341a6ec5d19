"""The server as graphiti-core's model: each of its calls, by the form and the tags of its prompts."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson
import pytest

from gateway.bench.model_server.knowledge import KnownEntity, KnownFact, KnownText
from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.corpus.dataset import load_dataset

TEXT = "Ada moved to Paris. Ada likes tea."
KNOWN = KnownText(
    (KnownEntity("Ada"), KnownEntity("Paris"), KnownEntity("tea")),
    (
        KnownFact(
            "Ada",
            "Paris",
            "LIVES_IN",
            "Ada lives in Paris.",
            "2024-01-01",
            supersedes=("Ada lives in Rome.",),
        ),
        KnownFact("Ada", "tea", "LIKES", "Ada likes tea."),
    ),
)


class Client:
    def __init__(self, server: ModelServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def ask(self, form: str, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """The content of the answer."""
        body = {
            "model": "fake-large",
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": prompt}],
            "response_format": {"type": "json_schema", "json_schema": {"name": form, "schema": schema or {}}},
        }
        url = f"{self.server.base_url}/chat/completions"
        async with self._session.post(url, data=orjson.dumps(body)) as response:
            answer = await response.json()
        return orjson.loads(answer["choices"][0]["message"]["content"])


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    server = ModelServer(ServerOptions())
    server.knowledge.learn(TEXT, KNOWN)
    server.knowledge.learn_same("New York City", "NYC")
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(server, session)
    await server.stop()


@pytest.mark.parametrize(
    ("form", "prompt", "answer"),
    [
        (
            "ExtractedEntities",
            f"<PREVIOUS MESSAGES>[]</PREVIOUS MESSAGES>\n<CURRENT MESSAGE>\n{TEXT}\n</CURRENT MESSAGE>",
            {"extracted_entities": [
                {"name": one.name, "entity_type_id": 0, "episode_indices": [0]} for one in KNOWN.entities
            ]},
        ),
        (
            "ExtractedEdges",
            (
                f'<CURRENT_MESSAGE>\n[Episode 0]\n{TEXT}\n</CURRENT_MESSAGE><ENTITIES>\n[{{"name": "Ada"}}, '
                '{"name": "tea"}]\n</ENTITIES>'
            ),
            {"edges": [{
                "source_entity_name": "Ada", "target_entity_name": "tea", "relation_type": "LIKES",
                "fact": "Ada likes tea.", "valid_at": None, "invalid_at": None, "episode_indices": [0],
            }]},
        ),
        (
            "NodeResolutions",
            (
                '<ENTITIES>[{"id": 0, "name": "NYC"}, {"id": 1, "name": "Ada"}]</ENTITIES><EXISTING ENTITIES>'
                '[{"candidate_id": 3, "name": "New York City"}]</EXISTING ENTITIES>'
            ),
            {"entity_resolutions": [
                {"id": 0, "name": "NYC", "duplicate_candidate_id": 3},
                {"id": 1, "name": "Ada", "duplicate_candidate_id": -1},
            ]},
        ),
        (
            "EdgeDuplicate",
            (
                "<EXISTING FACTS>[{'idx': 0, 'fact': 'ada lives in paris.'}]</EXISTING FACTS>"
                "<FACT INVALIDATION CANDIDATES>[{'idx': 1, 'fact': 'Ada lives in Rome.'}, "
                "{'idx': 2, 'fact': \"Ada's tea.\"}]</FACT INVALIDATION CANDIDATES>"
                "<NEW FACT>\nAda lives in Paris.\n</NEW FACT>"
            ),
            {"duplicate_facts": [0], "contradicted_facts": [1]},
        ),
        (
            "EdgeTimestamps", "<FACT>\nAda lives in Paris.\n</FACT>",
            {"valid_at": "2024-01-01", "invalid_at": None},
        ),
        (
            "BatchEdgeTimestamps", '<FACTS>[{"fact": "Ada lives in Paris."}, {"fact": "?"}]</FACTS>',
            {"timestamps": [
                {"valid_at": "2024-01-01", "invalid_at": None}, {"valid_at": None, "invalid_at": None},
            ]},
        ),
        (
            "SummarizedEntities",
            f'<MESSAGES>\n{TEXT}\n</MESSAGES><ENTITIES>[{{"name": "tea", "summary": "A drink."}}]</ENTITIES>',
            {"summaries": [{"name": "tea", "summary": "A drink. Ada likes tea."}]},
        ),
        (
            "SagaSummary", f"<MESSAGES>\n{TEXT}\n</MESSAGES>",
            {"summary": "Ada moved to Paris. Ada likes tea."},
        ),
    ],
)  # fmt: skip
async def test_each_call_gets_its_form(client: Client, form: str, prompt: str, answer: Any) -> None:
    """By what is known of the text in the prompt."""
    assert await client.ask(form, prompt) == answer


async def test_an_unknown_form_gets_the_least_that_fits(client: Client) -> None:
    """Attributes of custom types, for instance: null where that is allowed."""
    schema = {
        "type": "object",
        "properties": {
            "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "kind": {"enum": ["a", "b"]},
            "place": {"$ref": "#/$defs/Place"},
            "other": {"type": "string"},
        },
        "required": ["age", "kind", "place"],
        "$defs": {
            "Place": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        },
    }
    assert await client.ask("Person", "?", schema) == {"age": None, "kind": "a", "place": {"name": ""}}


async def test_passages_are_found_inside_of_a_prompt(client: Client) -> None:
    """Also under a header and beside another one; a passage that is there with its title counts once."""
    passages = load_dataset().passages
    client.server.knowledge.learn_passages(load_dataset())
    both = f"[Episode 0] (2024)\n{passages[0].text}\n\n[Episode 1]\n{passages[1].title}\n{passages[1].text}"
    found = await client.ask("CombinedExtraction", f"<CURRENT MESSAGES>\n{both}\n</CURRENT MESSAGES>")
    assert len(found["edges"]) == len(passages[0].triples) + len(passages[1].triples)
    names = [one["name"] for one in found["extracted_entities"]]
    assert len(set(names)) == len(names) >= len({*passages[0].entities, *passages[1].entities})
    ends = {edge[end] for edge in found["edges"] for end in ("source_entity_name", "target_entity_name")}
    assert ends <= set(names)
