"""Errors of the edge itself.

GraphgateError
 +- VersionNotReached   min_version is above the group's version
 +- ReplyTooLarge       one row alone passes the size of a reply
 +- RequestUnreadable   the bytes are not the method's message
 +- RequestTooLarge     the message is larger than the gateway takes
 +- TooManyCalls        retryable: the gateway has no place for the call
 +- AnswersUnread       retryable: the client does not read the answers that it has asked for
 +- ShuttingDown        retryable: the gateway stops and the call was not done within the grace
 +- TooManyWatches      retryable: the gateway has no place for another watch
 +- OperationsAreKept   records of moves are not deleted on request
 +- ChangesPruned       deletions after the position of a watch may be forgotten
 +- VersionAhead        a watch is to begin after a version that the group has not reached
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


class RequestUnreadable(GraphgateError):
    reason = "REQUEST_UNREADABLE"

    def __init__(self) -> None:
        super().__init__(
            "the request is not a message of this method: truncated, a text that is not UTF-8, or a number "
            "that does not fit its field; build it from the published protos"
        )


class RequestTooLarge(GraphgateError):
    reason = "REQUEST_TOO_LARGE"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the request has {size} bytes, at most {limit} are allowed (message_bytes_max); split it"
        )
        self._metadata = {"bytes": str(size), "limit_name": "message_bytes_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class TooManyCalls(GraphgateError):
    reason = "TOO_MANY_CALLS"
    retryable = True

    def __init__(self, limit: int, of_connection: int) -> None:
        super().__init__(
            f"this gateway has no place for the call ({limit} in all, concurrent_rpcs_max; this connection "
            f"holds {of_connection}); retry after a short wait"
        )
        self._metadata = {
            "limit_name": "concurrent_rpcs_max",
            "limit": str(limit),
            "of_connection": str(of_connection),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata


class AnswersUnread(GraphgateError):
    reason = "ANSWERS_UNREAD"
    retryable = True

    def __init__(self, unsent_bytes: int, limit_name: str, limit: int) -> None:
        super().__init__(
            f"this connection has left {unsent_bytes} bytes of answers unread, past {limit_name} = {limit}; "
            "read them, then retry"
        )
        self._metadata = {"bytes": str(unsent_bytes), "limit_name": limit_name, "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class GatewayStops(GraphgateError):
    reason = "GATEWAY_STOPS"
    retryable = True

    def __init__(self) -> None:
        super().__init__("this gateway stops and takes no new calls; call another one")


class ShuttingDown(GraphgateError):
    reason = "SHUTTING_DOWN"
    retryable = True

    def __init__(self, op_id: str = "") -> None:
        """`op_id`: of a write that a shard may have applied; empty: nothing was written."""
        super().__init__(
            f"this gateway stops, and the write {op_id} may have been applied; retry it at another gateway "
            "with this request_id"
            if op_id
            else "this gateway stops and did not finish the call in time; retry at another gateway"
        )
        self.op_id = op_id

    def metadata(self) -> dict[str, str]:
        return {"op_id": self.op_id, "outcome_unknown": "true"} if self.op_id else {}


class TooManyWatches(GraphgateError):
    reason = "TOO_MANY_WATCHES"
    retryable = True

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"this gateway serves {limit} watches and takes no more (grpc.watches_max); end one, or watch at "
            "another gateway"
        )
        self._metadata = {"limit_name": "watches_max", "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class ChangesPruned(GraphgateError):
    reason = "CHANGES_PRUNED"

    def __init__(self, group_id: str, position: int, prune_floor: int) -> None:
        super().__init__(
            f"deletions in group {group_id} up to version {prune_floor} are forgotten, so that the changes "
            f"after version {position} are not complete; read the group anew, with after_version 0"
        )
        self._metadata = {
            "group_id": group_id,
            "position": str(position),
            "prune_floor": str(prune_floor),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata


class VersionAhead(GraphgateError):
    reason = "VERSION_AHEAD"

    def __init__(self, group_id: str, asked: int, found: int) -> None:
        super().__init__(
            f"group {group_id} has version {found}, after_version is {asked}; this version was never given, "
            "or its shard serves an older copy: read the group anew"
        )
        self._metadata = {"group_id": group_id, "after_version": str(asked), "version": str(found)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class OperationsAreKept(GraphgateError):
    reason = "OPERATIONS_ARE_KEPT"

    def __init__(self) -> None:
        super().__init__(
            "records of moves are not deleted on request, they are the history of the fleet; the oldest go "
            "by themselves"
        )
