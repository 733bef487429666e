"""The tables of a ledger file, the version of their schema, and the migrations from older versions.

There are two kinds of tables:

* sources: ``meta``, ``block``, and ``merkle_node`` (its rows follow from the blocks, but cost the most to compute);
* derived tables (DERIVED): they can be deleted and written again by applying the blocks in order.

Rows that can end carry ``[seq, until_seq)``, two block sequence numbers; ``LIVE`` means: has not ended.  A read at
block S takes the rows with ``seq <= S < until_seq``.  Later commits do not change its result.

A revision never changes when the next one arrives.  Its key packs the document's number and the block's.  The revisions
of a document lie side by side in the order of their versions.  "The revision at block S" is one descent of one B-tree,
backwards from ``(doc_no, S)``, however many revisions there are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .checksums import block_crc, data_crc, revision_crc
from .errors import StorageError, StorageVersionError

APPLICATION_ID = 0x514C4442  # "QLDB"
SCHEMA_VERSION = 3

SECURE_SINCE = 3
"""Files have been written with secure_delete since this schema version."""

ERASED = "erased"
"""The fact that rows were erased, and that unused space of the file may still hold copies; see LedgerFile."""

SEQ_BITS = 31
LIVE = (1 << SEQ_BITS) - 1
"""until_seq of what has not ended: above every sequence number, below 2**31, so SQLite stores it in four bytes."""

Migration = Callable[[sqlite3.Connection], None]


def _leave_out_what_blocks_say(connection: sqlite3.Connection) -> None:
    """Migrate to version 2: leaves of the tree and times of blocks are read from the blocks themselves."""
    connection.execute("DROP INDEX block_time")
    connection.execute("DELETE FROM merkle_node WHERE level = 0")


_TABLES = f"""
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL                         -- JSON
) WITHOUT ROWID;

CREATE TABLE block (
    seq INTEGER PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,              -- never goes back, so a block is found by its time without an index
    block_hash BLOB NOT NULL,                   -- a leaf of the Merkle tree
    crc INTEGER NOT NULL,                       -- see checksums
    ion BLOB NOT NULL                           -- last: what stands before it is read without it
);

CREATE TABLE merkle_node (
    level INTEGER NOT NULL,                     -- from 1: above the leaves.  Perfect nodes, so none ever changes
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;

CREATE TABLE ledger_table (
    number INTEGER PRIMARY KEY,
    table_id TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL
);
CREATE TABLE table_version (
    table_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    until_seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (table_no, until_seq)
) WITHOUT ROWID;

CREATE TABLE ledger_index (
    number INTEGER PRIMARY KEY,
    index_id TEXT NOT NULL UNIQUE,
    table_no INTEGER NOT NULL,
    field_name TEXT NOT NULL,
    seq INTEGER NOT NULL
);
CREATE TABLE index_version (
    index_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    until_seq INTEGER NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (index_no, until_seq)
) WITHOUT ROWID;

CREATE TABLE document (
    table_no INTEGER NOT NULL,
    doc_no INTEGER NOT NULL,                    -- unique in the ledger
    document_id TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    until_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,                  -- seq of the last revision: spares a scan the search for it
    PRIMARY KEY (table_no, doc_no)
) WITHOUT ROWID;

CREATE TABLE revision (
    revision_no INTEGER PRIMARY KEY,            -- doc_no << {SEQ_BITS} | seq
    document_id TEXT NOT NULL,
    table_no INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tx_time_ms INTEGER NOT NULL,
    hash BLOB NOT NULL,
    crc INTEGER NOT NULL,                       -- see checksums
    data_crc INTEGER,                           -- of data; NULL without
    data BLOB,                                  -- NULL: deleted, or redacted
    data_hash BLOB,                             -- of a redacted revision only
    metadata BLOB NOT NULL,
    doc_no INTEGER AS (revision_no >> {SEQ_BITS}),
    seq INTEGER AS (revision_no & {LIVE})
);
CREATE INDEX revision_of_block ON revision (seq);

CREATE TABLE index_entry (
    index_no INTEGER NOT NULL,
    key BLOB NOT NULL,
    until_seq INTEGER NOT NULL,                 -- before doc_no: a seek for S skips what ended by S without reading it
    doc_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (index_no, key, until_seq, doc_no)
) WITHOUT ROWID;
"""

DERIVED: Mapping[str, str] = {
    "ledger_table": "number",
    "table_version": "table_no, seq",
    "ledger_index": "number",
    "index_version": "index_no, seq",
    "document": "doc_no",
    "revision": "revision_no",
    "index_entry": "index_no, doc_no, seq",
}
"""Table that follows from the blocks -> the order in which its rows are compared."""


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Migrate to version 3: rows of blocks and revisions have checksums."""
    connection.create_function("block_crc", 3, block_crc, deterministic=True)
    connection.create_function("data_crc", 2, data_crc, deterministic=True)
    connection.create_function("revision_crc", 10, lambda *row: revision_crc(row), deterministic=True)
    connection.execute("DROP INDEX revision_of_block")
    for table in ("block", "revision"):
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for statement in _statements():
        if statement.startswith(("CREATE TABLE block ", "CREATE TABLE revision ", "CREATE INDEX revision_of_block ")):
            connection.execute(statement)
    connection.execute(
        "INSERT INTO block SELECT seq, transaction_id, timestamp_ms, block_hash, block_crc(seq, block_hash, ion), ion"
        " FROM old_block"
    )
    connection.execute(
        "INSERT INTO revision (revision_no, document_id, table_no, version, tx_time_ms, hash, crc, data_crc, data,"
        " data_hash, metadata) SELECT revision_no, document_id, table_no, version, tx_time_ms, hash,"
        " revision_crc(doc_no, document_id, table_no, version, seq, tx_time_ms, hash, data, data_hash, metadata),"
        " data_crc(doc_no, data), data, data_hash, metadata FROM old_revision"
    )
    for table in ("block", "revision"):
        connection.execute(f"DROP TABLE old_{table}")


MIGRATIONS: Sequence[Migration] = (_leave_out_what_blocks_say, _add_checksums)
"""MIGRATIONS[n] takes a file from version n + 1 to n + 2, inside the transaction that also writes the new version."""


def _statements() -> list[str]:
    return [statement.strip() for statement in _TABLES.split(";\n") if statement.strip()]


def create_schema(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Write all tables, the numbers that identify a ledger file, and the first facts, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _statements():
        connection.execute(statement)
    put_meta(connection, facts)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def put_meta(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Store facts as JSON, replacing those with the same key."""
    connection.executemany(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        [(key, json.dumps(value, separators=(",", ":"))) for key, value in facts.items()],
    )


def check_schema(
    connection: sqlite3.Connection, current: int = SCHEMA_VERSION, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Check that this is a ledger file of the current version; migrate an older one step by step.

    Raises StorageError for a file that is not a database, StorageVersionError for a newer one.  Every step is one
    transaction together with its version number, so an interrupted migration continues where it stopped.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise StorageError("it is an SQLite database, but not a ledger")
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) != current:
        if version > current:
            raise StorageVersionError(
                f"it was written by a newer version of the emulator (schema {version}; "
                f"this one knows schemas up to {current}). Upgrade qldb-emulator to use it."
            )
        if not 1 <= version <= len(migrations):
            raise StorageError(f"its schema version {version} is unknown")
        if version < SECURE_SINCE:
            connection.execute("VACUUM")  # what earlier versions deleted is still in free pages
        _migrate(connection, migrations[version - 1], version + 1)


def _migrate(connection: sqlite3.Connection, step: Migration, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        step(connection)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
