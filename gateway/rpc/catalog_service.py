"""The methods of AdminService that compare the catalog with the shards and make its records anew."""

from typing import Final

from drivers.deadline import Deadline
from gateway.rpc.validation import Violations
from graphgate.v1 import catalog_pb2 as pb
from shard_router.catalog_check.check import CatalogCheck
from shard_router.catalog_check.findings import CheckReport

FINDINGS_DEFAULT: Final = 100
FINDINGS_MAX: Final = 1_000


class CatalogCalls:
    def __init__(self, check: CatalogCheck) -> None:
        self._check = check

    async def check(self, request: pb.CheckCatalogRequest, deadline: Deadline) -> pb.CheckCatalogResponse:
        """Raises as CatalogCheck.check."""
        findings_max = _findings_max(request.findings_max)
        return pb.CheckCatalogResponse(report=_report(await self._check.check(findings_max, deadline)))

    async def rebuild(
        self, request: pb.RebuildCatalogRequest, deadline: Deadline
    ) -> pb.RebuildCatalogResponse:
        """Raises as CatalogCheck.rebuild."""
        findings_max = _findings_max(request.findings_max)
        report = await self._check.rebuild(findings_max, deadline, dry_run=request.validate_only)
        return pb.RebuildCatalogResponse(report=_report(report), written=report.written)


def _findings_max(given: int) -> int:
    v = Violations()
    v.number("findings_max", given, 0, FINDINGS_MAX)
    v.raise_if_any()
    return given or FINDINGS_DEFAULT


def _report(report: CheckReport) -> pb.CatalogReport:
    return pb.CatalogReport(
        groups=report.groups,
        fences=report.fences,
        records=report.records,
        counts=[
            pb.CatalogFindingCount(kind=kind, count=count) for kind, count in sorted(report.counts.items())
        ],
        findings=[
            pb.CatalogFinding(
                kind=found.kind,
                group_id=found.group_id,
                shards=found.shard_ids,
                detail=found.detail,
                grave=found.grave,
            )
            for found in report.findings
        ],
        unreachable=report.unreachable,
    )
