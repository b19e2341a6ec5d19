"""Counts, success rates and latencies of every operation as one JSON document."""

import time
from datetime import UTC, datetime
from typing import Any

from gateway.telemetry.latency import QUANTILE_ERROR_RELATIVE_MAX
from gateway.telemetry.model_requests import ModelRequests
from gateway.telemetry.operations import Operation, OperationTable


def operations_report(
    *,
    started_at_s: float,
    rpcs: OperationTable,
    shard_calls: OperationTable,
    embeddings: ModelRequests,
    cross_encodings: ModelRequests,
    model_calls: OperationTable,
) -> dict[str, Any]:
    """Since the start of the gateway; operations that never ran are left out."""
    return {
        "started_at": datetime.fromtimestamp(started_at_s, UTC).isoformat(timespec="seconds"),
        "uptime_s": round(time.time() - started_at_s, 3),
        "quantile_error_relative_max": round(QUANTILE_ERROR_RELATIVE_MAX, 4),
        "rpcs": [
            {"method": "/".join(operation.labels[1:])} | _figures(operation)
            for operation in rpcs
            if _ran(operation)
        ],
        "shard_calls": [
            dict(zip(shard_calls.label_names, operation.labels, strict=True)) | _figures(operation)
            for operation in shard_calls
            if _ran(operation)
        ],
        "embeddings": _of_model(embeddings),
        "cross_encodings": _of_model(cross_encodings),
        "model_calls": [{"task": operation.labels[0]} | _figures(operation) for operation in model_calls],
    }


def _of_model(requests: ModelRequests) -> list[dict[str, Any]]:
    return [{requests.items_name: requests.items} | _figures(operation) for operation in requests.operations]


def _ran(operation: Operation) -> bool:
    return bool(operation.started or operation.outcomes)


def _figures(operation: Operation) -> dict[str, Any]:
    latency = operation.latency.summary()
    rate = operation.success_rate
    return {
        "count": latency.count,
        "success_rate": None if rate is None else round(rate, 6),
        "outcomes": operation.outcomes.copy(),
        "min_ms": _ms(latency.min_s),
        "max_ms": _ms(latency.max_s),
        "mean_ms": _ms(latency.mean_s),
        "p50_ms": _ms(latency.p50_s),
        "p95_ms": _ms(latency.p95_s),
        "p99_ms": _ms(latency.p99_s),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
