"""What both programs use of graphiti-core. Imported behind the settings that the library reads when it is."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# graphiti-core is not in the environment in which the types are checked.

import importlib.metadata
from typing import Any

from graphiti_core.cross_encoder.client import CrossEncoderClient
from lines import Message


class NoCrossEncoder(CrossEncoderClient):
    async def rank(self, query: str, passages: list[str]) -> list[tuple[str, float]]:
        raise RuntimeError("a cross-encoder was called")


async def opened(graphiti: Any) -> Message:
    # The driver has begun to make its indexes by itself; making them twice at once fails now and then.
    await graphiti.driver._init_task  # noqa: SLF001 - nothing else tells when it has
    await graphiti.build_indices_and_constraints()
    return {"version": importlib.metadata.version("graphiti-core")}
