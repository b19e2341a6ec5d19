"""Failed episodes for people and for programs."""

from typing import Any

from graphgate.v1 import ingest_service_pb2 as pb

FAILURE_TITLES = ("GROUP", "REQUEST", "EPISODE", "REASON", "ATTEMPTS", "FAILED", "WHY")


def failure_line(one: pb.EpisodeStatus) -> tuple[str, ...]:
    return (
        one.group_id,
        one.request_id,
        one.episode_uuid,
        one.error.reason or "-",
        str(one.attempts),
        one.updated_at.ToJsonString(),
        # On its own line of a table.
        " ".join(one.error.message.split()) or "-",
    )


def failure_object(one: pb.EpisodeStatus) -> dict[str, Any]:
    return replayed_object(one) | {
        "attempts": one.attempts,
        "failed_at": one.updated_at.ToJsonString(),
        "error": {"reason": one.error.reason, "text": one.error.message, "retryable": one.error.retryable},
        "usage": {
            "model_requests": one.usage.model_requests,
            "input_tokens": one.usage.input_tokens,
            "output_tokens": one.usage.output_tokens,
            "cost_usd": one.usage.cost_usd,
        },
    }


def replayed_object(one: pb.EpisodeStatus) -> dict[str, Any]:
    return {
        "group_id": one.group_id,
        "request_id": one.request_id,
        "episode_uuid": one.episode_uuid,
        "accepted_at": one.accepted_at.ToJsonString(),
    }
