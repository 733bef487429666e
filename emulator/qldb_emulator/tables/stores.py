"""Databases that a follower writes to, step by step: the few statements it needs, in both dialects of SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from . import postgresql, sqlite
from .layout import VERIFICATION, VERIFICATION_NAME, ColumnKind, Columns, Dialect, TableLayout
from .locks import FileLock, InUseError
from .spool import Chunk
from .sqlite import quoted, view_sql
from .targets import TargetError, in_use, verification_of
from .texts import date_text, time_text

BUSY_SECONDS = 30
_LOCK_NUMBER = 0x514C4442  # "QLDB": followers of one database wait for each other
ION_ROWS_AT_ONCE = 500


class ConnectionLost(TargetError):
    """The database cannot be reached at the moment."""


class Store(Protocol):
    """A database.  Every method raises TargetError, ConnectionLost when trying again later may help."""

    dialect: Dialect
    description: str
    replaces_views: bool
    """Whether a view can get columns while others depend on it."""

    def transaction(self) -> Any:
        """A context in which everything is written, or nothing; one at a time, whichever process asks."""

    def verification(self) -> dict[str, Any] | None:
        """The row of ``_verification``; None in an empty database."""

    def create(self, name: str, columns: Columns, key: str) -> None:
        """Make a table.  key: the columns of its primary key."""

    def add_indexes(self, layout: TableLayout) -> None:
        """Make the indexes of a history."""

    def insert(self, name: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of canonical values."""

    def update(self, name: str, values: Mapping[str, tuple[Any, ColumnKind]], id_: str, version: int) -> None:
        """Change one revision's row."""

    def replace_verification(self, row: dict[str, Any]) -> None:
        """Write the one row of ``_verification``."""

    def add_column(self, table: str, name: str, kind: ColumnKind) -> None: ...

    def drop_column(self, table: str, name: str) -> None: ...

    def create_view(self, layout: TableLayout) -> None: ...

    def drop_view(self, layout: TableLayout) -> None: ...

    def ion_of(self, table: str, id_: str, version: int) -> bytes | None:
        """The revision in a row."""

    def ions(self, table: str) -> Iterator[tuple[str, int, bytes]]:
        """Id, version and revision of every row, read some at a time."""

    def close(self) -> None: ...


def open_store(text: str) -> Store:
    """The database that a user names.  Raises TargetError."""
    if text.startswith(("postgresql://", "postgres://")):
        return PostgresStore(text)
    if text.startswith("sqlite:") and len(text) > len("sqlite:"):
        return SqliteStore(Path(text.removeprefix("sqlite:")))
    raise TargetError(f"{text!r} cannot be kept up to date: sqlite:FILE or postgresql://... is expected")


def chunk_of(rows: Sequence[Sequence[Any]], columns: Columns) -> Chunk:
    """The same rows as columns."""
    return list(zip(*rows, strict=True)) if rows else [()] * len(columns)


class _SqlStore:
    """What both have in common.  placeholder: of a parameter."""

    placeholder = "?"
    types: dict[ColumnKind, str]

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Execute a statement; its cursor."""
        raise NotImplementedError

    def _stored(self, value: Any, kind: ColumnKind) -> Any:
        raise NotImplementedError

    def insert(self, name: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> None:
        raise NotImplementedError

    def replace_verification(self, row: dict[str, Any]) -> None:
        self._run(f"DELETE FROM {VERIFICATION_NAME}")
        self.insert(VERIFICATION_NAME, VERIFICATION, [[row[name] for name, _ in VERIFICATION]])

    def create(self, name: str, columns: Columns, key: str) -> None:
        parts = [f"{quoted(column)} {self.types[kind]}" for column, kind in columns]
        if key:
            parts.append(f"PRIMARY KEY ({key})")
        self._run(f"CREATE TABLE {quoted(name)} ({', '.join(parts)})")

    def add_indexes(self, layout: TableLayout) -> None:
        history = quoted(layout.history)
        ordered, current = (quoted(f"idx_{layout.history}_{what}"[:63]) for what in ("block", "current"))
        self._run(f"CREATE INDEX {ordered} ON {history} (block, id)")
        self._run(f"CREATE INDEX {current} ON {history} (id) WHERE valid_to IS NULL")

    def update(self, name: str, values: Mapping[str, tuple[Any, ColumnKind]], id_: str, version: int) -> None:
        mark = self.placeholder
        changes = ", ".join(f"{quoted(column)} = {self._cast(mark, kind)}" for column, (_, kind) in values.items())
        stored = [None if value is None else self._stored(value, kind) for value, kind in values.values()]
        sql = f"UPDATE {quoted(name)} SET {changes} WHERE id = {mark} AND version = {mark}"
        self._run(sql, (*stored, id_, version))

    def _cast(self, mark: str, kind: ColumnKind) -> str:
        return mark

    def add_column(self, table: str, name: str, kind: ColumnKind) -> None:
        self._run(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {self.types[kind]}")

    def drop_column(self, table: str, name: str) -> None:
        self._run(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(name)}")

    def create_view(self, layout: TableLayout) -> None:
        self._run(f"CREATE VIEW {quoted(layout.current)} AS {view_sql(layout)}")

    def drop_view(self, layout: TableLayout) -> None:
        self._run(f"DROP VIEW IF EXISTS {quoted(layout.current)}")

    def ion_of(self, table: str, id_: str, version: int) -> bytes | None:
        mark = self.placeholder
        sql = f"SELECT ion FROM {quoted(table)} WHERE id = {mark} AND version = {mark}"
        row = self._run(sql, (id_, version)).fetchone()
        return None if row is None else bytes(row[0])

    def ions(self, table: str) -> Iterator[tuple[str, int, bytes]]:
        mark, after = self.placeholder, (-1, "")
        sql = (
            f"SELECT block, id, version, ion FROM {quoted(table)} WHERE (block, id) > ({mark}, {mark}) "
            f"ORDER BY block, id LIMIT {ION_ROWS_AT_ONCE}"
        )
        while True:
            rows = self._run(sql, after).fetchall()
            for block, id_, version, ion in rows:
                after = block, id_
                yield id_, version, bytes(ion)
            if len(rows) < ION_ROWS_AT_ONCE:
                return


class SqliteStore(_SqlStore):
    """A file."""

    replaces_views = False
    dialect = sqlite.SqliteTarget.dialect
    types = sqlite.TYPES

    def __init__(self, path: Path) -> None:
        """Raises TargetError when the file cannot be opened or is no database."""
        self.description = f"sqlite:{path}"
        self._path = path
        try:
            self._lock = FileLock(path, alone=False)
        except InUseError:
            raise in_use(path) from None
        except OSError as error:
            raise TargetError(f"{path} cannot be used: {error.strerror or error}") from error
        try:
            self._is_new = self._lock.is_new()
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise TargetError(f"{path} cannot be used: {error}") from error

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        with self._errors():
            return self._connection.execute(sql, parameters)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise TargetError(f"{self.description}: {error}; it is as it was before") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
            self._is_new = False
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def verification(self) -> dict[str, Any] | None:
        sql = "SELECT 1 FROM sqlite_master WHERE name = ?"
        if self._run(sql, (VERIFICATION_NAME,)).fetchone() is None:
            if self._run("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
                raise TargetError(f"{self.description} is a database of something else; nothing was written")
            return None
        return verification_of(self._run(_SELECT_VERIFICATION).fetchall(), self.description)

    def insert(self, name: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> None:
        with self._errors():
            sqlite.insert(self._connection, name, columns, chunk_of(rows, columns))

    def _stored(self, value: Any, kind: ColumnKind) -> Any:
        convert = sqlite.STORED.get(kind)
        return value if convert is None else convert(value)

    def close(self) -> None:
        try:
            # There was no file, nothing was written, and no other follower has the file open: it may go.
            if self._is_new and self._lock.alone() and self._is_empty():
                for suffix in ("", "-wal", "-shm", "-journal"):
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self._connection.close()
        finally:
            self._lock.release()

    def _is_empty(self) -> bool:
        """Whether no follower has written to the file."""
        try:
            return self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        except sqlite3.Error:
            return False


class PostgresStore(_SqlStore):
    """A schema of a database."""

    replaces_views = True
    dialect = postgresql.PostgresTarget.dialect
    types = postgresql.TYPES
    placeholder = "%s"

    def __init__(self, url: str) -> None:
        """Raises TargetError when psycopg is not installed."""
        self._target = postgresql.PostgresTarget(url)
        self.description = self._target.description

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        with self._errors():
            # Names of columns may have a percent sign, which is a placeholder's where there are parameters.
            if not parameters:
                return self._target.connection().execute(sql)
            return self._target.connection().execute(_escape_percent(sql), parameters)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        psycopg = self._target.psycopg
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            message = " ".join(str(error).split())
            raise ConnectionLost(f"{self.description}: {message}") from error
        except psycopg.Error as error:
            message = " ".join(str(error).split())
            raise TargetError(f"{self.description}: {message}; it is as it was before") from error
        except TargetError as error:
            if isinstance(error.__cause__, psycopg.OperationalError):
                raise ConnectionLost(str(error)) from error
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._errors(), self._target.connection().transaction():
            self._run("SELECT pg_advisory_xact_lock(%s)", (_LOCK_NUMBER,))
            yield

    def verification(self) -> dict[str, Any] | None:
        with self._errors():
            if not self._target.exists(VERIFICATION_NAME):
                return None
        # Locked, so that what follows in this transaction begins where the last one ended.
        return verification_of(self._run(f"{_SELECT_VERIFICATION} FOR UPDATE").fetchall(), self.description)

    def insert(self, name: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> None:
        with self._errors():
            postgresql.copy(self._target.connection(), name, columns, [chunk_of(rows, columns)])

    def _stored(self, value: Any, kind: ColumnKind) -> Any:
        if kind == "TIME":
            return time_text(value)
        return date_text(value) if kind == "DATE" else value

    def _cast(self, mark: str, kind: ColumnKind) -> str:
        return f"{mark}::{self.types[kind]}"

    def create_view(self, layout: TableLayout) -> None:
        self._run(f"CREATE OR REPLACE VIEW {quoted(layout.current)} AS {view_sql(layout)}")

    def close(self) -> None:
        self._target.close()


_SELECT_VERIFICATION = f"SELECT {', '.join(quoted(name) for name, _ in VERIFICATION)} FROM {quoted(VERIFICATION_NAME)}"


def _escape_percent(sql: str) -> str:
    return sql.replace("%", "%%").replace("%%s", "%s")
