"""What a statement sees: the snapshot at StartTransaction, with the transaction's own writes applied to it.

Every access records a mark in the transaction's read set when it is called.  So a cursor counts even if no row is
pulled from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ...errors import HISTORY_END_IN_FUTURE, HISTORY_RANGE
from ...ion.compare import index_key
from ...ion.values import IonValue, Timestamp, strip_annotations
from ...partiql.planning.catalogue import IndexInfo, TableInfo
from ...partiql.planning.data import Batches, CertainMatch, Prefilter, RawDocument, Row, TableSource
from ..ledger.conflicts import CATALOGUE, document_mark, key_mark, table_mark
from ..ledger.documents import StoredRevision
from ..ledger.keys import field_key
from .overlay import PendingDocument

if TYPE_CHECKING:
    from ...storage.rows import DocumentRow, RevisionRow
    from .transactions import Transaction

Stored = TypeVar("Stored", Row, "DocumentRow | Row")


class StatementReader:
    """The ``Data`` of one statement (see ``partiql.data``)."""

    __slots__ = ("_file", "_ledger", "_marks", "_overlay", "_transaction", "read_ios")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._ledger = transaction.ledger
        self._file = transaction.ledger.documents
        self._overlay = transaction.overlay
        self._marks = transaction.reads
        self.read_ios = 0

    @property
    def transaction_id(self) -> str:
        return self._transaction.id

    def utc_now(self) -> Timestamp:
        return self._transaction.utc_now()

    # --- user and committed views ------------------------------------------------------------------------

    def scan(self, source: TableSource, is_raw: bool = False) -> Iterator[Row]:
        table = source.table
        self._marks.add(table_mark(table.table_id))
        if source.view == "committed":
            return self._shown_committed(self._stored_scan(table), is_raw)
        stored = self._ledger.tables.scan(table.number, self._transaction.snapshot) if table.number else iter(())
        overlay = self._overlay.of_table(table.table_id)
        return with_pending_writes(overlay, stored) if overlay else stored

    def prefiltered_scan(self, source: TableSource, prefilter: Prefilter) -> Batches:
        table = source.table
        self._marks.add(table_mark(table.table_id))
        overlay = self._overlay.of_table(table.table_id)
        if not table.number:
            return prefilter.batches(with_pending_writes(overlay, iter(())))
        merge_writes = partial(with_pending_writes, overlay) if overlay else None
        return self._ledger.tables.prefiltered_scan(table.number, self._transaction.snapshot, prefilter, merge_writes)

    def _stored_scan(self, table: TableInfo) -> Iterator[RevisionRow]:
        if table.number:
            for batch in self._file.scan(table.number, self._transaction.snapshot):
                yield from batch

    def seek(
        self, source: TableSource, index: IndexInfo, values: Sequence[IonValue], certain: CertainMatch | None = None
    ) -> Iterator[Row]:
        table = source.table
        keys = {key for key in map(index_key, values) if key is not None}
        self._marks.update(key_mark(index.index_id, key) for key in keys)
        stored = self._stored_seek(index, sorted(keys))
        if certain is not None and source.view == "committed":
            return self._revisions_where_certain(stored, certain)
        overlay = self._overlay.of_table(table.table_id) if self._overlay.count else None
        if certain is not None and not overlay:
            return self._raw_where_certain(stored, certain)
        pending = [p for p in overlay.values() if pending_key(p, index.field_name) in keys] if overlay else []
        return self._shown(source, stored, pending)

    def _raw_where_certain(self, stored: Iterable[RevisionRow], certain: CertainMatch) -> Iterator[Row]:
        decode = self._ledger.cache.decode
        for row in stored:
            data = row.data
            if data is not None:
                yield Row(row.document_id, RawDocument(data) if certain(data) else decode(row.hash, data))

    def _revisions_where_certain(self, stored: Iterable[RevisionRow], certain: CertainMatch) -> Iterator[Row]:
        strand_id, cache = self._ledger.strand_id, self._ledger.cache
        for row in stored:
            revision = StoredRevision(strand_id, row, cache)
            is_certain = row.data is not None and certain(row.data)
            yield Row(row.document_id, RawDocument(revision.ion()) if is_certain else revision.value())

    def _stored_seek(self, index: IndexInfo, keys: list[bytes]) -> Iterator[RevisionRow]:
        if keys:
            for batch in self._file.seek_index(index.number, keys, self._transaction.snapshot):
                yield from batch

    def fetch(
        self,
        source: TableSource,
        document_ids: Sequence[IonValue],
        certain: CertainMatch | None = None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        wanted = id_texts(document_ids)
        self._marks.update(map(document_mark, wanted))
        table = source.table
        stored = self._stored_documents(table, wanted)
        if is_raw and source.view == "committed":
            return self._shown_committed(stored, is_raw)
        overlay = self._overlay.of_table(table.table_id)
        if certain is not None and not overlay:
            return self._raw_where_certain(stored, certain)
        return self._shown(source, stored, [overlay[i] for i in wanted if i in overlay])

    def _stored_documents(self, table: TableInfo, document_ids: list[str]) -> Iterator[RevisionRow]:
        if table.number and document_ids:
            for batch in self._file.seek_documents(table.number, document_ids, self._transaction.snapshot):
                yield from batch

    def _shown(
        self, source: TableSource, stored: Iterable[RevisionRow], pending: Iterable[PendingDocument]
    ) -> Iterator[Row]:
        if source.view == "committed":
            return self._shown_committed(stored)
        return self._shown_user(stored, pending, self._overlay.of_table(source.table.table_id))

    def _shown_user(
        self, stored: Iterable[RevisionRow], pending: Iterable[PendingDocument], overlay: dict[str, PendingDocument]
    ) -> Iterator[Row]:
        """Yield stored rows that the transaction has not touched, then what it wrote.

        A touched row keeps its place while its old revision is among the stored ones.  A row that only the new revision
        makes visible (an index key that changed) comes after them, and so do new documents.
        """
        decode = self._ledger.cache.decode
        if not overlay:
            for row in stored:
                if row.data is not None:
                    yield Row(row.document_id, decode(row.hash, row.data))
            return
        candidates = {document.document_id: document for document in pending}
        for row in stored:
            if row.document_id not in overlay:
                if row.data is not None:
                    yield Row(row.document_id, decode(row.hash, row.data))
                continue
            changed = candidates.pop(row.document_id, None)
            if changed is not None and changed.value is not None:
                yield Row(row.document_id, changed.value)
        for document in candidates.values():
            if document.value is not None:
                yield Row(document.document_id, document.value)

    def _shown_committed(self, stored: Iterable[RevisionRow], is_raw: bool = False) -> Iterator[Row]:
        strand_id, cache = self._ledger.strand_id, self._ledger.cache
        for row in stored:
            revision = StoredRevision(strand_id, row, cache)
            yield Row(row.document_id, revision if is_raw else revision.value())

    # --- history and catalogue ---------------------------------------------------------------------------

    def history(
        self,
        table: TableInfo,
        start: Timestamp | None,
        end: Timestamp | None,
        document_ids: Sequence[IonValue] | None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        wanted = None if document_ids is None else id_texts(document_ids)
        if wanted is None:
            self._marks.add(table_mark(table.table_id))
        else:
            self._marks.update(map(document_mark, wanted))
        start_ms, end_ms = self._history_range(start, end)
        return self._shown_committed(self._stored_history(table, wanted, start_ms, end_ms), is_raw)

    def _stored_history(
        self, table: TableInfo, document_ids: list[str] | None, start_ms: int | None, end_ms: int | None
    ) -> Iterator[RevisionRow]:
        if table.number:
            snapshot = self._transaction.snapshot
            for batch in self._file.history(table.number, snapshot, document_ids, start_ms, end_ms):
                yield from batch

    def _history_range(self, start: Timestamp | None, end: Timestamp | None) -> tuple[int | None, int | None]:
        """Return the range in milliseconds.  Raises BadRequest if the range is not valid (working.history)."""
        if start is None and end is None:
            return None, None
        now_ms = self._ledger.now_ms()
        start_ms = start.epoch_ms() if start is not None else None
        end_ms = end.epoch_ms() if end is not None else now_ms
        if end_ms > now_ms:
            raise HISTORY_END_IN_FUTURE(end=end, now=Timestamp.from_epoch_ms(now_ms))
        if start_ms is not None and start_ms > end_ms:
            raise HISTORY_RANGE(start=start, end=Timestamp.from_epoch_ms(end_ms) if end is None else end)
        return start_ms, end_ms

    def catalogue_rows(self) -> Iterator[IonValue]:
        self._marks.add(CATALOGUE)
        return iter([catalogue_row(table) for table in self._transaction.catalogue.tables])


def with_pending_writes(overlay: dict[str, PendingDocument], stored: Iterator[Stored]) -> Iterator[Stored]:
    """Yield a whole table with a transaction's writes: changed documents in their place, new ones at the end.

    stored: rows that begin with the document's id.
    """
    new = dict(overlay)
    for row in stored:
        changed = new.pop(row[0], None)
        if changed is None:
            yield row
        elif changed.value is not None:
            yield Row(row[0], changed.value)
    for document in new.values():
        if document.value is not None:
            yield Row(document.document_id, document.value)


def catalogue_row(table: TableInfo) -> dict[str, IonValue]:
    """Return a row of ``information_schema.user_tables`` (documented: working.catalog; field order too)."""
    return {
        "tableId": table.table_id,
        "name": table.name,
        "indexes": [{"indexId": index.index_id, "expr": index.expr, "status": index.status} for index in table.indexes],
        "status": table.status,
    }


def pending_key(document: PendingDocument, field_name: str) -> bytes | None:
    """Return the index key of a pending document."""
    return None if document.value is None else field_key(document.value, field_name)


def id_texts(values: Sequence[IonValue]) -> list[str]:
    """Return the texts among some values, each once, in order: only a text can be a document id."""
    texts = (strip_annotations(value) for value in values)
    return list(dict.fromkeys(str(text) for text in texts if isinstance(text, str)))
