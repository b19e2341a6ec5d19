"""The line protocol of the programs that serve graphiti-core, with a library that prints and fails."""

import sys
from pathlib import Path

import pytest

from gateway.bench.peer.errors import PeerFailed
from gateway.bench.peer.graphiti_process import SCRIPT, GraphitiProcess

# The programs import their protocol as a module beside them.
PROGRAM = f"""\
import asyncio, sys
sys.path.insert(0, {str(SCRIPT)!r})
from lines import serve

class Side:
    def __init__(self):
        print("the library was made")

    def operations(self):
        return {{"open": self.open, "fail": self.fail}}

    async def open(self, request):
        print("indexes were made")
        return {{"version": "9"}}

    async def fail(self, request):
        raise ValueError("x" * 5_000)

    async def close(self):
        print("the library was closed")

asyncio.run(serve(Side))
"""


async def test_what_the_library_prints_is_no_answer(tmp_path: Path) -> None:
    """Each request has one line of answer, a failed one too, and the next is answered still; the rest is in
    the log. The end of the requests closes the library."""
    script, log_file = tmp_path / "script.py", tmp_path / "log"
    script.write_text(PROGRAM, encoding="utf-8")
    process = GraphitiProcess(Path(sys.executable), "falkordb", "redis://h:1", "g", log_file, script=script)
    async with process as side:
        assert side.version == "9"
        with pytest.raises(PeerFailed, match=r"refused 'fail': ValueError: x{2000}(?!x)"):
            await side.ask({"op": "fail"})
        with pytest.raises(PeerFailed, match=r"refused 'unheard': KeyError: 'unheard'"):
            await side.ask({"op": "unheard"})
        assert await side.ask({"op": "open"}) == {"version": "9"}
    written = log_file.read_text(encoding="utf-8").split("\n")
    assert [line for line in written if line] == [
        "the library was made",
        "indexes were made",
        "indexes were made",
        "the library was closed",
    ]
