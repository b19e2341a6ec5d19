"""Why an episode is not accepted, cannot be removed, has failed, or is not known.

GraphgateError
 +- IngestError
     +- QueueUnavailable    retryable: the queue's Redis does not answer; what it was sent may be accepted
     +- QueueFull           retryable: too many episodes or bytes of them wait, of the group or in all
     +- EpisodeUnknown      no status is kept of it
     +- EpisodeWaiting      it is in the queue and cannot be removed yet
     +- EpisodesWaiting     some of the group are in the queue, so that it cannot be cleared yet
     +- EpisodeCleared      it waited in the queue when its group was cleared
     +- EpisodeUnreadable   the queue holds something that this gateway cannot read
     +- EpisodeLost         the queue holds only its name
     +- EpisodeTooHeavy     its text alone leaves no room for its graph in one write
     +- IngestBug           a bug, whose text is in the log only
     +- WorkerLost          the worker ended again and again while it worked on the episode
     +- CreditsExceeded     a stream sent more than it had credits for
"""

from drivers.errors import GraphgateError


class IngestError(GraphgateError):
    """Root of this package's errors."""

    reason = "INGEST_FAILED"


class QueueUnavailable(IngestError):
    reason = "INGEST_QUEUE_UNAVAILABLE"
    retryable = True

    def __init__(self, why: str, op_id: str = "") -> None:
        """`op_id`: of an episode that the queue may have accepted; empty: it has accepted nothing."""
        super().__init__(
            f"the queue did not say whether it has accepted the episode {op_id} ({why}); "
            "retry it with this request_id"
            if op_id
            else f"the queue of episodes is not available ({why}); retry after a short wait"
        )
        self.why = why
        self.op_id = op_id

    def metadata(self) -> dict[str, str]:
        return {"op_id": self.op_id, "outcome_unknown": "true"} if self.op_id else {}


class QueueFull(IngestError):
    reason = "INGEST_QUEUE_FULL"
    retryable = True

    def __init__(self, limit_name: str, limit: int, retry_after_s: float) -> None:
        super().__init__(
            f"the queue of episodes has no room ({limit_name} = {limit}); "
            f"retry in {retry_after_s:.0f} s or later"
        )
        self.retry_after_s = retry_after_s
        self._metadata = {"limit_name": limit_name, "limit": str(limit)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class EpisodeUnknown(IngestError):
    reason = "EPISODE_UNKNOWN"

    def __init__(self, group_id: str, what: str) -> None:
        """`what`: a uuid or a request_id."""
        super().__init__(
            f"no status of episode {what} in group {group_id} is kept: it was never accepted, or long ago; "
            "read the episode itself"
        )
        self._metadata = {"group_id": group_id, "episode": what}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class EpisodeWaiting(IngestError):
    reason = "EPISODE_WAITING"

    def __init__(self, group_id: str, episode_uuid: str) -> None:
        super().__init__(
            f"episode {episode_uuid} of group {group_id} is still in the queue; remove it once it is applied"
        )
        self._metadata = {"group_id": group_id, "uuid": episode_uuid}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class EpisodesWaiting(IngestError):
    reason = "EPISODES_WAITING"

    def __init__(self, group_id: str, episodes: int) -> None:
        super().__init__(
            f"{episodes} accepted episodes of group {group_id} have not ended and would come after the "
            "clear; clear it once they are applied, or discard them with discard_waiting"
        )
        self._metadata = {"group_id": group_id, "episodes": str(episodes)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class EpisodeCleared(IngestError):
    reason = "EPISODE_CLEARED"

    def __init__(self, group_id: str) -> None:
        super().__init__(
            f"the episode was in the queue when group {group_id} was cleared; replay it if it is still wanted"
        )


class EpisodeUnreadable(IngestError):
    reason = "EPISODE_UNREADABLE"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the queue holds {why}; work on it with the gateway that accepted it, or add it anew"
        )


class EpisodeLost(IngestError):
    reason = "EPISODE_LOST"

    def __init__(self, op_id: str) -> None:
        super().__init__(
            f"the queue has lost what was accepted under {op_id}; look into persistence and eviction of its "
            "Redis, then add the episode anew"
        )
        self._metadata = {"request_id": op_id}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class EpisodeTooHeavy(IngestError):
    reason = "EPISODE_TOO_HEAVY"

    def __init__(self, weight: int, weight_max: int) -> None:
        """In what drivers.write_plan weighs."""
        super().__init__(
            f"the text of the episode weighs {weight} of the {weight_max} that its shard takes in one write, "
            "which leaves no room for its graph; add it as several shorter episodes"
        )
        self._metadata = {
            "weight": str(weight),
            "limit_name": "write_weight_max",
            "limit": str(weight_max),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata


class WorkerLost(IngestError):
    reason = "WORKER_LOST"

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"the worker ended {attempts} times in a row while it worked on this episode; look into the "
            "workers' logs, then replay it"
        )


class IngestBug(IngestError):
    reason = "INGEST_BUG"

    def __init__(self, error_id: str) -> None:
        super().__init__(f"graphgate failed in a way that it should not; report error id {error_id}")
        self._metadata = {"error_id": error_id}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class CreditsExceeded(IngestError):
    reason = "CREDITS_EXCEEDED"

    def __init__(self, credits_max: int) -> None:
        super().__init__(
            f"the stream has more than {credits_max} episodes without an ack; "
            "send as many as there are credits"
        )
        self._metadata = {"limit_name": "stream_credits", "limit": str(credits_max)}

    def metadata(self) -> dict[str, str]:
        return self._metadata
