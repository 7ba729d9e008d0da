"""What a server costs: CPU time and memory of its processes, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command's name, or None when the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def processes(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += parents.get(pid, [])
    return found


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the start of the processes, and the bytes of memory they hold now."""

    cpu_seconds: float
    memory_bytes: int
    #: Of the memory, what is not a file's content as it is on disk: that can go and be read again, and is shared.
    own_memory_bytes: int

    @property
    def memory(self) -> dict[str, float]:
        """The measures of memory that reports know."""
        return {"memory_mib": self.memory_bytes / 2**20, "own_memory_mib": self.own_memory_bytes / 2**20}


def usage(root: int) -> Usage:
    """Of a process and its descendants, those that have ended included in the CPU time of those that waited for them."""
    ticks = pages = of_files = 0
    for pid in processes(root):
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11:15])  # user, system, and both of ended children
            try:
                resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
            except (FileNotFoundError, ProcessLookupError):
                continue
            pages += resident
            of_files += shared
    return Usage(ticks / TICKS, pages * PAGE_BYTES, (pages - of_files) * PAGE_BYTES)


def open_sockets(pid: int) -> int:
    """How many sockets a process holds: those it listens on, and the connections it has accepted."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(descriptor).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count
