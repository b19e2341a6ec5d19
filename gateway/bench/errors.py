"""What can go wrong in a benchmark."""

from drivers.errors import GraphgateError
from drivers.write_plan import WriteStatus


class BenchWriteRefused(GraphgateError):
    """The driver refused a write that nothing should stand against."""

    def __init__(self, group_id: str, status: WriteStatus) -> None:
        super().__init__(f"the driver answered {status} to a write of the benchmark's own group {group_id}")


class ModelServerFailed(GraphgateError):
    """The process of the fake model server ended, or did not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the model server failed: {why}; look at what it wrote to standard error")
