"""Writes blocks and their parts as Ion binary, by their layout; every commit does it.

The written value equals that of ``dumps(block.to_ion())``.  Only the symbol ids differ: the names of a block follow the
names of its first document in the symbol table, in a fixed order.  So the binary of that document can be copied as it
is, and all blocks with documents of one shape share one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from ..ion.binary_reader import extent
from ..ion.binary_writer import (
    first_ids,
    headed,
    listed,
    local_texts,
    magnitude_octets,
    opened,
    opening_of,
    symbol_id,
    texts_of,
    timestamp_octets,
    value_start,
    varuint,
    write_value,
)
from ..ion.codec import dumps
from ..ion.values import Document, IonValue, Timestamp
from . import layout
from .layout import ListOf, MapOf, OneOf, Record, Scalar, Shape, names_within
from .model import Block, Struct

_INT, _TIMESTAMP, _STRING, _BLOB, _LIST, _STRUCT = 2, 6, 8, 10, 11, 13  # type codes of Ion binary


class _Part:
    """What is written: a block, or a part of one.

    names: field names in the order of their ids.  used: those of them that the part has.
    has_document: whether a document is in it.
    """

    __slots__ = ("has_document", "names", "used")

    def __init__(self, names: Iterable[str], used_by: Shape) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.used = frozenset(names_within(used_by))
        self.has_document = "data" in self.used


class _Names:
    """A symbol table: the names of a first document, then names of the layout.

    texts: the names of the document.  ids: each name -> its id, encoded as before a field.
    listed: the contents of the symbol table; null in the place of a name that the part does not use, so that a part
    has the ids that it has in a block.  opening: version marker and symbol table.  last_address: see ``_address``.
    """

    __slots__ = ("ids", "last_address", "listed", "opening", "texts")

    def __init__(self, texts: tuple[str, ...], part: _Part) -> None:
        self.texts = texts
        self.ids = first_ids((*texts, *part.names))
        used = part.used.union(texts) if part.has_document else part.used
        self.listed = b"".join([listed((text,)) if text in used else _NULL for text in local_texts(self.ids)])
        self.opening = opening_of(self.listed)
        self.last_address: tuple[Struct, bytes] = ({}, b"")

    def opening_for(self, symbols: dict[str, bytes]) -> bytes:
        """Return the version marker and the symbol table, with the symbols that were added to ``ids``."""
        if len(symbols) == len(self.ids):
            return self.opening
        return opening_of(self.listed + listed(islice(symbols, len(self.ids), None)))


_NULL = b"\x0f"
_WHOLE = _Part(names_within(layout.BLOCK), layout.BLOCK)
_NO_REDACTION = _Part(names_within(layout.BLOCK, ("redactionInfo",)), layout.BLOCK)
_NO_DOCUMENTS = _Part(names_within(layout.BLOCK, ("redactionInfo", "documents", "revisions")), layout.BLOCK)
_REVISION = _Part(_NO_REDACTION.names, layout.REVISION)
_SHOWN = _Part(names_within(layout.REVISION, ("dataHash",)), layout.REVISION)
_INFO = _Part(_NO_REDACTION.names, layout.TRANSACTION_INFO)
_METADATA = _Part(layout.METADATA.names, layout.METADATA)

# Documents have few shapes.  The table is emptied when it is full, so hostile shapes cost no memory.
_KNOWN: dict[tuple[tuple[str, ...], _Part], _Names] = {}
_KNOWN_MAX = 256

# The same for documents as they are stored, by what stands before their value.
_SHOWN_NAMES: dict[bytes, _Names] = {}


def encode_block(block: Block) -> bytes:
    """Self-contained Ion binary of a block.

    block: one that ``build_block`` made or ``block_from_ion`` read, so that it has the form of the layout.
    """
    revisions = block.revisions or ()
    if block.redaction_info is not None:
        part = _WHOLE
    elif revisions or "documents" in (block.transaction_info or ()):
        part = _NO_REDACTION
    else:
        part = _NO_DOCUMENTS
    names = _names(_first_texts(revisions), part)
    symbols = names.ids.copy()
    body = _block(names, symbols, block.to_ion())
    return names.opening_for(symbols) + body


def encode_metadata(metadata: Struct) -> bytes:
    """Return self-contained Ion binary of a revision's metadata."""
    if tuple(metadata) != layout.METADATA.names or tuple(map(type, metadata.values())) != _METADATA_TYPES:
        return dumps(metadata)  # the metadata of an imported journal may have another order
    return _METADATA_NAMES.opening + _metadata(_METADATA_NAMES, _METADATA_NAMES.ids, metadata)


def encode_revision(revision: Struct) -> bytes:
    """Return self-contained Ion binary of a revision that has the form of the layout."""
    data = revision.get("data")
    if data is None or (type(data) is Document and opened(data) is not None):
        names = _names(_first_texts((revision,)), _REVISION)
        return names.opening + _revision(names, names.ids, revision)
    # Written first, so that its names come first in the symbol table, as those of a Document do that can be copied.
    symbols = first_ids(())
    written = write_value(data, symbols)
    names = _names(tuple(local_texts(symbols)), _REVISION)
    return names.opening + _revision(names, names.ids, {**revision, "data": written})


def encode_stored_revision(
    strand_id: str, sequence_no: int, hash_: bytes, data: bytes, metadata: bytes
) -> bytes | None:
    """Return self-contained Ion binary of a revision, with its document's octets as they are; nothing is decoded.

    The names of the document come first in the symbol table, so its symbol ids stay.
    data, metadata: as they are stored, each self-contained Ion binary.  None for those that have another form than our
    writers give nearly all of them: the caller decodes them.
    """
    start = value_start(data)
    names = _shown_names(data[:start])
    fields = _metadata_values(metadata)
    if names is None or fields is None or start >= len(data):
        return None
    ids = names.ids
    id_, version, time, tx_id = fields
    strand, number = headed(_STRING, strand_id.encode()), headed(_INT, magnitude_octets(sequence_no))
    address = headed(_STRUCT, b"".join((ids["strandId"], strand, ids["sequenceNo"], number)))
    described = b"".join((ids["id"], id_, ids["version"], version, ids["txTime"], time, ids["txId"], tx_id))
    shown = (ids["blockAddress"], address, ids["hash"], headed(_BLOB, hash_), ids["data"], data[start:])
    return names.opening + headed(_STRUCT, b"".join((*shown, ids["metadata"], headed(_STRUCT, described))))


def _shown_names(opening: bytes) -> _Names | None:
    """Return the symbol table of a revision with a document that has this opening.

    None if a larger table cannot begin with the document's.
    """
    known = _SHOWN_NAMES.get(opening)
    if known is not None:
        return known
    texts = texts_of(opening)
    if texts is None:
        return None
    if len(_SHOWN_NAMES) >= _KNOWN_MAX:
        _SHOWN_NAMES.clear()
    names = _SHOWN_NAMES[opening] = _Names(texts, _SHOWN)
    return names


def _metadata_values(metadata: bytes) -> list[bytes] | None:
    """Return the octets of each value of a revision's metadata that encode_metadata wrote; None if it did not."""
    position = len(_METADATA_NAMES.opening)
    if not metadata.startswith(_METADATA_NAMES.opening):
        return None
    position, stop = extent(metadata, position)
    values = []
    for name in _METADATA_IDS:
        start = position + len(name)
        if start >= stop or metadata[position:start] != name:
            return None
        position = extent(metadata, start)[1]
        values.append(metadata[start:position])
    return values if position == stop == len(metadata) else None


def encode_transaction_info(info: Struct) -> bytes:
    """Return self-contained Ion binary of a block's transactionInfo."""
    symbols = _INFO_NAMES.ids.copy()
    body = _info(_INFO_NAMES, symbols, info)
    return _INFO_NAMES.opening_for(symbols) + body


def revision_opening(block_texts: Sequence[str], document: int) -> bytes | None:
    """Return version marker and symbol table that make a revision self-contained that stands in a block.

    Then it is what encode_revision writes.  None for a block whose symbols are not in the order of encode_block.
    block_texts: the block's local symbols, without the ids of documents at their end.
    document: how many of the first ones are the names of the revision's document.
    """
    names = _names(tuple(block_texts[:document]), _REVISION)
    return names.opening if local_texts(names.ids) == block_texts else None


def metadata_of_octets(octets: tuple[bytes, ...]) -> bytes:
    """Return what encode_metadata returns.  octets: of the values, in the order of the layout; those of texts in two
    pieces, the head and the rest.
    """
    id_head, id_, version, time, tx_head, tx_id = octets
    of_id, of_version, of_time, of_tx_id = _METADATA_IDS
    fields = b"".join((of_id, id_head, id_, of_version, version, of_time, time, of_tx_id, tx_head, tx_id))
    return _METADATA_NAMES.opening + headed(_STRUCT, fields)


def statement_of_octets(text_head: bytes, text: bytes, time: bytes, digest: bytes) -> bytes:
    """Return a statement within the binary of ``transaction_info_of_octets``.

    The parameters: octets of its values; those of the text in two pieces, the head and the rest; a digest without head.
    """
    of_text, of_time, of_digest = _STATEMENT_IDS
    return headed(_STRUCT, b"".join((of_text, text_head, text, of_time, time, of_digest, _HASH_HEAD, digest)))


def changed_document_of_octets(octets: tuple[bytes, ...]) -> bytes:
    """Return what a block says about a document, within the binary of ``transaction_info_of_octets``.

    octets: of the values, in the order of the layout, each in two pieces, the head and the rest.
    """
    name_head, name, id_head, table_id, list_head, indexes = octets
    of_name, of_id, of_list = _CHANGED_DOCUMENT_IDS
    fields = (of_name, name_head, name, of_id, id_head, table_id, of_list, list_head, indexes)
    return headed(_STRUCT, b"".join(fields))


def transaction_info_of_octets(
    statements: Iterable[bytes] | None, documents: Iterable[tuple[str, bytes]] | None
) -> bytes:
    """Return what encode_transaction_info returns.

    statements: the binary of each.  documents: id and binary of each.  Both by the functions above; None: no field.
    """
    ids = _INFO_NAMES.ids
    fields = added = b""
    if statements is not None:
        fields = ids["statements"] + headed(_LIST, b"".join(statements))
    if documents is not None:
        parts: list[bytes] = []
        number = len(ids)
        for document_id, value in documents:
            known = ids.get(document_id)
            if known is None:
                known = varuint(number)
                number += 1
                added += headed(_STRING, document_id.encode())
            parts += known, value
        fields += ids["documents"] + headed(_STRUCT, b"".join(parts))
    return _info_opening(len(added)) + added + headed(_STRUCT, fields)


@lru_cache(_KNOWN_MAX)
def _info_opening(size: int) -> bytes:
    """Return what precedes the ids of documents, which take *size* octets in the symbol table of a transactionInfo.

    It depends on their length alone, so it is kept: a block has few documents, and their ids have one length.
    """
    opening = opening_of(_INFO_NAMES.listed + bytes(size))
    return opening[: len(opening) - size]


def _first_texts(revisions: Sequence[Struct]) -> tuple[str, ...]:
    """Return the local symbols of the first document whose binary can be copied."""
    for revision in revisions:
        data = revision.get("data")
        if type(data) is Document and (found := opened(data)) is not None:
            return found[0]
    return ()


def _names(texts: tuple[str, ...], part: _Part) -> _Names:
    known = _KNOWN.get((texts, part))
    if known is None:
        if len(_KNOWN) >= _KNOWN_MAX:
            _KNOWN.clear()
        known = _KNOWN[texts, part] = _Names(texts, part)
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
    if type(data) is bytes:
        return data  # encode_revision has written it
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
_revision = _writer_of(layout.REVISION)
_info = _writer_of(layout.TRANSACTION_INFO)
_METADATA_NAMES = _Names((), _METADATA)
_METADATA_TYPES = (str, int, Timestamp, str)
_METADATA_IDS = tuple([_METADATA_NAMES.ids[name] for name in layout.METADATA.names])
_INFO_NAMES = _Names((), _INFO)
_HASH_HEAD = headed(_BLOB, bytes(32))[:2]
_STATEMENT_IDS = tuple([_INFO_NAMES.ids[name] for name in layout.STATEMENT.names])
_CHANGED_DOCUMENT_IDS = tuple([_INFO_NAMES.ids[name] for name in layout.CHANGED_DOCUMENT.names])
