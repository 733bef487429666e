"""Connections to the PostgreSQL that holds the journals, and what its errors mean for a log.

Connections are kept and used again, the last one first.  There is no pool library in between: after a failover the next
request has to try at once, and what a lost connection means depends on what was under way.

============================================  =================  ===================================================
what PostgreSQL says                          here               why
============================================  =================  ===================================================
no connection can be made                     Unreachable        nothing was sent
the connection is lost under a read           asked once more    on a new connection
the connection is lost under a write          UnknownOutcome     the COMMIT may have taken place, or may still do so
success, with a warning                       UnknownOutcome     the wait for the synchronous standby was cancelled
serialization failure, deadlock               SlotTaken          the write was undone; it may be tried again
the transaction is read-only                  Unreachable        the primary is a standby now; nothing was written
any other error                               LogError           the write was undone
============================================  =================  ===================================================
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo, errors, pq

from .postgres_prepared import BINARY, Prepared
from .seam import LogError, SlotTaken, UnknownOutcome, Unreachable

CONNECT_SECONDS = 5
"""How long making a connection may take.  An append has no limit: see docs/cluster.md."""
DEFAULTS = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "qldb-emulator",
    # A standby takes no blocks, and shows what the primary had a moment ago: a transaction must not begin there.
    "target_session_attrs": "read-write",
}
"""Options of libpq that an address may set otherwise."""
KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""After some 11 seconds of silence a host counts as lost (libpq's names; seconds, and milliseconds for the last)."""
IDLE_MAX = 16
"""Connections that are kept open without being used."""
BREAK_OFF_SECONDS = 2.0
"""How long a server that stops goes on waiting for the database: commits may wait without limit for a standby."""
_LIGHTLY = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '2s', true)"

_SAFE_COMMIT = ("on", "remote_apply")
"""Values of synchronous_commit with which an acknowledged commit survives the loss of the primary."""

_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)

T = TypeVar("T")


class Connection:
    """One connection.  warnings: what PostgreSQL warned of since they were last cleared."""

    def __init__(self, url: str) -> None:
        self.warnings: list[str] = []
        self._prepared: set[bytes] = set()
        try:
            self.psycopg: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        except psycopg.Error as error:
            # libpq's words for a server that target_session_attrs refuses.
            what = "takes no writes" if "session is read-only" in str(error) else "does not answer"
            raise Unreachable(f"PostgreSQL at {place(url)} {what}: {_line(error)}") from error
        try:
            self._prepare()
        except psycopg.Error as error:
            self.close()
            raise Unreachable(f"PostgreSQL at {place(url)} does not answer: {_line(error)}") from error

    def _prepare(self) -> None:
        self.psycopg.add_notice_handler(self._note)
        # A commit that is cut short by a time limit is a commit whose outcome is unknown, so there is none.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            self.psycopg.execute(f"SET {name} = 0".encode())
        if self.psycopg.execute("SHOW synchronous_commit").fetchone() not in [(value,) for value in _SAFE_COMMIT]:
            self.psycopg.execute("SET synchronous_commit = on")

    def _note(self, notice: errors.Diagnostic) -> None:
        if (notice.severity_nonlocalized or notice.severity) == "WARNING":
            self.warnings.append(notice.message_primary or "a warning without text")

    def run(self, statement: Prepared, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        """Run a prepared statement with values in binary form.  Raises psycopg.Error.

        Other threads run while libpq waits; Ctrl-C in the main thread is noticed after the answer.
        """
        if statement.name not in self._prepared:
            self._checked(self.psycopg.pgconn.prepare(statement.name, statement.text))
            self._prepared.add(statement.name)
        return self._checked(self.psycopg.pgconn.exec_prepared(statement.name, values, [BINARY] * len(values), BINARY))

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in _DONE:
            return result
        error = errors.error_from_result(result)
        raise psycopg.OperationalError(str(error)) if self.psycopg.closed else error

    @property
    def is_usable(self) -> bool:
        """Whether it may be used again."""
        return not self.psycopg.closed and self.psycopg.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def break_off(self) -> None:
        """End what another thread waits for: it loses the connection."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.psycopg.fileno())) as held:
            held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of it."""
        with suppress(psycopg.Error):
            self.psycopg.close()


class Connections:
    """Connections to one database.  Any thread may use them; each connection serves one thread at a time."""

    def __init__(self, url: str) -> None:
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise LogError(f"{place(url)} is no address of a PostgreSQL database: {_line(error)}") from error
        wanted = {**DEFAULTS, **KEEPALIVE, **given}
        self.place = place(url)
        self._url = conninfo.make_conninfo(**wanted)
        self._idle: list[Connection] = []
        self._used: set[Connection] = set()
        self._writing: dict[int, float] = {}  # thread -> when its write began
        self._lock = threading.Lock()
        self._is_closed = False

    def read(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do what only reads; once more on a new connection when the connection is lost.  Raises LogError."""
        return self._read(lambda connection: work(connection.psycopg))

    def read_row(self, statement: Prepared, values: Sequence[bytes | None]) -> list[bytes] | None:
        """Return the first row of a query, in binary form; None when there is none.  Raises as ``read`` does."""
        result = self._read(lambda connection: connection.run(statement, values))
        return [result.get_value(0, n) or b"" for n in range(result.nfields)] if result.ntuples else None

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._taken() as connection:
                return work(connection)
        except errors.OperationalError as error:
            if isinstance(error, errors.QueryCanceled):
                raise LogError(f"PostgreSQL at {self.place} cancelled a query: {_line(error)}") from error
        except psycopg.Error as error:
            raise LogError(f"PostgreSQL at {self.place} refuses to answer: {_line(error)}") from error
        self._drop_idle()  # those of before the loss are lost, too
        try:
            with self._taken() as connection:
                return work(connection)
        except psycopg.Error as error:
            raise Unreachable(f"PostgreSQL at {self.place} does not answer: {_line(error)}") from error

    def write(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do one transaction that writes.  Raises SlotTaken, UnknownOutcome, LogError."""
        return self._write(lambda connection: work(connection.psycopg))

    def write_rows(self, statement: Prepared, values: Sequence[bytes | None]) -> int:
        """Run a statement that writes; return how many rows it wrote.  Raises as ``write`` does."""
        return self._write(lambda connection: connection.run(statement, values).command_tuples or 0)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._taken() as connection, self._counted():
            connection.warnings.clear()
            try:
                done = work(connection)
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                raise SlotTaken(f"PostgreSQL undid a write: {_line(error)}") from error
            except errors.ReadOnlySqlTransaction as error:
                self._drop_idle()
                connection.close()
                raise Unreachable(f"PostgreSQL at {self.place} takes no writes any more: {_line(error)}") from error
            except psycopg.Error as error:
                if error.sqlstate is None or connection.psycopg.closed or connection.warnings:
                    self._drop_idle()
                    text = f"The connection to PostgreSQL was lost during a write: {_line(error)}"
                    raise UnknownOutcome(text) from error
                raise LogError(f"PostgreSQL at {self.place} refuses a write: {_line(error)}") from error
            if connection.warnings:
                raise UnknownOutcome(f"PostgreSQL says of a write: {connection.warnings[0]}")
            return done

    def write_lightly(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do one transaction that may be lost in a failover, so it waits for no standby, nor long for another server.

        Raises as ``write`` does.
        """

        def do(connection: psycopg.Connection[Any]) -> T:
            with connection.transaction():
                connection.execute(_LIGHTLY)
                return work(connection)

        return self.write(do)

    @contextmanager
    def _taken(self) -> Iterator[Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = Connection(self._url)
        with self._lock:
            self._used.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._used.discard(connection)
                is_kept = connection.is_usable and not self._is_closed and len(self._idle) < IDLE_MAX
                if is_kept:
                    self._idle.append(connection)
            if not is_kept:
                connection.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        thread = threading.get_ident()
        self._writing[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._writing[thread]

    def longest_write(self) -> float:
        """For how many seconds the write has been under way that waits longest."""
        began = list(self._writing.values())
        return time.monotonic() - min(began) if began else 0.0

    def break_off(self) -> None:
        """End what still waits for the database after BREAK_OFF_SECONDS: this server stops."""
        deadline = time.monotonic() + BREAK_OFF_SECONDS
        while self._used and time.monotonic() < deadline:
            time.sleep(0.01)
        with self._lock:
            used = list(self._used)
        for connection in used:
            connection.break_off()

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Let go of every connection that is not in use; those in use end with their use."""
        self._is_closed = True
        self._drop_idle()


def place(url: str) -> str:
    """Where a database is, without the password: for messages."""
    try:
        known = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "the given address"
    host, port = known.get("host") or "the local socket", known.get("port") or "5432"
    return f"{host}:{port}/{known.get('dbname') or ''}"


def _line(error: psycopg.Error) -> str:
    """The first line of an error."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
