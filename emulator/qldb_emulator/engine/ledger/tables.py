"""Whole tables for scans: from the file, or decoded from memory.

A scan that can leave rows out by a prefilter (``partiql.execution.prefilter``) looks at their binary and decodes what
passes: that costs a tenth of decoding them all.  The third time it does decode them all, to keep them, as does a scan
that wants every row the first time.  A table is kept when a scan has run to its end and it fits the budget.

It is brought up to date at the next scan, from the revisions of the blocks in between, so a commit pays nothing for it.
A list of rows that was handed out is never changed, so it can be iterated while the table advances.
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

# More changes than this since the last scan: reading the table anew costs about as much, and is simpler.
CHANGES_MAX = 2_000
# Complete scans by a prefilter before a table is decoded and kept: that costs as much as some eight of them, and
# makes those that follow several times cheaper.
SIFTS_MAX = 2

LayOver = Callable[[Iterator[Any]], Iterator[Any]]
"""Lays a transaction's own writes (Row) over the rows of a table, which begin with the document's id."""


class _Table:
    """One table as of the blocks ``since`` to ``seq``, between which none changed it."""

    __slots__ = ("_positions", "rows", "seq", "since", "size")

    def __init__(self, seq: int, rows: list[Row], size: int) -> None:
        self.since = seq
        self.seq = seq
        self.rows = rows
        self.size = size
        self._positions: dict[str, int] | None = None

    def advance(self, seq: int, changes: list[RevisionRow], cache: DocumentCache) -> None:
        """Bring the table to block *seq*.  changes: the revisions since, oldest first."""
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
    """The tables of one ledger that are kept decoded.

    budget_bytes: memory for all of them, counted as their Ion binary size times MEMORY_PER_BYTE; 0 keeps none.
    """

    def __init__(self, file: LedgerFile, documents: DocumentCache, budget_bytes: int) -> None:
        self._file = file
        self._documents = documents
        self._budget = budget_bytes // MEMORY_PER_BYTE
        self._tables: dict[int, _Table] = {}
        self._prefiltered_scans: dict[
            int, tuple[int, int]
        ] = {}  # table -> (complete scans by a prefilter, bytes at the last)
        self._lock = threading.Lock()

    def scan(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """The live documents of a table at a block, in the order of their insertion."""
        kept = self._current(table_no, at_seq)
        return iter(kept) if kept is not None else self._read(table_no, at_seq)

    def prefiltered_scan(self, table_no: int, at_seq: int, prefilter: Prefilter, lay_over: LayOver | None) -> Batches:
        """The same without the rows that a prefilter leaves out, and with a transaction's writes if it has any."""
        kept = self._current(table_no, at_seq)
        if kept is None and not self._is_worth_keeping(table_no):
            return self._prefiltered(table_no, at_seq, prefilter, lay_over)
        rows = iter(kept) if kept is not None else self._read(table_no, at_seq)
        return prefilter.batches(rows if lay_over is None else lay_over(rows))

    def kept(self) -> int:
        """How many tables are kept."""
        return len(self._tables)

    def clear(self) -> None:
        """Forget everything: the rows below were rebuilt."""
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
            # An older snapshot than the last change is read from the file: it is rare and short-lived.
            return table.rows if table.since <= at_seq else None

    def _room(self) -> int:
        """How many bytes more may be kept."""
        return self._budget - sum(table.size for table in list(self._tables.values()))

    def _is_worth_keeping(self, table_no: int) -> bool:
        count, size = self._prefiltered_scans.get(table_no, (0, 0))
        return count >= SIFTS_MAX and size <= self._room()

    def _prefiltered(self, table_no: int, at_seq: int, prefilter: Prefilter, lay_over: LayOver | None) -> Batches:
        """Read from the file, and decode what passes."""
        rows: Iterator[DocumentRow | Row] = chain.from_iterable(self._file.scan_documents(table_no, at_seq))
        if lay_over is not None:
            rows = lay_over(rows)
        size = 0
        while batch := list(islice(rows, BATCH_ROWS)):
            stored = [row for row in batch if not isinstance(row, Row)]
            documents = [row[2] for row in stored]
            size += sum(map(len, documents))
            passing = [stored[position] for position in prefilter.positions(documents)]
            if len(stored) == len(batch):
                yield len(batch), list(map(self._decoded, passing))
                continue
            # What the transaction wrote itself is decoded already, and judged by the whole condition.
            ids = {row[0] for row in passing}
            yield (
                len(batch),
                [
                    row if isinstance(row, Row) else self._decoded(row)
                    for row in batch
                    if isinstance(row, Row) or row[0] in ids
                ],
            )
        with self._lock:
            if table_no not in self._tables:  # else this was a snapshot older than what is kept
                self._prefiltered_scans[table_no] = self._prefiltered_scans.get(table_no, (0, 0))[0] + 1, size

    def _decoded(self, row: DocumentRow) -> Row:
        document_id, revision_hash, data, *_ = row
        return Row(document_id, self._documents.decode_uncached(revision_hash, data))

    def _read(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Read from the file, and keep what was read if the scan comes to its end and there is room."""
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
