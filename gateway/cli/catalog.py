"""`graphgate catalog`: the catalog against the fences of the shards."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED
from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

if TYPE_CHECKING:
    from graphgate.v1 import catalog_pb2 as pb

catalog = typer.Typer(no_args_is_help=True, help="Check the **catalog**, make its records anew.")

Findings = Annotated[int, typer.Option("--findings", min=1, max=1_000, help="Listed, at most so many.")]
_GRAVE = "Ends with code 1 if something grave is found: data may be lost, or a shard did not answer."


@catalog.command(help=f"Compare the catalog with the fences of all shards. {_GRAVE}")
def check(
    findings: Findings = 100,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 300.0,
    as_json: AsJson = False,
) -> None:
    with calling(address, as_json=as_json) as channel:
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import catalog_pb2 as pb  # noqa: PLC0415

        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        found = stub.CheckCatalog(pb.CheckCatalogRequest(findings_max=findings), timeout=timeout_s)
        report = _report_object(found.report)
    _tell(report, "", as_json=as_json)


@catalog.command(help=f"Write placements and lost records of moves anew from the fences. {_GRAVE}")
def rebuild(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look and count, write nothing.")] = False,
    findings: Findings = 100,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 300.0,
    as_json: AsJson = False,
) -> None:
    with calling(address, as_json=as_json) as channel:
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import catalog_pb2 as pb  # noqa: PLC0415

        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        found = stub.RebuildCatalog(
            pb.RebuildCatalogRequest(findings_max=findings, validate_only=dry_run), timeout=timeout_s
        )
        report = _report_object(found.report) | {"written": found.written, "dry_run": dry_run}
    done = f"{found.written} records {'would be written' if dry_run else 'written'}"
    _tell(report, done, as_json=as_json)


def _report_object(report: "pb.CatalogReport") -> dict[str, Any]:
    return {
        "groups": report.groups,
        "fences": report.fences,
        "records": report.records,
        "counts": {count.kind: count.count for count in report.counts},
        "findings": [
            {
                "kind": found.kind,
                "grave": found.grave,
                "group": found.group_id,
                "shards": list(found.shards),
                "detail": found.detail,
            }
            for found in report.findings
        ],
        "unreachable": list(report.unreachable),
    }


def _tell(report: Mapping[str, Any], done: str, *, as_json: bool) -> None:
    grave = any(found["grave"] for found in report["findings"])
    if as_json:
        print(json.dumps({**report, "clean": not grave}))
    else:
        print(
            f"{report['groups']} groups, {report['fences']} fences, {report['records']} records"
            + (f"; {done}" if done else "")
        )
        if report["counts"]:
            print("\n" + aligned([("FOUND", "NUMBER"), *((k, str(n)) for k, n in report["counts"].items())]))
        if report["findings"]:
            titles = ("KIND", "GRAVE", "GROUP", "SHARDS", "DETAIL")
            print("\n" + aligned([titles, *map(_finding_line, report["findings"])]))
        else:
            print("nothing to report")
    if grave:
        raise typer.Exit(FAILED)


def _finding_line(found: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        found["kind"],
        "yes" if found["grave"] else "no",
        found["group"] or "-",
        ",".join(found["shards"]) or "-",
        found["detail"],
    )
