"""Whole tables for scans, read from the file, or kept decoded in memory.

A scan with a prefilter (``partiql.execution.prefilter``) examines the binary of rows, and decodes only rows that pass.
That takes a tenth of the time of decoding all rows.  The third such scan decodes and keeps them all, and so does the
first scan that wants every row.  A table is kept when a scan has run to its end and the table fits the budget.

The next scan brings a kept table up to date, from the revisions of the blocks in between, so a commit pays nothing for
it.  A list of rows that was returned never changes, so it can be iterated while the table advances.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from ...partiql.planning.data import BATCH_ROWS, Batches, Prefilter, Row
from .documents import MEMORY_PER_BYTE, DocumentCache

if TYPE_CHECKING:
    from ...storage.ledger_file import LedgerFile
    from ...storage.rows import DocumentRow, RevisionRow

# After more changes than this, reading the table again takes about as long as applying them, and is simpler.
CHANGES_MAX = 2_000
# Complete scans with a prefilter before a table is decoded and kept.  That takes as long as some eight of them, and
# makes later scans several times faster.
PREFILTERED_SCANS_MAX = 2

MergeWrites = Callable[[Iterator[Any]], Iterator[Any]]
"""Merges a transaction's own writes (Row) into the rows of a table, which begin with the document's id."""


class _Table:
    """One table, unchanged between the blocks ``since`` and ``seq``."""

    __slots__ = ("_positions", "rows", "seq", "since", "size")

    def __init__(self, seq: int, rows: list[Row], size: int) -> None:
        self.since = seq
        self.seq = seq
        self.rows = rows
        self.size = size
        self._positions: dict[str, int] | None = None

    def advance(self, seq: int, changes: list[RevisionRow], cache: DocumentCache) -> None:
        """Bring the table up to block *seq*.  changes: the revisions since, oldest first."""
        if changes:
            self._apply(changes, cache)
            self.since = seq
        self.seq = seq

    def _apply(self, changes: list[RevisionRow], cache: DocumentCache) -> None:
        rows: list[Row | None] = list(self.rows)
        if self._positions is None:
            self._positions = {row.document_id: position for position, row in enumerate(self.rows)}
        positions = self._positions
        has_gaps = False
        for change in changes:
            position = positions.get(change.document_id)
            if change.data is None:
                if position is not None:
                    rows[position] = None
                    has_gaps = True
                continue
            row = Row(change.document_id, cache.decode(change.hash, change.data))
            self.size += len(change.data)
            if position is None:
                positions[change.document_id] = len(rows)
                rows.append(row)
            else:
                rows[position] = row
        self.rows = [row for row in rows if row is not None]
        if has_gaps:
            self._positions = None


class TableCache:
    """The decoded tables of one ledger.

    budget_bytes: memory for all of them, counted as their Ion binary size times MEMORY_PER_BYTE; 0 keeps none.
    """

    def __init__(self, file: LedgerFile, documents: DocumentCache, budget_bytes: int) -> None:
        self._file = file
        self._documents = documents
        self._budget = budget_bytes // MEMORY_PER_BYTE
        self._tables: dict[int, _Table] = {}
        # table -> (complete scans with a prefilter, bytes at the last)
        self._prefiltered_scans: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def scan(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Yield the live documents of a table at a block, in the order of their insertion."""
        kept = self._current(table_no, at_seq)
        return iter(kept) if kept is not None else self._read(table_no, at_seq)

    def prefiltered_scan(
        self, table_no: int, at_seq: int, prefilter: Prefilter, merge_writes: MergeWrites | None
    ) -> Batches:
        """Yield the same without the rows that the prefilter excludes, and with the transaction's writes, if any."""
        kept = self._current(table_no, at_seq)
        if kept is None and not self._is_worth_keeping(table_no):
            if merge_writes is None:
                return self._prefiltered(table_no, at_seq, prefilter)
            return self._prefiltered_with_writes(table_no, at_seq, prefilter, merge_writes)
        rows = iter(kept) if kept is not None else self._read(table_no, at_seq)
        return prefilter.batches(rows if merge_writes is None else merge_writes(rows))

    def kept(self) -> int:
        """Return how many tables are kept."""
        return len(self._tables)

    def clear(self) -> None:
        """Forget everything: the stored rows were rebuilt."""
        with self._lock:
            self._tables.clear()
            self._prefiltered_scans.clear()

    def _current(self, table_no: int, at_seq: int) -> list[Row] | None:
        table = self._tables.get(table_no)
        if table is None:
            return None
        with self._lock:
            if at_seq > table.seq:
                changes = self._file.revisions_between(table_no, table.seq, at_seq, CHANGES_MAX + 1)
                if len(changes) > CHANGES_MAX:
                    self._tables.pop(table_no, None)
                    return None
                table.advance(at_seq, changes, self._documents)
                if table.size > self._budget:
                    self._tables.pop(table_no, None)
            # A snapshot before the last change is read from the file: such snapshots are rare and short-lived.
            return table.rows if table.since <= at_seq else None

    def _room(self) -> int:
        """Return how many bytes more may be kept."""
        return self._budget - sum(table.size for table in list(self._tables.values()))

    def _is_worth_keeping(self, table_no: int) -> bool:
        count, size = self._prefiltered_scans.get(table_no, (0, 0))
        return count >= PREFILTERED_SCANS_MAX and size <= self._room()

    def _prefiltered(self, table_no: int, at_seq: int, prefilter: Prefilter) -> Batches:
        """Read from the file, and decode the rows that pass."""
        size = 0
        for numbers, documents in self._file.scan_data(table_no, at_seq):
            size += sum(map(len, documents))
            passing = [numbers[position] for position in prefilter.positions(documents)]
            found = self._file.numbered_documents(table_no, passing, at_seq) if passing else []
            yield len(numbers), list(map(self._decoded, found))
        self._note_scan(table_no, size)

    def _prefiltered_with_writes(
        self, table_no: int, at_seq: int, prefilter: Prefilter, merge_writes: MergeWrites
    ) -> Batches:
        """Do the same with a transaction's own writes among the rows."""
        stored_rows = chain.from_iterable(self._file.scan_documents(table_no, at_seq))
        rows: Iterator[DocumentRow | Row] = merge_writes(stored_rows)
        size = 0
        while batch := list(islice(rows, BATCH_ROWS)):
            stored = [row for row in batch if not isinstance(row, Row)]
            documents = [row[2] for row in stored]
            size += sum(map(len, documents))
            ids = {stored[position][0] for position in prefilter.positions(documents)}
            # The transaction's own writes are decoded already; the whole condition is applied to them.
            yield (
                len(batch),
                [
                    row if isinstance(row, Row) else self._decoded(row)
                    for row in batch
                    if isinstance(row, Row) or row[0] in ids
                ],
            )
        self._note_scan(table_no, size)

    def _note_scan(self, table_no: int, size: int) -> None:
        """Count a complete scan with a prefilter.  size: bytes of its documents."""
        with self._lock:
            if table_no not in self._tables:  # otherwise this snapshot is older than the kept table
                self._prefiltered_scans[table_no] = self._prefiltered_scans.get(table_no, (0, 0))[0] + 1, size

    def _decoded(self, row: DocumentRow) -> Row:
        document_id, revision_hash, data, *_ = row
        return Row(document_id, self._documents.decode_uncached(revision_hash, data))

    def _read(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Read from the file; keep the rows if the scan runs to its end and there is room."""
        budget = self._room()
        rows: list[Row] = []
        size = 0
        for batch in self._file.scan_documents(table_no, at_seq):
            found = list(map(self._decoded, batch))
            if size <= budget:
                size += sum([len(data) for _, _, data, *_ in batch])
                if size <= budget:
                    rows += found
                else:
                    rows = []
            yield from found
        if size <= budget:
            with self._lock:
                known = self._tables.get(table_no)
                if known is None or known.seq < at_seq:
                    self._tables[table_no] = _Table(at_seq, rows, size)
                    self._prefiltered_scans.pop(table_no, None)
