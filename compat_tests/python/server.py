"""Starts the emulator as a user does, as a process of its own, and stops it the soft or the hard way."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = os.environ.get("QLDB_EMULATOR_COMMAND", "qldb-emulator")
START_SECONDS = 20


class ServerProcess:
    """A running ``qldb-emulator serve``; ``url`` is its endpoint."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self._options = options
        self.log: list[str] = []
        self._start(port)

    def _start(self, port: int) -> None:
        command = [*shlex.split(COMMAND), "serve", "--port", str(port), *self._options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        ready = threading.Event()
        threading.Thread(target=self._read_log, args=(self.process, ready), daemon=True).start()
        if not ready.wait(START_SECONDS):
            self.process.kill()
            raise RuntimeError("the server did not say that it is ready:\n" + "".join(self.log))
        self.port = int(self.url.rsplit(":", 1)[1])

    def _read_log(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line)
            found = re.search(r"Ready on (https?://\S+)", line)
            if found:
                self.url = found.group(1)
            if line.rstrip().endswith("Ready."):  # the last line of the start: the addresses stand before it
                ready.set()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start again on the same port with the same options."""
        self._start(self.port)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)


def wait_until_refused(url: str) -> None:
    """Wait until nothing answers any more."""
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, ConnectionError):
            return
        time.sleep(0.05)


@contextmanager
def signing_keys() -> Iterator[str]:
    """A file for ``--auth`` with the one key that every suite uses; read at the start, so it may vanish after that."""
    statement = {"Effect": "Allow", "Action": "qldb:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    key = {"access_key": "local", "secret_key": "local", "user": "local", "policy": policy}
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "auth.json")
        with open(path, "w") as file:
            json.dump({"keys": [key]}, file)
        yield path
