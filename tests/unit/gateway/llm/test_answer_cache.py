"""Answers on disk: they survive restarts, stay within their bytes, and their failures fail nobody."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.llm.answer_cache import ROW_OVERHEAD_BYTES, AnswerCache, answer_key
from tests.fakes.openai_server import FakeOpenAI, Fault, Faulty
from tests.unit.gateway.llm.asking import ample, language_model, request, settings

CONTENT = "x" * (1_000 - ROW_OVERHEAD_BYTES)


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


def key(number: int) -> bytes:
    return answer_key(["model", number])


async def test_an_answer_survives_a_restart_and_costs_nothing(server: FakeOpenAI, tmp_path: Path) -> None:
    """The second gateway asks nobody; another text, model or tier is another question."""
    given = settings(server, cache_file=tmp_path / "llm" / "answers.sqlite")
    async with language_model(given) as model:
        first = await model.ask(request(), ample())
    async with language_model(given) as model:
        second = await model.ask(request(), ample())
        assert second.value == first.value
        assert second.from_cache
        assert second.usage.requests == 0
        assert len(server.requests) == 1
        await model.ask(request("Grace Hopper."), ample())
        assert len(server.requests) == 2
        assert model.cache.hits == 1


async def test_an_answer_that_was_of_no_use_is_not_kept(server: FakeOpenAI, tmp_path: Path) -> None:
    """What is kept after a repair is the repaired answer."""
    given = settings(server, cache_file=tmp_path / "answers.sqlite")
    server.script(Faulty(Fault.NOT_JSON))
    async with language_model(given) as model:
        first = await model.ask(request(), ample())
        await model.cache.flush()
        second = await model.ask(request(), ample())
        assert (second.value, second.from_cache) == (first.value, True)


async def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """The bound holds after every write, and what was read lately is still there."""
    cache = AnswerCache(tmp_path / "answers.sqlite", 10_000)
    await cache.open()
    for number in range(9):
        cache.put(key(number), CONTENT)
        await cache.flush()
    assert await cache.get(key(0)) == CONTENT
    await cache.flush()
    for number in range(9, 12):
        cache.put(key(number), CONTENT)
        await cache.flush()
        assert cache.bytes <= 10_000
    assert await cache.get(key(0)) == CONTENT
    assert await cache.get(key(1)) is None
    assert await cache.get(key(11)) == CONTENT
    await cache.close()


async def test_an_answer_is_there_before_it_is_written(tmp_path: Path) -> None:
    """Writing behind must not make the next caller ask again."""
    cache = AnswerCache(tmp_path / "answers.sqlite", 100_000)
    await cache.open()
    cache.put(key(1), CONTENT)
    assert await cache.get(key(1)) == CONTENT
    await cache.close()


async def test_a_broken_file_is_made_anew(tmp_path: Path) -> None:
    """It is a cache: nothing in it is worth a failed start."""
    file = tmp_path / "answers.sqlite"
    file.write_bytes(b"this is no database" * 100)
    cache = AnswerCache(file, 100_000)
    await cache.open()
    cache.put(key(1), CONTENT)
    await cache.close()
    again = AnswerCache(file, 100_000)
    await again.open()
    assert await again.get(key(1)) == CONTENT
    await again.close()


async def test_without_a_place_to_write_nothing_is_kept(server: FakeOpenAI, tmp_path: Path) -> None:
    """Calls are answered all the same."""
    (tmp_path / "file").write_bytes(b"")
    given = settings(server, cache_file=tmp_path / "file" / "answers.sqlite")
    async with language_model(given) as model:
        for _ in range(2):
            assert (await model.ask(request(), ample())).value.entities
        assert len(server.requests) == 2


async def test_two_gateways_share_one_file(tmp_path: Path) -> None:
    """What one has learnt the other need not ask for."""
    one, other = (AnswerCache(tmp_path / "answers.sqlite", 1_000_000) for _ in range(2))
    await asyncio.gather(one.open(), other.open())
    for number in range(50):
        (one if number % 2 else other).put(key(number), CONTENT)
    await asyncio.gather(one.flush(), other.flush())
    assert [await one.get(key(number)) for number in range(50)] == [CONTENT] * 50
    assert one.not_kept == other.not_kept == 0
    await asyncio.gather(one.close(), other.close())


async def test_a_file_that_another_gateway_uses_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is locked nothing is kept here, and what it holds stays."""
    monkeypatch.setattr("gateway.llm.answer_cache.BUSY_S", 0.05)
    file = tmp_path / "answers.sqlite"
    one = AnswerCache(file, 1_000_000)
    await one.open()
    one.put(key(1), CONTENT)
    await one.flush()
    await one.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        other = AnswerCache(file, 1_000_000)
        await other.open()
        assert await other.get(key(1)) is None
        await other.close()
        holder.execute("ROLLBACK")
    again = AnswerCache(file, 1_000_000)
    await again.open()
    assert await again.get(key(1)) == CONTENT
    await again.close()
