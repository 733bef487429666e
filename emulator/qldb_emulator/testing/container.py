"""Runs the server in a container, for tests that want the image itself, in the style of Testcontainers.

::

    with QldbContainer() as qldb:
        client = boto3_client("qldb", endpoint_url=qldb.url)

Needs the ``docker`` command (or another that takes its arguments, such as podman) and no Python package.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

DEFAULT_IMAGE = "qldb-emulator:latest"
PORT = 7532
INIT_FOLDER = "/etc/localstack/init/ready.d"


class ContainerError(Exception):
    """The container could not be started; the text is the message of the command or the server."""


class QldbContainer:
    """One container from ``start()`` to ``stop()``, or in a with block.

    seeds: files and folders that fill ledgers before the container is ready.  environment: of the server, such as
    ``{"QLDB_EMULATOR_DETERMINISTIC": "42"}``.  command: what to run containers with.
    """

    def __init__(
        self,
        image: str = DEFAULT_IMAGE,
        seeds: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        start_seconds: float = 60,
        command: str = "docker",
    ) -> None:
        self._image = image
        self._seeds = seeds
        self._environment = {"QLDB_EMULATOR_EPHEMERAL": "1", **(environment or {})}
        self._start_seconds = start_seconds
        self._command = command
        self._id: str | None = None
        self.url = ""

    def start(self) -> QldbContainer:
        """Run the container, and wait until the server is ready.  Raises ContainerError."""
        arguments = ["run", "--detach", "--rm", "--publish", f"127.0.0.1::{PORT}"]
        for name, value in self._environment.items():
            arguments += ["--env", f"{name}={value}"]
        for path in self._seeds:
            arguments += ["--volume", f"{path.absolute()}:{INIT_FOLDER}/{path.name}:ro"]
        self._id = self._run(*arguments, self._image).strip()
        try:
            self.url = f"http://127.0.0.1:{self._published_port()}"
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop and remove it."""
        if self._id is not None:
            container, self._id = self._id, None
            self._run("rm", "--force", container)

    def logs(self) -> str:
        """Return the server's log."""
        assert self._id is not None, "the container does not run"
        return self._run("logs", self._id)

    def __enter__(self) -> QldbContainer:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _published_port(self) -> int:
        assert self._id is not None
        line = self._run("port", self._id, f"{PORT}/tcp").splitlines()[0]
        return int(line.rpartition(":")[2])

    def _wait(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_qldb/ready", timeout=2) as answer:
                    json.load(answer)
                    return
            except (urllib.error.URLError, OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    text = f"not ready after {self._start_seconds} s ({error}):\n{self.logs()}"
                    raise ContainerError(text) from error
            time.sleep(0.05)

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run([self._command, *arguments], capture_output=True, text=True, check=True)
        except FileNotFoundError as error:
            raise ContainerError(f"there is no command {self._command!r} to run containers with") from error
        except subprocess.CalledProcessError as error:
            raise ContainerError(f"{self._command} {arguments[0]} failed: {error.stderr.strip()}") from error
        return done.stdout + done.stderr if arguments[0] == "logs" else done.stdout
