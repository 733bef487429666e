"""A PostgreSQL of one's own for a while, synced as in production, and its plain insert of a block's bytes."""

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
from typing import TYPE_CHECKING, Any

from qldb_emulator.ion.codec import dumps

from .alternate import Case, timed
from .bench import Bench, SkippedError
from .documents import registration

if TYPE_CHECKING:
    import psycopg

_BLOCK_BYTES = 900  # of a block with one document, without the document
_USER = "postgres"
START_SECONDS = 60


@contextmanager
def postgres(_bench: Bench) -> Iterator[str]:
    """A running server's URL.  Raises SkippedError when PostgreSQL or psycopg is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise SkippedError("needs psycopg (extra postgres)") from error
    if not programs:
        raise SkippedError("needs PostgreSQL's server (apt-get install postgresql)")
    user = _USER if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="bench-postgres-", dir="/var/tmp"))  # a disk, and a place its user may enter
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    initdb = [
        str(programs[0] / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        _USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, user=user, cwd=folder, check=True, capture_output=True)
    options = ["-c", f"port={port}", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1"]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            [programs[0] / "postgres", "-D", folder / "data", *options], user=user, cwd=folder, stdout=log, stderr=log
        )
    url = f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
    try:
        _wait(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def postgres_insert(url: str) -> Case:
    """An insert of a block's bytes with its key, committed and synced: what the database takes for itself."""
    import psycopg

    connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
    name = f"alone{time.monotonic_ns()}"
    connection.execute(f"CREATE TABLE {name} (ledger text, seq bigint, ion bytea, PRIMARY KEY (ledger, seq))".encode())
    statement = f"INSERT INTO {name} VALUES (%s, %s, %b)".encode()
    block = bytes(_BLOCK_BYTES) + dumps(registration(1))
    number = 0

    def insert() -> None:
        nonlocal number
        number += 1
        connection.execute(statement, ("ledger", number, block))

    return timed(insert)
