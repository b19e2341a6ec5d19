"""Requests to a model outside of the graph: an embedder's or a cross-encoder's, counted and timed alike."""

import asyncio
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from prometheus_client.metrics_core import CounterMetricFamily, Metric

from drivers.errors import GraphgateError
from gateway.rerank.errors import CrossEncoderFailed
from gateway.telemetry.operations import OperationTable


class ModelRequests:
    """Of one model. Written on the event loop."""

    def __init__(self, name: str, items_name: str, answer: str) -> None:
        """`name` begins the metrics' names; `items_name`: what a request is full of, as in "texts"; `answer`:
        what it asks for, as in "vectors"."""
        self.operations = OperationTable(())
        """None before the first request, then one."""
        self.items = 0
        """In all requests."""
        self.items_name = items_name
        self._name = name
        self._answer = answer

    def finished(self, outcome: str, items: int, seconds: float) -> None:
        """`outcome` as in ShardCallObserver; of a cross-encoder that failed, its Failure."""
        self.operations.of(()).finished(outcome, seconds)
        self.items += items

    @contextmanager
    def metered(self, items: int) -> Generator[None]:
        """Counts one request, whatever becomes of it."""
        started = time.perf_counter()
        outcome = "INTERNAL"
        try:
            yield
            outcome = "OK"
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except CrossEncoderFailed as error:
            outcome = error.failure
            raise
        except GraphgateError as error:
            outcome = error.reason
            raise
        finally:
            self.finished(outcome, items, time.perf_counter() - started)

    def families(self) -> Iterator[Metric]:
        yield self.operations.outcome_family(
            f"{self._name}_requests_total", f"Requests for {self._answer} that ended.", "outcome"
        )
        yield self.operations.latency_family(
            f"{self._name}_seconds", f"Time of a request for {self._answer}."
        )
        yield CounterMetricFamily(
            f"{self._name}_{self.items_name}_total",
            f"{self.items_name.capitalize()} in requests for {self._answer}.",
            value=self.items,
        )
