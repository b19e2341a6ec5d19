"""The line protocol with graphiti-core's process, spoken with a script that answers like it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from drivers.graph_model import Entity, Fact
from gateway.bench.peer.errors import PeerFailed
from gateway.bench.peer.graphiti_process import GraphitiProcess, encoded, write_request

# Answers `open` with its arguments, searches with what it was asked, and the rest as its name says.
SCRIPT = """\
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    match request["op"]:
        case "open":
            answer = {"version": " ".join(sys.argv[1:])}
        case "search":
            answer = {"seconds": 0.25, "hits": len(request["vector"])}
        case "similar":
            answer = {"uuids": [request["kind"]] * request["limit"]}
        case "entities":
            answer = {"error": "ResponseError: no room"}
        case "facts":
            sys.exit("disk on fire")
    print(json.dumps(answer), flush=True)
"""

ENTITY = Entity(uuid="e1", name="Ada\nLovelace", embedding=np.array([0.6, 0.8], np.float32))
FACT = Fact(
    uuid="f1",
    source_uuid="e1",
    target_uuid="e2",
    name="KNOWS",
    fact="Ada knows Charles",
    embedding=np.array([1.0, 0.0], np.float32),
)


def process(tmp_path: Path) -> GraphitiProcess:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    log_file = tmp_path / "log"
    return GraphitiProcess(Path(sys.executable), "falkordb", "redis://h:1", "g", log_file, script=script)


def test_a_batch_is_one_line_with_exact_vectors() -> None:
    """A line break inside a text must not end the request, and both sides must store the same vectors."""
    for row, operation in ((ENTITY, "entities"), (FACT, "facts")):
        line = encoded(write_request([row]))
        assert line.count(b"\n") == 1
        request = json.loads(line)
        assert request["op"] == operation
        ((uuid, *_, vector),) = request["rows"]
        assert uuid == row.uuid
        assert row.embedding is not None
        assert np.array_equal(np.asarray(vector, np.float32), row.embedding)


def test_a_fact_names_its_ends_in_order() -> None:
    """The script unpacks by place: swapped ends would make another graph without any error."""
    assert write_request([FACT])["rows"][0][:-1] == ["f1", "e1", "e2", "KNOWS", "Ada knows Charles"]


async def test_questions_and_answers(tmp_path: Path) -> None:
    """The process is told what to serve, engine, address and group, and each answer comes to its question."""
    async with process(tmp_path) as side:
        assert side.version == "search falkordb redis://h:1 g"
        assert await side.search("fact_search", "who", [0.1, 0.2, 0.3]) == (0.25, 3)
        assert await side.similar("facts", [0.1], 2) == ["facts", "facts"]


async def test_a_refusal_says_what_and_why(tmp_path: Path) -> None:
    """A batch that was not saved must end the run: the sides would hold different data."""
    async with process(tmp_path) as side:
        with pytest.raises(PeerFailed, match=r"refused 'entities': ResponseError: no room"):
            await side.write([ENTITY])


async def test_a_process_that_ends_leaves_its_last_words(tmp_path: Path) -> None:
    """Whoever runs the benchmark sees why the library died."""
    async with process(tmp_path) as side:
        with pytest.raises(PeerFailed, match=r"(?s)ended during 'facts'.*disk on fire"):
            await side.write([FACT])
