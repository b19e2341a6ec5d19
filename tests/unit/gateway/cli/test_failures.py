"""`graphgate failures` against a gateway whose failures are known."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import pytest

from graphgate.v1 import ingest_service_pb2 as pb
from tests.unit.gateway.cli.command import Finished, graphgate
from tests.unit.gateway.cli.test_status import answered

PAGE = 2
"""Failures that the server gives at once, whatever is asked for."""


class Failures:
    """Five of two groups; one that is replayed is listed no more."""

    def __init__(self) -> None:
        self.listed = {("a", "r0"), ("a", "r1"), ("a", "r2"), ("b", "r0"), ("b", "r1")}
        self.replays: list[tuple[str, list[str]]] = []

    def add_to(self, server: grpc.aio.Server) -> None:
        answered(server, "IngestService/ListFailures", self.list, pb.ListFailuresRequest)
        answered(server, "IngestService/ReplayFailures", self.replay, pb.ReplayFailuresRequest)

    async def list(self, request: Any, context: Any) -> pb.ListFailuresResponse:
        found = [one for one in sorted(self.listed) if request.group_id in ("", one[0])]
        begin = int(request.page_token or 0)
        page = found[begin : begin + min(PAGE, request.page_size)]
        end = begin + len(page)
        return pb.ListFailuresResponse(
            failures=[failure(*one) for one in page],
            next_page_token=str(end) if end < len(found) else "",
        )

    async def replay(self, request: Any, context: Any) -> pb.ReplayFailuresResponse:
        self.replays.append((request.group_id, list(request.request_ids)))
        taken = [one for one in request.request_ids if (request.group_id, one) in self.listed]
        self.listed -= {(request.group_id, one) for one in taken}
        return pb.ReplayFailuresResponse(replayed=[failure(request.group_id, one) for one in taken])


def failure(group_id: str, request_id: str) -> pb.EpisodeStatus:
    found = pb.EpisodeStatus(
        group_id=group_id,
        request_id=request_id,
        episode_uuid=f"uuid-of-{request_id}",
        state=pb.EPISODE_STATE_FAILED,
        attempts=2,
        usage=pb.EpisodeUsage(model_requests=3),
        error=pb.EpisodeError(reason="MODEL_REFUSED", message="the model\nrefused it"),
    )
    found.updated_at.FromJsonString("2026-11-22T00:00:00Z")
    return found


class Gateway:
    def __init__(self, failures: Failures, address: str, home: Path) -> None:
        self.failures = failures
        self._address = address
        self._home = home

    async def run(self, *arguments: str) -> Finished:
        return await graphgate("failures", *arguments, "--address", self._address, home=self._home)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncGenerator[Gateway]:
    failures = Failures()
    server = grpc.aio.server()
    failures.add_to(server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield Gateway(failures, address, tmp_path)
    await server.stop(None)


async def test_all_pages_are_listed(gateway: Gateway) -> None:
    """With the reason, on one line each."""
    done = await gateway.run("list")
    assert (done.code, done.err) == (0, "")
    titles, *lines = done.out.splitlines()
    assert titles.split() == ["GROUP", "REQUEST", "EPISODE", "REASON", "ATTEMPTS", "FAILED", "WHY"]
    assert [line.split()[:4] for line in lines] == [
        [group, request, f"uuid-of-{request}", "MODEL_REFUSED"]
        for group, request in sorted(gateway.failures.listed)
    ]
    assert lines[0].endswith("2026-11-22T00:00:00Z  the model refused it")


async def test_a_list_can_be_of_one_group_and_cut(gateway: Gateway) -> None:
    """What is cut is told, for people and for programs."""
    of_group = json.loads((await gateway.run("list", "--group", "b", "--json")).out)
    assert ([one["request_id"] for one in of_group["failures"]], of_group["more"]) == (["r0", "r1"], False)
    first = of_group["failures"][0]
    assert first["error"] == {"reason": "MODEL_REFUSED", "text": "the model\nrefused it", "retryable": False}
    assert first["usage"]["model_requests"] == 3
    cut = await gateway.run("list", "--limit", "3", "--json")
    assert (len(json.loads(cut.out)["failures"]), json.loads(cut.out)["more"]) == (3, True)
    assert "more than 3" in (await gateway.run("list", "--limit", "3")).err


@pytest.mark.parametrize(
    ("arguments", "replays"),
    [
        (["a", "r1"], [("a", ["r1"])]),
        (["a", "r1", "r0", "r1"], [("a", ["r1", "r0"])]),
        (["a"], [("a", ["r0", "r1", "r2"])]),
        (["--all"], [("a", ["r0", "r1", "r2"]), ("b", ["r0", "r1"])]),
    ],
    ids=["one", "some", "a group", "all"],
)
async def test_failures_are_replayed(
    gateway: Gateway, arguments: list[str], replays: list[tuple[str, list[str]]]
) -> None:
    """Those that were named, of each group in the order of their failures."""
    done = await gateway.run("replay", *arguments, "--json")
    assert done.code == 0, done.err
    assert gateway.failures.replays == replays
    report = json.loads(done.out)
    assert [(one["group_id"], one["request_id"]) for one in report["replayed"]] == [
        (group, request) for group, requests in replays for request in requests
    ]
    assert report["not_replayed"] == 0


async def test_what_is_no_failure_is_told(gateway: Gateway) -> None:
    """Code 1; the others are replayed."""
    done = await gateway.run("replay", "a", "r0", "nothing")
    assert done.code == 1
    assert done.out == "1 episodes of 1 groups wait again\n"
    assert "1 were no failures" in done.err


@pytest.mark.parametrize("arguments", [[], ["a", "--all"]], ids=["neither", "both"])
async def test_replay_wants_a_group_or_all(gateway: Gateway, arguments: list[str]) -> None:
    """Nothing is replayed by a slip."""
    done = await gateway.run("replay", *arguments)
    assert (done.code, gateway.failures.replays) == (2, [])
    assert "name a group or give --all" in done.err


async def test_a_gateway_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    done = await graphgate("failures", "list", "--address", "127.0.0.1:1", home=tmp_path)
    assert done.code == 1
    assert done.err.startswith("graphgate: 127.0.0.1:1 answers UNAVAILABLE")
