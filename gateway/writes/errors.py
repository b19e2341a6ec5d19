"""Why a write is refused, before or by the shard.

GraphgateError
 +- WriteRefused
     +- EndpointsMissing      an edge needs nodes that are neither in the batch nor in the group
     +- RowsExist             CREATE, and rows are there
     +- RowsMissing           PATCH or delete, and rows are not there
     +- RowVersionMismatch    a row condition does not hold
     +- GroupVersionMismatch  if_version does not hold
     +- WriteContended        retryable: other writers kept changing the same rows
     +- RequestIdReused       the request_id stands for other content
     +- EmbeddingMismatch     a vector does not fit the group's embedding model
     +- WriteTooLarge         more rows than one atomic write may have
"""

from collections.abc import Mapping, Sequence

from drivers.errors import GraphgateError
from drivers.fence import EmbeddingSpec
from drivers.graph_model import Kind

UUIDS_NAMED_MAX = 20
"""uuids that an error names; trailers hold 8 KiB in all."""


def _named(uuids: Sequence[str]) -> str:
    more = len(uuids) - UUIDS_NAMED_MAX
    return ",".join(uuids[:UUIDS_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


class WriteRefused(GraphgateError):
    reason = "WRITE_REFUSED"


class _RowsRefused(WriteRefused):
    def __init__(self, sentence: str, kind: Kind, uuids: Sequence[str]) -> None:
        super().__init__(sentence.format(kind=kind, uuids=_named(uuids)))
        self.kind = kind
        self.uuids = tuple(uuids)

    def metadata(self) -> dict[str, str]:
        return {"kind": str(self.kind), "uuids": _named(self.uuids)}


class EndpointsMissing(WriteRefused):
    reason = "ENDPOINT_MISSING"

    def __init__(self, missing: Mapping[Kind, Sequence[str]]) -> None:
        """`missing`: uuids of nodes by kind."""
        named = "; ".join(f"{kind} {_named(uuids)}" for kind, uuids in missing.items())
        super().__init__(
            "edges need nodes that are neither in the batch nor in the group, write these first or in the "
            f"same batch: {named}"
        )
        self.missing = missing

    def metadata(self) -> dict[str, str]:
        uuids = [uuid for of_kind in self.missing.values() for uuid in of_kind]
        return {"kind": ",".join(self.missing), "uuids": _named(uuids)}


class RowsExist(_RowsRefused):
    reason = "ROW_EXISTS"

    def __init__(self, kind: Kind, uuids: Sequence[str]) -> None:
        super().__init__("{kind} {uuids} exists already; use mode UPSERT or PATCH", kind, uuids)


class RowsMissing(_RowsRefused):
    reason = "ROW_NOT_FOUND"

    def __init__(self, kind: Kind, uuids: Sequence[str]) -> None:
        super().__init__("{kind} {uuids} does not exist in the group", kind, uuids)


class RowVersionMismatch(WriteRefused):
    reason = "ROW_VERSION_MISMATCH"

    def __init__(self, kind: Kind, uuid: str, expected: int, found: int) -> None:
        super().__init__(
            f"{kind} {uuid} has version {found}, the condition names {expected}; read it again and retry"
        )
        self._metadata = {"kind": str(kind), "uuid": uuid, "expected": str(expected), "found": str(found)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class GroupVersionMismatch(WriteRefused):
    reason = "GROUP_VERSION_MISMATCH"

    def __init__(self, group_id: str, expected: int, found: int) -> None:
        super().__init__(
            f"group {group_id} has version {found}, if_version names {expected}; read it again and retry"
        )
        self._metadata = {"group_id": group_id, "expected": str(expected), "found": str(found)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class WriteContended(WriteRefused):
    reason = "WRITE_CONTENDED"
    retryable = True

    def __init__(self, group_id: str, attempts: int) -> None:
        super().__init__(
            f"other writers changed the same rows of group {group_id} {attempts} times in a row; "
            "retry after a short wait"
        )
        self.group_id = group_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id}


class RequestIdReused(WriteRefused):
    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id {request_id!r} stands for a write with other content; use a new one")
        self.request_id = request_id

    def metadata(self) -> dict[str, str]:
        return {"request_id": self.request_id}


class TimeRangeInverted(WriteRefused):
    reason = "TIME_RANGE_INVERTED"

    def __init__(self, uuid: str) -> None:
        super().__init__(f"fact {uuid} would end before it starts; give valid_at and invalid_at together")
        self.uuid = uuid

    def metadata(self) -> dict[str, str]:
        return {"uuid": self.uuid}


class FactFull(WriteRefused):
    reason = "FACT_FULL"

    def __init__(self, uuid: str, what: str, limit: int) -> None:
        super().__init__(f"fact {uuid} would have more than {limit} {what}; write a new fact")
        self._metadata = {"uuid": uuid, "limit_name": f"fact_{what}_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class VectorWouldBeLost(WriteRefused):
    reason = "VECTOR_WOULD_BE_LOST"

    def __init__(self, uuid: str) -> None:
        super().__init__(
            f"fact {uuid} gets other ends and would lose its vector: this gateway has no embedder; "
            "send the embedding along"
        )
        self.uuid = uuid

    def metadata(self) -> dict[str, str]:
        return {"uuid": self.uuid}


class EmbeddingMismatch(WriteRefused):
    reason = "EMBEDDING_MISMATCH"

    def __init__(self, kind: Kind, group: EmbeddingSpec, model: str, dimension: int) -> None:
        super().__init__(
            f"vectors of {kind} in this group are of model {group.model!r} with dimension {group.dimension}, "
            f"the write has {model!r} with {dimension}; use the group's model"
        )
        self._metadata = {
            "kind": str(kind),
            "group_model": group.model,
            "group_dimension": str(group.dimension),
            "model": model,
            "dimension": str(dimension),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata


class WriteTooLarge(WriteRefused):
    reason = "WRITE_TOO_LARGE"

    def __init__(self, rows: int, limit: int) -> None:
        super().__init__(
            f"the write touches {rows} rows with what goes with them, at most {limit} fit in one; split it"
        )
        self._metadata = {"rows": str(rows), "limit_name": "rows_per_write_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata
