"""``qldb-emulator`` that dies on demand at its next append to a shared log.

SIGUSR1: after the log has taken the block, and before the server's own file has it.  SIGUSR2: before the log is asked.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

from qldb_emulator.cli import main
from qldb_emulator.log.postgres import PostgresLog

_armed: list[int] = []
_append = PostgresLog.append_at


def append(self: PostgresLog, rows: Iterable[Any], rewrites: Iterable[Any] = ()) -> None:
    if signal.SIGUSR2 in _armed:
        os.kill(os.getpid(), signal.SIGKILL)
    _append(self, rows, rewrites)
    if signal.SIGUSR1 in _armed:
        os.kill(os.getpid(), signal.SIGKILL)


for number in (signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, _frame: _armed.append(number))
PostgresLog.append_at = append  # type: ignore[method-assign]
main()
