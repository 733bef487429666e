"""Checksums of stored rows: a reader notices a page that the disk damaged when it reads a row from it.

CRC-32 finds every change within 32 neighbouring bits, and misses one in four thousand million of all other changes.
It does not protect against people, who can compute it, too.  ``verify`` and digests do.

============  =====================================================================================
column        over
============  =====================================================================================
block.crc     block_hash and ion, beginning with seq
data_crc      data, beginning with doc_no: a scan needs no other column to check a document
revision.crc  doc_no, table_no, version, seq, tx_time_ms, document_id, hash, data_hash, metadata
============  =====================================================================================

docs/design/010-what-verify-compares.md says what each checksum costs a reader, and what it finds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any
from zlib import crc32

_numbers = struct.Struct("<5q").pack

DAMAGES = (TypeError, ValueError, AttributeError, struct.error, OverflowError)
"""What computing a checksum raises for values that this package never stores: SQLite columns may hold any type."""


def block_crc(seq: int, block_hash: bytes, ion: bytes) -> int:
    """Return the checksum of a block's row.  Raises one of DAMAGES for values of other types."""
    return crc32(ion, crc32(block_hash, seq & 0xFFFFFFFF))


def data_crc(doc_no: int, data: bytes | None) -> int | None:
    """Return the checksum of a document; None without a document."""
    return None if data is None else crc32(data, doc_no & 0xFFFFFFFF)


def revision_crc(row: Sequence[Any]) -> int:
    """Return the checksum of a revision's other columns.  row: the ten of RevisionRow.  Raises as block_crc does."""
    doc_no, document_id, table_no, version, seq, tx_time_ms, hash_, _, data_hash, metadata = row
    numbers = _numbers(doc_no, table_no, version, seq, tx_time_ms)
    return crc32(b"".join((numbers, document_id.encode(), hash_, data_hash or b"", metadata)))


def are_whole(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether revisions with data match their checksums.  rows: the columns of RevisionRow, and the two checksums.

    Each step is one loop in C over all rows, which takes half the time of a loop over the rows.  False also for rows
    that have to be looked at one by one: without data, or of unequal length.
    """
    try:
        doc_nos, ids, tables, versions, seqs, times, hashes, data, data_hashes, metadata, crcs, data_crcs = zip(
            *rows, strict=True
        )
        erased = [each or b"" for each in data_hashes]
        computed = _revision_crcs(doc_nos, ids, tables, versions, seqs, times, hashes, erased, metadata)
        return crcs == tuple(computed) and data_crcs == tuple(map(crc32, data, doc_nos))
    except DAMAGES:
        return False


def crcs_of_first(
    doc_nos: Sequence[int],
    ids: Sequence[str],
    tables: Sequence[int],
    seqs: Sequence[int],
    times: Sequence[int],
    hashes: Sequence[bytes],
    data: Sequence[bytes],
    metadata: Sequence[bytes],
) -> tuple[Iterator[int], Iterator[int]]:
    """Return revision_crc and data_crc of first revisions with data, given as columns of RevisionRow."""
    computed = _revision_crcs(doc_nos, ids, tables, repeat(0), seqs, times, hashes, repeat(b""), metadata)
    return computed, map(crc32, data, doc_nos)


def _revision_crcs(
    doc_nos: Iterable[int],
    ids: Iterable[str],
    tables: Iterable[int],
    versions: Iterable[int],
    seqs: Iterable[int],
    times: Iterable[int],
    hashes: Iterable[bytes],
    data_hashes: Iterable[bytes],
    metadata: Iterable[bytes],
) -> Iterator[int]:
    """Do what revision_crc does for many rows, given as columns; empty data_hashes where there are none."""
    numbers = map(_numbers, doc_nos, tables, versions, seqs, times)
    return map(crc32, map(b"".join, zip(numbers, map(str.encode, ids), hashes, data_hashes, metadata, strict=False)))
