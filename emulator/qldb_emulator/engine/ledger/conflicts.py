"""Marks: what a transaction read and what a block wrote, as comparable tuples.

Two transactions conflict when one wrote, after the other's snapshot, something that the other read.  A scan reads its
whole table, an index lookup only its key (also one that no document has yet), a lookup by id only that document.
Source: driver-python #14, the concurrency demos of qldb-guide, partiql.md 5.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

ReadMark = tuple[str, ...] | tuple[str, str, bytes]

CATALOGUE: ReadMark = ("catalogue",)


def table_mark(table_id: str) -> ReadMark:
    """Any document of a table."""
    return ("table", table_id)


def document_mark(document_id: str) -> ReadMark:
    """One document."""
    return ("document", document_id)


def key_mark(index_id: str, key: bytes) -> ReadMark:
    """The documents that have one key in one index."""
    return ("key", index_id, key)


def revision_marks(table_id: str, document_id: str, keys: Iterable[tuple[str, bytes]]) -> list[ReadMark]:
    """What a new revision writes: its table, its document, and the keys it has, by index id."""
    return [table_mark(table_id), document_mark(document_id), *(key_mark(index_id, key) for index_id, key in keys)]


def name_mark(table_name: str) -> ReadMark:
    """What a table name stands for, and the table's indexes."""
    return ("name", table_name)


class WriteLog:
    """Which block last wrote each mark, for as long as an open transaction may need to know."""

    # Pruning walks the whole log, so it happens when the log has doubled since the last time.
    PRUNE_AT_LEAST = 50_000

    def __init__(self) -> None:
        self._last: dict[ReadMark, int] = {}
        self._newest = -1  # the last block that wrote anything
        self._prune_at = self.PRUNE_AT_LEAST
        self._snapshots: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, transaction_id: str, snapshot: int) -> None:
        """A transaction began: writes after its snapshot must be kept until it is closed."""
        with self._lock:
            self._snapshots[transaction_id] = snapshot

    def know(self, transaction_id: str, snapshot: int) -> None:
        """The snapshot of a transaction that was opened before it was known.  One store, so it needs no lock."""
        self._snapshots[transaction_id] = snapshot

    def close(self, transaction_id: str) -> None:
        """A transaction ended, one way or another.  Harmless when repeated."""
        with self._lock:
            self._snapshots.pop(transaction_id, None)

    def open_count(self) -> int:
        """How many transactions are open."""
        return len(self._snapshots)

    def record(self, marks: Iterable[ReadMark], sequence_no: int) -> None:
        """A block was committed.  Called under the ledger's commit lock."""
        last = self._last
        for mark in marks:
            last[mark] = sequence_no
            self._newest = sequence_no

    @property
    def is_long(self) -> bool:
        """Whether it is time to prune."""
        return len(self._last) >= self._prune_at

    def prune(self, published: int) -> None:
        """Forget what no transaction needs.  Called under the ledger's commit lock.

        published: the snapshot that a transaction gets now.  One that begins during the call is not in ``_snapshots``
        yet, but its snapshot is not older than that.
        """
        with self._lock:
            oldest = min(self._snapshots.values(), default=published)
        self._last = {mark: seq for mark, seq in self._last.items() if seq > oldest}
        self._prune_at = max(self.PRUNE_AT_LEAST, 2 * len(self._last))

    def last_write(self, mark: ReadMark) -> int:
        """The block that last wrote a mark; -1 when none is remembered."""
        return self._last.get(mark, -1)

    def conflict(self, marks: Iterable[ReadMark], snapshot: int) -> ReadMark | None:
        """A mark that was written after the snapshot, or None.  Called under the ledger's commit lock."""
        if self._newest <= snapshot:
            return None  # without a look at what was read: nothing was written since
        last = self._last
        for mark in marks:
            if last.get(mark, -1) > snapshot:
                return mark
        return None
