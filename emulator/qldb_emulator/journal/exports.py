"""The layout of an export: its objects, their names and their contents.  Pure: bytes in, bytes out.

::

    <prefix><export id>.started.manifest                       written at once
    <prefix>yyyy/mm/dd/hh/<strand id>.<first>-<last>.<ext>     blocks, in order; the hour of the request, in UTC
    <prefix><export id>.<strand id>.completed.manifest         at the end: the keys of the data objects, in order

Prefix and name are joined without adding a slash (as in all samples; journal.md 5.2).

============  =========  ==========================  ==============================  ===========
format        extension  content type                blocks in a data object         source
============  =========  ==========================  ==============================  ===========
ION_TEXT      ion        text/plain                  Ion text, one block to a line   documented
ION_BINARY    ion        application/octet-stream    Ion binary                      documented
JSON          json       application/json            JSON Lines, down-converted      documented
============  =========  ==========================  ==============================  ===========

It is documented that manifests follow the format; the content types are inferred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from ..ion.codec import dumps, dumps_text, loads
from ..ion.json import to_json
from ..ion.values import IonValue, Timestamp
from ..records import dataclass
from .model import Struct

OutputFormat = Literal["ION_TEXT", "ION_BINARY", "JSON"]

# The service's rule for cutting files is not known; the guide's sample has small files (1-4, 5-10, 11-12).  Ours
# bounds the memory of an export, and lets a reader find a block without reading much.
FILE_BLOCKS = 1_000
FILE_BYTES = 4 * 1024 * 1024

STARTED = ".started.manifest"
COMPLETED = ".completed.manifest"


@dataclass(frozen=True, slots=True)
class FormatRow:
    """One row of the table above.  block: a stored block's Ion binary as this format writes it."""

    extension: str
    content_type: str
    block: Callable[[bytes], bytes]
    value: Callable[[IonValue], bytes]


FORMATS: dict[OutputFormat, FormatRow] = {
    "ION_TEXT": FormatRow(
        "ion",
        "text/plain",
        lambda ion: dumps_text(loads(ion)).encode() + b"\n",
        lambda value: dumps_text(value).encode() + b"\n",
    ),
    # Stored blocks have their own version markers and symbol tables, so their concatenation is a stream.
    "ION_BINARY": FormatRow("ion", "application/octet-stream", lambda ion: ion, dumps),
    "JSON": FormatRow(
        "json",
        "application/json",
        lambda ion: to_json(loads(ion)).encode() + b"\n",
        lambda value: to_json(value).encode() + b"\n",
    ),
}


@dataclass(frozen=True, slots=True)
class Export:
    """What is asked for.

    start_ms, end_ms: blocks with start <= blockTimestamp < end.  requested_ms: the time of the request.
    format_given: whether the request named the format; the manifest says it only then (documented).
    """

    export_id: str
    ledger_name: str
    strand_id: str
    requested_ms: int
    start_ms: int
    end_ms: int
    bucket: str
    prefix: str
    encryption: str = "NO_ENCRYPTION"
    output_format: OutputFormat = "ION_TEXT"
    format_given: bool = True

    @property
    def format(self) -> FormatRow:
        return FORMATS[self.output_format]

    @property
    def started_key(self) -> str:
        return f"{self.prefix}{self.export_id}{STARTED}"

    @property
    def completed_key(self) -> str:
        return f"{self.prefix}{self.export_id}.{self.strand_id}{COMPLETED}"

    def data_key(self, first: int, last: int) -> str:
        """Return the key of the data object with the blocks first to last."""
        time = Timestamp.from_epoch_ms(self.requested_ms)
        folder = f"{time.year:04}/{time.month:02}/{time.day:02}/{time.hour:02}"
        return f"{self.prefix}{folder}/{self.strand_id}.{first}-{last}.{self.format.extension}"

    def started_manifest(self) -> bytes:
        """Return the started manifest, its fields in the documented order."""
        manifest: Struct = {
            "ledgerName": self.ledger_name,
            "exportId": self.export_id,
            "inclusiveStartTime": Timestamp.from_epoch_ms(self.start_ms),
            "exclusiveEndTime": Timestamp.from_epoch_ms(self.end_ms),
            "bucket": self.bucket,
            "prefix": self.prefix,
            "objectEncryptionType": self.encryption,
        }
        if self.format_given:
            manifest["outputFormat"] = self.output_format
        return self.format.value(manifest)

    def completed_manifest(self, keys: Sequence[str]) -> bytes:
        """Return the completed manifest of data objects' keys, in order."""
        return self.format.value({"keys": list(keys)})

    def objects(self, blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[str, bytes, int]]:
        """Yield (key, contents, number of blocks) of every data object.

        blocks: (sequence number, Ion binary), in order.
        """
        encode = self.format.block
        pieces: list[bytes] = []
        first = last = size = 0
        for sequence_no, ion in blocks:
            piece = encode(ion)
            # A gap ends a file too: readers take its name for all the blocks between.
            if pieces and (len(pieces) == FILE_BLOCKS or size + len(piece) > FILE_BYTES or sequence_no != last + 1):
                yield self.data_key(first, last), b"".join(pieces), len(pieces)
                pieces, size = [], 0
            if not pieces:
                first = sequence_no
            pieces.append(piece)
            size += len(piece)
            last = sequence_no
        if pieces:
            yield self.data_key(first, last), b"".join(pieces), len(pieces)


@dataclass(frozen=True, slots=True)
class DataName:
    """What the name of a data object says."""

    strand_id: str
    first: int
    last: int


_DATA_NAME = re.compile(r"(?:.*/)?([0-9A-Za-z]{1,64})\.([0-9]{1,18})-([0-9]{1,18})\.[0-9A-Za-z]{1,8}\Z", re.DOTALL)


def data_name(key: str) -> DataName | None:
    """Return the strand and blocks that a key claims; None for a key of another form."""
    match = _DATA_NAME.match(key)
    return None if match is None else DataName(match[1], int(match[2]), int(match[3]))
