"""A server in trouble: which requests get no answer, and which episodes it never reads."""

from collections import Counter
from typing import Any

import orjson

from gateway.bench.model_server.replies import Fault, Faulty, Late, Request, Reset, Status
from gateway.bench.model_server.trouble import Trouble, TroubleOptions

ASKED = 4_000


def extraction(content: str, *, before: str = "", schema: str = "extract") -> Request:
    material = {"episode": {"content": content}, "previous": [before]}
    body: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": "read"},
            {"role": "user", "content": orjson.dumps(material).decode()},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": schema}},
    }
    return Request("/v1/chat/completions", [], body, {})


def test_a_share_of_the_requests_gets_no_answer() -> None:
    """Of every kind, and all of them pass."""
    trouble = Trouble(TroubleOptions(share=0.25, seed=1))
    chosen = [trouble(extraction("x")) for _ in range(ASKED)]
    assert 0.2 < sum(one is not None for one in chosen) / ASKED < 0.3
    kinds = Counter(type(one) for one in chosen if one is not None)
    assert set(kinds) == {Status, Reset, Late}
    codes = {(one.code, bool(one.headers)) for one in chosen if isinstance(one, Status)}
    assert codes == {(429, True), (429, False), (500, False), (503, False)}


def test_a_seed_is_one_choice() -> None:
    def chosen(seed: int) -> list[object]:
        trouble = Trouble(TroubleOptions(share=0.5, seed=seed))
        return [trouble(extraction("x")) for _ in range(100)]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_only_the_episode_itself_is_refused() -> None:
    """Whenever it is asked about; not one that is told what was said before it, nor other questions."""
    trouble = Trouble(TroubleOptions(refuses="Sealed"))
    for schema in ("extract", "extract_entities", "extract_facts"):
        assert trouble(extraction("It is Sealed.", schema=schema)) == Faulty(Fault.REFUSAL)
    assert trouble(extraction("It is open.", before="It is Sealed.")) is None
    assert trouble(extraction("It is Sealed.", schema="summarise")) is None
    assert trouble(Request("/v1/embeddings", ["Sealed"], {"input": "Sealed"}, {})) is None


def test_without_options_all_is_answered() -> None:
    trouble = Trouble(TroubleOptions())
    assert {trouble(extraction("Sealed")) for _ in range(100)} == {None}
