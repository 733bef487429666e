"""What an attack tried and what it found."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

SHOWN = 20  # findings printed for each attack; the rest is counted


@dataclass
class Findings:
    """Counts of what was tried, and the failures in words.  Any thread may add."""

    attack: str
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self.counts[what] += number

    def fail(self, text: str) -> None:
        """Note a failure."""
        with self._lock:
            self.failures.append(text)

    def check(self, is_right: bool, text: str) -> None:
        """Note a failure unless the check holds."""
        if not is_right:
            self.fail(text)

    def report(self) -> str:
        """The counts on one line, then the first failures."""
        counted = ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
        lines = [f"{self.attack}: {counted or 'nothing tried'}; {len(self.failures)} failures"]
        lines += [f"  {failure}" for failure in self.failures[:SHOWN]]
        return "\n".join(lines)
