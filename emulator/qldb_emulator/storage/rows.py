"""The rows that storage returns: named tuples, cheap enough to make one for every row of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NodeId = tuple[int, int]
"""A node of the Merkle tree: (level, index), level 0 being the blocks themselves."""


class RevisionRow(NamedTuple):
    """One revision of one document.

    doc_no: storage's number of the document; numbers grow in the order in which documents were inserted.
    seq: the sequence number of the block that holds the revision.  tx_time_ms: its txTime, milliseconds since 1970.
    data: None for a deletion and for a redacted revision.  data_hash: only of a redacted revision.
    """

    doc_no: int
    document_id: str
    table_no: int
    version: int
    seq: int
    tx_time_ms: int
    hash: bytes
    data: bytes | None
    data_hash: bytes | None
    metadata: bytes


FirstRevision = tuple[str, int, int, int, bytes, bytes, bytes]
"""(document_id, table_no, seq, tx_time_ms, hash, data, metadata) of a document's first revision, see RevisionRow."""

Batches = Iterator[list[RevisionRow]]


DocumentRow = tuple[str, bytes, bytes, int, int]
"""(document_id, hash, data, doc_no, checksum) of a current revision, see RevisionRow; a bare tuple, as SQLite makes
it."""


class DocumentInfo(NamedTuple):
    """A document, alive in ``[seq, until_seq)``.  version and last_seq are those of its last revision."""

    doc_no: int
    document_id: str
    table_no: int
    seq: int
    until_seq: int
    last_seq: int
    version: int


class IndexRow(NamedTuple):
    """An index as it was at some block.  seq: the block that created it."""

    number: int
    index_id: str
    table_no: int
    field_name: str
    status: str
    seq: int


class TableRow(NamedTuple):
    """A table, perhaps dropped, as it was at some block.  seq: the block that created it."""

    number: int
    table_id: str
    name: str
    status: str
    seq: int
    indexes: tuple[IndexRow, ...]


class Tip(NamedTuple):
    """The newest block of the journal."""

    sequence_no: int
    block_hash: bytes
    timestamp_ms: int


class Counts(NamedTuple):
    """How much a ledger holds.  documents: all, deleted ones included; live_documents: those not deleted."""

    blocks: int
    tables: int
    indexes: int
    documents: int
    live_documents: int
    revisions: int
    index_entries: int
