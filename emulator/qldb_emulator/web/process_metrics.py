"""What the process uses, under the names that every Prometheus client has for it, so that ready-made dashboards fit.

Memory, start and open files are read from /proc; where there is none (macOS), their rows are left out.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def process_text() -> str:
    """Rows in Prometheus' text form, version 0.0.4."""
    return "".join(
        f"# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value:.17g}\n" for name, kind, about, value in _rows()
    )


def _rows() -> Iterator[tuple[str, str, str, float]]:
    """(name, kind, help, value)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield "process_cpu_seconds_total", "counter", "CPU time used, user and system.", used.ru_utime + used.ru_stime
    yield "process_threads", "gauge", "Threads of Python.", threading.active_count()
    collections = sum(generation["collections"] for generation in gc.get_stats())
    yield "python_gc_collections_total", "counter", "Runs of Python's garbage collector.", collections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        yield "process_max_fds", "gauge", "How many files may be open.", soft
    if sys.platform.startswith("linux"):
        yield from _linux_rows()


def _linux_rows() -> Iterator[tuple[str, str, str, float]]:
    # The fields of proc_pid_stat(5) after the name, which may hold blanks: the state is field 3.
    fields = (PROC / "self" / "stat").read_text().rpartition(")")[2].split()
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    boot = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime "))
    start = int(boot.split()[1]) + int(fields[22 - 3]) / ticks
    yield "process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", start
    yield "process_virtual_memory_bytes", "gauge", "Virtual memory.", int(fields[23 - 3])
    yield "process_resident_memory_bytes", "gauge", "Memory in use.", int(fields[24 - 3]) * page
    # One of them is the directory that is being read.
    yield "process_open_fds", "gauge", "Open files and connections.", len(os.listdir(PROC / "self" / "fd")) - 1
