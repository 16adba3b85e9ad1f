"""Cores and time: pinning processes, and what the CPU did during a round."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

SERVER_CORE = 0
OTHER_CORE = 1 if (os.cpu_count() or 1) > 1 else 0
"""Database and load generator."""


def pin(process_id: int, core: int) -> None:
    """Keep a process and all its children and threads on one core."""
    for child in [process_id, *_children(process_id)]:
        _pin_threads(child, core)


def pin_generator() -> None:
    """Keep this process on the core of the load generator, and leave its children, the server among them, where they are."""
    _pin_threads(os.getpid(), OTHER_CORE)


def _pin_threads(process_id: int, core: int) -> None:
    for thread in _threads(process_id):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setaffinity(thread, {core})


def _threads(process_id: int) -> list[int]:
    """Return a process's threads; none when it has ended meanwhile."""
    try:
        return [int(entry.name) for entry in Path(f"/proc/{process_id}/task").iterdir()]
    except FileNotFoundError:
        return []


def _children(process_id: int) -> list[int]:
    found: list[int] = []
    for thread in _threads(process_id):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in Path(f"/proc/{process_id}/task/{thread}/children").read_text().split():
                found += [int(child), *_children(int(child))]
    return found


def go_first() -> None:
    """Let this process interrupt whoever else is on its core, as if it had a core of its own; if that is allowed.

    A lazily preempting kernel makes a process that wakes up wait for the running one's tick, 4 ms.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def cpu_seconds(process_id: int) -> float:
    """Return the CPU a process has used, all its threads together, without children."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process_id: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class CpuWatch:
    """Steal of the machine and CPU of the generator between two moments: of this process and of ``helpers``."""

    def __init__(self, *helpers: int) -> None:
        self._helpers = helpers
        self._start = _read_stat()
        self._own = self._generator()
        self._at = time.monotonic()

    def _generator(self) -> float:
        return time.process_time() + sum(map(cpu_seconds, self._helpers))

    def read(self) -> tuple[float, float]:
        """Return (share stolen by the host, the generator's share of one core) since the start."""
        total, steal = _read_stat()
        spent = max(1, total - self._start[0])
        elapsed = max(1e-6, time.monotonic() - self._at)
        return (steal - self._start[1]) / spent, (self._generator() - self._own) / elapsed


def _read_stat() -> tuple[int, int]:
    fields = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(fields[:8]), fields[7]
