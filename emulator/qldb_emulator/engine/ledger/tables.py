"""Whole tables for scans, read from the file, or kept in memory: decoded, or undecoded if they are too large for that.

A scan with a prefilter (``partiql.execution.prefilter``) examines the binary of rows, and decodes only rows that pass.
That takes a tenth of the time of decoding all rows.  A table is kept when a scan has run to its end and the table fits
the budget:

=====================  ====================================================================================
decoded                by the first scan that wants every row, and by the third complete scan with a prefilter
undecoded              by the second complete scan with a prefilter, if the table cannot be kept decoded
=====================  ====================================================================================

Undecoded, a table takes a tenth of the memory.  A scan examines it without SQLite; the rows that pass are read from the
file by their numbers, with their ids and checksums, so what was erased meanwhile is not returned.

The next scan brings a kept table up to date, from the revisions of the blocks in between, so a commit pays nothing for
it.  A list of rows that was returned never changes, so it can be iterated while the table advances.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ...partiql.planning.data import BATCH_ROWS, Batches, Prefilter, Row
from .documents import MEMORY_PER_BYTE, DocumentCache
from .kept_tables import UNDECODED_OVERHEAD, DecodedTable, KeptTable, Undecoded, UndecodedTable

if TYPE_CHECKING:
    from ...storage.ledger_file import LedgerFile
    from ...storage.rows import DocumentRow

# After more changes than this, reading the table again takes about as long as applying them, and is simpler.
CHANGES_MAX = 2_000
# Complete scans with a prefilter before a table is decoded and kept.  That takes as long as some eight of them, and
# makes later scans several times faster.
PREFILTERED_SCANS_MAX = 2

MergeWrites = Callable[[Iterator[Any]], Iterator[Any]]
"""Merges a transaction's own writes (Row) into the rows of a table, which begin with the document's id."""

Kept = TypeVar("Kept", DecodedTable, UndecodedTable)


class _Scans(NamedTuple):
    """What is known of the complete scans of a table with a prefilter.

    number: how many there were.  size, documents: octets and documents at the last.  turn: that of the last.
    """

    number: int = 0
    size: int = 0
    documents: int = 0
    turn: int = -1


class TableCache:
    """The tables of one ledger that are kept in memory.

    budget_bytes: memory for all of them; 0 keeps none.  A decoded table counts as its Ion binary size times
    MEMORY_PER_BYTE, an undecoded one as its size and UNDECODED_OVERHEAD for each document.
    """

    def __init__(self, file: LedgerFile, documents: DocumentCache, budget_bytes: int) -> None:
        self._file = file
        self._documents = documents
        self._budget = budget_bytes
        self._decoded: dict[int, DecodedTable] = {}
        self._undecoded: dict[int, UndecodedTable] = {}
        self._scans: dict[int, _Scans] = {}  # by table
        self._turns = count()
        self._collecting: UndecodedTable | None = None  # by one scan at a time: it is in memory, too
        self._collected_before = -1  # documents that it had when another scan wanted to collect, too
        self._clearings = 0  # a scan that began before the last one must not keep what it has read
        self._lock = threading.Lock()

    def scan(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Yield the live documents of a table at a block, in the order of their insertion."""
        rows = self._kept_rows(table_no, at_seq)
        return iter(rows) if rows is not None else self._read(table_no, at_seq)

    def prefiltered_scan(
        self, table_no: int, at_seq: int, prefilter: Prefilter, merge_writes: MergeWrites | None
    ) -> Batches:
        """Yield the same without the rows that the prefilter excludes, and with the transaction's writes, if any."""
        kept = self._kept_rows(table_no, at_seq)
        if kept is None and not self._is_worth_decoding(table_no):
            if merge_writes is None:
                return self._prefiltered(table_no, at_seq, prefilter)
            return self._prefiltered_with_writes(table_no, at_seq, prefilter, merge_writes)
        rows = iter(kept) if kept is not None else self._read(table_no, at_seq)
        return prefilter.batches(rows if merge_writes is None else merge_writes(rows))

    def kept(self) -> int:
        """Return how many tables are kept decoded."""
        return len(self._decoded)

    def kept_undecoded(self) -> int:
        """Return how many tables are kept undecoded."""
        return len(self._undecoded)

    def memory(self) -> int:
        """Return the estimated bytes of all kept tables, and of the one that a scan collects."""
        collecting = self._collecting
        return _memory(self._decoded) + _memory(self._undecoded) + (0 if collecting is None else collecting.memory)

    def clear(self) -> None:
        """Forget everything: the stored rows were rebuilt, or some were erased."""
        with self._lock:
            self._decoded.clear()
            self._undecoded.clear()
            self._scans.clear()
            self._stop_collecting()
            self._clearings += 1

    # --- what is kept ------------------------------------------------------------------------------------------
    def _kept_rows(self, table_no: int, at_seq: int) -> list[Row] | None:
        if table_no not in self._decoded:
            return None
        with self._lock:
            table = self._current(self._decoded, table_no, at_seq)
            return None if table is None else table.rows

    def _kept_undecoded(self, table_no: int, at_seq: int) -> Undecoded | None:
        if table_no not in self._undecoded:
            return None
        with self._lock:
            table = self._current(self._undecoded, table_no, at_seq)
            if table is None:
                return None
            self._note_scan(table_no, table.size, table.documents)
            return table.batches()

    def _current(self, kept: dict[int, Kept], table_no: int, at_seq: int) -> Kept | None:
        """Bring a kept table up to a block.  None if there is none, or if it shows a later block.  Holds the lock."""
        table = kept.get(table_no)
        if table is None:
            return None
        if at_seq > table.seq:
            changes = self._file.revisions_between(table_no, table.seq, at_seq, CHANGES_MAX + 1)
            if len(changes) > CHANGES_MAX:
                del kept[table_no]
                return None
            table.advance(at_seq, changes)
            if changes:
                self._make_room(0)
            if self.memory() > self._budget:
                kept.pop(table_no, None)
        # A snapshot before the last change is read from the file: such snapshots are rare and short-lived.
        return table if table.since <= at_seq else None

    def _is_worth_decoding(self, table_no: int) -> bool:
        scans = self._scans.get(table_no, _Scans())
        return scans.number >= PREFILTERED_SCANS_MAX and self._fits_decoded(scans.size)

    def _fits_decoded(self, size: int) -> bool:
        """Whether a table of so many octets has room beside the decoded ones.  Undecoded ones give way to it."""
        return size * MEMORY_PER_BYTE <= self._budget - _memory(self._decoded)

    def _make_room(self, needed: int) -> None:
        """Forget undecoded tables until *needed* bytes are left, longest unused first.  Holds the lock."""
        if needed + self.memory() <= self._budget:
            return
        self._stop_collecting()
        for table_no in sorted(self._undecoded, key=self._last_turn):
            if needed + self.memory() <= self._budget:
                return
            del self._undecoded[table_no]

    def _last_turn(self, table_no: int) -> int:
        return self._scans.get(table_no, _Scans()).turn

    def _note_scan(self, table_no: int, size: int, documents: int) -> None:
        """Count a complete scan with a prefilter.  size: octets of the documents.  Holds the lock."""
        number = self._scans.get(table_no, _Scans()).number + 1
        self._scans[table_no] = _Scans(number, size, documents, next(self._turns))

    # --- undecoded ---------------------------------------------------------------------------------------------
    def _prefiltered(self, table_no: int, at_seq: int, prefilter: Prefilter) -> Batches:
        """Examine undecoded documents, and decode those that pass."""
        for numbers, documents in self._kept_undecoded(table_no, at_seq) or self._read_undecoded(table_no, at_seq):
            passing = [numbers[position] for position in prefilter.positions(documents)]
            found = self._file.numbered_documents(table_no, passing, at_seq) if passing else []
            yield len(numbers), list(map(self._decode, found))

    def _read_undecoded(self, table_no: int, at_seq: int) -> Undecoded:
        """Read from the file; keep the documents if the scan runs to its end and there is room."""
        begun = self._clearings
        previous = self._scans.get(table_no, _Scans())
        collected = self._begin_to_collect(table_no, at_seq, previous)
        size = number = 0
        for numbers, documents in self._file.scan_data(table_no, at_seq):
            size += sum(map(len, documents))
            number += len(numbers)
            if collected is not None:
                collected.append(numbers, documents)
                if self.memory() > self._budget:
                    self._give_up(collected)
                if collected is not self._collecting:
                    collected = None
            yield numbers, documents
        with self._lock:
            if begun != self._clearings or table_no in self._decoded:  # in the latter case the snapshot is old
                return
            if collected is not None and collected is self._collecting:
                self._collecting = None
                if table_no not in self._undecoded:
                    self._undecoded[table_no] = collected
            self._note_scan(table_no, size, number)

    def _begin_to_collect(self, table_no: int, at_seq: int, previous: _Scans) -> UndecodedTable | None:
        """Return what a scan collects to keep, as previous scans of the table tell.  None: nothing."""
        if not previous.number or self._fits_decoded(previous.size):
            return None
        memory = previous.size + UNDECODED_OVERHEAD * previous.documents
        with self._lock:
            if table_no in self._undecoded or self._is_collected_elsewhere():  # in the former case the snapshot is old
                return None
            if memory + self._memory_in_use(previous) > self._budget:
                return None
            self._make_room(memory)
            self._collecting, self._collected_before = UndecodedTable(at_seq), -1
            return self._collecting

    def _is_collected_elsewhere(self) -> bool:
        """Whether another scan collects, and goes on.  One that is not read on gives way.  Holds the lock."""
        other = self._collecting
        if other is None:
            return False
        before, self._collected_before = self._collected_before, other.documents
        if before != other.documents:
            return True
        self._stop_collecting()
        return False

    def _give_up(self, collected: UndecodedTable) -> None:
        with self._lock:
            if self._collecting is collected:
                self._stop_collecting()

    def _stop_collecting(self) -> None:
        """Forget what a scan has collected.  Holds the lock."""
        if self._collecting is not None:
            self._collecting.pieces = []  # the scan has the table, and may be paused for long
            self._collecting = None

    def _memory_in_use(self, previous: _Scans) -> int:
        """Return the bytes of what does not give way to a table: what was scanned since its previous scan.

        So of two large tables that are scanned in turns, one stays.
        """
        others = {no: table for no, table in self._undecoded.items() if self._last_turn(no) > previous.turn}
        return _memory(self._decoded) + _memory(others)

    def _prefiltered_with_writes(
        self, table_no: int, at_seq: int, prefilter: Prefilter, merge_writes: MergeWrites
    ) -> Batches:
        """Do the same with a transaction's own writes among the rows: by the ids, so the rows come from the file."""
        stored_rows = chain.from_iterable(self._file.scan_documents(table_no, at_seq))
        rows: Iterator[DocumentRow | Row] = merge_writes(stored_rows)
        size = number = 0
        while batch := list(islice(rows, BATCH_ROWS)):
            stored = [row for row in batch if not isinstance(row, Row)]
            documents = [row[2] for row in stored]
            size += sum(map(len, documents))
            number += len(documents)
            ids = {stored[position][0] for position in prefilter.positions(documents)}
            # The transaction's own writes are decoded already; the whole condition is applied to them.
            yield (
                len(batch),
                [
                    row if isinstance(row, Row) else self._decode(row)
                    for row in batch
                    if isinstance(row, Row) or row[0] in ids
                ],
            )
        with self._lock:
            if table_no not in self._decoded:  # otherwise this snapshot is older than the kept table
                self._note_scan(table_no, size, number)

    # --- decoded -----------------------------------------------------------------------------------------------
    def _decode(self, row: DocumentRow) -> Row:
        document_id, revision_hash, data, *_ = row
        return Row(document_id, self._documents.decode_uncached(revision_hash, data))

    def _read(self, table_no: int, at_seq: int) -> Iterator[Row]:
        """Read from the file and decode; keep the rows if the scan runs to its end and there is room."""
        begun = self._clearings
        previous = self._scans.get(table_no)
        if previous is not None and self._fits_decoded(previous.size):
            with self._lock:
                self._make_room(previous.size * MEMORY_PER_BYTE)
        collected: list[Row] | None = []
        size = number = 0
        for batch in self._file.scan_documents(table_no, at_seq):
            found = list(map(self._decode, batch))
            size += sum([len(data) for _, _, data, *_ in batch])
            number += len(batch)
            if collected is not None:
                if size * MEMORY_PER_BYTE + self.memory() <= self._budget:
                    collected += found
                else:
                    collected = None
            yield from found
        with self._lock:
            known = self._decoded.get(table_no)
            if begun != self._clearings or (known is not None and known.seq >= at_seq):
                return
            if collected is not None and size * MEMORY_PER_BYTE + self.memory() <= self._budget:
                self._undecoded.pop(table_no, None)
                self._scans.pop(table_no, None)
                self._decoded[table_no] = DecodedTable(at_seq, collected, size, self._documents)
            else:
                self._scans[table_no] = self._scans.get(table_no, _Scans())._replace(size=size, documents=number)


def _memory(tables: Mapping[int, KeptTable]) -> int:
    return sum([table.memory for table in list(tables.values())])
