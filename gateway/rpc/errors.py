"""Errors of the edge itself.

GraphgateError
 +- VersionNotReached   min_version is above the group's version
 +- ReplyTooLarge       one row alone passes the size of a reply
 +- ShuttingDown        retryable: the gateway drains
"""

from drivers.errors import GraphgateError


class VersionNotReached(GraphgateError):
    reason = "VERSION_NOT_REACHED"

    def __init__(self, group_id: str, asked: int, found: int) -> None:
        super().__init__(
            f"group {group_id} has version {found}, min_version asks for {asked}; "
            "this version was never given or its shard serves an older copy"
        )
        self._metadata = {"group_id": group_id, "min_version": str(asked), "version": str(found)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class ReplyTooLarge(GraphgateError):
    reason = "REPLY_TOO_LARGE"

    def __init__(self, bytes_needed: int, limit: int) -> None:
        super().__init__(
            f"the reply would have {bytes_needed} bytes, at most {limit} fit; ask for fewer rows"
        )
        self._metadata = {"bytes": str(bytes_needed), "limit_name": "reply_bytes_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class TooManyCalls(GraphgateError):
    reason = "TOO_MANY_CALLS"
    retryable = True

    def __init__(self, limit: int) -> None:
        super().__init__(f"this gateway serves {limit} calls already; retry after a short wait")
        self._metadata = {"limit_name": "concurrent_rpcs_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata
