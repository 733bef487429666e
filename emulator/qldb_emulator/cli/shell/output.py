"""Where rows go: standard output, a terminal's pager, or a file."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..failure import Failure, visible

Write = Callable[[str], None]
DEFAULT_PAGER = "less -SRXF"
_CHUNK = 1 << 16


class PagerClosed(Exception):
    """The user left the pager before the last row."""


class Output:
    """The rows' way out.  pager: its command for what is longer than the screen; empty for none."""

    def __init__(self, pager: str = "") -> None:
        self.pager = pager
        self._file: IO[str] | None = None
        self.file_name = ""

    @property
    def is_terminal(self) -> bool:
        """Whether people see the rows at once."""
        return self._file is None and sys.stdout.isatty()

    @property
    def width(self) -> int | None:
        """Of the terminal, in cells; None where there is none."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def to_file(self, name: str) -> None:
        """Write rows to a file from now on, to standard output for an empty name.  Raises Failure."""
        self.close()
        if name:
            try:
                self._file = Path(name).expanduser().open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise Failure(f"{name} cannot be written: {error.strerror}") from error
            self.file_name = name

    def close(self) -> None:
        """Close the file, if there is one."""
        file, self._file, self.file_name = self._file, None, ""
        if file is not None:
            with _failure_of_writing(file.name):
                file.close()

    @contextmanager
    def opened(self) -> Iterator[Write]:
        """What writes text, for one result.  Raises Failure, and PagerClosed inside the block."""
        if self._file is not None:
            file = self._file
            with _failure_of_writing(file.name):
                yield lambda text: _discard(file.write(text))
                file.flush()
        elif self.is_terminal and self.pager:
            with _Paged(self.pager) as paged:
                yield lambda text: paged.write(visible(text))
        else:
            is_terminal = self.is_terminal
            yield lambda text: _discard(sys.stdout.write(visible(text) if is_terminal else text))
            sys.stdout.flush()

    def message(self, text: str) -> None:
        """A line for people on standard output, also while rows go to a file."""
        sys.stdout.write((visible(text) if sys.stdout.isatty() else text) + "\n")
        sys.stdout.flush()


def _discard(_count: int) -> None:
    """What ``write`` returns is not needed."""


@contextmanager
def _failure_of_writing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(f"{name} cannot be written: {error.strerror}") from error


class _Paged:
    """Text on a terminal, by a pager once it is longer than the screen.

    The rows wait in a temporary file and a thread feeds them to the pager: a pager reads only what its user looks at,
    and a transaction must not stay open for as long as that takes.
    """

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)
        self._first: list[str] = []
        self._lines = 0
        self._height = shutil.get_terminal_size().lines - 1
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = threading.Condition()
        # Both below are guarded by the condition.
        self._written = 0
        self._is_finished = False
        self._is_left = threading.Event()

    def __enter__(self) -> _Paged:
        return self

    def write(self, text: str) -> None:
        """Show text, now or later.  Raises PagerClosed."""
        if self._process is None:
            self._first.append(text)
            self._lines += text.count("\n")
            if self._lines > self._height:
                self._begin()
            return
        if self._is_left.is_set():
            raise PagerClosed
        self._spool(text)

    def _begin(self) -> None:
        text = "".join(self._first)
        try:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
        except OSError as error:
            raise Failure(f"the pager {self._command[0]} does not run: {error.strerror}; see \\pager") from error
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._feeder = threading.Thread(target=self._feed, name="pager")
        self._feeder.start()
        self._spool(text)

    def _spool(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        self._file.write(data)
        self._file.flush()
        with self._changed:
            self._written += len(data)
            self._changed.notify()

    def _feed(self) -> None:
        """The thread: hand what was spooled to the pager, until the end or until the user leaves."""
        assert self._process is not None
        assert self._process.stdin is not None
        fed, descriptor = 0, self._file.fileno()
        try:
            while True:
                with self._changed:
                    while fed == self._written and not self._is_finished:
                        self._changed.wait()
                    available = self._written - fed
                if not available:
                    break
                # pread does not move the position at which the other thread writes.
                data = os.pread(descriptor, min(available, _CHUNK), fed)
                self._process.stdin.write(data)
                self._process.stdin.flush()
                fed += len(data)
        except OSError:  # the pager has ended
            self._is_left.set()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def __exit__(self, *_error: object) -> None:
        if self._process is None:
            sys.stdout.write("".join(self._first))
            sys.stdout.flush()
            return
        with self._changed:
            self._is_finished = True
            self._changed.notify()
        while True:
            try:
                self._process.wait()
                break
            except KeyboardInterrupt:  # meant for the pager, which has got it too
                continue
        self._feeder.join()
        self._file.close()


def default_pager() -> str:
    """``$PAGER``, else less; empty where there is none."""
    return os.environ.get("PAGER") or (DEFAULT_PAGER if shutil.which("less") else "")
