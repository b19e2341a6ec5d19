"""`graphgate status`: what a running gateway says of itself, its shards and its groups."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED, fail
from gateway.cli.options import AsJson

if TYPE_CHECKING:
    import grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"
GROUPS_COUNTED_MAX = 1_000
"""One page of ListGroups."""
REMOVED = "REMOVED"
"""State of a shard that the fleet has left behind: nobody asks it."""
SERVICES = (
    "graphgate.v1.IngestService",
    "graphgate.v1.GraphService",
    "graphgate.v1.SearchService",
    "graphgate.v1.AdminService",
)


@dataclass(frozen=True, slots=True)
class ShardReport:
    shard: str
    engine: str
    state: str
    weight: float
    zone: str
    reachable: bool
    problem: str


@dataclass(frozen=True, slots=True)
class GatewayReport:
    address: str
    status: str
    """Of the gateway as a whole."""
    services: dict[str, str]
    fleet: str
    map_version: int
    shards: list[ShardReport]
    groups: int
    more_groups: bool
    """`groups` is where the counting stopped."""
    groups_unreachable: list[str]
    """Shards whose groups are not counted."""

    @property
    def healthy(self) -> bool:
        serving = all(state == "SERVING" for state in (self.status, *self.services.values()))
        reached = all(shard.reachable for shard in self.shards if shard.state != REMOVED)
        return serving and not self.groups_unreachable and reached


def status(
    address: Annotated[str, typer.Option(help="host:port of the gateway.")] = DEFAULT_ADDRESS,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=300, help="For each call, in seconds.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Ask a gateway for its health, its shards and the number of its groups.

    Ends with code 1 unless everything serves and every shard that is in use is reached.
    """
    import grpc  # noqa: PLC0415 - slow

    with grpc.insecure_channel(address) as channel:
        try:
            report = _ask(address, channel, timeout_s)
        except grpc.RpcError as error:
            call: Any = error
            fail(f"cannot ask {address}: {call.code().name}, {call.details()}", as_json=as_json)
    print(json.dumps(asdict(report) | {"healthy": report.healthy}) if as_json else _text(report))
    if not report.healthy:
        raise typer.Exit(FAILED)


def _ask(address: str, channel: "grpc.Channel", timeout_s: float) -> GatewayReport:
    """Raises grpc.RpcError."""
    from graphgate.v1 import admin_service_pb2 as admin  # noqa: PLC0415
    from graphgate.v1 import admin_service_pb2_grpc, graph_service_pb2_grpc  # noqa: PLC0415
    from graphgate.v1 import graph_service_pb2 as graph  # noqa: PLC0415
    from graphgate.v1.search_service_pb2 import ShardEngine  # noqa: PLC0415

    whole = _health(channel, "", timeout_s)
    services = {service: _health(channel, service, timeout_s) for service in SERVICES}
    found = admin_service_pb2_grpc.AdminServiceStub(channel).ListShards(
        admin.ListShardsRequest(), timeout=timeout_s
    )
    page = graph_service_pb2_grpc.GraphServiceStub(channel).ListGroups(
        graph.ListGroupsRequest(page_size=GROUPS_COUNTED_MAX, return_partial_success=True), timeout=timeout_s
    )
    return GatewayReport(
        address=address,
        status=whole,
        services=services,
        fleet=found.fleet,
        map_version=found.map_version,
        shards=[
            ShardReport(
                shard=shard.shard,
                engine=ShardEngine.Name(shard.engine).removeprefix("SHARD_ENGINE_").lower(),
                state=admin.ShardState.Name(shard.state).removeprefix("SHARD_STATE_"),
                weight=shard.weight,
                zone=shard.zone,
                reachable=shard.reachable,
                problem=shard.problem,
            )
            for shard in found.shards
        ],
        groups=len(page.groups),
        more_groups=bool(page.next_page_token),
        groups_unreachable=list(page.unreachable),
    )


def _health(channel: "grpc.Channel", service: str, timeout_s: float) -> str:
    """Name of the status. Raises grpc.RpcError unless the gateway answered."""
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    try:
        # The stub's methods are made at run time, unseen by the type checker.
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
    except grpc.RpcError as error:
        call: Any = error
        if call.code() is grpc.StatusCode.NOT_FOUND:
            return "SERVICE_UNKNOWN"
        raise
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _text(report: GatewayReport) -> str:
    groups = f"{report.groups}{' or more' if report.more_groups else ''}"
    if report.groups_unreachable:
        groups += f", without those of {', '.join(report.groups_unreachable)}"
    heading = [
        ("gateway", report.address),
        ("status", report.status),
        *((service, state) for service, state in report.services.items()),
        ("fleet", report.fleet or "not founded yet"),
        ("shard map", f"version {report.map_version}"),
        ("groups", groups),
    ]
    shards = [
        (
            shard.shard,
            shard.engine,
            shard.state,
            f"{shard.weight:g}",
            shard.zone or "-",
            "-" if shard.state == REMOVED else "yes" if shard.reachable else "no",
            shard.problem,
        )
        for shard in report.shards
    ]
    titles = ("SHARD", "ENGINE", "STATE", "WEIGHT", "ZONE", "REACHED", "PROBLEM")
    return f"{aligned(heading)}\n\n{aligned([titles, *shards])}"
