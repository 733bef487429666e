"""Programs that run at four moments of a server's life, as LocalStack's init hooks did.

=============  ===================================================================  ==================================
folder         when                                                                 when one fails
=============  ===================================================================  ==================================
boot.d         before the data directory is opened; no server answers yet           the server does not start
start.d        the server answers, and is not ready                                 the server ends with exit code 1
ready.d        after that: these files are the default of ``--seed``                as every seed: the server ends
shutdown.d     after SIGINT or SIGTERM, while the server still answers              it is logged, and the server stops
=============  ===================================================================  ==================================

Files run in the order of their names: ``.sh`` by /bin/sh, ``.py`` by the server's Python.  Other names are left out
with a warning.  Programs of start.d and shutdown.d find the server by their environment.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .failure import Failure

if TYPE_CHECKING:
    import subprocess

logger = logging.getLogger("qldb_emulator.init")

# Where LocalStack looks for them; an image of ours looks there, too.
INIT_DIRECTORY = Path("/etc/localstack/init")
PROGRAM_SECONDS = 600
SHUTDOWN_SECONDS = 8  # Docker kills ten seconds after its SIGTERM
"""All programs of shutdown.d together."""


class Hooks:
    """The programs below one folder.  environment: of those that run while the server answers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.absolute()  # programs run in their own folder
        self.ready = self._directory / "ready.d"
        self.environment: Mapping[str, str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False
        self._is_stopping = threading.Lock()

    @property
    def has_start(self) -> bool:
        """Whether there is a start.d."""
        return (self._directory / "start.d").is_dir()

    def boot(self) -> None:
        """Run boot.d.  Raises Failure."""
        for file in self._programs("boot.d"):
            self._run(file, None, PROGRAM_SECONDS)

    def start(self) -> None:
        """Run start.d.  Raises Failure."""
        for file in self._programs("start.d"):
            self._run(file, self.environment, PROGRAM_SECONDS)

    def cancel(self) -> None:
        """End the program that runs, and begin no more.  For another thread."""
        self._is_cancelled = True
        child = self._child
        if child is not None:
            child.terminate()

    def before(self, stop: Callable[[], None]) -> Callable[[], None]:
        """What a signal calls: runs shutdown.d beside the server and then stops it; called again, stops at once."""

        def run() -> None:
            try:
                self._shutdown()
            finally:
                stop()

        def begin() -> None:
            # A signal's handler may interrupt itself: the first call that gets the lock runs the programs.
            if not (self._directory / "shutdown.d").is_dir() or not self._is_stopping.acquire(blocking=False):
                stop()
                return
            threading.Thread(target=run, name="qldb-emulator-shutdown", daemon=True).start()

        return begin

    def _shutdown(self) -> None:
        import time

        end = time.monotonic() + SHUTDOWN_SECONDS
        for file in self._programs("shutdown.d"):
            try:
                self._run(file, self.environment, max(end - time.monotonic(), 0.1))
            except Failure as error:
                logger.error("%s", error)

    def _programs(self, folder: str) -> Iterator[Path]:
        directory = self._directory / folder
        for file in sorted(directory.iterdir()) if directory.is_dir() else ():
            if file.name.startswith(".") or not file.is_file():
                continue
            if file.suffix in (".sh", ".py"):
                yield file
            else:
                logger.warning("%s is left out: its name ends neither in .sh nor in .py", file)

    def _run(self, file: Path, environment: Mapping[str, str] | None, seconds: float) -> None:
        """Run one program.  Raises Failure when it fails, or does not end in time."""
        import subprocess  # most servers have no such program

        if self._is_cancelled:
            raise Failure("the server is stopping")
        command = [sys.executable, str(file)] if file.suffix == ".py" else ["/bin/sh", str(file)]
        try:
            child = subprocess.Popen(
                command, env=dict(environment or os.environ), cwd=file.parent, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise Failure(f"{file} cannot be run: {error.strerror}") from error
        with child:
            self._child = child
            try:
                code = child.wait(seconds)
            except subprocess.TimeoutExpired as error:
                child.kill()
                raise Failure(f"{file} did not end within {seconds:.0f} seconds") from error
            finally:
                self._child = None
        if code:
            raise Failure(f"{file} ended with exit code {code}")
        logger.info("%s: done", file)
