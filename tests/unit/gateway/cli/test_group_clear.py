"""`graphgate groups clear` against a gateway that needs several calls."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.cli.group_clearing import IDLE_CALLS_MAX
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.unit.gateway.cli.command import Finished, graphgate
from tests.unit.gateway.cli.test_status import answered


def deleted(kind: graph_pb2.RowKind, rows: int) -> graph_service_pb2.DeletedCount:
    return graph_service_pb2.DeletedCount(kind=kind, rows=rows)


ANSWERS = [
    pb.ClearGroupResponse(group_id="a", episodes_discarded=2, episodes_running=3),
    pb.ClearGroupResponse(group_id="a", up_to_version=7, deleted=[deleted(graph_pb2.ROW_KIND_FACT, 1_000)]),
    pb.ClearGroupResponse(
        group_id="a",
        up_to_version=7,
        version=12,
        done=True,
        deleted=[deleted(graph_pb2.ROW_KIND_FACT, 20), deleted(graph_pb2.ROW_KIND_ENTITY, 5)],
    ),
]


class Gateway:
    def __init__(self, home: Path) -> None:
        self.asked: list[pb.ClearGroupRequest] = []
        self.refuses = False
        self.fails: dict[int, grpc.StatusCode] = {}
        """By number of the call."""
        self.answers = ANSWERS
        self.address = ""
        self._home = home

    async def clear(self, request: Any, context: Any) -> pb.ClearGroupResponse:
        self.asked.append(request)
        if self.refuses:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "3 accepted episodes have not ended")
        code = self.fails.pop(len(self.asked), None)
        if code is not None:
            self.asked.pop()
            await context.abort(code, "away")
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    async def run(self, *arguments: str) -> Finished:
        return await graphgate("groups", "clear", *arguments, "--address", self.address, home=self._home)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncGenerator[Gateway]:
    made = Gateway(tmp_path)
    server = grpc.aio.server()
    answered(server, "IngestService/ClearGroup", made.clear, pb.ClearGroupRequest)
    made.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield made
    await server.stop(None)


async def test_it_calls_until_all_is_gone(gateway: Gateway) -> None:
    """Each call with the version of the answer before; what they did is added up, progress is told beside."""
    done = await gateway.run("a", "--yes", "--discard-waiting", "--request-id", "r", "--timeout-s", "0.2")
    assert done.code == 0, done.err
    assert [(one.up_to_version, one.discard_waiting, one.request_id) for one in gateway.asked] == [
        (0, True, "r"),
        (0, True, "r"),
        (7, True, "r"),
    ]
    assert done.out == (
        "group a is cleared up to version 7: 1,025 rows deleted (FACT 1,020, ENTITY 5), "
        "2 episodes discarded\n"
    )
    assert done.err == "graphgate: 3 episodes are being worked on\ngraphgate: 1,000 rows deleted\n"


async def test_a_program_gets_one_object(gateway: Gateway) -> None:
    done = await gateway.run("a", "--yes", "--json", "--timeout-s", "0.2")
    made = {one.request_id for one in gateway.asked}
    assert len(made) == 1
    assert all(made)
    assert json.loads(done.out) == {
        "group_id": "a",
        "request_id": made.pop(),
        "up_to_version": 7,
        "version": 12,
        "deleted": {"FACT": 1_020, "ENTITY": 5},
        "episodes_discarded": 2,
        "calls": 3,
    }


@pytest.mark.parametrize("further", [[], ["--json"]], ids=["people", "programs"])
async def test_nothing_goes_by_a_slip(gateway: Gateway, further: list[str]) -> None:
    """Who cannot be asked has to say yes."""
    done = await gateway.run("a", *further)
    assert (done.code, gateway.asked) == (2, [])
    assert "give --yes" in done.err


async def test_a_refusal_is_one_sentence(gateway: Gateway) -> None:
    gateway.refuses = True
    done = await gateway.run("a", "--yes")
    assert done.code == 1
    assert done.err.startswith("graphgate: ")
    assert done.err.endswith("answers FAILED_PRECONDITION: 3 accepted episodes have not ended\n")


async def test_a_gateway_that_restarts_is_waited_for(gateway: Gateway) -> None:
    """Midway, and at the first call, whose answer may be lost: the same request is sent again."""
    gateway.fails = {1: grpc.StatusCode.UNAVAILABLE, 3: grpc.StatusCode.UNAVAILABLE}
    done = await gateway.run("a", "--yes", "--timeout-s", "0.2")
    assert done.code == 0, done.err
    assert [one.up_to_version for one in gateway.asked] == [0, 0, 7]
    assert len({one.request_id for one in gateway.asked}) == 1


@pytest.mark.parametrize("further", [[], ["--json"]], ids=["people", "programs"])
async def test_an_error_midway_tells_how_to_go_on(gateway: Gateway, further: list[str]) -> None:
    """Run anew without the bound it would take everything that was written since the first call."""
    gateway.fails = {3: grpc.StatusCode.INTERNAL}
    done = await gateway.run("a", "--yes", "--request-id", "r", "--timeout-s", "0.2", *further)
    assert done.code == 1
    command = "graphgate groups clear a --yes --request-id r --up-to-version 7"
    assert done.err.endswith(
        "graphgate: the gateway answers INTERNAL: away\n"
        "graphgate: not done, up to version 7 so far: 1,000 rows deleted (FACT 1,000), 2 episodes discarded\n"
        f"graphgate: to go on: {command}\n"
    )
    if further:
        assert json.loads(done.out) == {
            "event": "failed",
            "exit_code": 1,
            "error": "the gateway answers INTERNAL: away",
            "go_on": command,
            "group_id": "a",
            "request_id": "r",
            "up_to_version": 7,
            "deleted": {"FACT": 1_000},
            "episodes_discarded": 2,
            "calls": 2,
        }


async def test_the_command_that_goes_on_does(gateway: Gateway) -> None:
    gateway.answers = ANSWERS[2:]
    done = await gateway.run("a", "--yes", "--up-to-version", "7")
    assert (done.code, [one.up_to_version for one in gateway.asked]) == (0, [7])


async def test_it_gives_up_when_nothing_goes_any_more(gateway: Gateway) -> None:
    """Answers that are all alike would otherwise keep it for ever."""
    gateway.answers = [*ANSWERS[1:2], pb.ClearGroupResponse(group_id="a", up_to_version=7)]
    done = await gateway.run("a", "--yes")
    assert (done.code, len(gateway.asked)) == (1, 1 + IDLE_CALLS_MAX)
    assert f"{IDLE_CALLS_MAX} calls in a row have deleted nothing\n" in done.err
    assert "--up-to-version 7\n" in done.err


async def test_a_group_that_never_was_is_told(gateway: Gateway) -> None:
    gateway.answers = [pb.ClearGroupResponse(group_id="a", done=True, episodes_discarded=2)]
    done = await gateway.run("a", "--yes", "--discard-waiting")
    assert done.out == "group a does not exist, there is nothing; 2 episodes discarded\n"
