"""Why a shard cannot be added, changed or removed.

GraphgateError
 +- ShardExists            the id is in use, or was
 +- ShardUnfit             the server cannot be a shard: engine, version, schema or clock
 +- CredentialsUnknown     the gateway's settings have no password of that name
 +- ShardStateRefused      not in the state that the shard is in
 +- ShardStillUsed         it cannot go yet: groups, moves or registers are there
 +- RootChangeRunning      retryable: the root ring changes
"""

from drivers.errors import GraphgateError


class ShardExists(GraphgateError):
    reason = "SHARD_EXISTS"

    def __init__(self, shard_id: str, state: str) -> None:
        super().__init__(
            f"shard id {shard_id} is taken (state {state}) and is never given out again; choose another one"
        )
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id}


class ShardUnfit(GraphgateError):
    reason = "SHARD_UNFIT"

    def __init__(self, shard_id: str, check: str, why: str) -> None:
        """`check`: engine, version, schema or clock; `why` says what to do."""
        super().__init__(f"the server cannot be shard {shard_id}: {why}")
        self.shard_id = shard_id
        self.check = check

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "check": self.check}


class CredentialsUnknown(GraphgateError):
    reason = "CREDENTIALS_UNKNOWN"

    def __init__(self, shard_id: str, credentials: str) -> None:
        super().__init__(
            f"shard {shard_id} needs the password {credentials!r}, which the settings of this gateway do not "
            "have; set shard_passwords there, at every gateway"
        )
        self.shard_id = shard_id
        self.credentials = credentials

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "credentials": self.credentials}


class ShardStateRefused(GraphgateError):
    reason = "SHARD_STATE_REFUSED"

    def __init__(self, shard_id: str, state: str, why: str) -> None:
        super().__init__(f"shard {shard_id} is {state}: {why}")
        self.shard_id = shard_id
        self.state = state

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "state": self.state}


class ShardStillUsed(GraphgateError):
    reason = "SHARD_STILL_USED"

    def __init__(self, shard_id: str, used_for: str, why: str) -> None:
        """`used_for`: GROUPS, MOVES, REVERSE_WINDOWS or REGISTERS."""
        super().__init__(f"shard {shard_id} cannot be removed: {why}")
        self.shard_id = shard_id
        self.used_for = used_for

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "used_for": self.used_for}


class RootChangeRunning(GraphgateError):
    reason = "ROOT_CHANGE_RUNNING"
    retryable = True

    def __init__(self, root_version: int) -> None:
        super().__init__(
            f"the root ring changes (version {root_version}); retry when that is done, "
            "see `graphgate shards show`"
        )
        self.root_version = root_version

    def metadata(self) -> dict[str, str]:
        return {"root_version": str(self.root_version)}
