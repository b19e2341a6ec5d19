"""The model server as a process of its own, as its users start and stop it."""

import aiohttp
import pytest

from gateway.bench.errors import ModelServerFailed
from gateway.bench.model_server.process import ModelServerProcess


async def test_its_counts_are_known_once_it_is_stopped() -> None:
    """By task, as the schema names it."""
    async with ModelServerProcess() as server, aiohttp.ClientSession() as session:
        for name in ("summarise_saga", "other", "other"):
            form = {"type": "json_schema", "json_schema": {"name": name, "schema": {"type": "object"}}}
            user = '{"saga": "s", "summary": "", "episodes": []}'
            body = {"model": "m", "messages": [{"role": "user", "content": user}], "response_format": form}
            async with session.post(f"{server.base_url}/chat/completions", json=body) as answer:
                assert answer.status == 200
    assert server.stats.requests == {"summarise_saga": 1, "other": 2}
    assert server.stats.chat_requests == 3
    assert server.stats.input_tokens > 0
    assert server.stats.output_tokens > 0


async def test_a_server_that_does_not_start_is_told_at_once() -> None:
    with pytest.raises(ModelServerFailed, match="code 2"):
        async with ModelServerProcess(["--no-such-option"]):
            raise AssertionError("it has started")


async def _fails_inside() -> None:
    async with ModelServerProcess() as server:
        assert server.base_url.startswith("http://")
        raise ZeroDivisionError


async def test_the_error_inside_is_the_one_that_is_told() -> None:
    """Not what follows from it."""
    with pytest.raises(ZeroDivisionError):
        await _fails_inside()
