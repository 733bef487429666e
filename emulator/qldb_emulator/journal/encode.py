"""A block as bytes, quickly: what every commit writes.

The result is what ``dumps(block.to_ion())`` would be, but for the numbers of its symbols: the names of a block stand in
its symbol table in a fixed order, behind those of its first document, whose binary can then be taken over as it is.
Measured against ``dumps``: 0.3 of its time for a block without documents, 0.25 with one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ion.binary_writer import (
    first_ids,
    headed,
    listed,
    local_texts,
    magnitude_octets,
    opened,
    opening_of,
    symbol_id,
    timestamp_octets,
    write_value,
)
from ..ion.codec import dumps
from ..ion.values import Document, IonValue, Timestamp
from .model import Block, Struct

_NAMES = (
    "blockAddress",
    "strandId",
    "sequenceNo",
    "transactionId",
    "blockTimestamp",
    "blockHash",
    "entriesHash",
    "previousBlockHash",
    "entriesHashList",
    "transactionInfo",
    "statements",
    "statement",
    "startTime",
    "statementDigest",
)
_NAMES_OF_DOCUMENTS = (
    "documents",
    "tableName",
    "tableId",
    "revisions",
    "hash",
    "data",
    "metadata",
    "id",
    "version",
    "txTime",
    "txId",
)
_STRING, _BLOB, _LIST, _STRUCT = 8, 10, 11, 13


class _Names:
    """The names of a block in a symbol table that begins with some texts: each as its id, and the table."""

    def __init__(self, texts: Sequence[str], names: Sequence[str]) -> None:
        self.symbols = first_ids((*texts, *names))
        self.listed = listed(local_texts(self.symbols))
        self.opening = opening_of(self.listed)
        self.size = len(self.symbols)
        for name in names:
            setattr(self, name, self.symbols[name])

    def __getattr__(self, name: str) -> bytes:
        raise AttributeError(name)  # for type checkers: the names given are there

    def opening_for(self, symbols: dict[str, bytes]) -> bytes:
        """Version marker and symbol table, with the symbols that came in addition."""
        if len(symbols) == self.size:
            return self.opening
        return opening_of(self.listed + listed(local_texts(symbols)[self.size - _SYSTEM :]))


_SYSTEM = len(first_ids(()))
_WITHOUT_DOCUMENTS = _Names((), _NAMES)
_METADATA_NAMES = ("id", "version", "txTime", "txId")
_METADATA_TYPES = (str, int, Timestamp, str)
_METADATA_SYMBOLS = first_ids(_METADATA_NAMES)
_METADATA_OPENING = opening_of(listed(local_texts(_METADATA_SYMBOLS)))

# Documents come in few shapes; dropped when it has grown, so hostile shapes cost no memory.
_KNOWN: dict[tuple[str, ...], _Names] = {}
_KNOWN_MAX = 256


def encode_block(block: Block) -> bytes:
    """Self-contained Ion binary of a block that ``build_block`` made."""
    info = block.transaction_info
    if block.redaction_info is not None or info is None:
        return dumps(block.to_ion())
    revisions = block.revisions
    if revisions is None and "documents" not in info:
        names = _WITHOUT_DOCUMENTS
        symbols = names.symbols
    else:
        names = _names(_first_texts(revisions or ()))
        symbols = names.symbols.copy()

    address = _address(names, block.address.strand_id, block.address.sequence_no)
    parts = [
        names.blockAddress,
        address,
        names.transactionId,
        _text(block.transaction_id),
        names.blockTimestamp,
        _time(block.timestamp),
        names.blockHash,
        _blob(block.block_hash),
        names.entriesHash,
        _blob(block.entries_hash),
        names.previousBlockHash,
        _blob(block.previous_block_hash),
        names.entriesHashList,
        headed(_LIST, b"".join([_blob(each) for each in block.entries_hash_list])),
        names.transactionInfo,
        _transaction_info(names, symbols, info),
    ]
    if revisions is not None:
        encoded = [_revision(names, symbols, address, revision) for revision in revisions]
        parts += names.revisions, headed(_LIST, b"".join(encoded))
    return names.opening_for(symbols) + headed(_STRUCT, b"".join(parts))


def encode_metadata(metadata: Struct) -> bytes:
    """Self-contained Ion binary of a revision's metadata."""
    known = _METADATA_SYMBOLS
    if tuple(metadata) != _METADATA_NAMES or tuple(map(type, metadata.values())) != _METADATA_TYPES:
        return dumps(metadata)  # an imported journal's own
    return _METADATA_OPENING + _metadata(known["id"], known["version"], known["txTime"], known["txId"], metadata)


def _first_texts(revisions: Sequence[Struct]) -> tuple[str, ...]:
    """The local symbols of the first document whose binary can be taken over."""
    for revision in revisions:
        data = revision.get("data")
        if type(data) is Document and (found := opened(data)) is not None:
            return found[0]
    return ()


def _names(texts: tuple[str, ...]) -> _Names:
    known = _KNOWN.get(texts)
    if known is None:
        if len(_KNOWN) >= _KNOWN_MAX:
            _KNOWN.clear()
        known = _KNOWN[texts] = _Names(texts, _NAMES + _NAMES_OF_DOCUMENTS)
    return known


def _transaction_info(names: _Names, symbols: dict[str, bytes], info: Struct) -> bytes:
    parts: list[bytes] = []
    if "statements" in info:
        statements = [
            headed(
                _STRUCT,
                names.statement
                + _text(each["statement"])
                + names.startTime
                + _time(each["startTime"])
                + names.statementDigest
                + _blob(each["statementDigest"]),
            )
            for each in info["statements"]
        ]
        parts += names.statements, headed(_LIST, b"".join(statements))
    if "documents" in info:
        documents: list[bytes] = []
        for document_id, each in info["documents"].items():
            table = names.tableName + _text(each["tableName"]) + names.tableId + _text(each["tableId"])
            writes = names.statements + headed(_LIST, b"".join(map(_number, each["statements"])))
            documents += symbol_id(document_id, symbols), headed(_STRUCT, table + writes)
        parts += names.documents, headed(_STRUCT, b"".join(documents))
    return headed(_STRUCT, b"".join(parts))


def _revision(names: _Names, symbols: dict[str, bytes], address: bytes, revision: Struct) -> bytes:
    if "metadata" not in revision:
        return headed(_STRUCT, names.hash + _blob(revision["hash"]))
    parts = [names.blockAddress, address, names.hash, _blob(revision["hash"])]
    if "data" in revision:
        parts += names.data, _data(names, symbols, revision["data"])
    parts += names.metadata, _metadata(names.id, names.version, names.txTime, names.txId, revision["metadata"])
    return headed(_STRUCT, b"".join(parts))


def _data(names: _Names, symbols: dict[str, bytes], data: IonValue) -> bytes:
    if type(data) is Document:
        found = opened(data)
        if found is not None and (not found[0] or _KNOWN.get(found[0]) is names):
            return found[1]
    return write_value(data, symbols)


def _metadata(id_: bytes, version: bytes, tx_time: bytes, tx_id: bytes, metadata: Struct) -> bytes:
    return headed(
        _STRUCT,
        id_
        + _text(metadata["id"])
        + version
        + _number(metadata["version"])
        + tx_time
        + _time(metadata["txTime"])
        + tx_id
        + _text(metadata["txId"]),
    )


def _address(names: _Names, strand_id: str, sequence_no: int) -> bytes:
    return headed(_STRUCT, names.strandId + _text(strand_id) + names.sequenceNo + _number(sequence_no))


def _text(text: str) -> bytes:
    return headed(_STRING, text.encode())


def _blob(octets: bytes) -> bytes:
    return headed(_BLOB, octets)


def _number(number: int) -> bytes:
    return headed(2, magnitude_octets(number))


def _time(time: Timestamp) -> bytes:
    return headed(6, timestamp_octets(time))
