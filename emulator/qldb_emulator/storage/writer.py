"""The write operations of a ledger file, available within ``with ledger_file.write() as writer:``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from .checksums import block_crc, crcs_of_first, data_crc, revision_crc
from .errors import SQLITE_ERRORS, StorageError, unusable
from .reads import DROPPED_INDEXES, Reads
from .rows import FirstRevision, RevisionRow
from .schema import DERIVED, ERASED, LIVE, SEQ_BITS, put_meta

IndexEntry = tuple[int, bytes, int]
"""(index number, key, doc_no)."""

INSERT_BLOCK = "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)"
INSERT_NODE = "INSERT INTO merkle_node VALUES (?, ?, ?)"
INSERT_REVISION = f"""
    INSERT INTO revision
        (revision_no, document_id, table_no, version, tx_time_ms, hash, data, data_hash, metadata, crc, data_crc)
    VALUES (? << {SEQ_BITS} | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

INSERT_NEW_DOCUMENT = "INSERT INTO document VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (document_id) DO NOTHING"

# A later revision only moves last_seq; a deletion (see RevisionRow) also ends the document.
ADVANCE_DOCUMENT = "UPDATE document SET last_seq = ? WHERE table_no = ? AND doc_no = ? AND last_seq < ?"
END_DOCUMENT = "UPDATE document SET last_seq = ?, until_seq = ? WHERE table_no = ? AND doc_no = ?"

INSERT_ENTRY = "INSERT INTO index_entry VALUES (?, ?, ?, ?, ?)"
# OR REPLACE: an entry that began and ended twice in one block is one row, which no reader can see
CLOSE_ENTRY = f"""
    UPDATE OR REPLACE index_entry SET until_seq = ?
    WHERE index_no = ? AND key = ? AND until_seq = {LIVE} AND doc_no = ?"""


class Writer(Reads):
    """One SQLite transaction.  It sees its own writes; other readers see them after the commit.

    Several blocks may be written in one transaction (import, rebuild).  Sequence numbers never decrease.
    Every method may raise StorageError; let it leave the ``with`` block, so that the transaction is rolled back.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, next_doc_no: int | None) -> None:
        """next_doc_no: the number of the next new document; None to look it up."""
        self._connection: sqlite3.Connection | None = connection
        self.path = path
        self.next_doc_no = next_doc_no

    def end(self) -> None:
        """Refuse every further call: the transaction is over."""
        self._connection = None

    def _rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        try:
            return self.connection().execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self.connection().execute(sql, parameters)
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def _put(self, sql: str, row: Sequence[Any]) -> None:
        self._run(sql, row)

    def _run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self.connection().executemany(sql, rows)
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def connection(self) -> sqlite3.Connection:
        """Return the connection beneath, for BatchWriter.  Raises StorageError after the transaction."""
        if self._connection is None:
            raise StorageError(f"The write transaction on {self.path} is over")
        return self._connection

    # --- facts -------------------------------------------------------------------------------------------------
    def set_meta(self, facts: Mapping[str, Any]) -> None:
        """Store control-plane facts; values are anything that JSON can hold."""
        try:
            put_meta(self.connection(), facts)
        except SQLITE_ERRORS as problem:
            raise unusable(self.path, problem) from problem

    def delete_meta(self, key: str) -> None:
        """Delete a control-plane fact."""
        self._run("DELETE FROM meta WHERE key = ?", (key,))

    # --- the journal -------------------------------------------------------------------------------------------
    def insert_block(self, seq: int, transaction_id: str, timestamp_ms: int, block_hash: bytes, ion: bytes) -> None:
        """Append a block."""
        self._put(INSERT_BLOCK, block_row(seq, transaction_id, timestamp_ms, block_hash, ion))

    def replace_block(self, seq: int, ion: bytes) -> None:
        """Replace the bytes of a block, for a redaction; its hash stays."""
        rows = self._rows("SELECT block_hash FROM block WHERE seq = ?", (seq,))
        if not rows:
            raise StorageError(f"There is no block {seq} to replace in {self.path}")
        self._run("UPDATE block SET ion = ?, crc = ? WHERE seq = ?", (ion, block_crc(seq, rows[0][0], ion), seq))

    def insert_nodes(self, nodes: Iterable[tuple[int, int, bytes]]) -> None:
        """Store perfect nodes of the Merkle tree above its leaves, as (level, index, hash)."""
        self._run_many(INSERT_NODE, nodes)

    # --- the catalogue -----------------------------------------------------------------------------------------
    def create_table(self, table_id: str, name: str, seq: int, status: str = "ACTIVE") -> int:
        """Add a table; return its number."""
        number = self._run("INSERT INTO ledger_table (table_id, seq) VALUES (?, ?)", (table_id, seq)).lastrowid
        assert number is not None
        self._run("INSERT INTO table_version VALUES (?, ?, ?, ?, ?)", (number, seq, LIVE, name, status))
        return number

    def change_table(self, number: int, seq: int, *, name: str | None = None, status: str | None = None) -> None:
        """Change the name or status of a table from block seq on."""
        rows = self._rows(
            f"SELECT seq, name, status FROM table_version WHERE table_no = ? AND until_seq = {LIVE}", (number,)
        )
        if not rows:
            raise StorageError(f"There is no table {number} to change in {self.path}")
        since, old_name, old_status = rows[0]
        self._end_version("table_version", "table_no", number, since, seq)
        version = (number, seq, LIVE, old_name if name is None else name, old_status if status is None else status)
        self._run("INSERT INTO table_version VALUES (?, ?, ?, ?, ?)", version)

    def adopt_table_id(self, number: int, table_id: str) -> None:
        """Replace the id of a table from its beginning on: an imported journal has named its real id."""
        if self._run("UPDATE ledger_table SET table_id = ? WHERE number = ?", (table_id, number)).rowcount != 1:
            raise StorageError(f"There is no table {number} to change in {self.path}")

    def create_index(self, index_id: str, table_no: int, field_name: str, seq: int, status: str = "ONLINE") -> int:
        """Add an index; return its number.  Its entries are put separately."""
        number = self._run(
            "INSERT INTO ledger_index (index_id, table_no, field_name, seq) VALUES (?, ?, ?, ?)",
            (index_id, table_no, field_name, seq),
        ).lastrowid
        assert number is not None
        self._run("INSERT INTO index_version VALUES (?, ?, ?, ?)", (number, seq, LIVE, status))
        return number

    def drop_index(self, number: int, seq: int) -> None:
        """Remove an index from the catalogue from block seq on.

        Its entries stay for readers of earlier blocks until purge_dropped_indexes.
        """
        self._end_index_version(number, seq)

    def purge_dropped_indexes(self) -> None:
        """Delete the entries of all dropped indexes.  Requires that no reader of a block before the drop is left."""
        for (number,) in self._rows(DROPPED_INDEXES):
            self._run("DELETE FROM index_entry WHERE index_no = ?", (number,))

    def indexes_ever(self, table_no: int) -> list[tuple[int, str]]:
        """Return (number, field name) of every index that a table has or had."""
        return self._rows("SELECT number, field_name FROM ledger_index WHERE table_no = ?", (table_no,))

    def _end_index_version(self, number: int, seq: int) -> None:
        rows = self._rows(f"SELECT seq FROM index_version WHERE index_no = ? AND until_seq = {LIVE}", (number,))
        if not rows:
            raise StorageError(f"There is no index {number} to change in {self.path}")
        self._end_version("index_version", "index_no", number, rows[0][0], seq)

    def _end_version(self, table: str, key: str, number: int, since: int, seq: int) -> None:
        """End the live version of a table or index; a version that began in the same block is deleted."""
        if since == seq:
            self._run(f"DELETE FROM {table} WHERE {key} = ? AND until_seq = {LIVE}", (number,))
        else:
            self._run(f"UPDATE {table} SET until_seq = ? WHERE {key} = ? AND until_seq = {LIVE}", (seq, number))

    # --- documents ---------------------------------------------------------------------------------------------
    def insert_document(self, document_id: str, table_no: int, seq: int) -> int:
        """Add a document that lives from block seq on; return its doc_no.  Its first revision follows."""
        number = self._doc_no()
        self._run("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?)", (table_no, number, document_id, seq, LIVE, seq))
        self.next_doc_no = number + 1
        return number

    def insert_new_document(self, document_id: str, table_no: int, seq: int) -> int | None:
        """Do what insert_document does, but return None for an id that exists: one statement instead of two."""
        number = self._doc_no()
        row = (table_no, number, document_id, seq, LIVE, seq)
        if self._run(INSERT_NEW_DOCUMENT, row).rowcount != 1:
            return None
        self.next_doc_no = number + 1
        return number

    def _doc_no(self) -> int:
        if self.next_doc_no is None:
            (last,) = self._rows(f"SELECT coalesce(max(revision_no), 0) >> {SEQ_BITS} FROM revision")[0]
            self.next_doc_no = int(last) + 1
        return self.next_doc_no

    def insert_first_revisions(self, rows: Sequence[FirstRevision], entries: Sequence[tuple[int, bytes, int]]) -> bool:
        """Add documents with their first revisions and index entries.  If one of the ids exists, add nothing: False.

        entries: (index number, key, place of the revision among the rows).
        """
        first = self._doc_no()
        numbers = range(first, first + len(rows))
        ids, tables, seqs, times, hashes, data, metadata = zip(*rows, strict=True)
        before = self.connection().total_changes
        self._run_many(INSERT_NEW_DOCUMENT, zip(tables, numbers, ids, seqs, repeat(LIVE), seqs))
        if self.connection().total_changes - before != len(rows):
            added = zip(tables, numbers, strict=True)
            self._run_many("DELETE FROM document WHERE table_no = ? AND doc_no = ?", added)
            return False
        self.next_doc_no = numbers.stop
        crcs, data_crcs = crcs_of_first(numbers, ids, tables, seqs, times, hashes, data, metadata)
        none = repeat(None)
        self._run_many(
            INSERT_REVISION,
            zip(numbers, seqs, ids, tables, repeat(0), times, hashes, data, none, metadata, crcs, data_crcs),
        )
        self._run_many(INSERT_ENTRY, [(index, key, LIVE, numbers[place], seqs[place]) for index, key, place in entries])
        return True

    def insert_documents(self, document_ids: Sequence[str], table_no: int, seq: int) -> range:
        """Add documents; return their doc_nos, in order."""
        first = self._doc_no()
        numbers = range(first, first + len(document_ids))
        self._run_many(
            "INSERT INTO document VALUES (?, ?, ?, ?, ?, ?)",
            [(table_no, number, id_, seq, LIVE, seq) for number, id_ in zip(numbers, document_ids, strict=True)],
        )
        self.next_doc_no = numbers.stop
        return numbers

    def insert_revision(self, row: RevisionRow) -> None:
        """Add a revision; see insert_revisions."""
        self._put_revision(row)

    def _put_revision(self, row: RevisionRow) -> None:
        self._put(INSERT_REVISION, _insertion(row))
        if row.data is None and row.data_hash is None:
            self._put(END_DOCUMENT, (row.seq, row.seq, row.table_no, row.doc_no))
        elif row.version:
            self._put(ADVANCE_DOCUMENT, (row.seq, row.table_no, row.doc_no, row.seq))

    def insert_revisions(self, rows: Iterable[RevisionRow]) -> None:
        """Add revisions of existing documents, in the order of their blocks, one for each document and block.

        Each is the current revision of its document from its block on.  A revision with neither data nor data_hash is a
        deletion: from that block on, the document is found in its history only.
        """
        insertions, advances, ends = [], [], []
        for row in rows:
            insertions.append(_insertion(row))
            if row.data is None and row.data_hash is None:
                ends.append((row.seq, row.seq, row.table_no, row.doc_no))
            elif row.version:
                advances.append((row.seq, row.table_no, row.doc_no, row.seq))
        self._run_many(INSERT_REVISION, insertions)
        if advances:
            self._run_many(ADVANCE_DOCUMENT, advances)
        if ends:
            self._run_many(END_DOCUMENT, ends)

    def redact_revision(self, row: RevisionRow, data_hash: bytes) -> None:
        """Erase the data of a revision, but keep the hash of the data."""
        crc = revision_crc(row._replace(data=None, data_hash=data_hash))
        changed = self._run(
            "UPDATE revision SET data = NULL, data_crc = NULL, data_hash = ?, crc = ? WHERE revision_no = ?",
            (data_hash, crc, row.doc_no << SEQ_BITS | row.seq),
        )
        self.set_meta({ERASED: True})
        if changed.rowcount != 1:
            raise StorageError(f"Document {row.doc_no} has no revision in block {row.seq} in {self.path}")

    # --- indexes -----------------------------------------------------------------------------------------------
    def put_index_entries(self, entries: Iterable[IndexEntry], seq: int) -> None:
        """Let these documents be found under these keys from block seq on."""
        self._run_many(INSERT_ENTRY, [(index_no, key, LIVE, doc_no, seq) for index_no, key, doc_no in entries])

    def close_index_entries(self, entries: Iterable[IndexEntry], seq: int) -> None:
        """Let these documents no longer be found under these keys from block seq on."""
        self._run_many(CLOSE_ENTRY, [(seq, index_no, key, doc_no) for index_no, key, doc_no in entries])

    def erase_index_entries(self, entries: Iterable[IndexEntry], following: int) -> None:
        """Delete the entries of a revision completely: a redaction must remove the keys together with the data.

        following: the block of the document's next revision, at which the entries ended.  The entries of an index that
        was dropped earlier never ended: those that began before the next revision are deleted.
        """
        entries = list(entries)
        ended = "DELETE FROM index_entry WHERE index_no = ? AND key = ? AND until_seq = ? AND doc_no = ?"
        self._run_many(ended, [(index_no, key, following, doc_no) for index_no, key, doc_no in entries])
        never_ended = f"{ended} AND seq < ?"
        self._run_many(never_ended, [(index_no, key, LIVE, doc_no, following) for index_no, key, doc_no in entries])

    # --- the whole ---------------------------------------------------------------------------------------------
    def clear_derived(self) -> None:
        """Delete everything that follows from the blocks.  Blocks, Merkle nodes and facts stay."""
        for table in DERIVED:
            self._run(f"DELETE FROM {table}")
        self.next_doc_no = None


def block_row(seq: int, transaction_id: str, timestamp_ms: int, block_hash: bytes, ion: bytes) -> tuple[Any, ...]:
    """Return the parameters of INSERT_BLOCK."""
    if not 0 <= seq < LIVE:
        raise StorageError(f"The sequence number {seq} is outside 0..{LIVE - 1}")
    return (seq, transaction_id, timestamp_ms, block_hash, block_crc(seq, block_hash, ion), ion)


def _insertion(row: RevisionRow) -> tuple[Any, ...]:
    """Return the parameters of INSERT_REVISION."""
    doc_no, document_id, table_no, version, seq, tx_time_ms, hash_, data, data_hash, metadata = row
    crcs = revision_crc(row), data_crc(doc_no, data)
    return (doc_no, seq, document_id, table_no, version, tx_time_ms, hash_, data, data_hash, metadata, *crcs)
