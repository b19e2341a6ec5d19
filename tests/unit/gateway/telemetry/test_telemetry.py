"""What a scrape of a gateway shows."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.settings.service import MetricsSettings
from gateway.settings.tree import Settings
from gateway.telemetry.http_endpoint import EndpointUnavailable
from gateway.telemetry.telemetry import Telemetry
from shard_router.observer import ShardCallObserver
from tests.unit.gateway.telemetry.http_get import http_get

GET_ENTITY = "/graphgate.v1.GraphService/GetEntity"
LABELS = {"grpc_type": "unary", "grpc_service": "graphgate.v1.GraphService", "grpc_method": "GetEntity"}


@pytest.fixture
async def telemetry() -> AsyncIterator[Telemetry]:
    fleet = {"shards": [{"id": "a", "engine": "neo4j", "url": "bolt://a"}], "catalog": {"url": "redis://c"}}
    settings = Settings.model_validate({"metrics": {"port": 0}, **fleet})
    telemetry = Telemetry(settings)
    await telemetry.start()
    yield telemetry
    await telemetry.stop()


async def scrape(telemetry: Telemetry, path: str = "/metrics") -> str:
    assert telemetry.metrics_address is not None
    answer = await http_get(telemetry.metrics_address, path)
    assert answer.status == 200
    return answer.body.decode()


async def samples(telemetry: Telemetry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(await scrape(telemetry))
        for sample in family.samples
    }


async def test_rpcs_are_counted_under_the_usual_names(telemetry: Telemetry) -> None:
    """Dashboards made for gRPC servers work: started, handled by code, handling time by method."""
    telemetry.rpc_started(GET_ENTITY)
    telemetry.rpc_started(GET_ENTITY)
    telemetry.rpc_finished(GET_ENTITY, grpc.StatusCode.OK.name, 0.004)
    telemetry.rpc_finished(GET_ENTITY, "NOT_FOUND", 0.2)
    found = await samples(telemetry)
    labels = frozenset(LABELS.items())
    assert found["grpc_server_started_total", labels] == 2
    assert found["grpc_server_handled_total", labels | {("grpc_code", "OK")}] == 1
    assert found["grpc_server_handled_total", labels | {("grpc_code", "NOT_FOUND")}] == 1
    assert found["grpc_server_handling_seconds_bucket", labels | {("le", "0.0025")}] == 0
    assert found["grpc_server_handling_seconds_bucket", labels | {("le", "0.005")}] == 1
    assert found["grpc_server_handling_seconds_bucket", labels | {("le", "+Inf")}] == 2
    assert found["grpc_server_handling_seconds_count", labels] == 2
    assert found["grpc_server_handling_seconds_sum", labels] == pytest.approx(0.204)


async def test_methods_exist_before_their_first_call(telemetry: Telemetry) -> None:
    """A rate over a counter sees the very first error, because the counter was there at zero."""
    found = await samples(telemetry)
    search = {"grpc_type": "unary", "grpc_service": "graphgate.v1.SearchService", "grpc_method": "Search"}
    assert found["grpc_server_started_total", frozenset(search.items())] == 0


async def test_invented_methods_share_one_series(telemetry: Telemetry) -> None:
    """A caller cannot fill the gateway's memory with names of methods."""
    for number in range(50):
        telemetry.rpc_started(f"/evil/{number}")
        telemetry.rpc_finished(f"/evil/{number}", "UNIMPLEMENTED", 0.001)
    text = await scrape(telemetry)
    assert "evil" not in text
    unknown = {"grpc_type": "unary", "grpc_service": "unknown", "grpc_method": "unknown"}
    assert (await samples(telemetry))["grpc_server_started_total", frozenset(unknown.items())] == 50


async def test_shard_calls_know_their_engine(telemetry: Telemetry) -> None:
    """The router tells shard and call only; the engine comes from the settings or who added the shard."""
    observer: ShardCallObserver = telemetry
    observer.observe("a", "semantic", "OK", 0.01)
    telemetry.shard_joined("b", "FALKORDB")
    observer.observe("b", "apply", "SHARD_TIMEOUT", 0.01)
    observer.observe("c", "apply", "OK", 0.01)
    found = await samples(telemetry)
    engines = {
        dict(labels)["shard"]: dict(labels)["engine"]
        for name, labels in found
        if name == "graphgate_shard_call_seconds_count"
    }
    assert engines == {"a": "neo4j", "b": "falkordb", "c": "unknown"}
    timeout = {"shard": "b", "engine": "falkordb", "call": "apply", "outcome": "SHARD_TIMEOUT"}
    assert found["graphgate_shard_calls_total", frozenset(timeout.items())] == 1


async def test_pulled_values_and_the_process_itself(telemetry: Telemetry) -> None:
    """Gauges are asked at the scrape; build, memory and embeddings are there, too."""
    depth = {"a": 3.0}
    telemetry.watch_gauge("graphgate_depth", "Depth.", ("shard",), lambda: {("a",): depth["a"]})
    telemetry.embeddings.finished("OK", 12, 0.02)
    telemetry.cross_encodings.finished("CROSS_ENCODER_TIMEOUT", 20, 2.0)
    depth["a"] = 5.0
    found = await samples(telemetry)
    assert found["graphgate_depth", frozenset({("shard", "a")})] == 5
    assert found["graphgate_embedding_texts_total", frozenset()] == 12
    assert found["graphgate_embedding_seconds_count", frozenset()] == 1
    late = frozenset({("outcome", "CROSS_ENCODER_TIMEOUT")})
    assert found["graphgate_cross_encoder_requests_total", late] == 1
    assert found["graphgate_cross_encoder_passages_total", frozenset()] == 20
    assert found["graphgate_cross_encoder_seconds_sum", frozenset()] == 2
    assert found["process_resident_memory_bytes", frozenset()] > 0
    assert any(name == "graphgate_build_info" for name, _ in found)


async def test_json_has_every_figure_of_every_operation(telemetry: Telemetry) -> None:
    """Count, success rate, min, max, mean, p50, p95 and p99 without a Prometheus at hand."""
    for latency_s in (0.001, 0.002, 0.003, 0.1):
        telemetry.rpc_started(GET_ENTITY)
        telemetry.rpc_finished(GET_ENTITY, "OK", latency_s)
    telemetry.rpc_finished(GET_ENTITY, "INTERNAL", 0.1)
    telemetry.observe("a", "get_rows", "OK", 0.001)
    report = orjson.loads(await scrape(telemetry, "/metrics.json"))
    (rpc,) = report["rpcs"]
    assert rpc["method"] == "graphgate.v1.GraphService/GetEntity"
    assert (rpc["count"], rpc["success_rate"]) == (5, 0.8)
    assert rpc["outcomes"] == {"OK": 4, "INTERNAL": 1}
    assert (rpc["min_ms"], rpc["max_ms"], rpc["mean_ms"]) == (1.0, 100.0, 41.2)
    assert rpc["p50_ms"] == pytest.approx(3.0, rel=report["quantile_error_relative_max"])
    assert rpc["p95_ms"] == rpc["p99_ms"] == pytest.approx(100.0, rel=0.03)
    telemetry.cross_encodings.finished("OK", 20, 0.5)
    telemetry.cross_encodings.finished("CROSS_ENCODER_REFUSED", 4, 0.5)
    (asked,) = orjson.loads(await scrape(telemetry, "/metrics.json"))["cross_encodings"]
    assert (asked["count"], asked["passages"], asked["success_rate"]) == (2, 24, 0.5)
    assert report["embeddings"] == report["cross_encodings"] == []
    (call,) = report["shard_calls"]
    assert (call["shard"], call["engine"], call["call"], call["count"]) == ("a", "neo4j", "get_rows", 1)


async def test_openmetrics_is_served_to_who_asks(telemetry: Telemetry) -> None:
    """Prometheus' own newer format, chosen by the Accept header."""
    assert telemetry.metrics_address is not None
    answer = await http_get(telemetry.metrics_address, "/metrics", accept="application/openmetrics-text")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


async def test_calls_are_counted_while_a_scrape_runs(telemetry: Telemetry) -> None:
    """A scrape reads in a thread of its own: series that appear meanwhile break nothing."""
    scrapes = [asyncio.create_task(scrape(telemetry)) for _ in range(3)]
    number = 0
    while not all(one.done() for one in scrapes):
        telemetry.observe(f"s{number % 200}", "get_rows", f"E{number % 7}", 0.001)
        number += 1
        await asyncio.sleep(0)
    for one in scrapes:
        assert "grpc_server_started_total" in await one
    assert sum(sum(operation.outcomes.values()) for operation in telemetry.shard_calls) == number


async def test_a_taken_port_is_one_sentence(telemetry: Telemetry) -> None:
    """Two gateways on one machine: the second one says which setting to change."""
    assert telemetry.metrics_address is not None
    port = int(telemetry.metrics_address.rpartition(":")[2])
    second = Telemetry(Settings(metrics=MetricsSettings(port=port)))
    with pytest.raises(
        EndpointUnavailable, match=r"cannot listen on 127.0.0.1:\d+ \(.*in use.*metrics\.port"
    ):
        await second.start()
    await second.stop()


async def test_disabled_metrics_open_no_port() -> None:
    """Counting goes on, nothing listens."""
    telemetry = Telemetry(Settings(metrics=MetricsSettings(enabled=False)))
    await telemetry.start()
    telemetry.rpc_started(GET_ENTITY)
    assert telemetry.metrics_address is None
    await telemetry.stop()
