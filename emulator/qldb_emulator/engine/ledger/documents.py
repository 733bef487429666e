"""The cache of decoded documents, and the shapes in which views show a revision."""

from __future__ import annotations

from ...ion.codec import loads, loads_document
from ...ion.values import IonValue
from ...storage.rows import RevisionRow

# A decoded document takes about ten times its Ion binary size in memory (measurements.md 3: 3.0 KB for 307 bytes).
MEMORY_PER_BYTE = 10


class DocumentCache:
    """A cache of decoded documents by revision hash, bounded by the bytes of their binary form.

    It has two generations: when the young one has half the budget it becomes the old one, and the old one is dropped.
    A value is never stale, because its key is a hash of what it was decoded from.  Values are shared: they must not
    be changed.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._half = max(1, budget_bytes // MEMORY_PER_BYTE // 2)
        self._young: dict[bytes, IonValue] = {}
        self._old: dict[bytes, IonValue] = {}
        self._young_bytes = 0

    def decode(self, revision_hash: bytes, data: bytes) -> IonValue:
        """Return the document of a revision."""
        value = self._young.get(revision_hash)
        if value is None:
            value = self._old.get(revision_hash)
            if value is None:
                value = loads_document(data)
            self._young[revision_hash] = value
            self._young_bytes += len(data)
            if self._young_bytes > self._half:
                self._old, self._young, self._young_bytes = self._young, {}, 0
        return value

    def clear(self) -> None:
        """Forget every document, because the data of one was erased."""
        self._young, self._old, self._young_bytes = {}, {}, 0

    def decode_uncached(self, revision_hash: bytes, data: bytes) -> IonValue:
        """Decode, but never fill the cache, so that a scan cannot evict documents that were looked up."""
        value = self._young.get(revision_hash)
        if value is None:
            value = self._old.get(revision_hash)
        return loads_document(data) if value is None else value


def committed_shape(strand_id: str, row: RevisionRow, cache: DocumentCache) -> dict[str, IonValue]:
    """Return a revision as the committed view and history show it (field order: captured records, partiql.md 2.2)."""
    shape: dict[str, IonValue] = {
        "blockAddress": {"strandId": strand_id, "sequenceNo": row.seq},
        "hash": row.hash,
    }
    if row.data is not None:
        shape["data"] = cache.decode(row.hash, row.data)
    elif row.data_hash is not None:
        shape["dataHash"] = row.data_hash
    shape["metadata"] = loads(row.metadata)
    return shape
