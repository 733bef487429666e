"""The aggregated record of the Kinesis Producer Library: many user records in one Kinesis record.

Layout (public, "KPL Aggregated Record Format"): four magic bytes, a protobuf message, the MD5 of the message::

    AggregatedRecord { 1: repeated string partition_key_table   3: repeated Record records }
    Record           { 1: uint64 partition_key_index            3: bytes data }

Written by hand: five fields are not worth a dependency on protobuf.  The tests read it with another library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MAGIC = b"\xf3\x89\x9a\xc2"
_MD5_BYTES = 16
_STRING_1 = b"\x0a"  # field 1, length-delimited
_NUMBER_1 = b"\x08"  # field 1, varint
_BYTES_3 = b"\x1a"  # field 3, length-delimited
# Tags and lengths around one record: 1 + 5 for the key, 1 + 5 and 1 + 5 for the data, 1 + 3 for the index.
RECORD_OVERHEAD = 24


def aggregate(records: Sequence[tuple[str, bytes]]) -> bytes:
    """Return one aggregated record of (partition key, data) pairs; each has a partition key of its own."""
    message = bytearray()
    for key, _ in records:
        message += _STRING_1 + _delimited(key.encode("utf-8"))
    for index, (_, data) in enumerate(records):
        message += _BYTES_3 + _delimited(_NUMBER_1 + _varint(index) + _BYTES_3 + _delimited(data))
    return b"".join((MAGIC, message, hashlib.md5(message, usedforsecurity=False).digest()))


def aggregated_size(records: Sequence[tuple[str, bytes]]) -> int:
    """Return the most bytes that the aggregated record of these can have."""
    return len(MAGIC) + _MD5_BYTES + sum(len(key) + len(data) + RECORD_OVERHEAD for key, data in records)


def _delimited(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
