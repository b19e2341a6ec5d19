"""The op id of a unit's write, and closing it to a write that may still be on its way.

A unit whose episodes are to be failures must not be written afterwards, by a write that a worker has sent and
had no answer to. So an empty write is made under its op id: the shard takes one write under each. If its
episodes come back, they are written under the op id that follows from it.
"""

import hashlib
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.write_plan import OpRecord
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.writes.errors import RequestIdReused
from gateway.writes.intent import WriteIntent
from gateway.writes.writer import GraphWriter
from shard_router.errors import GroupNotFound

CLOSED = "closed"
"""Content hash of a write that closes an op id."""


@dataclass(frozen=True, slots=True)
class UnitOperation:
    op_id: str
    """The first that is not closed."""
    view: GroupView
    """With the record of the write under it."""


async def unit_operation(reads: GroupReads, op_id: str) -> UnitOperation:
    """`op_id`: of the unit."""
    while True:
        view = await reads.begin(op_id)
        if view.operation is None or view.operation.content_hash != CLOSED:
            return UnitOperation(op_id, view)
        op_id = f"after-{hashlib.blake2b(op_id.encode(), digest_size=16).hexdigest()}"


async def closed_operation(
    reads: GroupReads, writer: GraphWriter, op_id: str, deadline: Deadline
) -> OpRecord | None:
    """The record of the unit's write, or, with None, the certainty that there is none and will be none of the
    workers that had the unit up to now. Raises what reads and writes raise."""
    found = await unit_operation(reads, op_id)
    if found.view.operation is not None:
        return found.view.operation
    intent = WriteIntent(group_id=reads.group_id, op_id=found.op_id, content_hash=CLOSED)
    try:
        await writer.write(intent, deadline)
    except GroupNotFound:
        # A write is sent to a group that is there.
        return None
    except RequestIdReused:
        # It has come in between.
        return (await reads.begin(found.op_id)).operation
    return None
