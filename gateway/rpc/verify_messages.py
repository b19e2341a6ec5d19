"""What a comparison of two copies found, as a message."""

from drivers.graph_model import Kind
from drivers.moving import Other
from gateway.rpc.row_messages import ROW_KIND
from graphgate.v1 import move_pb2 as pb
from shard_router.moves.digest import RowDifference, VerifyReport


def report_message(report: VerifyReport) -> pb.VerifyReport:
    return pb.VerifyReport(
        equal=report.equal,
        left_rows=report.left_rows,
        right_rows=report.right_rows,
        left_version=report.left_version,
        right_version=report.right_version,
        missing=[_difference(one) for one in report.missing],
        extra=[_difference(one) for one in report.extra],
        different=[_difference(one) for one in report.different],
        missing_total=report.missing_total,
        extra_total=report.extra_total,
        different_total=report.different_total,
    )


def _difference(difference: RowDifference) -> pb.CopyDifference:
    match difference.section:
        case Other.TOMBSTONE:
            kind, _, uuid = difference.key.partition("/")
            return pb.CopyDifference(
                section=pb.DIFFERENCE_SECTION_DELETION, kind=ROW_KIND[Kind(kind)], key=uuid
            )
        case Other.OPERATION:
            return pb.CopyDifference(section=pb.DIFFERENCE_SECTION_OPERATION, key=difference.key)
        case Kind() as kind:
            return pb.CopyDifference(
                section=pb.DIFFERENCE_SECTION_ROW, kind=ROW_KIND[kind], key=difference.key
            )
