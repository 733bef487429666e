"""A durable commit with SQLite alone: the share of the disk and the storage engine."""

from __future__ import annotations

import sqlite3
import tempfile
import weakref
from pathlib import Path

from qldb_emulator.ion.codec import dumps

from .alternate import Case, timed
from .documents import registration

_BLOCK_BYTES = 900  # of a block with one document, without the document


def sqlite_commit(directory: Path) -> Case:
    """Return a commit of the bytes of a block, a document and an index entry, as the emulator writes them, synced."""
    document = dumps(registration(1))
    block = bytes(_BLOCK_BYTES) + document
    path = Path(tempfile.mkdtemp(dir=directory)) / "alone.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE block (seq INTEGER PRIMARY KEY, ion BLOB)")
    connection.execute("CREATE TABLE revision (seq INTEGER PRIMARY KEY, ion BLOB)")
    connection.execute("CREATE TABLE entry (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID")
    number = 0

    def commit() -> None:
        nonlocal number
        number += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO block VALUES (?, ?)", (number, block))
        connection.execute("INSERT INTO revision VALUES (?, ?)", (number, document))
        connection.execute("INSERT INTO entry VALUES (?, ?)", (b"%017d" % number, number))
        connection.execute("COMMIT")

    weakref.finalize(commit, connection.close)  # a case has no end of its own
    return timed(commit)
