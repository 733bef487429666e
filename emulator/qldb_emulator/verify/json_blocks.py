"""A block of a JSON export: what a block itself is made of gets its types back, user data does not.

Of a block's own fields every type is known, so its hashes can be recomputed.  Of user data JSON has lost which string
was a symbol, a timestamp or a blob, which number a float.  A guess that leads to the revision's hash is proved by it;
where none does, nothing is known about the data.
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

Restore = Callable[[Any], Any]


def is_json_block(value: IonValue) -> bool:
    """Whether a value read as Ion is a block that went through JSON: its hashes are strings."""
    return type(value) is dict and type(value.get("blockHash")) is str


def restored(value: IonValue) -> IonValue:
    """The block with its own types; user data as near as its hash can prove.

    What does not have the form it should have is left alone, for the check of the form to name.
    """
    block = _fields(_BLOCK, value)
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


def _struct(table: dict[str, Restore]) -> Restore:
    return lambda value: _fields(table, value)


def _fields(table: dict[str, Restore], value: Any) -> Any:
    if type(value) is not dict:
        return value
    return {name: table[name](each) if name in table else each for name, each in value.items()}


_METADATA: dict[str, Restore] = {"txTime": _time}
_REVISION: dict[str, Restore] = {"hash": _blob, "dataHash": _blob, "metadata": _struct(_METADATA)}
_STATEMENT: dict[str, Restore] = {"startTime": _time, "statementDigest": _blob}
_BLOCK: dict[str, Restore] = {
    "blockTimestamp": _time,
    "blockHash": _blob,
    "entriesHash": _blob,
    "previousBlockHash": _blob,
    "entriesHashList": _list(_blob),
    "transactionInfo": _struct({"statements": _list(_struct(_STATEMENT))}),
    "revisions": _list(_struct(_REVISION)),
}
