"""A table that is kept in memory for scans: decoded, or as the octets that are stored.

Both are brought up to date with the revisions of the blocks in between.  A table that advances has new lists, and never
changes those that it had, so a scan can go on reading them.  The caller's lock keeps two threads from advancing it at
the same time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

from ...partiql.planning.data import Row
from .documents import MEMORY_PER_BYTE, DocumentCache

if TYPE_CHECKING:
    from ...storage.rows import RevisionRow

UNDECODED_OVERHEAD = 64
"""Bytes of memory for each document that is kept undecoded, besides its octets: the header of a ``bytes`` object (33),
what the allocator rounds up (8), its place in the list (9), its number (8).  Counted for CPython 3.11."""


class KeptTable(ABC):
    """One table, unchanged between the blocks ``since`` and ``seq``.  memory: its estimated bytes."""

    __slots__ = ("memory", "seq", "since")

    def __init__(self, seq: int, memory: int) -> None:
        self.since = seq
        self.seq = seq
        self.memory = memory

    def advance(self, seq: int, changes: Sequence[RevisionRow]) -> None:
        """Bring the table up to block *seq*.  changes: the revisions since, oldest first."""
        if changes:
            self._apply(changes)
            self.since = seq
        self.seq = seq

    @abstractmethod
    def _apply(self, changes: Sequence[RevisionRow]) -> None:
        """Replace what has changed, and never change a list that was given out."""


class DecodedTable(KeptTable):
    """rows: the live documents, decoded, in the order of their insertion.  size: the octets of their Ion binary."""

    __slots__ = ("_documents", "_positions", "rows")

    def __init__(self, seq: int, rows: list[Row], size: int, documents: DocumentCache) -> None:
        super().__init__(seq, size * MEMORY_PER_BYTE)
        self.rows = rows
        self._documents = documents
        self._positions: dict[str, int] | None = None

    def _apply(self, changes: Sequence[RevisionRow]) -> None:
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
            row = Row(change.document_id, self._documents.decode(change.hash, change.data))
            self.memory += len(change.data) * MEMORY_PER_BYTE
            if position is None:
                positions[change.document_id] = len(rows)
                rows.append(row)
            else:
                rows[position] = row
        self.rows = [row for row in rows if row is not None]
        if has_gaps:
            self._positions = None


class UndecodedTable(KeptTable):
    """The live documents as they are stored, in the order of their insertion, which is that of their numbers.

    numbers: storage's number (``doc_no``) of each.  documents: the Ion binary of each.
    """

    __slots__ = ("documents", "numbers")

    def __init__(self, seq: int) -> None:
        super().__init__(seq, 0)
        self.numbers = array("q")
        self.documents: list[bytes] = []

    @property
    def size(self) -> int:
        """The octets of its documents."""
        return self.memory - UNDECODED_OVERHEAD * len(self.documents)

    def extend(self, numbers: Sequence[int], documents: Sequence[bytes], size: int) -> None:
        """Add documents of greater numbers.  size: their octets.  Only before the table is given out."""
        self.numbers.extend(numbers)
        self.documents.extend(documents)
        self.memory += size + UNDECODED_OVERHEAD * len(documents)

    def _apply(self, changes: Sequence[RevisionRow]) -> None:
        numbers, documents = self.numbers[:], self.documents[:]
        gaps: set[int] = set()
        for number, data in sorted({change.doc_no: change.data for change in changes}.items()):
            position = bisect_left(numbers, number)
            if position < len(numbers) and numbers[position] == number:
                self.memory -= len(documents[position]) + UNDECODED_OVERHEAD
                if data is None:
                    gaps.add(position)
                    continue
                documents[position] = data
            elif data is None:
                continue  # made and deleted in between
            else:  # nearly always at the end: numbers grow
                numbers.insert(position, number)
                documents.insert(position, data)
            self.memory += len(data) + UNDECODED_OVERHEAD
        if gaps:
            stays = [position not in gaps for position in range(len(numbers))]
            numbers, documents = array("q", compress(numbers, stays)), list(compress(documents, stays))
        self.numbers, self.documents = numbers, documents
