"""What the kernel says of a process: time and memory, which neighbours on the machine do not distort."""

import os
import resource
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of all its threads since it started, from /proc/PID/stat; 10 ms fine."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    # The second field, the program's name, may hold spaces; it ends at the last bracket.
    after_name = stat.rpartition(")")[2].split()
    user_ticks, system_ticks = int(after_name[11]), int(after_name[12])
    return (user_ticks + system_ticks) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in use, from /proc/PID/statm."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()
