"""What can go wrong while an embedded engine or fleet starts, runs or stops.

Every message says what failed, with which value, and what to do; none holds a password.
"""

from pathlib import Path


class EmbeddedError(Exception):
    """Base of every error of this package."""


class EngineNotInstalledError(EmbeddedError):
    """A program that the engine needs is not on this machine; nothing was started."""

    def __init__(self, engine: str, missing: str, remedy: str) -> None:
        super().__init__(f"{engine} cannot start: {missing}; {remedy}")
        self.engine = engine
        self.missing = missing


class EngineStateError(EmbeddedError):
    """The call does not fit the state of the process, as a start of a running engine."""


class EngineStartError(EmbeddedError):
    """The engine did not become ready; its process is gone when this is raised.

    `log_tail` is the end of what it wrote during this start.
    """

    def __init__(self, what: str, directory: Path, log_tail: str) -> None:
        log = log_tail or "(it wrote nothing)"
        super().__init__(f"{what}; its directory is {directory}, the end of its log:\n{log}")
        self.directory = directory
        self.log_tail = log_tail


class EngineExitedError(EngineStartError):
    """The engine's process ended by itself before it was ready."""

    def __init__(self, engine: str, returncode: int, directory: Path, log_tail: str) -> None:
        super().__init__(f"{engine} ended with code {returncode} before it was ready", directory, log_tail)
        self.returncode = returncode


class EngineStartTimeoutError(EngineStartError):
    """The engine's process lived but did not answer within the start timeout; it was killed."""

    def __init__(self, engine: str, start_timeout_s: float, directory: Path, log_tail: str) -> None:
        super().__init__(
            f"{engine} did not answer within {start_timeout_s:g} s and was killed (a large data set or a "
            "loaded machine needs a longer start timeout)",
            directory,
            log_tail,
        )


class PortTakenError(EmbeddedError):
    """Another process listens on the port that the engine must have."""

    def __init__(self, engine: str, port: int) -> None:
        super().__init__(
            f"{engine} cannot start: 127.0.0.1:{port} is taken by another process; "
            "stop that process or choose another port"
        )
        self.port = port


class NoFreePortError(EmbeddedError):
    """No free port was found in the range that embedded engines use."""


class DirectoryInUseError(EmbeddedError):
    """A living process works in the directory; nothing was started and nothing was stopped.

    `pid` is that process, or None when it left no record of itself.
    """

    def __init__(self, directory: Path, pid: int | None, remedy: str) -> None:
        holder = "a process that left no record of its pid" if pid is None else f"process {pid}"
        super().__init__(f"{directory} is in use by {holder}; {remedy}")
        self.directory = directory
        self.pid = pid


class OrphanStopError(EmbeddedError):
    """An engine left behind by a dead gateway did not end, not even by SIGKILL."""

    def __init__(self, directory: Path, pid: int) -> None:
        super().__init__(
            f"engine process {pid}, left in {directory} by a gateway that died, does not end; "
            "it may hang in disk input or output: look at the disk, then start again"
        )
        self.pid = pid


class UnknownMemberError(EmbeddedError):
    """The fleet has no member of that id."""

    def __init__(self, member_id: str, known: tuple[str, ...]) -> None:
        super().__init__(f"the embedded fleet has no member {member_id!r}; it has {', '.join(known)}")
        self.member_id = member_id
