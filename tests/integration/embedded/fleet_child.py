"""A stand-in for a gateway: starts a fleet, prints it as one JSON line and waits to be killed.

`python -m tests.integration.embedded.fleet_child DATA_DIR FALKORDB_SHARDS`
"""

import asyncio
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from gateway.embedded import EmbeddedFleet


async def main(data_dir: str, falkordb_shards: str) -> None:
    async with EmbeddedFleet(Path(data_dir), falkordb_shards=int(falkordb_shards)) as fleet:
        shards = [{**asdict(shard), "directory": str(shard.directory)} for shard in fleet.shards]
        sys.stdout.write(orjson.dumps({"shards": shards, "catalog_url": fleet.catalog_url}).decode() + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    # Ignored by what a shell has started in the background, and by all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main(*sys.argv[1:]))
