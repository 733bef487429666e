"""Runs a program on a pseudo-terminal and keeps the screen that its user would see."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import pexpect
import pyte

from helpers.support import ROOT, heed_interrupts

TIMEOUT_SECONDS = 20.0
PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"


class _Screen(pyte.HistoryScreen):
    """Answers where the cursor is, as terminals do: prompt_toolkit shows its toolbar only if it knows that."""

    answer: Callable[[str], object]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """The command ``qldb-emulator`` with these arguments on a terminal of this size."""

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self.screen = _Screen(columns, lines, history=2_000)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        everything = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "emulator"),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **environment,
        }
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "qldb_emulator", *arguments],
            env=everything,
            dimensions=(lines, columns),
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            preexec_fn=heed_interrupts,
        )
        self.screen.answer = self.process.send

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.close(force=True)

    @property
    def text(self) -> str:
        """Everything on the screen and above it, without blanks at the ends of lines."""
        above = [
            "".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top
        ]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip()

    def type(self, text: str) -> None:
        """Press keys."""
        self.process.send(text)

    def paste(self, text: str) -> None:
        """Paste as terminals do when the program has asked for brackets."""
        assert "\x1b[?2004h" in self.raw, "the program has not asked for bracketed paste"
        self.process.send(PASTE_BEGINS + text.replace("\n", "\r") + PASTE_ENDS)

    def wait(self, condition: Callable[[str], bool] | str) -> str:
        """Read until the screen's text fulfils the condition, or has the text; return it."""
        fulfilled = condition if callable(condition) else lambda text: condition in text
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not fulfilled(self.text):
            if time.monotonic() > deadline:
                raise AssertionError(f"{condition!r} did not come; the screen:\n{self.text}")
            self._read(0.05)
        return self.text

    def settle(self, seconds: float = 0.5) -> str:
        """Read for a while; return the screen's text."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.05)
        return self.text

    def _read(self, seconds: float) -> None:
        try:
            data = self.process.read_nonblocking(65_536, seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += data
        self._stream.feed(data)

    def exit_code(self) -> int:
        """Read to the end; the exit code, 128 + the signal if one ended it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.process.isalive() and time.monotonic() < deadline:
            self._read(0.05)
        self.settle(0.1)
        self.process.close()
        status = self.process.exitstatus
        return status if status is not None else 128 + (self.process.signalstatus or signal.SIGKILL)
