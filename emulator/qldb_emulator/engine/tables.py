"""Whole tables, decoded, for scans: what a warm scan reads instead of SQLite.

A table is kept when a scan has run to its end and it fits the budget.  It is brought up to date at the next scan, from
the revisions of the blocks in between, so a commit pays nothing for it.  Rows handed out are never changed: a list that
somebody iterates stays as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..partiql.data import Row
from .documents import MEMORY_PER_BYTE, DocumentCache

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from ..storage.rows import RevisionRow

# More changes than this since the last scan: reading the table anew costs about as much, and is simpler.
CHANGES_MAX = 2_000


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
        self._lock = threading.Lock()

    def scan(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """The live documents of a table at a block, in the order of their insertion."""
        kept = self._current(table_no, at_seq)
        return iter(kept) if kept is not None else self._read(table_no, at_seq)

    def kept(self) -> int:
        """How many tables are kept."""
        return len(self._tables)

    def clear(self) -> None:
        """Forget everything: the rows below were rebuilt."""
        with self._lock:
            self._tables.clear()

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

    def _read(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Read from the file, and keep what was read if the scan comes to its end and there is room."""
        decode = self._documents.decode
        budget = self._budget - sum(table.size for table in list(self._tables.values()))
        rows: list[Row] = []
        size = 0
        for batch in self._file.scan(table_no, at_seq):
            found = [Row(row.document_id, decode(row.hash, row.data)) for row in batch if row.data is not None]
            if size <= budget:
                size += sum(len(row.data) for row in batch if row.data is not None)
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
