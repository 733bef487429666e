"""A ledger: one SQLite file with one writer and any number of readers."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .connections import BUSY_SECONDS, SCAN_CACHE_KIB, SYNCHRONOUS, Durability, ReaderPool, connect, use_wal
from .errors import SQLITE_ERRORS, BeingMadeError, StorageError, unusable
from .lock import DirectoryLock, place_of
from .log_sync import LogSync
from .reads import Reads
from .schema import ERASED, check_schema, create_schema, put_meta
from .writer import Writer

UNFINISHED = ".unfinished"
IN_PLACE_SECONDS = 0.1
"""A write transaction, or the start of a ledger transaction, looks this seldom whether the file is still in its place:
that takes 6 to 12 microseconds.  A file that is pulled away takes every commit before with it, so those of this time
lose no more than the ones before."""
CHECKPOINT_WAIT_MS = 500
"""How long emptying the write-ahead log waits for readers in other processes, in milliseconds."""


class LedgerFile(Reads):
    """An open ledger file.  Any thread may read and write; writers wait for each other, readers never wait.

    The caller holds the DirectoryLock, which keeps other processes from writing.
    """

    def __init__(self, path: Path, durability: Durability, writer_connection: sqlite3.Connection) -> None:
        """For ``create`` and ``open`` only."""
        self.path = path
        self.durability = durability
        self._readers = ReaderPool(path)
        self._scanners = ReaderPool(path, SCAN_CACHE_KIB)
        self._connection: sqlite3.Connection | None = writer_connection
        self._write_lock = threading.Lock()
        self._writing_thread: int | None = None
        self._log = LogSync(path, durability)
        self._name = str(path)
        self._place = place_of(self._name)
        self._in_place_at = -math.inf
        self._next_doc_no: int | None = None  # as the last write transaction left it
        self.lock: DirectoryLock | None = None

    @classmethod
    def create(cls, path: Path, durability: Durability = "full", facts: Mapping[str, Any] | None = None) -> LedgerFile:
        """Create the file of a new ledger and open it.

        The file appears complete, with its facts, or not at all.  Raises StorageError if it exists.
        """
        with _appearing(path, durability) as unfinished:
            _created(unfinished, durability, facts or {}).close()
        return cls.open(path, durability)

    @classmethod
    @contextmanager
    def appearing(cls, path: Path, durability: Durability = "full") -> Iterator[LedgerFile]:
        """Yield the open file of a new ledger; it is closed, synced and renamed when the block ends without exception.

        Raises StorageError if a file of this name exists.
        """
        with (
            _appearing(path, durability) as unfinished,
            cls(unfinished, "off", _created(unfinished, "off", {})) as file,
        ):
            yield file

    @classmethod
    def open(cls, path: Path, durability: Durability = "full") -> LedgerFile:
        """Open the file of a ledger; migrate it if it is of an older version.

        Raises StorageError for a file that is missing, damaged or not a ledger, StorageVersionError for a newer one.
        """
        if not path.is_file():
            raise StorageError(f"There is no ledger file {path}")
        connection = None
        try:
            connection = connect(path)
            check_schema(connection)
            use_wal(connection)
            connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
            if has_erased(connection):  # the process that erased rows was killed
                vacuum(connection)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (*SQLITE_ERRORS, StorageError) as problem:
            if connection is not None:
                connection.close()
            if isinstance(problem, StorageError):
                raise type(problem)(f"The ledger file {path} cannot be used: {problem}") from problem
            raise unusable(path, problem) from problem
        return cls(path, durability, connection)

    def check_in_place(self, interval_seconds: float = 0) -> None:
        """Check that the path still leads to this file, and that the directory is still locked.

        SQLite keeps writing to a file that was removed, and those writes are lost.
        interval_seconds: do nothing if the last check was less than this ago.  Raises StorageError.
        """
        now = time.monotonic()
        if now < self._in_place_at + interval_seconds:
            return
        if place_of(self._name) != self._place:
            raise StorageError(
                f"The ledger file {self.path} was removed or replaced while it was in use. Stop the server, put the"
                " file back and start again"
            )
        if self.lock is not None:
            self.lock.check()
        self._in_place_at = now

    # --- reading -----------------------------------------------------------------------------------------------
    def _rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        return self._rows_of(self._readers, sql, parameters)

    def _scanned(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        return self._rows_of(self._scanners, sql, parameters)

    def _rows_of(self, pool: ReaderPool, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        connection = pool.take()
        try:
            return connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem
        finally:
            pool.give(connection)

    def _few(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        # A reader's connection forgets its pages whenever another connection has written, that is before nearly every
        # read.  The writing connection keeps them.  Measured: a lookup after a commit takes 27 % less time.
        if not self._write_lock.acquire(blocking=False):
            return self._rows(sql, parameters)
        try:
            if self._connection is not None:
                return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem
        finally:
            self._write_lock.release()
        return self._rows(sql, parameters)

    # --- writing -----------------------------------------------------------------------------------------------
    def write(self, sync: bool = True, is_progress: bool = False) -> WriteTransaction:
        """Return a context manager for one transaction: it commits at the end, and rolls back on an exception.

        sync: do not return before the commit is on the disk (durability "full").  Without it, a power cut may undo the
        whole commit, until ``sync()`` or the next synced commit.
        is_progress: what is written may be lost; an unsynced commit of this kind does not count in ``commits``.
        Raises StorageError if the file cannot be written; it stays usable, with its earlier contents.  If the disk
        fails during the commit itself, ``tip()`` tells whether the commit took place.
        """
        return WriteTransaction(self, sync, is_progress)

    @property
    def commits(self) -> int:
        """Return the number of the last commit that counts, for ``sync``."""
        return self._log.commits

    @property
    def unsynced(self) -> bool:
        """Whether a power cut would undo some commits."""
        return self._log.unsynced

    def is_synced(self, through: int) -> bool:
        """Whether ``sync`` would return at once."""
        return self._log.is_synced(through)

    def sync(self, through: int | None = None) -> None:
        """Make the commits up to this number durable, by default all.  Raises StorageError.

        Threads that call it at the same time share one sync of the disk.
        """
        self._log.sync(self._log.commits if through is None else through, self.checkpoint)

    def begin(self) -> Writer:
        """For WriteTransaction: return a writer in a transaction that belongs to this thread."""
        connection = self._take()
        try:
            self.check_in_place(IN_PLACE_SECONDS)
            connection.execute("BEGIN IMMEDIATE")
        except BaseException as problem:
            try:
                self._roll_back(connection, problem)
            finally:
                self._give()
            raise
        # The number is taken away, so that after a rollback it has to be looked up.
        writer = Writer(connection, self.path, self._next_doc_no)
        self._next_doc_no = None
        return writer

    def end(self, writer: Writer, sync: bool, is_progress: bool, problem: BaseException | None) -> None:
        """For WriteTransaction: commit; or roll back because of a problem, which the caller then raises."""
        connection = writer.connection()
        writer.end()
        try:
            if problem is None:
                try:
                    connection.execute("COMMIT")
                    self._next_doc_no = writer.next_doc_no
                finally:  # a failed COMMIT may have taken place; it counts, so that the next sync is not skipped
                    if sync or not is_progress:
                        self._log.commits += 1
            else:
                self._roll_back(connection, problem)
        except BaseException as failure:
            self._roll_back(connection, failure)
            raise
        finally:
            self._give()
        if sync and problem is None:
            self.sync()  # without the write lock: another thread may write meanwhile

    def _roll_back(self, connection: sqlite3.Connection, problem: BaseException) -> None:
        """Roll back.  Raises StorageError if it was SQLite that failed."""
        if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        if isinstance(problem, SQLITE_ERRORS):
            raise unusable(self.path, problem) from problem

    def _take(self) -> sqlite3.Connection:
        """Return the writing connection, for one thread at a time, until ``_give``."""
        thread = threading.get_ident()
        if self._writing_thread == thread:
            raise StorageError(f"This thread is already writing to {self.path}")
        self._write_lock.acquire()
        if self._connection is None:
            self._write_lock.release()
            raise StorageError(f"The ledger file {self.path} is closed")
        self._writing_thread = thread
        return self._connection

    def _give(self) -> None:
        self._writing_thread = None
        self._write_lock.release()

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """Yield the writing connection, outside a transaction."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._give()

    # --- the file ----------------------------------------------------------------------------------------------
    def checkpoint(self) -> None:
        """Move everything from the write-ahead log into the file itself, and empty the log.

        Raises StorageError, also if the log cannot be emptied because another process reads the file.
        """
        with self._alone() as connection:
            try:
                # Commits wait meanwhile, so do not wait for another process that reads for long.
                connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
                (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            except SQLITE_ERRORS as problem:
                raise unusable(self.path, problem) from problem
        if is_busy:
            raise StorageError(f"The write-ahead log of {self.path} cannot be emptied: another process reads it")

    @contextmanager
    def without_log(self) -> Iterator[None]:
        """Write each page once instead of twice, for a new file that is thrown away if the process dies meanwhile.

        A transaction can be rolled back as ever: a file beside this one has what its changed pages were before.  In
        memory they would take more the larger the ledger is, and the more indexes it has.  A reader may have to wait
        for the writer, so nothing should read the file.  After an exception the file stays as it is.
        Raises StorageError.
        """
        with self._alone() as connection:
            connection.execute("PRAGMA journal_mode = PERSIST").fetchone()
        yield
        with self._alone() as connection:
            use_wal(connection)

    def finish_erasure(self, bytes_max: int | None = None) -> None:
        """Remove every trace of erased rows from the file's unused space and its write-ahead log.

        SQLite moves rows between pages, and copies of them stay in the gaps, even with secure_delete; so this rewrites
        the file (VACUUM).  bytes_max: leave it to ``close`` if the file is larger.
        Does nothing if no rows were erased since the last rewrite.  Raises StorageError.
        """
        with self._alone() as connection:
            try:
                if not has_erased(connection):
                    return
                if bytes_max is None or _size(connection) <= bytes_max:
                    vacuum(connection)
            except SQLITE_ERRORS as problem:
                raise unusable(self.path, problem) from problem
        self.checkpoint()

    def fork(self, destination: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Copy the ledger as it is now into a new file, with these facts changed.

        Writers need not wait, and the copy is of one moment.  The new file appears complete or not at all.
        Raises StorageError if the destination exists or cannot be written.
        """
        with _appearing(destination, self.durability) as unfinished:
            source = self._readers.take()
            try:
                copy = connect(unfinished, "rwc")
                try:
                    copy.execute("PRAGMA synchronous = OFF")  # the whole file is synced before it appears
                    source.backup(copy)
                    put_meta(copy, facts or {})
                    if has_erased(copy):
                        vacuum(copy)
                finally:
                    copy.close()
            finally:
                self._readers.give(source)

    def restore(self, source: LedgerFile) -> None:
        """Become a copy of another ledger file, facts included, in one transaction.

        A reader within a query still gets the old contents.  Raises StorageError; the file is then unchanged.
        """
        reader = source._readers.take()
        try:
            with self._alone() as connection:
                reader.backup(connection)
                self._next_doc_no = None
                self._log.commits += 1
            self.sync()
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem
        finally:
            source._readers.give(reader)

    def close(self) -> None:
        """Close all connections, and sync the commits that are not on the disk yet.  Calling it again does nothing."""
        if self._connection is None:
            return
        with contextlib.suppress(StorageError):  # the disk may be full: the next open tries again
            self.finish_erasure()
        with self._alone() as connection:
            self._connection = None
        self._readers.close()
        self._scanners.close()
        connection.close()  # moves the log into the file, and syncs both
        self._log.close()

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WriteTransaction:
    """``with ledger_file.write() as writer:``; see ``LedgerFile.write``.  It is a class because every commit makes one:
    that takes 5 µs less than two nested generators."""

    __slots__ = ("_file", "_is_progress", "_sync", "_writer")

    def __init__(self, file: LedgerFile, sync: bool, is_progress: bool) -> None:
        self._file = file
        self._sync = sync
        self._is_progress = is_progress

    def __enter__(self) -> Writer:
        self._writer = self._file.begin()
        return self._writer

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        self._file.end(self._writer, self._sync, self._is_progress, problem)


def _created(path: Path, durability: Durability, facts: Mapping[str, Any]) -> sqlite3.Connection:
    """Return a connection to a new database with the tables of a ledger.  Raises SQLITE_ERRORS, StorageError."""
    connection = connect(path, "rwc")
    try:
        use_wal(connection)
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        create_schema(connection, facts)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _appearing(path: Path, durability: Durability) -> Iterator[Path]:
    """Yield a path to write a database to; it gets its real name when it is complete and closed.

    Raises StorageError if it exists; BeingMadeError.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    with _being_made_lock:
        if path in _being_made:
            raise BeingMadeError(f"The ledger file {path} is being made by another request")
        if path.exists():
            raise StorageError(f"There is already a ledger file {path}")
        _being_made.add(path)
    try:
        remove_database(unfinished)  # left by a process that died here
        yield unfinished
        if durability == "full":
            _sync(unfinished)
        remove_database(path)  # SQLite would take the log of a deleted ledger for the new one's
        os.replace(unfinished, path)
        if durability == "full":
            _sync(path.parent)
    except (*SQLITE_ERRORS, OSError) as problem:
        raise unusable(path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            remove_database(unfinished)
        with _being_made_lock:
            _being_made.remove(path)


# Two threads that make the same file would write into each other's.  The directory's lock keeps other processes out.
_being_made: set[Path] = set()
_being_made_lock = threading.Lock()


def move_database(path: Path, target: Path, durability: Durability) -> None:
    """Give a closed ledger file another place, also on another disk.  Raises StorageError when something is there."""
    import shutil  # only here: it takes 4 ms, with what it imports

    with _appearing(target, durability) as unfinished:
        shutil.move(path, unfinished)
    remove_database(path)


def has_erased(connection: sqlite3.Connection) -> bool:
    """Whether rows were erased since the file was last rewritten."""
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (ERASED,)).fetchone() is not None


def vacuum(connection: sqlite3.Connection) -> None:
    """Rewrite a file, so that its unused space is empty.  A crash leaves it unchanged, and the rewrite still to do."""
    connection.execute("PRAGMA temp_store = FILE")  # holds live rows only, and may be as large as the ledger
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("DELETE FROM meta WHERE key = ?", (ERASED,))


def _size(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_bytes)


def remove_database(path: Path) -> None:
    """Delete a database file first, then SQLite's files beside it: a file without its log would be an older ledger."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
