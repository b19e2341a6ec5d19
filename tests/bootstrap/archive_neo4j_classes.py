"""Makes the archive of the classes that Neo4j loads (gateway/embedded/class_archive.py) unless one is there
that this machine's Java takes. `make neo4j` and `make test` call it; half a minute, once."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.example_group import placeholder
from drivers.fence import Fence, FenceState, GroupRef
from drivers.neo4j import Neo4jDriver, Neo4jSettings
from drivers.neo4j.plans import Neo4jPlans
from drivers.neo4j.query_shapes import query_shapes
from gateway.embedded import Neo4jProcess, find_neo4j_lib, missing_for_neo4j
from gateway.embedded.class_archive import class_archive, fits
from gateway.embedded.errors import EmbeddedError

SCHEMA_S_MAX = 120.0
STATEMENT_S_MAX = 60.0
PLANNED = (
    "read-fences",
    "images-core",
    "write-core",
    "fetch-entity",
    "list-fact-newest",
    "changes",
    "matching-fact",
)
"""One of each kind: the others load hardly a class of their own, and some take seconds to plan."""
STOP_S_MAX = 120.0
"""A JVM writes the archive while it ends."""


async def archive_classes(java: str, lib_dir: Path, directory: Path) -> bool:
    """Runs a server in `directory`, plans a statement of each kind there, ends it, and puts what it has
    written into its place if it is whole. Raises EmbeddedError, GraphgateError and OSError."""
    unfinished = directory / "classes.jsa"
    server = Neo4jProcess(directory / "neo4j", lib_dir, archives_classes_to=unfinished)
    try:
        await server.start()
        await _use(server.url)
    finally:
        await server.stop(STOP_S_MAX)
    if not fits(java, lib_dir, unfinished):
        return False
    unfinished.replace(class_archive(lib_dir))
    return True


async def _use(url: str) -> None:
    settings = Neo4jSettings(url)
    driver, plans = Neo4jDriver("archived", settings), Neo4jPlans("archived", settings)
    await driver.open()
    await plans.open()
    try:
        await driver.ensure_schema(Deadline.after(SCHEMA_S_MAX))
        group = GroupRef("archived")
        await driver.create_fence(Fence(group.group_id, 1, FenceState.OPEN), Deadline.after(STATEMENT_S_MAX))
        shapes = {shape.name: shape for shape in query_shapes(placeholder(group.group_id))}
        for name in PLANNED:
            await plans.explain(group, shapes[name], Deadline.after(STATEMENT_S_MAX), profile=False)
    finally:
        await plans.close()
        await driver.close()


def main() -> int:
    lib_dir = find_neo4j_lib()
    if lib_dir is None or missing_for_neo4j(lib_dir) is not None:
        return 0
    java = shutil.which("java") or "java"
    if fits(java, lib_dir, class_archive(lib_dir)):
        return 0
    print("archiving Neo4j's classes (once)", flush=True)
    try:
        # Beside its place: it is put there by a rename, and a cache that is not to be written fails at once.
        with tempfile.TemporaryDirectory(prefix="classes-", dir=lib_dir.parent) as directory:
            made = asyncio.run(archive_classes(java, lib_dir, Path(directory)))
        why = "Java does not take what it has written"
    except (EmbeddedError, GraphgateError, OSError) as error:
        made, why = False, str(error)
    if not made:
        # Everything works without, more slowly.
        print(f"Neo4j's classes could not be archived: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
