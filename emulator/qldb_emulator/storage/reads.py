"""Everything that can be read from a ledger file.

Every answer about tables and documents is as of a block: ``at_seq``.  Commits never change an answer, even while an
iterator is being read.  An iterator holds nothing open between two batches: each batch is one statement that starts
after the last row of the previous batch.  (Redaction must be the exception: erased data is never returned again, as of
any block.)
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

from .checksums import DAMAGES, are_whole, block_crc, data_crc, revision_crc
from .errors import StorageError
from .rows import Batches, Counts, DocumentInfo, DocumentRow, IndexRow, NodeId, RevisionRow, TableRow, Tip
from .schema import DERIVED, LIVE, SEQ_BITS

BATCH_ROWS = 256  # with documents of 128 KiB, the largest allowed, 32 MiB
_FIRST_BATCH = 32  # a page that needs a few rows does not fetch a full batch
_BLOCK_BATCH = 32
_MANY_ROWS = 8  # from here on checking them column by column takes less time than row by row

# tuple.__new__ takes a third of the time of RevisionRow._make, which checks the length again
_new_row = partial(tuple.__new__, RevisionRow)


def _columns(doc_no: str = f"r.revision_no >> {SEQ_BITS}", crc: str = "r.crc") -> str:
    """Return SQL for the columns of a RevisionRow and its two checksums.

    doc_no: the document's number, as the row says it that led to the revision; the key of the revision begins with it.
    """
    return (
        f"{doc_no}, r.document_id, r.table_no, r.version, r.revision_no & {LIVE}, r.tx_time_ms,"
        f" r.hash, r.data, r.data_hash, r.metadata, {crc}, r.data_crc"
    )


_COLUMNS = _columns()
# No checksum, and so a damaged row, when the revision is of another document than the row that led to it says.
_COLUMNS_OF_DOCUMENT = _columns("d.doc_no", "CASE WHEN r.document_id = d.document_id THEN r.crc END")


def _revision_at(doc_no: str, at_seq: str) -> str:
    """Return SQL for the key of a document's revision at a block: one descent, backwards from (doc_no, at_seq)."""
    return (
        f"(SELECT revision_no FROM revision WHERE revision_no"
        f" BETWEEN {doc_no} << {SEQ_BITS} AND {doc_no} << {SEQ_BITS} | {at_seq} ORDER BY revision_no DESC LIMIT 1)"
    )


_LIVE_DOCUMENTS = "d.table_no = :table_no AND d.doc_no > :after AND d.until_seq > :at_seq AND d.seq <= :at_seq"

# LEFT JOIN: a document or entry whose revision is missing gives NULLs, which _checked detects.
SQL_SCAN = f"""
    SELECT {_COLUMNS_OF_DOCUMENT} FROM document d LEFT JOIN revision r ON r.revision_no =
        CASE WHEN d.last_seq <= :at_seq THEN d.doc_no << {SEQ_BITS} | d.last_seq
             ELSE {_revision_at("d.doc_no", ":at_seq")} END
    WHERE {_LIVE_DOCUMENTS} ORDER BY d.doc_no LIMIT :size"""

SQL_SCAN_DOCUMENTS = f"""
    SELECT d.document_id, r.hash, r.data, d.doc_no, CASE WHEN r.document_id = d.document_id THEN r.data_crc END
    FROM document d LEFT JOIN revision r ON r.revision_no =
        CASE WHEN d.last_seq <= :at_seq THEN d.doc_no << {SEQ_BITS} | d.last_seq
             ELSE {_revision_at("d.doc_no", ":at_seq")} END
    WHERE {_LIVE_DOCUMENTS} AND (r.data IS NOT NULL OR r.hash IS NULL OR r.data_crc IS NOT NULL)
    ORDER BY d.doc_no LIMIT :size"""

# The same without ids and hashes, which take a quarter of the time: for a scan that needs them for few rows.
SQL_SCAN_DATA = f"""
    SELECT r.data, d.doc_no, r.data_crc FROM document d LEFT JOIN revision r ON r.revision_no =
        CASE WHEN d.last_seq <= :at_seq THEN d.doc_no << {SEQ_BITS} | d.last_seq
             ELSE {_revision_at("d.doc_no", ":at_seq")} END
    WHERE {_LIVE_DOCUMENTS} AND (r.data IS NOT NULL OR r.hash IS NULL OR r.data_crc IS NOT NULL)
    ORDER BY d.doc_no LIMIT :size"""

SQL_NUMBERED_DOCUMENTS = f"""
    SELECT d.document_id, r.hash, r.data, d.doc_no, CASE WHEN r.document_id = d.document_id THEN r.data_crc END
    FROM document d LEFT JOIN revision r ON r.revision_no = {_revision_at("d.doc_no", "?")}
    WHERE d.table_no = ? AND d.until_seq > ? AND d.seq <= ?
        AND (r.data IS NOT NULL OR r.hash IS NULL OR r.data_crc IS NOT NULL)
        AND d.doc_no IN (?) ORDER BY d.doc_no"""

SQL_SEEK_INDEX = f"""
    SELECT {_columns("e.doc_no")} FROM index_entry e
    LEFT JOIN revision r ON r.revision_no = {_revision_at("e.doc_no", "?")}
    WHERE e.index_no = ? AND e.key = ? AND e.until_seq > ? AND e.seq <= ? LIMIT ?"""

SQL_SEEK_INDEX_DOCUMENTS = """
    SELECT doc_no FROM index_entry WHERE index_no = ? AND key = ? AND until_seq > ? AND seq <= ?"""

SQL_SEEK_DOCUMENT = f"""
    SELECT {_COLUMNS_OF_DOCUMENT} FROM document d
    LEFT JOIN revision r ON r.revision_no = {_revision_at("d.doc_no", "?")}
    WHERE d.document_id = ? AND d.table_no = ? AND d.until_seq > ? AND d.seq <= ?"""

SQL_REVISION_AT = f"""
    SELECT {_COLUMNS} FROM revision r WHERE r.revision_no BETWEEN ? AND ? ORDER BY r.revision_no DESC LIMIT 1"""

_ACTIVE_IN_RANGE = f"""
    (:end_ms IS NULL OR r.tx_time_ms <= :end_ms)
    AND (:start_ms IS NULL OR coalesce(
        (SELECT n.tx_time_ms FROM revision n WHERE n.revision_no > r.revision_no
         AND n.revision_no <= r.revision_no >> {SEQ_BITS} << {SEQ_BITS} | :at_seq ORDER BY n.revision_no LIMIT 1),
        :start_ms) >= :start_ms)"""

SQL_HISTORY = f"""
    SELECT {_COLUMNS} FROM document d CROSS JOIN revision r
        ON r.revision_no BETWEEN max(d.doc_no << {SEQ_BITS}, :after + 1) AND d.doc_no << {SEQ_BITS} | :at_seq
    WHERE d.table_no = :table_no AND d.doc_no >= :after >> {SEQ_BITS} AND {_ACTIVE_IN_RANGE}
    ORDER BY d.doc_no, r.revision_no LIMIT :size"""

SQL_DOCUMENT_HISTORY = f"""
    SELECT {_COLUMNS} FROM revision r
    WHERE r.revision_no > :after AND r.revision_no <= :last AND {_ACTIVE_IN_RANGE}
    ORDER BY r.revision_no LIMIT :size"""

SQL_BLOCK_ROWS = """
    SELECT b.seq, b.block_hash, coalesce((SELECT p.block_hash FROM block p WHERE p.seq = b.seq - 1), x''),
        b.transaction_id, b.timestamp_ms, b.ion, b.crc
    FROM block b WHERE b.seq >= ? ORDER BY b.seq LIMIT ?"""

SQL_LEAF = "SELECT ?, seq, block_hash FROM block WHERE seq = ?"
SQL_NODE = "SELECT level, idx, hash FROM merkle_node WHERE level = ? AND idx = ?"

SQL_BLOCK_REVISIONS = f"""
    SELECT {_COLUMNS} FROM revision r WHERE r.seq = ? ORDER BY r.revision_no"""

SQL_REVISIONS_OF_BLOCKS = f"""
    SELECT {_COLUMNS} FROM revision r WHERE r.seq > ? AND r.seq <= ? ORDER BY r.seq, r.revision_no"""

SQL_REVISIONS_BETWEEN = f"""
    SELECT {_COLUMNS} FROM revision r WHERE r.seq > ? AND r.seq <= ? AND r.table_no = ?
    ORDER BY r.seq, r.revision_no LIMIT ?"""

SQL_DOCUMENT_INFO = f"""
    SELECT d.doc_no, d.document_id, d.table_no, d.seq, d.until_seq, d.last_seq, r.version FROM document d
    LEFT JOIN revision r ON r.revision_no = d.doc_no << {SEQ_BITS} | d.last_seq WHERE d.document_id = ?"""

SQL_TABLES = """
    SELECT t.number, t.table_id, v.name, v.status, t.seq FROM ledger_table t JOIN table_version v
    ON v.table_no = t.number WHERE v.until_seq > :at_seq AND v.seq <= :at_seq ORDER BY t.number"""

SQL_INDEXES = """
    SELECT i.number, i.index_id, i.table_no, i.field_name, v.status, i.seq FROM ledger_index i JOIN index_version v
    ON v.index_no = i.number WHERE v.until_seq > :at_seq AND v.seq <= :at_seq ORDER BY i.number"""

DROPPED_INDEXES = f"""
    SELECT number FROM ledger_index EXCEPT SELECT index_no FROM index_version WHERE until_seq = {LIVE}"""


class Reads(ABC):
    """The read operations, for a reader's connection (LedgerFile) and for the writing one (Writer)."""

    path: Path

    @abstractmethod
    def _rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return all rows of one statement.  Raises StorageError."""

    def _few(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """Do the same for a statement that finds a few rows by their keys."""
        return self._rows(sql, parameters)

    def _scanned(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Do the same for a batch after the first of what is read through, and no page of it twice."""
        return self._rows(sql, parameters)

    # --- facts -------------------------------------------------------------------------------------------------
    def meta(self, key: str, default: Any = None) -> Any:
        """Return a control-plane fact, or the default."""
        rows = self._rows("SELECT key, value FROM meta WHERE key = ?", (key,))
        return self._facts(rows)[key] if rows else default

    def all_meta(self) -> dict[str, Any]:
        """Return all control-plane facts."""
        return self._facts(self._rows("SELECT key, value FROM meta ORDER BY key"))

    def _facts(self, rows: list[Any]) -> dict[str, Any]:
        try:
            return {key: json.loads(value) for key, value in rows}
        except (TypeError, ValueError) as problem:
            raise self._damaged(f"a fact of the table meta is not JSON ({problem})") from problem

    # --- the journal -------------------------------------------------------------------------------------------
    def tip(self) -> Tip | None:
        """Return the newest block; None before the first."""
        rows = self._rows("SELECT seq, block_hash, timestamp_ms FROM block ORDER BY seq DESC LIMIT 1")
        return Tip._make(rows[0]) if rows else None

    def block_bytes(self, seq: int) -> bytes | None:
        """Return the Ion bytes of a block; None if there is no such block."""
        rows = self._few("SELECT seq, block_hash, crc, ion FROM block WHERE seq = ?", (seq,))
        return self._checked_blocks(rows)[0][1] if rows else None

    def _checked_blocks(self, rows: list[Any]) -> list[tuple[int, bytes]]:
        for seq, block_hash, crc, ion in rows:
            try:
                is_whole = block_crc(seq, block_hash, ion) == crc
            except DAMAGES:
                is_whole = False
            if not is_whole:
                raise self._damaged(f"block {seq} does not match its checksum")
        return [(row[0], row[3]) for row in rows]

    def blocks(self, first: int = 0, last: int | None = None, batch: int = _BLOCK_BATCH) -> Iterator[tuple[int, bytes]]:
        """Yield (sequence number, Ion bytes) of the blocks first..last, both included; last None: to the tip."""
        stop = LIVE if last is None else last
        read = self._rows
        while first <= stop:
            sql = "SELECT seq, block_hash, crc, ion FROM block WHERE seq BETWEEN ? AND ? LIMIT ?"
            rows = read(sql, (first, stop, batch))
            read = self._scanned
            yield from self._checked_blocks(rows)
            if len(rows) < batch:
                return
            first = rows[-1][0] + 1

    def block_hash(self, seq: int) -> bytes | None:
        """Return the hash of a block; None if there is no such block."""
        rows = self._few("SELECT block_hash FROM block WHERE seq = ?", (seq,))
        return rows[0][0] if rows else None

    def block_rows(self, first: int, at_most: int) -> list[tuple[int, bytes, bytes, str, int, bytes]]:
        """Return (seq, hash, previous hash or b"", transaction id, timestamp_ms, Ion bytes) of blocks, in order."""
        rows = self._rows(SQL_BLOCK_ROWS, (first, at_most))
        self._checked_blocks([(row[0], row[1], row[6], row[5]) for row in rows])
        return [row[:6] for row in rows]

    def has_transaction(self, transaction_id: str, after_seq: int) -> bool:
        """Whether a block after after_seq belongs to this transaction.  Reads every block after it."""
        sql = "SELECT 1 FROM block WHERE seq > ? AND transaction_id = ? LIMIT 1"
        return bool(self._rows(sql, (after_seq, transaction_id)))

    def block_seqs_between(self, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """Return the first and last block with start_ms <= timestamp < end_ms; None if there are no such blocks."""
        last = self.last_block_before(end_ms)
        if last is None:
            return None
        before = self.last_block_before(start_ms)
        ((first,),) = self._rows("SELECT min(seq) FROM block WHERE seq > ?", (-1 if before is None else before,))
        return None if first is None or first > last else (first, last)

    def last_block_before(self, timestamp_ms: int) -> int | None:
        """Return the newest block with a timestamp below the given one; None if there is no such block.

        Times never decrease along a journal, so this is a binary search: one row for each doubling of the journal.
        """
        tip = self.tip()
        found, low, high = None, 0, -1 if tip is None else tip.sequence_no
        while low <= high:
            middle = (low + high) // 2
            # The middle block, or the next one that exists: an imported journal may lack blocks.
            rows = self._rows("SELECT seq, timestamp_ms FROM block WHERE seq BETWEEN ? AND ? LIMIT 1", (middle, high))
            if rows and rows[0][1] < timestamp_ms:
                found = rows[0][0]
                low = found + 1
            else:
                high = middle - 1
        return found

    def merkle_nodes(self, ids: Iterable[NodeId]) -> dict[NodeId, bytes]:
        """Return the stored hashes of these nodes; nodes that are not stored are absent.

        It is one statement, because a proof needs a node of every level and more.
        """
        wanted = tuple(ids)
        if not wanted:
            return {}
        sql = " UNION ALL ".join([SQL_NODE if level else SQL_LEAF for level, _ in wanted])
        rows = self._few(sql, tuple(chain.from_iterable(wanted)))
        return {(level, index): node_hash for level, index, node_hash in rows}

    def tree_nodes(self, ids: Iterable[NodeId]) -> dict[NodeId, bytes]:
        """Return the hashes of nodes that a complete tree has.  Raises StorageError if one is not stored."""
        wanted = tuple(ids)
        found = self.merkle_nodes(wanted)
        for node in wanted:
            if node not in found:
                raise self._damaged(f"the Merkle node at level {node[0]}, index {node[1]} is missing")
        return found

    def block_revisions(self, seq: int) -> list[RevisionRow]:
        """Return the revisions of a block that have a document id, in the order of the documents."""
        return self._checked(self._rows(SQL_BLOCK_REVISIONS, (seq,)))

    def revisions_of_blocks(self, after_seq: int, to_seq: int) -> list[RevisionRow]:
        """Return the revisions with a document id in the blocks after after_seq up to to_seq, oldest block first."""
        return self._checked(self._rows(SQL_REVISIONS_OF_BLOCKS, (after_seq, to_seq)))

    def revisions_between(self, table_no: int, after_seq: int, to_seq: int, at_most: int) -> list[RevisionRow]:
        """Return the revisions of a table in the blocks after after_seq up to to_seq, oldest block first."""
        return self._checked(self._rows(SQL_REVISIONS_BETWEEN, (after_seq, to_seq, table_no, at_most)))

    # --- the catalogue -----------------------------------------------------------------------------------------
    def catalogue_rows(self, at_seq: int) -> list[TableRow]:
        """Return the tables in the order of their creation, each with its indexes; dropped tables included."""
        indexes: dict[int, list[IndexRow]] = {}
        for row in self._rows(SQL_INDEXES, {"at_seq": at_seq}):
            index = IndexRow._make(row)
            indexes.setdefault(index.table_no, []).append(index)
        tables = self._rows(SQL_TABLES, {"at_seq": at_seq})
        return [TableRow._make((*row, tuple(indexes.get(row[0], ())))) for row in tables]

    def has_entries_of_dropped_indexes(self) -> bool:
        """Whether Writer.purge_dropped_indexes would delete anything."""
        sql = f"SELECT EXISTS (SELECT 1 FROM ({DROPPED_INDEXES}) CROSS JOIN index_entry e ON e.index_no = number)"
        return bool(self._rows(sql)[0][0])

    # --- documents ---------------------------------------------------------------------------------------------
    def scan(self, table_no: int, at_seq: int, batch: int = BATCH_ROWS, after: int = 0) -> Batches:
        """Yield the revisions that are current at a block, in the order in which the documents were inserted.

        after: yield only documents with a greater ``doc_no``.
        """
        parameters = {"table_no": table_no, "at_seq": at_seq, "after": after}
        for rows in self._pages(SQL_SCAN, parameters, batch):
            yield self._checked(rows)

    def scan_documents(self, table_no: int, at_seq: int, batch: int = BATCH_ROWS) -> Iterator[list[DocumentRow]]:
        """Like scan, but only DocumentRows, without redacted documents.  Takes two thirds of the time."""
        parameters = {"table_no": table_no, "at_seq": at_seq, "after": 0}
        for rows in self._pages(SQL_SCAN_DOCUMENTS, parameters, batch, key=lambda row: row[3]):
            # One loop in C for a batch; docs/design/010-what-verify-compares.md says how long it takes.
            _, _, documents, numbers, crcs = zip(*rows, strict=True)
            try:
                is_whole = crcs == tuple(map(crc32, documents, numbers))
            except DAMAGES:
                is_whole = False
            if not is_whole:
                raise self._damage_of_document(rows)
            yield rows

    def scan_data(self, table_no: int, at_seq: int) -> Iterator[tuple[Sequence[int], Sequence[bytes]]]:
        """Yield (``doc_no`` of each, its document) of what scan_documents yields, BATCH_ROWS at a time.

        Takes four fifths of the time.
        """
        parameters = {"table_no": table_no, "at_seq": at_seq, "after": 0}
        for rows in self._pages(SQL_SCAN_DATA, parameters, BATCH_ROWS, key=lambda row: row[1], first=BATCH_ROWS):
            documents, numbers, crcs = zip(*rows, strict=True)
            try:
                is_whole = crcs == tuple(map(crc32, documents, numbers))
            except DAMAGES:
                is_whole = False
            if not is_whole:
                raise self._damage_of_document([(f"number {row[1]}", None, *row) for row in rows])
            yield numbers, documents

    def numbered_documents(self, table_no: int, numbers: Sequence[int], at_seq: int) -> list[DocumentRow]:
        """Return the rows of these documents, given by ``doc_no`` in order, as scan_documents yields them.

        A document that is redacted by now is left out.
        """
        # Statements of few lengths, so that SQLite prepares each once; a number that is given again counts once.
        wanted = [*numbers, *[numbers[-1]] * (_next_power_of_two(len(numbers)) - len(numbers))]
        sql = SQL_NUMBERED_DOCUMENTS.replace("(?)", f"({','.join('?' * len(wanted))})")
        rows = self._rows(sql, (at_seq, table_no, at_seq, at_seq, *wanted))
        if not all(map(_is_whole_document, rows)):
            raise self._damage_of_document(rows)
        return rows

    def seek_index(self, index_no: int, keys: Iterable[bytes], at_seq: int, batch: int = BATCH_ROWS) -> Batches:
        """Yield the revisions current at a block that have one of these keys: key by key, within a key by document.

        Entries that ended by that block cost nothing.
        """
        for key in dict.fromkeys(keys):
            rows = self._few(SQL_SEEK_INDEX, (at_seq, index_no, key, at_seq, at_seq, batch + 1))
            if len(rows) <= batch:
                if rows:
                    checked = self._checked(rows)
                    if len(checked) > 1:
                        checked.sort()
                    yield checked
            else:
                yield from self._seek_many(index_no, key, at_seq, batch)

    def _seek_many(self, index_no: int, key: bytes, at_seq: int, batch: int) -> Batches:
        # Entries move when they end, so read all documents of a key in one statement, then page through them by number.
        numbers = [number for (number,) in self._rows(SQL_SEEK_INDEX_DOCUMENTS, (index_no, key, at_seq, at_seq))]
        numbers.sort()
        for start in range(0, len(numbers), batch):
            yield [row for number in numbers[start : start + batch] if (row := self.revision_at(number, at_seq))]

    def seek_documents(
        self, table_no: int, document_ids: Iterable[str], at_seq: int, batch: int = BATCH_ROWS
    ) -> Batches:
        """Yield the revisions of these documents that are current at a block, in the order of the ids.

        An id that is unknown, of another table, or not alive at that block is ignored; an id given twice counts once.
        """
        found: list[RevisionRow] = []
        for document_id in dict.fromkeys(document_ids):
            found += self._checked(self._few(SQL_SEEK_DOCUMENT, (at_seq, document_id, table_no, at_seq, at_seq)))
            if len(found) >= batch:
                yield found
                found = []
        if found:
            yield found

    def revision_at(self, doc_no: int, at_seq: int) -> RevisionRow | None:
        """Return a document's last revision up to a block, even a deletion; None if it did not exist yet."""
        rows = self._few(SQL_REVISION_AT, (doc_no << SEQ_BITS, doc_no << SEQ_BITS | at_seq if at_seq >= 0 else -1))
        return self._checked(rows)[0] if rows else None

    def next_revision_seq(self, doc_no: int, seq: int) -> int | None:
        """Return the block of the revision after the one in block seq; None if that is the document's last."""
        bounds = (doc_no << SEQ_BITS | seq, (doc_no + 1) << SEQ_BITS)
        rows = self._rows(
            "SELECT revision_no FROM revision WHERE revision_no > ? AND revision_no < ? ORDER BY revision_no LIMIT 1",
            bounds,
        )
        return rows[0][0] - (doc_no << SEQ_BITS) if rows else None

    def document_info(self, document_id: str) -> DocumentInfo | None:
        """Return what is known now of a document, alive or deleted."""
        rows = self._few(SQL_DOCUMENT_INFO, (document_id,))
        if not rows:
            return None
        if rows[0][6] is None:
            raise self._damaged(f"the last revision of document {document_id} is missing")
        return DocumentInfo._make(rows[0])

    def history(
        self,
        table_no: int,
        at_seq: int,
        document_ids: Iterable[str] | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        batch: int = BATCH_ROWS,
    ) -> Batches:
        """Yield all revisions up to a block, deletions included, by document (in the order of insertion) and version.

        document_ids: only revisions of these; ids that are unknown or of another table are ignored.
        start_ms, end_ms: only revisions that were active in that time, both ends included: with txTime <= end_ms,
        and without a successor or with the successor's txTime >= start_ms.
        """
        where: dict[str, Any] = {"table_no": table_no, "at_seq": at_seq, "start_ms": start_ms, "end_ms": end_ms}
        if at_seq < 0:
            return
        if document_ids is None:
            for rows in self._pages(SQL_HISTORY, {**where, "after": 0}, batch, key=_revision_no):
                yield self._checked(rows)
            return
        infos = [info for document_id in set(document_ids) if (info := self.document_info(document_id))]
        for info in sorted(infos):
            if info.table_no != table_no:
                continue
            first = info.doc_no << SEQ_BITS
            bounds = {**where, "after": first - 1, "last": first | at_seq}
            for rows in self._pages(SQL_DOCUMENT_HISTORY, bounds, batch, key=_revision_no):
                yield self._checked(rows)

    def _checked(self, rows: list[Any]) -> list[RevisionRow]:
        """Check rows of _columns against their checksums.  Raises StorageError for a damaged or missing revision."""
        if len(rows) >= _MANY_ROWS and are_whole(rows):
            return [_new_row(row[:10]) for row in rows]
        checked = []
        for row in rows:
            columns = row[:10]
            try:
                is_whole = revision_crc(columns) == row[10] and data_crc(row[0], row[7]) == row[11]
            except DAMAGES:
                is_whole = False
            if not is_whole:
                raise self._damage_of_revision(row)
            checked.append(_new_row(columns))
        return checked

    def _damage_of_revision(self, row: Any) -> StorageError:
        if row[4] is None:
            return self._damaged(f"a revision of document number {row[0]} is missing")
        return self._damaged(f"the revision of document {row[1]!r} in block {row[4]} does not match its checksum")

    def _damage_of_document(self, rows: list[Any]) -> StorageError:
        """Return what is wrong with the first damaged one of these rows; one of them is."""
        row = next(row for row in rows if not _is_whole_document(row))
        return self._damaged(f"the document {row[0]!r} is missing or does not match its checksum")

    def _damaged(self, what: str) -> StorageError:
        return StorageError(f"The ledger file {self.path} is damaged: {what}. Run qldb-emulator verify")

    def _pages(
        self,
        sql: str,
        parameters: dict[str, Any],
        batch: int,
        key: Any = lambda row: row[0],
        first: int = _FIRST_BATCH,
    ) -> Iterator[list[Any]]:
        """Yield the rows of a statement with :after and :size in batches; key computes :after from the last row.

        first: rows of the first batch, if there may be as many in any.
        """
        parameters["size"] = min(first, batch)
        read = self._rows
        while True:
            rows = read(sql, parameters)
            read = self._scanned
            if rows:
                parameters["after"] = key(rows[-1])
                yield rows
            if len(rows) < parameters["size"]:
                return
            parameters["size"] = min(4 * parameters["size"], batch)

    # --- the whole ---------------------------------------------------------------------------------------------
    def counts(self) -> Counts:
        """Return how many rows of each kind there are now.  Reads a whole index for each: too slow for requests."""
        numbers = (
            "SELECT count(*) FROM block",
            "SELECT count(*) FROM ledger_table",
            "SELECT count(*) FROM ledger_index",
            "SELECT count(*) FROM document",
            f"SELECT count(*) FROM document WHERE until_seq = {LIVE}",
            "SELECT count(*) FROM revision",
            "SELECT count(*) FROM index_entry",
        )
        return Counts._make(self._rows(sql)[0][0] for sql in numbers)

    def dump_derived(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield (table name, row) of everything that follows from the blocks, in an order that follows from them, too.

        Entries of dropped indexes are left out: readers do not notice when those are purged.
        """
        for table, order in DERIVED.items():
            where = ""
            if table == "index_entry":
                where = f"WHERE index_no IN (SELECT index_no FROM index_version WHERE until_seq = {LIVE})"
            for row in self._rows(f"SELECT * FROM {table} {where} ORDER BY {order}"):
                yield table, row


def _is_whole_document(row: Any) -> bool:
    """Whether a DocumentRow matches its checksum."""
    try:
        return bool(crc32(row[2], row[3]) == row[4])
    except DAMAGES:
        return False


def _next_power_of_two(number: int) -> int:
    """Return the least power of two that is not below a number from 1 on."""
    return 1 << (number - 1).bit_length()


def _revision_no(row: Any) -> int:
    number: int = row[0] << SEQ_BITS | row[4]
    return number
