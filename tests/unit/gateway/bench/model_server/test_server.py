"""The server itself: counts, latency, models, broken requests, and the process of its own."""

import asyncio
import signal
import sys

import aiohttp
import orjson

from gateway.bench.model_server.server import ModelServer, ServerOptions
from tests.fakes.openai_server import FakeOpenAI
from tests.unit.gateway.llm.asking import ample, language_model, request, settings


async def test_it_counts_what_it_was_asked() -> None:
    """Requests by form and tokens, as answers tell them."""
    with FakeOpenAI() as fake:
        async with language_model(settings(fake)) as model:
            used = [(await model.ask(request(f"Ada met Bob{n}."), ample())).usage for n in range(3)]
        stats = fake.server.stats()
    assert stats["requests"] == {"extract": 3}
    assert stats["chat_requests"] == 3
    assert stats["input_tokens"] == sum(one.input_tokens for one in used)
    assert stats["output_tokens"] == sum(one.output_tokens for one in used)


async def test_bad_requests_are_answered() -> None:
    """A benchmark that sends nonsense must see it."""
    server = ModelServer(ServerOptions())
    await server.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.base_url}/models") as response:
            assert {one["id"] for one in (await response.json())["data"]} >= {"fake-large"}
        async with session.get(f"{server.base_url}/nothing") as response:
            assert response.status == 404
        for body in (b"", b"{}", b"[]", b"\xff"):
            async with session.post(f"{server.base_url}/chat/completions", data=body) as response:
                assert response.status == 400
    await server.stop()


async def test_the_latency_delays_answers_and_blocks_nobody() -> None:
    """Twenty at once take as long as one."""
    server = ModelServer(ServerOptions(latency_s=0.5))
    await server.start()
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})

    async def ask(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{server.base_url}/chat/completions", data=body) as response:
            assert response.status == 200

    started = asyncio.get_running_loop().time()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(ask(session) for _ in range(20)))
    took_s = asyncio.get_running_loop().time() - started
    assert 0.5 <= took_s < 20 * 0.5
    await server.stop()


async def test_it_runs_as_a_process_of_its_own() -> None:
    """It tells its address at the start and its counts at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.bench.model_server", "--replay", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = orjson.loads(await process.stdout.readline())
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{ready['base_url']}/embeddings", json={"model": "m", "input": "text"}
        ) as answer:
            assert len((await answer.json())["data"][0]["embedding"]) == 384
        async with session.get(ready["base_url"].removesuffix("/v1") + "/stats") as answer:
            assert (await answer.json())["requests"] == {"/v1/embeddings": 1}
    process.send_signal(signal.SIGTERM)
    assert orjson.loads(await process.stdout.readline())["chat_requests"] == 0
    assert await process.wait() == 0
