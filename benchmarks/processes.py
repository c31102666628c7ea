"""What a tree of processes costs, from /proc (man 5 proc)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK = 1000 / os.sysconf("SC_CLK_TCK")  # milliseconds
# fields of /proc/PID/stat behind the command's closing bracket
PARENT, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM = 1, 11, 12, 13, 14


@dataclass(frozen=True)
class Memory:
    """Megabytes in use: RSS counts a shared page in every process, PSS once in all."""

    rss: float
    pss: float


def cpu(root: int) -> float:
    """CPU milliseconds, user and system, of a process, its living children and those that ended."""
    spent = sum(int(field) for pid in _tree(root) for field in _stat(pid)[USER : SYSTEM + 1])
    ended = sum(int(field) for field in _stat(root)[CHILDREN_USER : CHILDREN_SYSTEM + 1])
    return (spent + ended) * TICK


def memory(root: int) -> Memory:
    """The memory of a process and its children together."""
    return Memory(_megabytes(root, "Rss:"), _megabytes(root, "Pss:"))


def _megabytes(root: int, label: str) -> float:
    lines = [
        line for pid in _tree(root) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith(label)) / 1024


def _tree(root: int) -> Iterator[int]:
    yield root
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields and int(fields[PARENT]) == root:
            yield from _tree(int(path.name))


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended in between
        return []
