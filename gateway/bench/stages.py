"""What the answers of searches tell of their time."""

from collections import defaultdict
from dataclasses import dataclass, field

from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb


@dataclass(slots=True)
class Stages:
    """Where the time of one search went, call by call."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By stage of the gateway, and `client`: the rest of what the caller waited."""
    vectors: set[str] = field(default_factory=set[str])
    """How vectors were compared and why."""

    def add(self, answer: pb.SearchResponse, whole_s: float) -> None:
        inside_s = 0.0
        for timing in answer.timings:
            spent_s = timing.duration.ToNanoseconds() / 1e9
            self.seconds[timing.stage].append(spent_s)
            inside_s += spent_s
        self.seconds["client"].append(whole_s - inside_s)
        for result in answer.results:
            if result.HasField("vectors") and result.vectors.ran:
                kind = graph_pb2.RowKind.Name(result.kind).removeprefix("ROW_KIND_")
                ran = pb.VectorSearch.Name(result.vectors.ran).removeprefix("VECTOR_SEARCH_")
                self.vectors.add(f"{kind} {ran} {result.vectors.reason}")
