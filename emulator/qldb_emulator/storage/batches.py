"""A writer for many blocks: it collects rows, and writes them to SQLite table by table, many rows to a statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .rows import DocumentInfo, FirstRevision, RevisionRow
from .writer import (
    ADVANCE_DOCUMENT,
    CLOSE_ENTRY,
    END_DOCUMENT,
    INSERT_BLOCK,
    INSERT_ENTRY,
    INSERT_NODE,
    INSERT_REVISION,
    IndexEntry,
    Writer,
    block_row,
)

BATCH_BYTES = 64 * 1024  # of collected blocks; the documents collected beside them take at most as much again

# The order in which rows are written: an entry is closed before another with the same key is inserted.
_STATEMENTS = (
    INSERT_BLOCK,
    INSERT_NODE,
    INSERT_REVISION,
    ADVANCE_DOCUMENT,
    END_DOCUMENT,
    CLOSE_ENTRY,
    INSERT_ENTRY,
)


class BatchWriter(Writer):
    """A Writer that collects rows.  It answers questions as if it had written them at once, and leaves the same rows.

    Use it as ``with file.write() as writer, BatchWriter(writer) as batch:``.  It writes the collected rows when the
    inner block ends, before a question that they could affect, and when there are many.  After an exception it drops
    them, because the transaction is rolled back.  It raises the StorageError of a row that SQLite refuses when it
    writes the row, not when it is given the row.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.connection(), writer.path, writer.next_doc_no)
        writer.next_doc_no = None  # this one gives the numbers now
        self._writer = writer
        self._waiting: dict[str, list[Sequence[Any]]] = {statement: [] for statement in _STATEMENTS}
        self._bytes = 0
        self._document_ids: set[str] = set()  # of collected revisions
        self._doc_nos: set[int] = set()  # of collected revisions and index entries

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if problem is None:
                self.flush()
        finally:
            self.end()

    def flush(self) -> None:
        """Write the collected rows."""
        for statement, rows in self._waiting.items():
            if rows:
                super()._run_many(statement, rows)
                rows.clear()
        self._bytes = 0
        self._document_ids.clear()
        self._doc_nos.clear()

    # --- a method of Writer that is not overridden below writes the collected rows first ------------------------
    def _rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        self.flush()
        return super()._rows(sql, parameters)

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        self.flush()
        return super()._run(sql, parameters)

    def _run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        waiting = self._waiting.get(sql)
        if waiting is None:
            self.flush()
            super()._run_many(sql, rows)
        else:
            waiting.extend(rows)

    def _put(self, sql: str, row: Sequence[Any]) -> None:
        self._waiting[sql].append(row)

    # --- the journal -------------------------------------------------------------------------------------------
    def insert_block(self, seq: int, transaction_id: str, timestamp_ms: int, block_hash: bytes, ion: bytes) -> None:
        self._waiting[INSERT_BLOCK].append(block_row(seq, transaction_id, timestamp_ms, block_hash, ion))
        self._bytes += len(ion)
        if self._bytes >= BATCH_BYTES:
            self.flush()

    # --- documents: a question about one document concerns only its own rows -----------------------------------
    def insert_document(self, document_id: str, table_no: int, seq: int) -> int:
        return self._writer.insert_document(document_id, table_no, seq)

    def insert_new_document(self, document_id: str, table_no: int, seq: int) -> int | None:
        return self._writer.insert_new_document(document_id, table_no, seq)

    def insert_first_revisions(self, rows: Sequence[FirstRevision], entries: Sequence[tuple[int, bytes, int]]) -> bool:
        return self._writer.insert_first_revisions(rows, entries)  # of new documents, so no collected row concerns them

    def insert_documents(self, document_ids: Sequence[str], table_no: int, seq: int) -> range:
        return self._writer.insert_documents(document_ids, table_no, seq)

    def document_info(self, document_id: str) -> DocumentInfo | None:
        if document_id in self._document_ids:
            self.flush()
        return self._writer.document_info(document_id)

    def revision_at(self, doc_no: int, at_seq: int) -> RevisionRow | None:
        if doc_no in self._doc_nos:
            self.flush()
        return self._writer.revision_at(doc_no, at_seq)

    def insert_revision(self, row: RevisionRow) -> None:
        if row.doc_no in self._doc_nos:
            self.flush()  # a document's rows must change in the order of its revisions
        self._document_ids.add(row.document_id)
        self._doc_nos.add(row.doc_no)
        self._put_revision(row)

    def insert_revisions(self, rows: Iterable[RevisionRow]) -> None:
        for row in rows:
            self.insert_revision(row)

    def put_index_entries(self, entries: Iterable[IndexEntry], seq: int) -> None:
        entries = list(entries)
        self._doc_nos.update(doc_no for _, _, doc_no in entries)
        super().put_index_entries(entries, seq)

    def close_index_entries(self, entries: Iterable[IndexEntry], seq: int) -> None:
        entries = list(entries)
        if not self._doc_nos.isdisjoint([doc_no for _, _, doc_no in entries]):
            self.flush()  # the entry to be closed may be among the collected ones
        super().close_index_entries(entries, seq)

    def clear_derived(self) -> None:
        self.flush()
        self._writer.clear_derived()
