"""A table that is kept in memory for scans: decoded, or as the octets that are stored.

Both are brought up to date with the revisions of the blocks in between.  A table that advances has new lists, and never
changes those that it had, so a scan can go on reading them.  The caller's lock keeps two threads from advancing it at
the same time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from ...partiql.planning.data import BATCH_ROWS, JoinedDocuments, Row
from .documents import MEMORY_PER_BYTE, DocumentCache

if TYPE_CHECKING:
    from ...storage.rows import RevisionRow

UNDECODED_OVERHEAD = 16
"""Bytes of memory for each document that is kept undecoded, besides its octets: its number (8), where it ends (4), and
its part of the objects that make a piece (1.2), rounded up."""

Piece = tuple[Sequence[int], JoinedDocuments]
"""Storage's numbers (``doc_no``) of up to BATCH_ROWS documents, and the documents."""

Undecoded = Iterator[tuple[Sequence[int], Sequence[bytes] | JoinedDocuments]]
"""(numbers, documents) of a table, BATCH_ROWS at a time, in the order of their insertion."""


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

    documents: how many.  pieces: each of BATCH_ROWS documents, until a change makes one shorter.  A change makes new
    pieces only in the place of those that it falls into.
    """

    __slots__ = ("documents", "pieces")

    def __init__(self, seq: int) -> None:
        super().__init__(seq, 0)
        self.pieces: list[Piece] = []
        self.documents = 0

    @property
    def size(self) -> int:
        """The octets of its documents."""
        return self.memory - UNDECODED_OVERHEAD * self.documents

    def append(self, numbers: Sequence[int], documents: Sequence[bytes]) -> None:
        """Add documents of greater numbers.  Only before the table is given out."""
        self.pieces.append(self._piece(numbers, documents))

    def batches(self) -> Undecoded:
        """Return the documents, BATCH_ROWS at a time."""
        pieces = self.pieces
        if all(len(numbers) == BATCH_ROWS for numbers, _ in pieces[:-1]):
            return iter(pieces)
        return _regrouped(pieces)

    def _piece(self, numbers: Sequence[int], documents: Sequence[bytes]) -> Piece:
        piece = array("q", numbers), JoinedDocuments(documents)
        self._count(piece, 1)
        return piece

    def _count(self, piece: Piece, sign: int) -> None:
        numbers, documents = piece
        self.documents += sign * len(numbers)
        self.memory += sign * (len(documents.joined) + UNDECODED_OVERHEAD * len(numbers))

    def _apply(self, changes: Sequence[RevisionRow]) -> None:
        pieces = self.pieces[:]
        firsts = [numbers[0] for numbers, _ in pieces]
        changed: dict[int, dict[int, bytes | None]] = {}  # piece -> number -> document
        for change in changes:
            place = max(0, bisect_right(firsts, change.doc_no) - 1)  # what is new falls into the last piece
            changed.setdefault(place, {})[change.doc_no] = change.data
        for place in sorted(changed, reverse=True):
            documents: dict[int, bytes | None] = {}
            for old in pieces[place : place + 1]:
                self._count(old, -1)
                documents.update(zip(old[0], old[1].split(), strict=True))
            documents.update(changed[place])
            live = sorted((number, data) for number, data in documents.items() if data is not None)
            groups = [live[start : start + BATCH_ROWS] for start in range(0, len(live), BATCH_ROWS)]
            pieces[place : place + 1] = [
                self._piece([number for number, _ in group], [data for _, data in group]) for group in groups
            ]
        self.pieces = pieces


def _regrouped(pieces: list[Piece]) -> Undecoded:
    numbers = chain.from_iterable(numbers for numbers, _ in pieces)
    documents = chain.from_iterable(documents.split() for _, documents in pieces)
    while batch := list(islice(documents, BATCH_ROWS)):
        yield list(islice(numbers, BATCH_ROWS)), batch
