"""An SQLite file: tables and views; times as ISO 8601 text, decimals as text with every digit."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .layout import (
    BLOCKS,
    BLOCKS_NAME,
    CURRENT_OPERATIONS,
    VERIFICATION,
    VERIFICATION_NAME,
    ColumnKind,
    Columns,
    Dialect,
    TableLayout,
)
from .targets import TargetError, appearing, check_free_file, missing, verification_chunk, verification_of
from .texts import Convert, converted, date_from_text, date_text, float_text, time_from_text, time_text

if TYPE_CHECKING:
    from .content import Content
    from .spool import Chunk

TYPES: dict[ColumnKind, str] = {
    "BOOL": "INTEGER",
    "INT": "INTEGER",
    "DECIMAL": "TEXT",
    "FLOAT": "REAL",
    "TEXT": "TEXT",
    "JSON": "TEXT",
    "TIME": "TEXT",
    "DATE": "TEXT",
    "BYTES": "BLOB",
}


class SqliteTarget:
    """A file."""

    dialect = Dialect(reserved_prefix="sqlite_")
    has_views = True
    keeps_scale = True

    def __init__(self, path: Path) -> None:
        """Raises TargetError when sqlite-utils is not installed."""
        try:
            import sqlite_utils
        except ImportError as error:
            raise missing("sqlite", "sqlite-utils", error) from error
        self._utils: Any = sqlite_utils
        self.path = path
        self.description = f"sqlite:{path}"
        self._reading: sqlite3.Connection | None = None

    def check_free(self) -> None:
        check_free_file(self.path)

    def write(self, content: Content) -> None:
        try:
            with appearing(self.path, check_free_file) as path:
                connection = sqlite3.connect(path, isolation_level=None)
                try:
                    connection.execute("PRAGMA journal_mode = OFF")
                    connection.execute("PRAGMA synchronous = OFF")
                    connection.execute("BEGIN")
                    fill(self._utils.Database(connection), content)
                    connection.execute("COMMIT")
                finally:
                    connection.close()
        except sqlite3.Error as error:
            raise TargetError(f"{self.path} cannot be written: {error}; it is as it was before") from error

    def _connection(self) -> sqlite3.Connection:
        if self._reading is None:
            if not self.path.is_file():
                raise TargetError(f"There is no file {self.path}")
            self._reading = sqlite3.connect(self.path)
        return self._reading

    def verification(self) -> dict[str, Any]:
        return verification_of(list(self._select(VERIFICATION_NAME, VERIFICATION, "")), self.description)

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        order = "block" if table == BLOCKS_NAME else "block, id"
        return self._select(table, columns, f" ORDER BY {order}")

    def _select(self, table: str, columns: Columns, order: str) -> Iterator[tuple[Any, ...]]:
        kinds = [kind for _, kind in columns]
        names = ", ".join(quoted(name) for name, _ in columns)
        try:
            for row in self._connection().execute(f"SELECT {names} FROM {quoted(table)}{order}"):
                yield tuple([_readable(value, kind) for value, kind in zip(row, kinds, strict=True)])
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise TargetError(f"{table} of {self.path} cannot be read: {error}") from error

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def fill(database: Any, content: Content) -> None:
    """Make and fill every table and view of a sqlite_utils database, whose connection is in a transaction."""
    connection = database.conn
    create_table(connection, VERIFICATION_NAME, VERIFICATION)
    insert(connection, VERIFICATION_NAME, VERIFICATION, verification_chunk(content))
    create_table(connection, BLOCKS_NAME, BLOCKS, "block" if content.is_unique else "")
    for chunk in content.blocks():
        insert(connection, BLOCKS_NAME, BLOCKS, chunk)
    for layout in content.tables:
        create_history(database, layout, content.is_unique)
        for chunk in content.history(layout):
            insert(connection, layout.history, layout.history_columns, chunk)
        index_history(database, layout)
        create_view(database, layout)


def create_table(connection: sqlite3.Connection, name: str, columns: Columns, key: str = "") -> None:
    """An empty table.  key: names of the columns of its primary key."""
    parts = [f"{quoted(column)} {TYPES[kind]}" for column, kind in columns]
    if key:
        parts.append(f"PRIMARY KEY ({key})")
    connection.execute(f"CREATE TABLE {quoted(name)} ({', '.join(parts)})")


def create_history(database: Any, layout: TableLayout, is_unique: bool) -> None:
    """An empty history."""
    create_table(database.conn, layout.history, layout.history_columns, "id, version" if is_unique else "")


def index_history(database: Any, layout: TableLayout) -> None:
    """What makes the current state and the state at a block fast."""
    database[layout.history].create_index(["block", "id"])
    connection = database.conn
    index = quoted(f"idx_{layout.history}_current")
    connection.execute(f"CREATE INDEX {index} ON {quoted(layout.history)} (id) WHERE valid_to IS NULL")


def create_view(database: Any, layout: TableLayout) -> None:
    """The current state."""
    database.create_view(layout.current, view_sql(layout), replace=True)


def view_sql(layout: TableLayout) -> str:
    """What the view of a current state selects; the same in SQLite and in PostgreSQL."""
    names = ", ".join(quoted(name) for name, _ in layout.current_columns)
    operations = ", ".join(f"'{operation}'" for operation in CURRENT_OPERATIONS)
    return f"SELECT {names} FROM {quoted(layout.history)} WHERE valid_to IS NULL AND operation IN ({operations})"


def insert(connection: sqlite3.Connection, name: str, columns: Columns, chunk: Chunk) -> None:
    """Add rows of canonical values."""
    kinds = [kind for _, kind in columns]
    names = ", ".join(quoted(column) for column, _ in columns)
    places = ", ".join("?" * len(kinds))
    sql = f"INSERT INTO {quoted(name)} ({names}) VALUES ({places})"
    connection.executemany(sql, converted(chunk, kinds, STORED))


STORED: dict[str, Convert] = {
    "TIME": time_text,
    "DATE": date_text,
    "BOOL": int,
    "FLOAT": lambda value: float_text(value) if math.isnan(value) else value,  # SQLite would make NULL of it
}


def _readable(value: Any, kind: ColumnKind) -> Any:
    """A stored value as this package has it; one that was never written here as it is, for a check to find."""
    try:
        return _read(value, kind)
    except (ValueError, TypeError):
        return value


def _read(value: Any, kind: ColumnKind) -> Any:
    if value is None:
        return None
    if kind == "TIME":
        return time_from_text(value)
    if kind == "DATE":
        return date_from_text(value)
    if kind == "BOOL":
        return bool(value)
    return float(value) if kind == "FLOAT" else value
