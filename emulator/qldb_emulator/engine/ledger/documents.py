"""The cache of decoded documents, and the shapes in which views show a revision."""

from __future__ import annotations

from ...ion.codec import dumps, loads, loads_document
from ...ion.values import IonValue
from ...journal.encode import encode_stored_revision
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


class StoredRevision:
    """A revision as the committed view and history show it (field order: captured records, partiql.md 2.2).

    It is a ``partiql.planning.data.RawRevision``.
    """

    __slots__ = ("_cache", "_row", "_strand_id")

    def __init__(self, strand_id: str, row: RevisionRow, cache: DocumentCache) -> None:
        self._strand_id = strand_id
        self._row = row
        self._cache = cache

    def fields(self) -> dict[str, IonValue]:
        """Return its fields except ``data``."""
        return self._shape(has_data=False)

    def value(self) -> dict[str, IonValue]:
        """Return all its fields."""
        return self._shape(has_data=True)

    def ion(self) -> bytes:
        """Return all of it as self-contained Ion binary; the document's octets are copied."""
        row = self._row
        written = None
        if row.data is not None:
            written = encode_stored_revision(self._strand_id, row.seq, row.hash, row.data, row.metadata)
        return dumps(self.value()) if written is None else written

    def _shape(self, has_data: bool) -> dict[str, IonValue]:
        row = self._row
        shape: dict[str, IonValue] = {
            "blockAddress": {"strandId": self._strand_id, "sequenceNo": row.seq},
            "hash": row.hash,
        }
        if row.data is not None:
            if has_data:
                shape["data"] = self._cache.decode(row.hash, row.data)
        elif row.data_hash is not None:
            shape["dataHash"] = row.data_hash
        shape["metadata"] = loads(row.metadata)
        return shape
