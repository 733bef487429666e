"""The most memory that a command takes, told by its process.

The system's figure for a child that has ended (``ru_maxrss``) is at least what its parent had when the child was
started, so from a large process every command looks as large.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from qldb_emulator.cli import main as command

from .bench import BenchError, package_environment

_KIB_PER_MB = 1024


def most_mb() -> float:
    """Return the highest resident memory of this process so far, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _KIB_PER_MB
    raise BenchError("/proc/self/status names no VmHWM")


def peak_mb(arguments: Sequence[str]) -> float:
    """Return the most memory that ``qldb-emulator`` takes with these arguments, in MB.

    Raises BenchError when the command fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak", *arguments],
        stdout=subprocess.PIPE,
        env=package_environment(),
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{' '.join(arguments)} ended with {done.returncode}")
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """python -m benchmarks.peak ARGUMENTS: run the command; the last line of the output is the figure."""
    code = command(sys.argv[1:], prog_name="qldb-emulator", standalone_mode=False)
    print(most_mb())
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
