"""The Ion Hashes of a block's own structs, computed by their layout; every commit and every verification needs them.

Each function returns what ``hash_value`` returns for the same struct.  It takes less time for two reasons: field names
are serialised once, and the hashes of fields that recur from block to block (the strand, statement texts, tables) are
cached.  A struct of another form goes to ``hash_value``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any

from ..ion.hash import blob_part, count_part, hash_value, list_part, name_part, struct_part, text_part, time_part
from ..ion.values import IonValue, Timestamp
from . import layout
from .layout import Field, ListOf, MapOf, Record, Scalar, Shape
from .model import Struct

_KEPT = 256  # hashes of each field
_KEPT_CHARACTERS = 1024  # a longer text is hashed each time, so that the cache stays small
_KEPT_ITEMS = 8  # likewise a longer list inside a cached struct

Part = Callable[[Any], bytes]
"""Serialises a value, or hashes a field.  Raises _OtherForm."""


class _OtherForm(Exception):
    """The value does not have the form in the layout."""


def header_hash(strand_id: str, sequence_no: int, transaction_id: str, timestamp: Timestamp) -> bytes:
    """Return the hash of ``{blockAddress: {strandId, sequenceNo}, transactionId, blockTimestamp}``."""
    address = {"strandId": strand_id, "sequenceNo": sequence_no}
    return sha256(struct_part([_block_address(address), _transaction_id(transaction_id), _time(timestamp)])).digest()


def metadata_hash(metadata: Struct) -> bytes:
    """Return the hash of a revision's metadata."""
    return _hash_by(_metadata, metadata)


def transaction_info_hash(info: Struct) -> bytes:
    """Return the hash of a block's transactionInfo."""
    return _hash_by(_transaction_info, info)


def text_hash(text: str) -> bytes:
    """Return the hash of a statement's text."""
    return _kept_text_hash(text) if len(text) <= _KEPT_CHARACTERS else hash_value(text)


_kept_text_hash = lru_cache(_KEPT)(hash_value)


def _hash_by(part: Part, struct: Struct) -> bytes:
    try:
        return sha256(part(struct)).digest()
    except _OtherForm:
        return hash_value(struct)


# --- From the layout to functions ------------------------------------------------------------------------------


def _count_part(value: int) -> bytes:
    if value < 0:
        raise _OtherForm
    return count_part(value)


_SCALARS: dict[Shape, tuple[type, Part]] = {
    Scalar.TEXT: (str, text_part),
    Scalar.COUNT: (int, _count_part),
    Scalar.TIME: (Timestamp, time_part),
    Scalar.HASH: (bytes, blob_part),
}


def _part_of(shape: Shape) -> Part:
    """Return a function that serialises a value of a shape."""
    if isinstance(shape, ListOf):
        return _list_of(shape)
    if isinstance(shape, MapOf):
        return _map_of(shape)
    if isinstance(shape, Record):
        return _record(shape)
    python_type, serialise = _SCALARS[shape]

    def scalar(value: IonValue) -> bytes:
        if type(value) is not python_type:  # exact: a bool is not an int here, a symbol not a string
            raise _OtherForm
        return serialise(value)

    return scalar


def _list_of(shape: ListOf) -> Part:
    part = _part_of(shape.item)

    def of_list(value: IonValue) -> bytes:
        if type(value) is not list:
            raise _OtherForm
        return list_part([part(item) for item in value])

    return of_list


def _map_of(shape: MapOf) -> Part:
    part = _part_of(shape.item)

    def of_map(value: IonValue) -> bytes:
        if type(value) is not dict:
            raise _OtherForm
        return struct_part([sha256(name_part(name) + part(each)).digest() for name, each in value.items()])

    return of_map


def _record(record: Record) -> Part:
    hashes = {field.name: _field(field) for field in record.fields}

    def of_record(value: IonValue) -> bytes:
        if type(value) is not dict:
            raise _OtherForm
        try:
            return struct_part([hashes[name](each) for name, each in value.items()])
        except KeyError:  # a name that the layout does not have
            raise _OtherForm from None

    return _keep_record(of_record) if record.repeats else of_record


def _field(field: Field) -> Part:
    """Return a function from the value of a field to the hash of name and value."""
    name = name_part(field.name)
    if isinstance(field.shape, Scalar):
        python_type, serialise = _SCALARS[field.shape]

        def of_scalar(value: IonValue) -> bytes:
            if type(value) is not python_type:
                raise _OtherForm
            return sha256(name + serialise(value)).digest()

        return _keep_scalar(of_scalar, python_type) if field.repeats else of_scalar
    part = _part_of(field.shape)
    return lambda value: sha256(name + part(value)).digest()


def _keep_scalar(part: Part, python_type: type) -> Part:
    kept = lru_cache(_KEPT)(part)

    def known(value: IonValue) -> bytes:
        # Compare the type first: the cache would take True for 1.
        if type(value) is not python_type or (type(value) is str and len(value) > _KEPT_CHARACTERS):
            return part(value)
        return kept(value)

    return known


def _keep_record(part: Part) -> Part:
    """Caches the serialisations of records whose values are short texts and short lists of counts."""
    kept = lru_cache(_KEPT)(lambda items: part({name: list(v) if type(v) is tuple else v for name, v in items}))

    def known(value: IonValue) -> bytes:
        key = _key(value) if type(value) is dict else None
        return part(value) if key is None else kept(key)

    return known


def _key(value: dict[str, IonValue]) -> tuple[tuple[str, Any], ...] | None:
    """Return the record as a hashable key; None if it is large or has another form."""
    items = []
    for name, each in value.items():
        if type(each) is str:
            if len(each) > _KEPT_CHARACTERS:
                return None
        elif type(each) is list and len(each) <= _KEPT_ITEMS and _INT.issuperset(map(type, each)):
            each = tuple(each)
        else:
            return None
        items.append((name, each))
    return tuple(items)


_INT = {int}
_block_address, _transaction_id, _time = map(_field, layout.HEADER)
_metadata = _part_of(layout.METADATA)
_transaction_info = _part_of(layout.TRANSACTION_INFO)
