"""Limits log lines that many clients could cause at once."""

from __future__ import annotations

import logging
import threading
import time

LINE_SECONDS = 10.0
"""Between two lines of one kind."""


class OccasionalLog:
    """Warnings of one kind: one line at most every LINE_SECONDS.  Any thread may warn."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._left_out = 0

    def warn(self, text: str, *arguments: object) -> None:
        """Log now, or count this occurrence for the next line."""
        now = time.monotonic()
        with self._lock:
            if now < self._silent_until:
                self._left_out += 1
                return
            self._silent_until = now + LINE_SECONDS
            left_out, self._left_out = self._left_out, 0
        more = f" ({left_out} more since the last such line)" if left_out else ""
        self._logger.warning(text + more, *arguments)
