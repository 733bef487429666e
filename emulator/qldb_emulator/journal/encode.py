"""Writes blocks and metadata as Ion binary, by their layout; every commit does it.

The written value equals that of ``dumps(block.to_ion())``.  Only the symbol ids differ: the names of a block follow the
names of its first document in the symbol table, in a fixed order.  So the binary of that document can be copied as it
is, and all blocks with documents of one shape share one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

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
from . import layout
from .layout import ListOf, MapOf, OneOf, Record, Scalar, Shape, names_within
from .model import Block, Struct

_INT, _TIMESTAMP, _STRING, _BLOB, _LIST, _STRUCT = 2, 6, 8, 10, 11, 13  # type codes of Ion binary


class _Names:
    """A symbol table: the names of a first document, then names of the layout.

    texts: the names of the document.  ids: each name -> its id, encoded as before a field.  opening: version marker
    and symbol table.  last_address: see ``_address``.
    """

    __slots__ = ("ids", "last_address", "listed", "opening", "texts")

    def __init__(self, texts: tuple[str, ...], names: Iterable[str]) -> None:
        self.texts = texts
        self.ids = first_ids((*texts, *names))
        self.listed = listed(local_texts(self.ids))
        self.opening = opening_of(self.listed)
        self.last_address: tuple[Struct, bytes] = ({}, b"")

    def opening_for(self, symbols: dict[str, bytes]) -> bytes:
        """Return the version marker and the symbol table, with the symbols that were added to ``ids``."""
        if len(symbols) == len(self.ids):
            return self.opening
        return opening_of(self.listed + listed(islice(symbols, len(self.ids), None)))


# Documents have few shapes.  The table is emptied when it is full, so hostile shapes cost no memory.
_KNOWN: dict[tuple[tuple[str, ...], tuple[str, ...]], _Names] = {}
_KNOWN_MAX = 256


def encode_block(block: Block) -> bytes:
    """Self-contained Ion binary of a block.

    block: one that ``build_block`` made or ``block_from_ion`` read, so that it has the form of the layout.
    """
    revisions = block.revisions or ()
    if block.redaction_info is not None:
        without = _NONE
    elif revisions or "documents" in (block.transaction_info or _NONE):
        without = _NO_REDACTION
    else:
        without = _NO_DOCUMENTS
    names = _names(_first_texts(revisions), without)
    symbols = names.ids.copy()
    body = _block(names, symbols, block.to_ion())
    return names.opening_for(symbols) + body


_NONE: tuple[str, ...] = ()
_NO_REDACTION = ("redactionInfo",)
_NO_DOCUMENTS = ("redactionInfo", "documents", "revisions")


def encode_metadata(metadata: Struct) -> bytes:
    """Return self-contained Ion binary of a revision's metadata."""
    if tuple(metadata) != layout.METADATA.names or tuple(map(type, metadata.values())) != _METADATA_TYPES:
        return dumps(metadata)  # the metadata of an imported journal may have another order
    return _METADATA_NAMES.opening + _metadata(_METADATA_NAMES, _METADATA_NAMES.ids, metadata)


def metadata_of_octets(id_: bytes, version: bytes, tx_time: bytes, tx_id: bytes) -> bytes:
    """Return what encode_metadata returns, from the binary of each value."""
    names = _METADATA_NAMES.ids
    fields = b"".join((names["id"], id_, names["version"], version, names["txTime"], tx_time, names["txId"], tx_id))
    return _METADATA_NAMES.opening + headed(_STRUCT, fields)


def _first_texts(revisions: Sequence[Struct]) -> tuple[str, ...]:
    """Return the local symbols of the first document whose binary can be copied."""
    for revision in revisions:
        data = revision.get("data")
        if type(data) is Document and (found := opened(data)) is not None:
            return found[0]
    return ()


def _names(texts: tuple[str, ...], without: tuple[str, ...]) -> _Names:
    known = _KNOWN.get((texts, without))
    if known is None:
        if len(_KNOWN) >= _KNOWN_MAX:
            _KNOWN.clear()
        known = _KNOWN[texts, without] = _Names(texts, names_within(layout.BLOCK, without))
    return known


# --- From the layout to functions ------------------------------------------------------------------------------

WritePlain = Callable[[Any], bytes]
"""Writes a value without field names as binary."""

Write = Callable[[_Names, dict[str, bytes], Any], bytes]
"""Writes a value as binary, given the names and all symbols so far; documents add their symbols."""


_SCALARS: dict[Shape, WritePlain] = {
    Scalar.TEXT: lambda text: headed(_STRING, text.encode()),
    Scalar.COUNT: lambda number: headed(_INT, magnitude_octets(number)),
    Scalar.TIME: lambda time: headed(_TIMESTAMP, timestamp_octets(time)),
    Scalar.HASH: partial(headed, _BLOB),
    Scalar.HASH_OR_EMPTY: partial(headed, _BLOB),
}


def _plain_writer_of(shape: Shape) -> WritePlain | None:
    """Return the writer of a shape that has no field names inside; None for other shapes."""
    if isinstance(shape, ListOf) and (item := _plain_writer_of(shape.item)) is not None:
        return lambda values: headed(_LIST, b"".join(map(item, values)))
    return _SCALARS.get(shape)


def _writer_of(shape: Shape) -> Write:
    """Return the writer of a shape that has field names inside."""
    if isinstance(shape, ListOf):
        item = _writer_of(shape.item)
        return lambda names, symbols, values: headed(_LIST, b"".join([item(names, symbols, each) for each in values]))
    if isinstance(shape, MapOf):
        return _map_of(shape)
    if isinstance(shape, OneOf):
        return _writer_of(shape.usual)  # the short record has some of its fields
    if shape is layout.ADDRESS:
        return _address
    if isinstance(shape, Record):
        return _record(shape)
    return _data  # the only scalar with names


def _data(names: _Names, symbols: dict[str, bytes], data: IonValue) -> bytes:
    if type(data) is Document:
        found = opened(data)
        if found is not None and (not found[0] or found[0] == names.texts):
            return found[1]
    return write_value(data, symbols)


def _map_of(shape: MapOf) -> Write:
    item = _writer_of(shape.item)

    def write(names: _Names, symbols: dict[str, bytes], values: dict[str, IonValue]) -> bytes:
        parts: list[bytes] = []
        for name, value in values.items():
            parts += symbol_id(name, symbols), item(names, symbols, value)
        return headed(_STRUCT, b"".join(parts))

    return write


def _record(record: Record) -> Write:
    plain: dict[str, WritePlain] = {}
    nested: dict[str, Write] = {}
    for field in record.fields:
        writer = _plain_writer_of(field.shape)
        if writer is None:
            nested[field.name] = _writer_of(field.shape)
        else:
            plain[field.name] = writer
    plain_writer = plain.get

    def write(names: _Names, symbols: dict[str, bytes], value: Struct) -> bytes:
        ids = names.ids
        parts: list[bytes] = []
        for name, each in value.items():
            writer = plain_writer(name)
            parts += ids[name], nested[name](names, symbols, each) if writer is None else writer(each)
        return headed(_STRUCT, b"".join(parts))

    return write


_any_address = _record(layout.ADDRESS)


def _address(names: _Names, symbols: dict[str, bytes], value: Struct) -> bytes:
    """Return an address.  The last one is cached, because all revisions of a block have the block's address."""
    known, octets = names.last_address  # one read: other threads may be writing blocks with these names
    if known != value:
        octets = _any_address(names, symbols, value)
        names.last_address = value, octets
    return octets


_block = _writer_of(layout.BLOCK)
_metadata = _writer_of(layout.METADATA)
_METADATA_NAMES = _Names((), layout.METADATA.names)
_METADATA_TYPES = (str, int, Timestamp, str)
