"""`graphgate shards`: the shards of the fleet, added, changed, drained and removed while it serves."""

import getpass
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED
from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

shards = typer.Typer(no_args_is_help=True, help="Look at **shards**, add, weigh, drain and remove them.")

Shard = Annotated[str, typer.Argument(help="Id of the shard.")]
Zone = Annotated[str | None, typer.Option(help="Failure zone.")]
IfMapVersion = Annotated[
    int, typer.Option(min=0, help="Only if the shard map still has this version; 0: any.")
]
By = Annotated[str, typer.Option(help="Who asks, for the history; default: user@host.")]


def _who(by: str) -> str:
    if by:
        return by
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"[:128]
    except (OSError, KeyError):
        # No such user in this container.
        return socket.gethostname()[:128]


@shards.command("list")
def list_shards(
    address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """List the shards. Ends with code 1 if one that is in use is not reached."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.shard_report import SHARD_TITLES, shard_line, shard_object  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2 as pb  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415

        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        found = stub.ListShards(pb.ListShardsRequest(), timeout=timeout_s)
        rows = [shard_object(shard) for shard in found.shards]
    if as_json:
        print(json.dumps({"fleet": found.fleet, "map_version": found.map_version, "shards": rows}))
    else:
        print(f"shard map {found.map_version} of fleet {found.fleet or '(not founded yet)'}\n")
        print(aligned([SHARD_TITLES, *map(shard_line, rows)]))
    if any(row["state"] != "REMOVED" and not row["reachable"] for row in rows):
        raise typer.Exit(FAILED)


@shards.command()
def show(
    shard: Shard, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 60.0, as_json: AsJson = False
) -> None:
    """Show one shard: its health, what it is used for, how far its drain is."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.shard_report import description_object, description_text  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2 as pb  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415

        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        found = stub.DescribeShard(pb.DescribeShardRequest(shard=shard), timeout=timeout_s)
        described = description_object(found)
    print(json.dumps(described) if as_json else description_text(described))


@shards.command()
def add(
    shard: Shard,
    engine: Annotated[str, typer.Option(help="falkordb or neo4j.")],
    url: Annotated[str, typer.Option(help="As every gateway reaches it, without user and password.")],
    user: Annotated[str, typer.Option(help="User there.")] = "",
    credentials: Annotated[
        str, typer.Option(help="Name of the password in the gateways' settings (shard_passwords.NAME).")
    ] = "",
    weight: Annotated[float, typer.Option(min=0, max=100, help="Share of new groups.")] = 1.0,
    zone: Annotated[str, typer.Option(help="Failure zone.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Examine the server, change nothing.")] = False,
    by: By = "",
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 120.0,
    as_json: AsJson = False,
) -> None:
    """Make an empty server a shard of the fleet. Deletes nothing there."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.shard_report import engine_number  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import shard_pb2 as pb  # noqa: PLC0415

        found = admin_service_pb2_grpc.AdminServiceStub(channel).AddShard(
            pb.AddShardRequest(
                shard=shard,
                engine=engine_number(engine, as_json=as_json),
                url=url,
                user=user,
                credentials=credentials,
                weight=weight,
                zone=zone,
                validate_only=dry_run,
                requested_by=_who(by),
            ),
            timeout=timeout_s,
        )
    if as_json:
        report = {
            "shard": shard,
            "engine_version": found.engine_version,
            "joined_before": found.joined_before,
            "clock_skew_us": found.clock_skew_us,
            "map_version": found.map_version,
            "added": not dry_run,
        }
        print(json.dumps(report))
        return
    skew = f"clock {found.clock_skew_us / 1000:+.1f} ms from the gateway's"
    done = "is fit to be added" if dry_run else f"is added, shard map {found.map_version}"
    print(f"shard {shard} {done}: {engine} {found.engine_version}, {skew}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every command that changes a shard of the fleet is given."""

    shard: str
    if_map_version: int
    by: str
    address: str
    timeout_s: float
    as_json: bool


def _change(method: str, done: str, asked: _Asked, change: Mapping[str, Any]) -> None:
    with calling(asked.address, as_json=asked.as_json) as channel:
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import shard_pb2 as pb  # noqa: PLC0415

        request = getattr(pb, f"{method}Request")(
            shard=asked.shard, if_map_version=asked.if_map_version, requested_by=_who(asked.by), **change
        )
        call = getattr(admin_service_pb2_grpc.AdminServiceStub(channel), method)
        found: Any = call(request, timeout=asked.timeout_s)
    if asked.as_json:
        print(json.dumps({"shard": asked.shard, "map_version": found.map_version}))
    else:
        print(f"shard {asked.shard} {done}, shard map {found.map_version}")


@shards.command()
def update(
    shard: Shard,
    weight: Annotated[float | None, typer.Option(min=0, max=100, help="Share of new groups.")] = None,
    zone: Zone = None,
    if_map_version: IfMapVersion = 0,
    by: By = "",
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Change a shard's weight or zone. Moves nothing."""
    change = {name: value for name, value in (("weight", weight), ("zone", zone)) if value is not None}
    asked = _Asked(shard, if_map_version, by, address, timeout_s, as_json)
    _change("UpdateShard", "is changed", asked, change)


def _add_change(
    name: str,
    summary: str,
    method: str,
    done: str,
    change: Mapping[str, Any] | None = None,
    timeout_s_default: float = 30.0,
) -> None:
    """A command that is told the shard only. `done`: what it says of the shard then."""

    def command(
        shard: Shard,
        if_map_version: IfMapVersion = 0,
        by: By = "",
        address: Address = DEFAULT_ADDRESS,
        timeout_s: TimeoutS = timeout_s_default,
        as_json: AsJson = False,
    ) -> None:
        asked = _Asked(shard, if_map_version, by, address, timeout_s, as_json)
        _change(method, done, asked, change or {})

    shards.command(name, help=summary)(command)


_add_change("cordon", "Give a shard no new groups.", "UpdateShard", "is cordoned", {"cordoned": True})
_add_change(
    "uncordon",
    "Give a shard new groups again; this ends a drain, too.",
    "UpdateShard",
    "is active",
    {"cordoned": False},
)
_add_change(
    "drain",
    "Move everything away from a shard, in the background; `shards show` tells what is left.",
    "DrainShard",
    "is draining",
)
_add_change(
    "remove", "Remove a drained shard for ever.", "RemoveShard", "is removed", timeout_s_default=300.0
)


@shards.command()
def history(
    shard: Annotated[str, typer.Argument(help="Id of the shard; default: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="The newest, at most so many.")] = 50,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """List who changed which shard when, the newest first."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.shard_report import HISTORY_TITLES, history_line, history_object  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import shard_pb2 as pb  # noqa: PLC0415

        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        found = stub.ListShardHistory(
            pb.ListShardHistoryRequest(shard=shard, page_size=limit), timeout=timeout_s
        )
        rows = [history_object(entry) for entry in found.entries]
    if as_json:
        print(json.dumps({"entries": rows, "more": bool(found.next_page_token)}))
    else:
        print(aligned([HISTORY_TITLES, *map(history_line, rows)]))
