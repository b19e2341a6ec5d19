"""Counts by labels."""

from gateway.telemetry.operations import OVERFLOW, OperationTable


def test_outcomes_and_success_rate() -> None:
    """The success rate is the share of OK among the calls that ended."""
    table = OperationTable(("call",))
    operation = table.of(("get",))
    assert operation.success_rate is None
    for outcome in ("OK", "OK", "OK", "SHARD_TIMEOUT"):
        operation.finished(outcome, 0.001)
    assert operation.outcomes == {"OK": 3, "SHARD_TIMEOUT": 1}
    assert operation.success_rate == 0.75
    assert table.of(("get",)) is operation


def test_the_number_of_series_is_bounded() -> None:
    """Labels without end fill no memory: what is beyond the limit is counted together."""
    table = OperationTable(("shard", "call"), series_max=3)
    for number in range(10):
        table.of((f"s{number}", "get")).finished("OK", 0.001)
    operations = {operation.labels: operation.outcomes["OK"] for operation in table}
    assert operations == {("s0", "get"): 1, ("s1", "get"): 1, ("s2", "get"): 1, (OVERFLOW, OVERFLOW): 7}
