"""SQLite connections: how they are opened, and the pool that readers take theirs from."""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path
from typing import Literal

from .errors import SQLITE_ERRORS, StorageError, unusable

Durability = Literal["full", "cache", "off"]
"""full: an acknowledged commit survives a power cut.  cache: a power cut may take the last commits back, but the file
stays whole; for files whose journal is in a shared log.  off: for files that are thrown away at exit."""

SYNCHRONOUS = {"full": 1, "cache": 1, "off": 0}
"""SQLite's level for a file.  NORMAL keeps log and file in order; that a commit is on the disk is LogSync's part."""

_CACHE_KIB = 65_536
BUSY_SECONDS = 10  # only another process looking into the file (an SQLite shell) can make us wait at all
_STATEMENTS = 256
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_IDLE_READERS = 8


def connect(path: Path, mode: Literal["rw", "rwc"] = "rw", options: str = "") -> sqlite3.Connection:
    """Open a database file; ``rw`` never creates one.  The caller starts and ends transactions itself.

    options: further parameters of SQLite's URI, each after an ``&``.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{options}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,  # handed from thread to thread, never used by two at once
        cached_statements=_STATEMENTS,
        timeout=BUSY_SECONDS,
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")  # a redaction leaves nothing in free pages
        connection.execute("PRAGMA temp_store = MEMORY")  # nor in files that SQLite makes elsewhere
    except BaseException:
        connection.close()
        raise
    return connection


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch a file to write-ahead logging, in which readers and the writer never wait for each other."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError(f"its file system does not allow write-ahead logging (journal mode stays {mode!r})")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")


class ReaderPool:
    """Connections that only read.

    Last in, first out: one that was just used has its pages in memory, and as many exist as were ever needed at
    once, not one for each thread.  A connection is out only during one statement.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def take(self) -> sqlite3.Connection:
        """A connection of one's own until it is given back."""
        try:
            connection = self._idle.pop()  # a deque's pop and append are atomic
        except IndexError:
            connection = self._connect()
        if self._closed:
            connection.close()
            raise StorageError(f"The ledger file {self._path} is closed")
        return connection

    def give(self, connection: sqlite3.Connection) -> None:
        """Put a connection back."""
        if len(self._idle) >= _IDLE_READERS:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:  # closed while it was out
            self._close_idle()

    def close(self) -> None:
        """Close what is idle now, and what is out when it comes back."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was faster
                return

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StorageError(f"The ledger file {self._path} is closed")
        connection = None
        try:
            connection = connect(self._path)
            connection.execute("PRAGMA query_only = ON")
        except SQLITE_ERRORS as problem:
            if connection is not None:
                connection.close()
            raise unusable(self._path, problem) from problem
        return connection
