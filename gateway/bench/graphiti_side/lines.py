"""The line protocol of the programs: requests on standard input, answers on standard output, one JSON object
per line and one answer per request.

A request names its operation in "op". One that fails is answered by {"error": text}. A program ends with its
standard input.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

type Message = dict[str, Any]
type Operation = Callable[[Message], Awaitable[Message]]

ERROR_CHARS_MAX = 2_000


class Side(Protocol):
    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        ...

    async def close(self) -> None: ...


async def serve(make_side: Callable[[], Side]) -> None:
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        # What the library prints goes to the log, and not among the answers.
        os.dup2(2, 1)
        side = make_side()
        operations = side.operations()
        while line := await asyncio.to_thread(sys.stdin.readline):
            request: Message = json.loads(line)
            try:
                answer = await operations[request["op"]](request)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {str(error)[:ERROR_CHARS_MAX]}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        await side.close()
