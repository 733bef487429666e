"""Gives the values of a JSON export their Ion types back, as far as they can be known.

The types of a block's own fields are those of the layout, so their hashes can be recomputed.  JSON has lost which
string of a document was a symbol, a timestamp or a blob, and which number was a float.  A reading whose hash is the
recorded one is proved by it.  If no reading has that hash, nothing is known about the data.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

from ..ion.codec import IonError, loads
from ..ion.hash import hash_value
from ..ion.values import IonValue, Timestamp
from ..journal.hashing import revision_hash_of
from ..journal.layout import BLOCK, ListOf, OneOf, Record, Scalar, Shape

Restore = Callable[[Any], Any]


def is_json_block(value: IonValue) -> bool:
    """Whether a value read as Ion is a block that went through JSON: its hashes are strings."""
    return type(value) is dict and type(value.get("blockHash")) is str


def restored(value: IonValue) -> IonValue:
    """The block with its own types; user data as near as its hash can prove.

    What does not have the form it should have is left alone, for the check of the form to name.
    """
    block = _block(value)
    revisions = block.get("revisions") if type(block) is dict else None
    if type(revisions) is list:
        block["revisions"] = [_with_proved_data(revision) for revision in revisions]
    return block


def _with_proved_data(revision: Any) -> Any:
    if type(revision) is not dict or "data" not in revision or type(revision.get("hash")) is not bytes:
        return revision
    metadata = revision.get("metadata")
    if metadata is None:
        return revision
    for data in readings(revision["data"]):
        try:
            if revision_hash_of(metadata, hash_value(data)) == revision["hash"]:
                return {**revision, "data": data}
        except (TypeError, IonError):
            return revision
    return revision


def readings(data: IonValue) -> Iterator[IonValue]:
    """What a document may have been before it was JSON: as it stands; timestamps for what looks so; floats."""
    for times, floats in product((False, True), (False, True)):
        yield _reading(data, times, floats)


def _reading(value: IonValue, times: bool, floats: bool) -> IonValue:
    if type(value) is dict:
        return {name: _reading(each, times, floats) for name, each in value.items()}
    if type(value) is list:
        return [_reading(each, times, floats) for each in value]
    if times and type(value) is str and value[:4].isdigit():
        return _time(value)
    if floats and isinstance(value, Decimal):
        return float(value)
    return value


# --- The block's own fields ----------------------------------------------------------------------------------


def _blob(value: Any) -> Any:
    try:
        return binascii.a2b_base64(value, strict_mode=True) if type(value) is str and value else _empty(value)
    except (binascii.Error, ValueError):
        return value


def _empty(value: Any) -> Any:
    return b"" if value == "" else value


def _time(value: Any) -> Any:
    if type(value) is not str:
        return value
    try:
        time = loads(value)
    except IonError:
        return value
    return time if type(time) is Timestamp and str(time) == value else value


def _list(restore: Restore) -> Restore:
    return lambda value: [restore(each) for each in value] if type(value) is list else value


def _record(record: Record) -> Restore:
    restores = {field.name: restore for field in record.fields if (restore := _restore_of(field.shape)) is not None}

    def restore_record(value: Any) -> Any:
        if type(value) is not dict:
            return value
        return {name: restores[name](each) if name in restores else each for name, each in value.items()}

    return restore_record


def _restore_of(shape: Shape) -> Restore | None:
    """What gives a value of a shape its types back; None where JSON loses nothing, or only a hash can tell."""
    if isinstance(shape, ListOf):
        item = _restore_of(shape.item)
        return None if item is None else _list(item)
    if isinstance(shape, OneOf):
        return _record(shape.usual)
    if isinstance(shape, Record):
        return _record(shape)
    return _SCALARS.get(shape)


_SCALARS: dict[Shape, Restore] = {Scalar.TIME: _time, Scalar.HASH: _blob, Scalar.HASH_OR_EMPTY: _blob}
_block = _record(BLOCK)
