"""PostgreSQL: tables by COPY and views, all in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .layout import BLOCKS, BLOCKS_NAME, VERIFICATION, VERIFICATION_NAME, ColumnKind, Columns, Dialect, TableLayout
from .sqlite import quoted, view_sql
from .targets import TargetError, missing, verification_chunk, verification_of
from .texts import Convert, converted, date_text, float_text, time_text

if TYPE_CHECKING:
    from .content import Content
    from .spool import Chunk

TYPES: dict[ColumnKind, str] = {
    "BOOL": "boolean",
    "INT": "bigint",
    "DECIMAL": "numeric",
    "FLOAT": "double precision",
    "TEXT": "text",
    "JSON": "json",
    "TIME": "timestamptz",
    "DATE": "date",
    "BYTES": "bytea",
}
CONNECT_SECONDS = 15
ROWS_AT_ONCE = 2_000  # of a table that is read
_NUMERIC_DIGITS_MAX, _NUMERIC_SCALE_MAX = 131_072, 16_383  # documented: PostgreSQL's numeric
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class PostgresTarget:
    """A schema of a database: the first one of the connection's search path."""

    dialect = Dialect(fold_case=True, name_bytes=63, holds_nul=False)
    has_views = True
    keeps_scale = True

    def __init__(self, url: str) -> None:
        """Raises TargetError when psycopg is not installed."""
        try:
            import psycopg
        except ImportError as error:
            raise missing("postgres", "psycopg 3", error) from error
        self.psycopg: Any = psycopg
        # psycopg also logs that it cannot end a COPY on a lost connection.  Where no program has set up logging, that
        # would be a second message beside the error.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        self._url = url
        self._open: Any = None
        self._snapshot: Any = None
        self._cursors = 0
        self.description = "postgresql://" + url.split("://", 1)[1].rsplit("@", 1)[-1]

    @contextmanager
    def errors(self, ending: str = "") -> Iterator[None]:
        """Errors of PostgreSQL and of the way to it as one sentence."""
        try:
            yield
        except self.psycopg.Error as error:
            message = " ".join(str(error).split()) or type(error).__name__
            raise TargetError(f"{self.description}: {message}{ending}") from error

    def connection(self) -> Any:
        """The connection, opened when it is first needed.  Raises TargetError."""
        if self._open is None or self._open.closed:
            self._open = self._connected()
        return self._open

    def _connected(self) -> Any:
        with self.errors():
            connection = self.psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS, autocommit=True)
            connection.execute("SET TIME ZONE 'UTC'")
            return connection

    def _reader(self) -> Any:
        """A connection in one transaction that sees the tables as they are now, whatever a follower writes."""
        if self._snapshot is None:
            self._snapshot = self._connected()
            with self.errors():
                self._snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return self._snapshot

    def exists(self, name: str) -> bool:
        """Whether a table or view of this name is in the schema."""
        sql = (
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relname = %s AND n.nspname = current_schema()"
        )
        with self.errors():
            return self.connection().execute(sql, (name,)).fetchone() is not None

    def check_free(self) -> None:
        with self.errors():
            (schema,) = self.connection().execute("SELECT current_schema()").fetchone()
            if schema is None:
                raise TargetError(f"{self.description} has no schema to write to: its search_path names none")
            sql = "SELECT has_schema_privilege(%s, 'CREATE')"
            if not self.connection().execute(sql, (schema,)).fetchone()[0]:
                raise TargetError(f"{self.description}: no table may be made in schema {schema}")
        if self.exists(VERIFICATION_NAME):
            self.verification()
            raise TargetError(
                f"{self.description} has tables of a journal already; drop them, or name another schema "
                "(?options=-csearch_path%3Dname); nothing was written"
            )

    def write(self, content: Content) -> None:
        wanted = [BLOCKS_NAME, *(name for each in content.tables for name in (each.current, each.history))]
        taken = [name for name in wanted if self.exists(name)]
        if taken:
            raise TargetError(f"{self.description} has a table {taken[0]} already; nothing was written")
        connection = self.connection()
        with self.errors("; it is as it was before"), connection.transaction():
            fill(connection, content)

    def verification(self) -> dict[str, Any]:
        if not self.exists(VERIFICATION_NAME):
            raise TargetError(f"{self.description} has no table {VERIFICATION_NAME}: it holds no tables of a journal")
        return verification_of(list(self._select(VERIFICATION_NAME, VERIFICATION, "")), self.description)

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        order = "block" if table == BLOCKS_NAME else 'block, id COLLATE "C"'
        return self._select(table, columns, f" ORDER BY {order}")

    def _select(self, table: str, columns: Columns, order: str) -> Iterator[tuple[Any, ...]]:
        names = ", ".join(_canonical(name, kind) for name, kind in columns)
        sql = f"SELECT {names} FROM {quoted(table)}{order}"
        self._cursors += 1
        with self.errors(), self._reader().cursor(name=f"read_{self._cursors}", binary=True) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(sql)
            yield from cursor

    def close(self) -> None:
        for connection in (self._open, self._snapshot):
            if connection is not None:
                connection.close()


def _canonical(name: str, kind: ColumnKind) -> str:
    """A column as an expression that gives the value as this package has it."""
    column = quoted(name)
    if kind == "TIME":
        return f"(extract(epoch FROM {column}) * 1000000)::bigint"
    if kind == "DATE":
        return f"({column} - DATE '1970-01-01')"
    return f"{column}::text" if kind in ("DECIMAL", "JSON") else column


# --- Writing -------------------------------------------------------------------------------------------------


def fill(connection: Any, content: Content) -> None:
    """Make and fill every table and view, within the connection's transaction."""
    create_table(connection, VERIFICATION_NAME, VERIFICATION)
    copy(connection, VERIFICATION_NAME, VERIFICATION, [verification_chunk(content)])
    create_table(connection, BLOCKS_NAME, BLOCKS)
    copy(connection, BLOCKS_NAME, BLOCKS, content.blocks())
    if content.is_unique:
        connection.execute(f"ALTER TABLE {BLOCKS_NAME} ADD PRIMARY KEY (block)")
    for layout in content.tables:
        create_table(connection, layout.history, columns_of(layout))
        copy(connection, layout.history, columns_of(layout), content.history(layout))
        index_history(connection, layout, content.is_unique)
        connection.execute(f"CREATE VIEW {quoted(layout.current)} AS {view_sql(layout)}")


def columns_of(layout: TableLayout) -> Columns:
    """The columns of a history; decimals that PostgreSQL's numeric cannot hold are texts."""
    too_long = {
        column.name
        for column in layout.columns
        if column.type.digits > _NUMERIC_DIGITS_MAX or column.type.scale > _NUMERIC_SCALE_MAX
    }
    return tuple((name, "TEXT" if name in too_long else kind) for name, kind in layout.history_columns)


def create_table(connection: Any, name: str, columns: Columns) -> None:
    """An empty table."""
    parts = ", ".join(f"{quoted(column)} {TYPES[kind]}" for column, kind in columns)
    connection.execute(f"CREATE TABLE {quoted(name)} ({parts})")


def index_history(connection: Any, layout: TableLayout, is_unique: bool) -> None:
    """What makes the current state, a document and the state at a block fast."""
    history = quoted(layout.history)
    if is_unique:
        connection.execute(f"ALTER TABLE {history} ADD PRIMARY KEY (id, version)")
    connection.execute(f"CREATE INDEX ON {history} (block, id)")
    connection.execute(f"CREATE INDEX ON {history} (id) WHERE valid_to IS NULL")


def copy(connection: Any, name: str, columns: Columns, chunks: Iterable[Chunk]) -> None:
    """Add rows of canonical values by COPY, some at a time."""
    kinds = [kind for _, kind in columns]
    names = ", ".join(quoted(column) for column, _ in columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY {quoted(name)} ({names}) FROM STDIN") as copying:
        for chunk in chunks:
            copying.write(copy_lines(chunk, kinds))


def copy_lines(chunk: Chunk, kinds: list[ColumnKind]) -> str:
    """Rows in the text format of COPY."""
    return "".join(["\t".join(row) + "\n" for row in converted(chunk, kinds, _FORMAT, "\\N")])


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if "\\" in text or "\n" in text or "\t" in text or "\r" in text else text


_FORMAT: dict[str, Convert] = {
    "TEXT": _escaped,
    "JSON": _escaped,
    "BYTES": lambda value: "\\\\x" + value.hex(),
    "INT": str,
    "TIME": time_text,
    "DATE": date_text,
    "DECIMAL": str,
    "FLOAT": float_text,
    "BOOL": lambda value: "t" if value else "f",
}
