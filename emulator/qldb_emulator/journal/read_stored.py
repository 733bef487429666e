"""Reads a block from its stored octets, with its hashes, and builds none of its values.

Nearly all blocks of a journal have one form: self-contained Ion binary as our writer writes it, the fields in the
order of the layout, texts of ASCII, times in milliseconds.  Of such a block regular expressions, made from the layout,
find the parts; the lengths in the binary are compared with what was found; each hash is computed over the octets.

``read_block`` returns None for a block of any other form, correct or damaged.  The caller then decodes it, and
``parse`` says what is wrong.  So this module reports no error, but accepts nothing that ``parse`` refuses.

A symbol table has the names of a document, then those of the layout, then the ids of the documents that the block
changed.  What stands before the ids recurs from block to block, so what depends on it is kept: ``_Table``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any

from ..ids import ID_LENGTH
from ..ion.binary_reader import VERSION_MARKER, extent, read_timestamp, varuint
from ..ion.binary_writer import listed, opening_of
from ..ion.binary_writer import varuint as write_varuint
from ..ion.codec import IonError, loads
from ..ion.hash import OTHER_OCTETS, blob_part, hash_fields, hash_noted_fields, list_part, name_part, struct_part
from ..ion.hash import scalar_part as _scalar
from ..ion.symbols import MAX_DEPTH, SYSTEM_SYMBOLS
from . import layout
from .encode import changed_document_of_octets, revision_opening
from .layout import ListOf, Record, Scalar, Shape, names_within
from .model import Block, BlockAddress
from .parse import block_from_ion
from .stored import ChangedTable, DocumentForm, Noted, StoredBlock, StoredRevision, StoredStatement

Match = Callable[..., "re.Match[bytes] | None"]

_SIZES_KEPT = 4096  # lengths
_KEPT = 256  # tables, and other things that recur
_DATA_DEPTH = MAX_DEPTH - 4  # how many containers may open in a document: a block, a list and a revision are around it


class _OtherForm(ValueError):
    """The block has another form."""


_NOT_READ = (IonError, IndexError, KeyError, RecursionError, ValueError)
"""What reading octets of another form raises."""


def read_block(ion: bytes, start: int | None = None) -> StoredBlock | None:
    """Return the block in self-contained Ion binary; None if it does not have the usual form.

    start: where its struct begins, if the caller knows.
    """
    try:
        if start is None:
            start = extent(ion, len(VERSION_MARKER))[1]
        return _read_block(ion, start, False)
    except _NOT_READ:
        return None


def read_noted_block(ion: bytes, start: int) -> StoredBlock | None:
    """Do what read_block does; the revisions have their form and leaves."""
    try:
        return _read_block(ion, start, True)
    except _NOT_READ:
        return None


def block_from_binary(ion: bytes) -> Block | StoredBlock:
    """Return the block in self-contained Ion binary, decoded only if it has another form than most.

    Raises IonError, BlockFormatError.
    """
    return read_block(ion) or block_from_ion(loads(ion))


# --- Expressions from the layout -------------------------------------------------------------------------------
# A value without parts gives one group.  A text, a list and a record give two: the head (type and length), the rest.

_LONG = 14  # from this length on it stands behind the type octet
_COUNT = rb"\x20|\x21[^\0]|\x22[^\0].|\x23[^\0]..|\x24[^\0]...|\x25[^\0].{4}|\x26[^\0].{5}|\x27[^\0].{6}"
_TIME = rb"\x80[\x01-\x7f][\x80-\xff]{6}\xc3"  # UTC to the second, then the exponent of milliseconds
_SCALARS: dict[Shape, bytes] = {
    Scalar.TEXT: rb"([\x80-\x8d]|\x8e[\x80-\xff]|\x8e[\x01-\x7f][\x80-\xff])([\0-\x7f]*)",
    Scalar.COUNT: rb"(%b)" % _COUNT,
    Scalar.TIME: rb"(\x69%b|\x6a%b[\x01-\x7f]|\x6b%b(?:\0[\x80-\xff]|[\x01-\x03].))" % (_TIME, _TIME, _TIME),
    Scalar.HASH: rb"\xae\xa0(.{32})",
    Scalar.HASH_OR_EMPTY: rb"(?:\xa0|\xae\xa0(.{32}))",
}
_ITEMS: dict[Shape, bytes] = {Scalar.HASH: rb"\xae\xa0.{32}", Scalar.COUNT: _COUNT}
_ITEM_OCTETS = 34  # of a hash in a list


def _head(code: int) -> bytes:
    """Return the expression for the type and the length of a container."""
    lengths = [length for length in range(_LONG) if (code, length) != (13, 1)]  # that is a struct of another form
    short = b"".join([re.escape(bytes((code << 4 | length,))) for length in lengths])
    return rb"([%b]|%b(?:[\x01-\x7f][\0-\x7f]{0,2})?[\x80-\xff])" % (short, re.escape(bytes((code << 4 | _LONG,))))


_LIST, _STRUCT = _head(11), _head(13)


def _value(shape: Shape, ids: dict[str, bytes]) -> bytes:
    if isinstance(shape, ListOf):
        return rb"%b((?:%b)*)" % (_LIST, _ITEMS[shape.item])
    if isinstance(shape, Record):
        return rb"%b(%b)" % (_STRUCT, _fields(shape, ids))
    return _SCALARS[shape]


def _fields(record: Record, ids: dict[str, bytes], last: str = "") -> bytes:
    """Return the expression for the fields of a record, up to the last of these."""
    stop = record.names.index(last) + 1 if last else len(record.names)
    return b"".join([ids[field.name] + _value(field.shape, ids) for field in record.fields[:stop]])


class _Patterns:
    """Expressions for the parts of a block, given the symbol ids of the layout's names.  Each matches at a position."""

    __slots__ = (
        *("block", "document", "documents_head", "metadata", "revision", "revisions_head", "statement"),
        "statements_head",
    )

    def __init__(self, numbers: tuple[int, ...]) -> None:
        """numbers: the id of each of _NAMES, -1 for a name that has none."""
        never = rb"(?!)"
        octets = [never if number < 0 else re.escape(write_varuint(number)) for number in numbers]
        ids = dict(zip(_NAMES, octets, strict=True))
        up_to_list = _fields(layout.BLOCK, ids, last="entriesHashList")
        self.block = _matching(rb"%b%b(?:%b%b)?" % (_STRUCT, up_to_list, ids["transactionInfo"], _STRUCT))
        self.statements_head = _matching(ids["statements"] + _LIST)
        self.statement = _matching(_value(layout.STATEMENT, ids))
        self.documents_head = _matching(ids["documents"] + _STRUCT)
        self.document = _matching(_fields(layout.CHANGED_DOCUMENT, ids))
        self.revisions_head = _matching(ids["revisions"] + _LIST)
        data = rb"(?:(%b)|%b%b)?" % (ids["data"], ids["dataHash"], _SCALARS[Scalar.HASH])
        self.revision = _matching(rb"%b%b%b" % (_STRUCT, _fields(layout.REVISION, ids, last="hash"), data))
        self.metadata = _matching(ids["metadata"] + _value(layout.METADATA, ids))


def _matching(expression: bytes) -> Match:
    return re.compile(expression, re.DOTALL).match


_NAMES = tuple(dict.fromkeys(names_within(layout.BLOCK)))
_NAME_SET = frozenset(_NAMES)

# Compiling the expressions takes as long as decoding thirty blocks, so it is done for ids that recur.
_SEEN_BEFORE = 4
_seen: dict[tuple[int, ...], int] = {}
_patterns: dict[tuple[int, ...], _Patterns] = {}


def _patterns_for(texts: list[str]) -> _Patterns | None:
    """Return the expressions for a symbol table; None if its like was not seen often enough."""
    of_text = {text: number for number, text in enumerate(texts)}
    numbers = tuple([of_text.get(name, -1) for name in _NAMES])
    known = _patterns.get(numbers)
    if known is not None:
        return known
    _forget_when_full(_seen)
    _seen[numbers] = _seen.get(numbers, 0) + 1
    if _seen[numbers] <= _SEEN_BEFORE:
        return None
    _forget_when_full(_patterns)
    _patterns[numbers] = known = _Patterns(numbers)
    return known


def _forget_when_full(kept: dict[Any, Any]) -> None:
    if len(kept) >= _KEPT:
        kept.clear()


class _Table:
    """The beginning of a symbol table, up to the first id of a document.

    texts: of its symbol ids.
    documents: octets of a changed document -> its serialisation, and its table.
    openings: symbol ids in a document, each once -> opening and whole_opening of a StoredRevision.
    """

    __slots__ = ("documents", "openings", "patterns", "texts")

    def __init__(self, texts: list[str], patterns: _Patterns) -> None:
        self.texts = texts
        self.patterns = patterns
        self.documents: dict[bytes, tuple[bytes, ChangedTable]] = {}
        self.openings: dict[tuple[int, ...], tuple[bytes | None, bytes | None]] = {}


_tables: dict[bytes, _Table] = {}
_ID_HEAD = bytes((0x8E, 0x80 | ID_LENGTH))
_SYMBOL_TABLE = _matching(rb"\xe0\x01\x00\xea%b\x81\x83%b\x87%b" % (_head(14), _STRUCT, _LIST))


def _table(ion: bytes, start: int) -> tuple[_Table, list[str]]:
    """Return the table of a block whose struct begins here, and the texts of all symbol ids."""
    found = _SYMBOL_TABLE(ion, 0, start)
    if found is None:
        raise _OtherForm
    wrapper, struct, symbols = found.groups()
    position = found.end()
    if (
        found.end(1) + _size(wrapper) != start
        or found.end(2) + _size(struct) != start
        or position + _size(symbols) != start
    ):
        raise _OtherForm
    first_id = ion.find(_ID_HEAD, position, start)
    if first_id < 0:
        first_id = start
    beginning = ion[position:first_id]
    table = _tables.get(beginning)
    rest = _texts(ion, first_id, start)
    if table is None or not _NAME_SET.isdisjoint(rest):
        texts = [*SYSTEM_SYMBOLS, *_texts(ion, position, first_id)]
        patterns = _patterns_for(texts + rest)
        if patterns is None:
            raise _OtherForm
        table = _Table(texts, patterns)
        if _NAME_SET.isdisjoint(rest):
            _forget_when_full(_tables)
            _tables[beginning] = table
    return table, table.texts + rest


def _texts(ion: bytes, position: int, stop: int) -> list[str]:
    """Return the strings between two positions."""
    texts = []
    while position < stop:
        start, end = extent(ion, position)
        if ion[position] >> 4 != 8 or ion[position] == 0x8F:
            raise _OtherForm
        texts.append(ion[start:end].decode())
        position = end
    if position != stop:
        raise _OtherForm
    return texts


# --- Parts -----------------------------------------------------------------------------------------------------

_N_ADDRESS, _N_TRANSACTION, _N_TIME = (name_part(field.name) for field in layout.HEADER)
_N_STRAND, _N_NUMBER = map(name_part, layout.ADDRESS.names)
_N_TEXT, _N_START, _N_DIGEST = map(name_part, layout.STATEMENT.names)
_N_TABLE_NAME, _N_TABLE_ID, _N_INDEXES = map(name_part, layout.CHANGED_DOCUMENT.names)
_N_STATEMENTS, _N_DOCUMENTS = map(name_part, layout.TRANSACTION_INFO.names)
_N_ID, _N_VERSION, _N_TX_TIME, _N_TX_ID = map(name_part, layout.METADATA.names)


def _read_block(ion: bytes, start: int, is_noting: bool) -> StoredBlock:
    table, symbols = _table(ion, start)
    found = table.patterns.block(ion, start)
    if found is None:
        raise _OtherForm
    head, address_head, address, strand_head, strand, number, tx_head, tx, time, *rest = found.groups()
    block_hash, entries_hash, previous, list_head, entries, info_head = rest
    if (
        start + len(head) + _size(head) != len(ion)
        or _size(address_head) != len(address)
        or _size(strand_head) != len(strand)
        or _size(tx_head) != len(tx)
        or _size(list_head) != len(entries)
    ):
        raise _OtherForm
    address_parts = [_kept_field(_N_STRAND, b"\x80", strand), sha256(_N_NUMBER + _scalar(b"\x20", number[1:])).digest()]
    header = [
        sha256(_N_ADDRESS + struct_part(address_parts)).digest(),
        sha256(_N_TRANSACTION + _scalar(b"\x80", tx)).digest(),
        sha256(_N_TIME + _scalar(b"\x60", time[1:])).digest(),
    ]
    block = StoredBlock(
        ion,
        BlockAddress(strand.decode(), int.from_bytes(number[1:], "big")),
        tx.decode(),
        _time_ms(time),
        block_hash,
        entries_hash,
        previous or b"",
        tuple([entries[at + 2 : at + _ITEM_OCTETS] for at in range(0, len(entries), _ITEM_OCTETS)]),
        sha256(struct_part(header)).digest(),
        symbols,
    )
    position = found.end()
    if info_head is not None:
        stop = position + _size(info_head)
        position = _read_info(block, table, symbols, position, stop)
    if position < len(ion):
        _read_revisions(block, table, symbols, position, address, is_noting)
    return block


def _read_info(block: StoredBlock, table: _Table, symbols: list[str], position: int, stop: int) -> int:
    """Read transactionInfo, which stands between two positions.  Return the second."""
    ion, fields = block.ion, []
    found = table.patterns.statements_head(ion, position, stop)
    if found is not None:
        block.has_statements = True
        position = found.end()
        end = position + _size(found[1])
        parts = []
        while position < end:
            part, position = _read_statement(block, table, position, end)
            parts.append(part)
        fields.append(sha256(_N_STATEMENTS + list_part(parts)).digest())
    found = table.patterns.documents_head(ion, position, stop)
    if found is not None:
        block.has_documents = True
        position = found.end()
        end = position + _size(found[1])
        hashes = []
        while position < end:
            field_hash, position = _read_document(block, table, symbols, position, end)
            hashes.append(field_hash)
        if len(block.documents) != len(hashes):
            raise _OtherForm  # one of them twice
        fields.append(sha256(_N_DOCUMENTS + struct_part(hashes)).digest())
    if position != stop or stop > len(ion):
        raise _OtherForm
    block.info_hash = sha256(struct_part(fields)).digest()
    return position


def _read_statement(block: StoredBlock, table: _Table, position: int, end: int) -> tuple[bytes, int]:
    """Read the statement here.  Return its serialisation, and the position behind it."""
    found = table.patterns.statement(block.ion, position, end)
    if found is None:
        raise _OtherForm
    head, contents, text_head, text, time, digest = found.groups()
    if _size(head) != len(contents) or _size(text_head) != len(text):
        raise _OtherForm
    text_hash, text_field = _text_hashes(text)
    block.statements.append(StoredStatement(text_head, text, text_hash, time, _time_ms(time), digest))
    fields = [
        text_field,
        sha256(_N_START + _scalar(b"\x60", time[1:])).digest(),
        sha256(_N_DIGEST + blob_part(digest)).digest(),
    ]
    return struct_part(fields), found.end()


def _read_document(block: StoredBlock, table: _Table, symbols: list[str], position: int, end: int) -> tuple[bytes, int]:
    """Read the changed document here.  Return the hash of its field, and the position behind it."""
    found = _DOCUMENT_HEAD(block.ion, position, end)
    if found is None:
        raise _OtherForm
    number, head = found.groups()
    position = found.end()
    stop = position + _size(head)
    octets = block.ion[position:stop]
    known = table.documents.get(octets)
    if known is None:
        known = _changed_document(table, octets)
        _forget_when_full(table.documents)
        table.documents[octets] = known
    part, changed = known
    document_id = symbols[varuint(number, 0)[0]]
    block.documents[document_id] = changed
    return sha256(name_part(document_id) + part).digest(), stop


_DOCUMENT_HEAD = _matching(rb"([\x80-\xff]|[\x01-\x7f][\x80-\xff])" + _STRUCT)


def _changed_document(table: _Table, octets: bytes) -> tuple[bytes, ChangedTable]:
    """Return the serialisation of a changed document with these contents, and its table."""
    found = table.patterns.document(octets)
    if found is None or found.end() != len(octets):
        raise _OtherForm
    name_head, name, id_head, table_id, list_head, indexes = found.groups()
    if _size(name_head) != len(name) or _size(id_head) != len(table_id) or _size(list_head) != len(indexes):
        raise _OtherForm
    counts = [_scalar(b"\x20", each[1:]) for each in re.findall(_COUNT, indexes, re.DOTALL)]
    fields = [
        _kept_field(_N_TABLE_NAME, b"\x80", name),
        _kept_field(_N_TABLE_ID, b"\x80", table_id),
        sha256(_N_INDEXES + list_part(counts)).digest(),
    ]
    ion = changed_document_of_octets(found.groups())
    return struct_part(fields), ChangedTable(name.decode(), table_id.decode(), ion)


def _read_revisions(
    block: StoredBlock, table: _Table, symbols: list[str], position: int, address: bytes, is_noting: bool
) -> None:
    """Read the revisions, which stand at the end of a block.  address: the contents of the block's address."""
    ion = block.ion
    end = len(ion)
    found = table.patterns.revisions_head(ion, position)
    if found is None or found.end() + _size(found[1]) != end:
        raise _OtherForm
    position = found.end()
    revisions = []
    while position < end:
        revision, position = _read_revision(ion, table, symbols, position, address, is_noting)
        revisions.append(revision)
    block.revisions = revisions


def _read_revision(
    ion: bytes, table: _Table, symbols: list[str], position: int, block_address: bytes, is_noting: bool
) -> tuple[StoredRevision, int]:
    """Read the revision here.  Return it, and the position behind it."""
    found = table.patterns.revision(ion, position)
    if found is None:
        raise _OtherForm
    head, address_head, address, _, _, _, hash_, has_data, data_hash = found.groups()
    begin = position
    stop = position + len(head) + _size(head)
    position = found.end()
    # A block whose revision has another address is not the usual one: what is wrong with it is found elsewhere.
    if address != block_address or _size(address_head) != len(address) or stop > len(ion):
        raise _OtherForm
    span: tuple[int, int] = (0, 0)
    used: list[int] = []
    ids: tuple[int, ...] = ()
    noted: Noted | None = None
    if has_data is not None:
        head_of_data = _DATA_HEAD(ion, position)
        if head_of_data is None:
            raise _OtherForm
        start = head_of_data.end()
        span = position, start + _size(head_of_data[1])
        if is_noting:
            leaves: list[bytes] = []
            data_hash = hash_noted_fields(ion, start, span[1], symbols, _DATA_DEPTH, used, leaves)
            ids, form = _without_notes(table, tuple(used))
            noted = None if form is None else (form, leaves)
        else:
            data_hash = hash_fields(ion, start, span[1], symbols, _DATA_DEPTH, used)
            ids = tuple(dict.fromkeys(used))
        position = span[1]
    opening, whole_opening = _openings(table, symbols, ids)
    found = table.patterns.metadata(ion, position)
    if found is None or found.end() != stop:
        raise _OtherForm
    whole = begin, stop
    opening = opening if span[1] else None
    revision = _revision(hash_, span, opening, whole, whole_opening, data_hash, *found.groups())
    if noted is not None:
        revision.noted = noted
    return revision, stop


_DATA_HEAD = _matching(_STRUCT)


def _revision(
    hash_: bytes,
    span: tuple[int, int],
    opening: bytes | None,
    whole: tuple[int, int],
    whole_opening: bytes | None,
    data_hash: bytes | None,
    head: bytes,
    contents: bytes,
    id_head: bytes,
    id_: bytes,
    version: bytes,
    time: bytes,
    tx_head: bytes,
    tx: bytes,
) -> StoredRevision:
    """Return a revision.  From head on: what the expression of the metadata found."""
    if _size(head) != len(contents) or _size(id_head) != len(id_) or _size(tx_head) != len(tx):
        raise _OtherForm
    fields = [
        sha256(_N_ID + _scalar(b"\x80", id_)).digest(),
        _kept_field(_N_VERSION, b"\x20", version[1:]),
        sha256(_N_TX_TIME + _scalar(b"\x60", time[1:])).digest(),
        sha256(_N_TX_ID + _scalar(b"\x80", tx)).digest(),
    ]
    return StoredRevision(
        hash_,
        id_.decode(),
        int.from_bytes(version[1:], "big"),
        _time_ms(time),
        tx.decode(),
        (id_head, id_, version, time, tx_head, tx),
        sha256(struct_part(fields)).digest(),
        span,
        opening,
        whole,
        whole_opening,
        data_hash,
    )


def _openings(table: _Table, symbols: list[str], used: tuple[int, ...]) -> tuple[bytes | None, bytes | None]:
    """Return two openings of a StoredRevision whose data has these symbol ids, each once, in their order."""
    known = table.openings.get(used)
    if known is not None:
        return known
    local = [symbol_id for symbol_id in used if symbol_id >= len(SYSTEM_SYMBOLS)]
    is_own = -1 not in used and local == list(range(len(SYSTEM_SYMBOLS), len(SYSTEM_SYMBOLS) + len(local)))
    opening = whole_opening = None
    if is_own and len(SYSTEM_SYMBOLS) + len(local) <= len(table.texts):
        opening = opening_of(listed([symbols[symbol_id] for symbol_id in local])) if local else VERSION_MARKER
        whole_opening = revision_opening(table.texts[len(SYSTEM_SYMBOLS) :], len(local))
    _forget_when_full(table.openings)
    table.openings[used] = opening, whole_opening
    return opening, whole_opening


_NOTES_MAX = 256  # of a form that is kept: longer ones seldom recur
_FORMS_KEPT = 1024
_forms: dict[tuple[_Table, tuple[int, ...]], tuple[tuple[int, ...], DocumentForm]] = {}


def _without_notes(table: _Table, notes: tuple[int, ...]) -> tuple[tuple[int, ...], DocumentForm | None]:
    """Return the symbol ids, each once, of a document with these notes, and its form; None if it is not kept."""
    key = table, notes
    known = _forms.get(key)
    if known is not None:
        return known
    used = tuple(dict.fromkeys([note for note in notes if note >= OTHER_OCTETS]))
    # Symbols behind the kept beginning of the table are those of one block.
    if len(notes) > _NOTES_MAX or max(used, default=0) >= len(table.texts):
        return used, None
    if len(_forms) >= _FORMS_KEPT:
        _forms.clear()
    _forms[key] = found = used, DocumentForm(notes, table.texts)
    return found


# --- Values ----------------------------------------------------------------------------------------------------


@lru_cache(_SIZES_KEPT)
def _size(head: bytes) -> int:
    """Return how many octets follow the type and the length of a value."""
    short = head[0] & 15
    if short < _LONG:
        return short
    size = varuint(head, 1)[0]
    if size < _LONG:
        raise _OtherForm
    return size


@lru_cache(_KEPT)
def _kept_field(name: bytes, kind: bytes, octets: bytes) -> bytes:
    """Return the hash of a field whose value recurs.  kind: type code and qualifier of the value."""
    return sha256(name + _scalar(kind, octets)).digest()


@lru_cache(_KEPT)
def _text_hashes(text: bytes) -> tuple[bytes, bytes]:
    """Return the hash of a statement's text, and of the field that holds it."""
    part = _scalar(b"\x80", text)
    return sha256(part).digest(), sha256(_N_TEXT + part).digest()


def _time_ms(octets: bytes) -> int:
    """Return a time in milliseconds since the epoch.  octets: as _SCALARS matches them."""
    hour, minute, second = octets[6] & 0x7F, octets[7] & 0x7F, octets[8] & 0x7F
    fraction = int.from_bytes(octets[10:], "big")
    if hour > 23 or minute > 59 or second > 59 or fraction > 999:
        raise _OtherForm
    return _day_ms(octets[2:6]) + ((hour * 60 + minute) * 60 + second) * 1000 + fraction


@lru_cache(_KEPT)
def _day_ms(octets: bytes) -> int:
    """Return when a day begins.  octets: of year, month and day.  Raises IonError for a day that does not exist."""
    return read_timestamp(b"\xc0" + octets, 0, 1 + len(octets)).utc_seconds() * 1000
