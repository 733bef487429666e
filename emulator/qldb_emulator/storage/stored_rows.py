"""Every row of a ledger file as it is stored, for verification: no row is left out or refused for its contents.

The file is never changed.  All answers are of one moment (one read transaction), also while a server writes; until the
transaction ends, that server's write-ahead log grows.  How a file is read, also on a read-only file system:

==========================================  ===========================================================
the file                                    is read
==========================================  ===========================================================
has no write-ahead log                      as it is (``immutable``)
has the log of a server that was killed     from a copy of both in a temporary directory
is of an older schema version               from a copy that is migrated, on a writable file system too
==========================================  ===========================================================
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .checksums import DAMAGES, block_crc, data_crc, revision_crc
from .connections import connect
from .errors import SQLITE_ERRORS, StorageError, unusable
from .ledger_file import LedgerFile
from .reads import SQL_LEAF, SQL_NODE
from .rows import NodeId
from .schema import APPLICATION_ID, DERIVED, LIVE, SCHEMA_VERSION, SEQ_BITS, check_schema, create_schema

Row = tuple[Any, ...]

COLUMNS = {
    "ledger_table": ("number", "table_id", "seq"),
    "table_version": ("table_no", "seq", "until_seq", "name", "status"),
    "ledger_index": ("number", "index_id", "table_no", "field_name", "seq"),
    "index_version": ("index_no", "seq", "until_seq", "status"),
    "document": ("table_no", "doc_no", "document_id", "seq", "until_seq", "last_seq"),
}
"""The columns of the rows that ``rows`` yields."""

_PROBLEMS_MAX = 100


class StoredRows:
    """The rows of one file.  Every method raises StorageError for rows that SQLite cannot read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[StoredRows]:
        """Raises StorageError if the file is missing, damaged or not a ledger, StorageVersionError if it is newer."""
        if not path.is_file():
            raise StorageError(f"There is no ledger file {path}")
        with tempfile.TemporaryDirectory(prefix="qldb-emulator-verify-") as folder:
            connection = _open(path, Path(folder))
            try:
                yield cls(path, connection)
            finally:
                connection.close()

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def _stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(sql, parameters)
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def problems(self) -> list[str]:
        """What SQLite finds wrong with its own structures (PRAGMA integrity_check), and what is not of the schema.

        That is quick_check, and whether every index has an entry for every row.  A trigger would change rows with the
        next commit, and a view could stand for a table, so the file may have nothing but the schema.
        """
        found = [str(row[0]) for row in self._rows(f"PRAGMA integrity_check({_PROBLEMS_MAX})")]
        return ([] if found == ["ok"] else found) + self._schema_problems()

    def _schema_problems(self) -> list[str]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
            create_schema(fresh, {})
            wanted = _shape(fresh.execute)
        found = _shape(self._connection.execute)
        return [
            f"{kind} {name}: {'missing' if (kind, name) not in found else 'not of the schema'}"
            for kind, name in sorted({*wanted, *found})
            if wanted.get((kind, name)) != found.get((kind, name))
        ]

    def facts(self) -> tuple[dict[str, Any], list[str]]:
        """Return the control-plane facts, and the keys of those that are not JSON."""
        facts, damaged = {}, []
        for key, value in self._rows("SELECT key, value FROM meta ORDER BY key"):
            try:
                facts[str(key)] = json.loads(value)
            except (TypeError, ValueError):
                damaged.append(str(key))
        return facts, damaged

    def ends(self) -> tuple[int, int] | None:
        """Return the sequence numbers of the first and last block; None without blocks."""
        ((first, last),) = self._rows("SELECT min(seq), max(seq) FROM block")
        return None if first is None else (first, last)

    def blocks(self) -> Iterator[tuple[Row, bool]]:
        """Yield ((seq, transaction_id, timestamp_ms, block_hash, ion), whether its checksum matches), in order."""
        sql = "SELECT seq, transaction_id, timestamp_ms, block_hash, ion, crc FROM block ORDER BY seq"
        for row in self._stream(sql):
            try:
                is_sound = block_crc(row[0], row[3], row[4]) == row[5]
            except DAMAGES:
                is_sound = False
            yield row[:5], is_sound

    def revisions(self, seq: int) -> list[tuple[Row, bool]]:
        """Return (columns of RevisionRow, whether the row matches its checksums) for each revision of a block."""
        sql = (
            f"SELECT revision_no >> {SEQ_BITS}, document_id, table_no, version, revision_no & {LIVE}, tx_time_ms, hash,"
            " data, data_hash, metadata, crc, data_crc FROM revision WHERE seq = ? ORDER BY revision_no"
        )
        return [(row[:10], _is_sound_revision(row)) for row in self._rows(sql, (seq,))]

    def data(self, doc_no: int, seq: int) -> bytes | None:
        """Return the document that a revision holds; None if it holds no document."""
        rows = self._rows("SELECT data FROM revision WHERE revision_no = ?", (doc_no << SEQ_BITS | seq,))
        return rows[0][0] if rows else None

    def rows(self, table: str) -> Iterator[Row]:
        """Yield all rows of a table of COLUMNS, in the order of DERIVED."""
        return self._stream(f"SELECT {', '.join(COLUMNS[table])} FROM {table} ORDER BY {DERIVED[table]}")

    def entry_seq(self, index_no: int, key: bytes, until_seq: int, doc_no: int) -> Any:
        """Return the block from which an index entry holds; None if there is no such entry."""
        sql = "SELECT seq FROM index_entry WHERE index_no = ? AND key = ? AND until_seq = ? AND doc_no = ?"
        rows = self._rows(sql, (index_no, key, until_seq, doc_no))
        return rows[0][0] if rows else None

    def entry_counts(self) -> dict[Any, int]:
        """Return how many entries each index number has."""
        return dict(self._rows("SELECT index_no, count(*) FROM index_entry GROUP BY index_no"))

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        count: int = self._rows(f"SELECT count(*) FROM {table}")[0][0]
        return count

    def merkle_nodes(self, ids: Iterable[NodeId]) -> dict[NodeId, bytes]:
        """Return the stored hashes of nodes; nodes that are not stored are absent."""
        found = {}
        for node in ids:
            for level, index, node_hash in self._rows(SQL_NODE if node[0] else SQL_LEAF, node):
                found[level, index] = node_hash
        return found


def _is_sound_revision(row: Row) -> bool:
    try:
        return (revision_crc(row[:10]), data_crc(row[0], row[7])) == row[10:]
    except DAMAGES:
        return False


def _shape(execute: Callable[[str], Iterable[Row]]) -> dict[tuple[str, str], list[Row]]:
    """(kind, name) of everything in a database -> its columns.

    Texts are not compared: those of a file that was made by an older version have other comments.
    """
    shape = {}
    for kind, name in list(execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")):
        quoted = '"' + name.replace('"', '""') + '"'
        pragma = {"table": "table_xinfo", "index": "index_xinfo"}.get(kind)
        shape[kind, name] = [] if pragma is None else list(execute(f"PRAGMA {pragma}({quoted})"))
    return shape


def _open(path: Path, folder: Path) -> sqlite3.Connection:
    """Return a reading connection, in a transaction.  folder: where to put a copy, if one is needed."""
    try:
        connection = _reading(path)
        if connection is None:
            log = path.with_name(f"{path.name}-wal")
            has_log = log.exists() and log.stat().st_size > 0
            connection = _reading(_copied(path, folder)) if has_log else _reading(path, "&immutable=1")
        if connection is None:
            raise StorageError(f"The ledger file {path} cannot be opened for reading")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION and connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
            return connection
        try:
            check_schema(connection, migrations=())
        except StorageError:
            if version not in range(1, SCHEMA_VERSION):
                raise
        finally:
            connection.close()
        copy = folder / path.name
        if not copy.exists():
            _copied(path, folder)
        LedgerFile.open(copy, "off").close()
        migrated = _reading(copy)
        assert migrated is not None  # the folder is ours
        return migrated
    except (*SQLITE_ERRORS, OSError) as problem:
        raise unusable(path, problem) from problem
    except StorageError as problem:
        raise type(problem)(f"The ledger file {path} cannot be used: {problem}") from problem


def _reading(path: Path, options: str = "") -> sqlite3.Connection | None:
    """Return a connection in a read transaction; None if SQLite must write beside the file and cannot."""
    connection = None
    try:
        connection = connect(path, "rw", options)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as problem:
        if connection is not None:
            connection.close()
        if problem.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            return None
        raise
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


def _copied(path: Path, folder: Path) -> Path:
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    return folder / path.name
