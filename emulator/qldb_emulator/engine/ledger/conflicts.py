"""Read marks: what a transaction read and what a block wrote, as comparable tuples.

Two transactions conflict if one wrote, after the other's snapshot, something that the other read.  A scan reads its
whole table, an index lookup only its key (even a key that no document has yet), a lookup by id only that document.
Source: driver-python #14, the concurrency demos of qldb-guide, partiql.md 5.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

ReadMark = tuple[str, ...] | tuple[str, str, bytes]

CATALOGUE: ReadMark = ("catalogue",)


def table_mark(table_id: str) -> ReadMark:
    """Return the mark of any document of a table."""
    return ("table", table_id)


def document_mark(document_id: str) -> ReadMark:
    """Return the mark of one document."""
    return ("document", document_id)


def key_mark(index_id: str, key: bytes) -> ReadMark:
    """Return the mark of the documents that have one key in one index."""
    return ("key", index_id, key)


def revision_marks(table_id: str, document_id: str, keys: Iterable[tuple[str, bytes]]) -> list[ReadMark]:
    """Return what a new revision writes: its table, its document, and its keys, by index id."""
    return [table_mark(table_id), document_mark(document_id), *(key_mark(index_id, key) for index_id, key in keys)]


def name_mark(table_name: str) -> ReadMark:
    """Return the mark of a table name's meaning, and of the table's indexes."""
    return ("name", table_name)


class WriteLog:
    """Which block last wrote each mark, for as long as an open transaction may need to know."""

    # Pruning walks the whole log, so it happens only when the log has doubled since the last time.
    PRUNE_AT_LEAST = 50_000

    def __init__(self) -> None:
        self._last: dict[ReadMark, int] = {}
        self._newest = -1  # the last block that wrote anything
        self._prune_at = self.PRUNE_AT_LEAST
        self._snapshots: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, transaction_id: str, snapshot: int) -> None:
        """Register a transaction: writes after its snapshot must be kept until it is closed."""
        with self._lock:
            self._snapshots[transaction_id] = snapshot

    def set_snapshot(self, transaction_id: str, snapshot: int) -> None:
        """Set the snapshot of a transaction that was opened before it was known.  One store, so it needs no lock."""
        self._snapshots[transaction_id] = snapshot

    def close(self, transaction_id: str) -> None:
        """Unregister a transaction that ended.  Calling it again does nothing."""
        with self._lock:
            self._snapshots.pop(transaction_id, None)

    def open_count(self) -> int:
        """Return how many transactions are open."""
        return len(self._snapshots)

    def record(self, marks: Iterable[ReadMark], sequence_no: int) -> None:
        """Record the writes of a committed block.  Requires the ledger's commit lock."""
        last = self._last
        for mark in marks:
            last[mark] = sequence_no
            self._newest = sequence_no

    @property
    def is_long(self) -> bool:
        """Whether the log should be pruned."""
        return len(self._last) >= self._prune_at

    def prune(self, published: int) -> None:
        """Forget writes that no open transaction needs.  Requires the ledger's commit lock.

        published: the snapshot of a transaction that begins now.  One that begins during the call is not in
        ``_snapshots`` yet, but its snapshot is not older than that.
        """
        with self._lock:
            oldest = min(self._snapshots.values(), default=published)
        self._last = {mark: seq for mark, seq in self._last.items() if seq > oldest}
        self._prune_at = max(self.PRUNE_AT_LEAST, 2 * len(self._last))

    def last_write(self, mark: ReadMark) -> int:
        """Return the block that last wrote a mark; -1 if it was forgotten or never written."""
        return self._last.get(mark, -1)

    def conflict(self, marks: Iterable[ReadMark], snapshot: int) -> ReadMark | None:
        """Return a mark that was written after the snapshot, or None.  Requires the ledger's commit lock."""
        if self._newest <= snapshot:
            return None  # nothing was written since, so the marks need no check
        last = self._last
        for mark in marks:
            if last.get(mark, -1) > snapshot:
                return mark
        return None
