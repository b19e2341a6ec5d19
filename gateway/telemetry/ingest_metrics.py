"""What a worker has done, for scrapes."""

from gateway.ingest.work.worker import Worker
from gateway.telemetry.telemetry import Telemetry


def watch(worker: Worker, telemetry: Telemetry) -> None:
    counts = worker.counts
    telemetry.watch_counter(
        "graphgate_ingest_episodes_total",
        "Episodes of the queue that have ended.",
        ("state",),
        lambda: {("APPLIED",): counts.applied, ("FAILED",): counts.failed},
    )
    telemetry.watch_counter(
        "graphgate_ingest_units_total",
        "Units of episodes, by what became of them; begun counts all.",
        ("outcome",),
        lambda: {
            ("begun",): counts.units,
            ("waited",): counts.waited,
            ("split",): counts.split,
            ("lost",): counts.lost,
        },
    )
    telemetry.watch_gauge(
        "graphgate_ingest_units_running", "Units that run.", (), lambda: {(): worker.units_running}
    )
    telemetry.watch_gauge(
        "graphgate_ingest_batch_episodes",
        "Episodes that the next unit takes at most.",
        (),
        lambda: {(): worker.batch_episodes},
    )
    telemetry.watch_gauge(
        "graphgate_ingest_waiting_episodes",
        "Episodes of the whole queue that have not ended.",
        (),
        lambda: {(): worker.load.waiting},
    )
    telemetry.watch_gauge(
        "graphgate_ingest_waiting_bytes",
        "Of the episodes of the whole queue that have not ended, as they are stored.",
        (),
        lambda: {(): worker.load.waiting_bytes},
    )
    telemetry.watch_gauge(
        "graphgate_ingest_failures_listed",
        "Failed episodes of the whole queue that wait for a replay.",
        (),
        lambda: {(): worker.load.failures},
    )
