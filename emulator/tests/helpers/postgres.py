"""A PostgreSQL server of a test's own: a cluster in a temporary folder, reached by a socket there and on a free port.

The programs of the server are looked for on the path and where Debian puts them; a test is skipped when they are not
there.  PostgreSQL refuses to run as root, so as root it runs as the user ``postgres``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "postgres"
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
}
DURABLE = {**_SETTINGS, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""Settings with which nothing acknowledged is lost, for those who measure or keep it."""
START_SECONDS = 30


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; None when there is none."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3], reverse=True)
    return versions[0].parent if versions else None


needs_postgres = pytest.mark.skipif(programs() is None, reason="needs PostgreSQL's server (apt-get install postgresql)")


class Postgres:
    """A running server.  url: of its database ``postgres``.  stop, kill, start: what tests do to it."""

    def __init__(self, folder: Path, bin_folder: Path, settings: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._settings = settings or _SETTINGS
        self._bin = bin_folder
        self._user = USER if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
        if self._user is not None:
            shutil.chown(folder, self._user)
        if (folder / "data").exists():
            return
        self._run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], user=self._user, cwd=self._folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        settings += [f"-cport={self.port}", f"-cunix_socket_directories={self._folder}"]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", str(self._folder / "data"), *settings],
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        ready = [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End every connection and the server."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash does: nothing is written any more."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"{self.url.rsplit('/', 1)[0]}/{name}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that is gone in the end.  Skips the test when PostgreSQL is not installed."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    # As root the server runs as another user, who may not be able to enter the folder for temporary files.
    parent = "/tmp" if os.geteuid() == 0 and Path("/tmp").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="qldb-postgres-", dir=parent))
    server = Postgres(folder, bin_folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def postgres_if_installed() -> Iterator[Postgres | None]:
    """A running server; None where PostgreSQL is not installed, for tests that have other targets as well."""
    if programs() is None:
        yield None
        return
    with postgres() as running:
        yield running
