"""Commands that move groups and look at them, against a gateway whose answers are known."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from drivers.graph_model import Kind
from graphgate.v1 import graph_pb2, graph_service_pb2
from shard_router.moves.digest import RowDifference, VerifyReport
from shard_router.moves.record import MovePhase, MoveRequest, ToSpace
from tests.eventually import eventually
from tests.fakes.moves import NOW_US, FakeMoves, serving
from tests.unit.gateway.cli.command import Finished, clean_environment, graphgate, start_graphgate
from tests.unit.gateway.cli.test_status import answered, serialized


class Groups:
    """Three groups, and a watch that breaks after its first answer."""

    def __init__(self) -> None:
        self.watched_after: list[int] = []

    def add_to(self, server: grpc.aio.Server) -> None:
        answered(server, "GraphService/ListGroups", self.list_groups, graph_service_pb2.ListGroupsRequest)
        answered(server, "GraphService/GetGroup", self.get_group, graph_service_pb2.GetGroupRequest)
        watch = grpc.unary_stream_rpc_method_handler(
            cast("Any", self.watch),
            request_deserializer=graph_service_pb2.WatchRequest.FromString,
            response_serializer=serialized,
        )
        handlers = grpc.method_handlers_generic_handler("graphgate.v1.GraphService", {"Watch": watch})
        server.add_generic_rpc_handlers((handlers,))

    async def list_groups(self, request: Any, context: Any) -> graph_service_pb2.ListGroupsResponse:
        names = ["g0", "g1", "g2"]
        begin = int(request.page_token or 0)
        page = names[begin : begin + request.page_size]
        end = begin + len(page)
        return graph_service_pb2.ListGroupsResponse(
            groups=[group(name) for name in page], next_page_token=str(end) if end < len(names) else ""
        )

    async def get_group(self, request: Any, context: Any) -> graph_service_pb2.GetGroupResponse:
        return graph_service_pb2.GetGroupResponse(group=group(request.group_id))

    async def watch(self, request: Any, context: Any) -> AsyncGenerator[graph_service_pb2.WatchResponse]:
        self.watched_after.append(request.after_version)
        if request.after_version < 7:
            yield graph_service_pb2.WatchResponse(
                entities=[graph_pb2.Entity(uuid="u1", name="Ada", version=6)],
                deleted=[graph_service_pb2.DeletedRow(kind=graph_pb2.ROW_KIND_FACT, uuid="u2", version=7)],
                position=7,
                group_version=8,
            )
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the gateway stops")
        yield graph_service_pb2.WatchResponse(
            facts=[graph_pb2.Fact(uuid="u3", fact="Ada knows Bob", version=8)], position=8, group_version=8
        )


def group(name: str) -> graph_pb2.Group:
    return graph_pb2.Group(
        group_id=name,
        shard="a",
        epoch=3,
        version=8,
        counts=[graph_pb2.RowCount(kind=graph_pb2.ROW_KIND_ENTITY, rows=1_200)],
    )


class Gateway:
    def __init__(self, moves: FakeMoves, groups: Groups, address: str, home: Path) -> None:
        self.moves = moves
        self.groups = groups
        self._address = address
        self._home = home

    async def run(self, *arguments: str) -> Finished:
        return await graphgate(*arguments, "--address", self._address, home=self._home)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await start_graphgate(
            *arguments, "--address", self._address, env=clean_environment(self._home)
        )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncGenerator[Gateway]:
    moves = FakeMoves()
    async with serving(moves) as address:
        yield Gateway(moves, Groups(), address, tmp_path)


@pytest.fixture
async def graph_gateway(tmp_path: Path) -> AsyncGenerator[Gateway]:
    groups = Groups()
    server = grpc.aio.server()
    groups.add_to(server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield Gateway(FakeMoves(), groups, address, tmp_path)
    await server.stop(None)


async def test_a_move_is_followed_to_its_end(gateway: Gateway) -> None:
    """Each phase is told, the result at the end; code 0."""
    running = await gateway.start("move", "g", "--to", "b", "--space", "own", "--json")
    await eventually(lambda: gateway.moves.records)
    gateway.moves.now("m0", phase=MovePhase.COPYING, rows_copied=40, rows_remaining=60)
    assert running.stderr is not None
    told = b""
    while b"COPYING" not in told:
        line = await running.stderr.readline()
        assert line, told.decode()
        told += line
    gateway.moves.now(
        "m0", phase=MovePhase.REVERSIBLE, committed_us=NOW_US, pauses_us=(31_000,), rows_remaining=0
    )
    out, _ = await running.communicate()
    assert running.returncode == 0
    assert gateway.moves.begun[0].to_space is ToSpace.OWN
    (line,) = out.decode().splitlines()
    report = json.loads(line)
    assert (report["phase"], report["done"], report["pauses_ms"]) == ("REVERSIBLE", True, [31.0])
    assert report["committed_at"] == "2023-11-14T22:13:20Z"


async def test_a_move_that_fails_ends_with_code_1(gateway: Gateway) -> None:
    """With its reason, for people and for programs."""
    running = await gateway.start("move", "g", "--to", "b")
    await eventually(lambda: gateway.moves.records)
    gateway.moves.now("m0", phase=MovePhase.FAILED, error_reason="VERIFY_FAILED", error_text="they differ")
    out, _ = await running.communicate()
    assert running.returncode == 1
    assert "VERIFY_FAILED: they differ" in out.decode()
    shown = await gateway.run("operations", "show", "m0", "--json")
    assert shown.code == 1
    assert json.loads(shown.out)["error"] == {"reason": "VERIFY_FAILED", "text": "they differ"}


async def test_no_wait_returns_at_once(gateway: Gateway) -> None:
    """The move goes on; every option reaches it."""
    done = await gateway.run(
        *("move", "g", "--to", "b", "--no-wait", "--reverse-window-s", "1.5", "--request-id", "r"),
        *("--allow-cordoned", "--json"),
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["phase"] == "PLANNED"
    assert gateway.moves.begun == [MoveRequest("g", "b", ToSpace.KEEP, 1.5, "r", cordoned=True)]


async def test_a_refused_move_is_one_sentence(gateway: Gateway) -> None:
    """Code 1, the status and what to do, no traceback; with --json one object."""
    done = await gateway.run("move", "a b", "--to", "b", "--json")
    assert done.code == 1
    assert "INVALID_ARGUMENT" in done.err
    assert "Traceback" not in done.err
    report = json.loads(done.out)
    assert (report["event"], report["exit_code"]) == ("failed", 1)


async def test_reverse_and_finish(gateway: Gateway) -> None:
    """By the id of the move or the name of its operation."""
    gateway.moves.put("m", phase=MovePhase.REVERSIBLE, committed_us=NOW_US)
    back = await gateway.run("reverse", "operations/moves/m", "--no-wait", "--json")
    assert back.code == 0, back.err
    assert (json.loads(back.out)["kind"], json.loads(back.out)["reverses"]) == ("REVERSE", "m")
    finished = await gateway.run("operations", "finish", "m")
    assert finished.out.strip() == "move m of group g is CLEANING"


async def test_operations_are_listed_waited_for_and_cancelled(gateway: Gateway) -> None:
    """A line each, the newest first; filters; more than the limit is said."""
    gateway.moves.put("old", phase=MovePhase.REVERSIBLE, committed_us=NOW_US)
    gateway.moves.put("new", group_id="h", phase=MovePhase.COPYING, rows_copied=1_234)
    listed = await gateway.run("operations", "list")
    lines = [line.split() for line in listed.out.splitlines()]
    assert lines[0][:5] == ["MOVE", "GROUP", "FROM", "TO", "PHASE"]
    assert [line[:6] for line in lines[1:]] == [
        ["new", "h", "a", "b", "COPYING", "1,234"],
        ["old", "g", "a", "b", "REVERSIBLE", "0"],
    ]
    only = await gateway.run("operations", "list", "--running", "--group", "h", "--json")
    assert [one["move_id"] for one in json.loads(only.out)["operations"]] == ["new"]
    first = await gateway.run("operations", "list", "--limit", "1")
    assert "there are more than 1" in first.err
    waited = await gateway.run("operations", "wait", "old")
    assert waited.code == 0, waited.err
    cancelled = await gateway.run("operations", "cancel", "new")
    assert "COPYING (cancel requested)" in cancelled.out
    assert "remaining" in cancelled.out
    assert gateway.moves.records["new"].cancel_requested
    gateway.moves.now("new", phase=MovePhase.CANCELLED)
    ended = await gateway.run("operations", "wait", "new")
    assert (ended.code, "MOVE_CANCELLED" in ended.out) == (1, True), ended
    assert not {"requested)", "remaining"} & set(ended.out.split()), "nothing is asked or left any more"
    refused = await gateway.run("operations", "cancel", "old")
    assert (refused.code, "FAILED_PRECONDITION" in refused.err) == (1, True)
    unknown = await gateway.run("operations", "show", "nope")
    assert (unknown.code, "NOT_FOUND" in unknown.err) == (1, True)


async def test_verify_tells_what_differs(gateway: Gateway) -> None:
    """Code 0 when equal, 1 when not; what to compare with has to be named."""
    assert (await gateway.run("groups", "verify", "g", "--shard", "b")).code == 0
    gateway.moves.report = VerifyReport(
        left_rows=1, missing=[RowDifference(Kind.FACT, "u1")], missing_total=1
    )
    told = await gateway.run("groups", "verify", "g", "--shard", "b", "--as-copy")
    assert told.code == 1
    assert ["only", "left", "row", "FACT", "u1"] in [line.split() for line in told.out.splitlines()]
    report = json.loads((await gateway.run("groups", "verify", "g", "--shard", "b", "--json")).out)
    assert (report["equal"], report["missing_total"]) == (False, 1)
    nothing = await gateway.run("groups", "verify", "g")
    assert (nothing.code, "--shard" in nothing.err) == (1, True)


async def test_groups_are_listed_and_shown(graph_gateway: Gateway) -> None:
    """Over all pages, up to the limit."""
    listed = await graph_gateway.run("groups", "list", "--json")
    assert [one["group_id"] for one in json.loads(listed.out)["groups"]] == ["g0", "g1", "g2"]
    some = await graph_gateway.run("groups", "list", "--limit", "2")
    assert [line.split() for line in some.out.splitlines()][1:] == [
        ["g0", "a", "-", "3", "8", "1,200"],
        ["g1", "a", "-", "3", "8", "1,200"],
    ]
    assert "there are more than 2" in some.err
    shown = await graph_gateway.run("groups", "show", "g1")
    assert ["ENTITY", "1,200", "-", "-"] in [line.split() for line in shown.out.splitlines()]
    assert json.loads((await graph_gateway.run("groups", "show", "g1", "--json")).out)["rows"] == {
        "ENTITY": 1_200
    }


async def test_watch_goes_on_where_a_break_has_left_it(graph_gateway: Gateway) -> None:
    """Each change once, in the order of the versions."""
    watched = await graph_gateway.run("groups", "watch", "g", "--after", "5", "--until-now")
    assert watched.code == 0, watched.err
    assert [line.split() for line in watched.out.splitlines()] == [
        ["6", "+ENTITY", "u1", "Ada"],
        ["7", "-FACT", "u2"],
        ["8", "+FACT", "u3", "Ada", "knows", "Bob"],
    ]
    assert graph_gateway.groups.watched_after == [5, 7]
    answers = await graph_gateway.run("groups", "watch", "g", "--after", "7", "--until-now", "--json")
    (line,) = answers.out.splitlines()
    assert json.loads(line)["position"] == 8
