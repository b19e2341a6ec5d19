"""A text is compiled once for all who bring it, and not given up with a caller."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout, ShardUnavailable
from drivers.neo4j.compilations import Compilations

SHORT_S = 0.01


class Server:
    """Compiles when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.may_end = asyncio.Event()
        self.is_connected = True
        self.succeeds = True

    async def compile_text(self, text: str, access: str, sent: Callable[[], None]) -> bool:
        self.asked[text, access] += 1
        if self.is_connected:
            sent()
        await self.may_end.wait()
        return self.succeeds


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def compilations(server: Server) -> Compilations:
    return Compilations("eu-1", server.compile_text)


def long() -> Deadline:
    return Deadline.after(20)


async def test_callers_wait_for_one_compilation(server: Server, compilations: Compilations) -> None:
    waiting = [asyncio.create_task(compilations.done("a", "WRITE", long())) for _ in range(5)]
    await asyncio.sleep(0)
    server.may_end.set()
    await asyncio.gather(*waiting)
    await compilations.done("a", "WRITE", long())
    assert server.asked == {("a", "WRITE"): 1}


async def test_a_caller_that_gives_up_does_not_end_it(server: Server, compilations: Compilations) -> None:
    """Else callers with short deadlines would begin it again for ever."""
    for _ in range(3):
        with pytest.raises(ShardTimeout, match="a compilation"):
            await compilations.done("a", "READ", Deadline.after(SHORT_S))
    cancelled = asyncio.create_task(compilations.done("a", "READ", long()))
    await asyncio.sleep(0)
    cancelled.cancel()
    server.may_end.set()
    await compilations.done("a", "READ", long())
    assert server.asked == {("a", "READ"): 1}


async def test_without_a_connection_nothing_was_sent(server: Server, compilations: Compilations) -> None:
    """Nor is the server slow: it is away, which the caller is told before its time is over."""
    server.is_connected = False
    deadline = Deadline.after(0.2)
    with pytest.raises(ShardUnavailable, match="no connection in time"):
        await compilations.done("a", "WRITE", deadline)
    assert deadline.remaining_s() > 0


async def test_texts_do_not_wait_for_each_other(server: Server, compilations: Compilations) -> None:
    waiting = [asyncio.create_task(compilations.done(text, "READ", long())) for text in "ab"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert server.asked == {("a", "READ"): 1, ("b", "READ"): 1}
    server.may_end.set()
    await asyncio.gather(*waiting)


async def test_what_could_not_be_compiled_is_tried_by_its_use(
    server: Server, compilations: Compilations
) -> None:
    """The caller goes on and is told what is wrong; the next one tries to compile it again."""
    server.may_end.set()
    server.succeeds = False
    for _ in range(2):
        await compilations.done("a", "READ", long())
    assert server.asked["a", "READ"] == 2


async def test_what_may_be_forgotten_is_compiled_again(server: Server, compilations: Compilations) -> None:
    """One text after it took too long, all after a lost connection or a schema command."""
    server.may_end.set()
    for text in "ab":
        await compilations.done(text, "READ", long())
    compilations.doubt("a")
    for text in "ab":
        await compilations.done(text, "READ", long())
    assert (server.asked["a", "READ"], server.asked["b", "READ"]) == (2, 1)
    compilations.forget()
    for text in "ab":
        await compilations.done(text, "READ", long())
    assert (server.asked["a", "READ"], server.asked["b", "READ"]) == (3, 2)


async def test_closing_ends_what_runs(server: Server, compilations: Compilations) -> None:
    waiting = asyncio.create_task(compilations.done("a", "READ", long()))
    await asyncio.sleep(0)
    await compilations.close()
    await waiting
    assert not server.may_end.is_set()
