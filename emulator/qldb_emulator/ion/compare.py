"""The meanings of "equal" and "less", as Python's ``==`` has another: ``True == 1``, ``Decimal(1) == Decimal("1.0")``.

ion_equal       equality in the Ion data model: type, annotations, decimal scale and timestamp precision all count
partiql_equal   PartiQL ``=``, IN and index lookup: by class of value; ``1 = 1.0 = 1e0``, a symbol equals its string
index_key       the octets that an index stores: equal exactly when partiql_equal says so
compare         PartiQL ``<`` and MIN/MAX: numbers, timestamps, text and booleans, each among themselves

The classes follow partiql.md 4.1 (documented, in the reference implementation's form; driver test: nodejs #45): number
(int, decimal, float), text (string, symbol), lob (blob, clob), timestamp, bool, list, sexp, struct, bag.  Values of
different classes are unequal, never an error.  Annotations do not count.  Within a container a null equals a null of
any type.

A Python class outside this package takes part through its attribute ``partiql_kind`` (PartiQL's bag has "bag").
"""

from __future__ import annotations

import struct as packing
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256

from ..budget import charge, check
from .hash import serialise
from .numerals import EXACT, int_text, int_to_decimal
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    Document,
    IonValue,
    MadeStruct,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    ion_type,
    is_null,
    struct_items,
)

KEY_BYTES_MAX = 64  # a longer key is replaced by its class and SHA-256

LONG_INT_BITS = 8000
_LARGE_BYTES = 4_096  # of a key; a larger one is counted in the statement's budget

_NULL = "null"
_NUMBER = "number"
_KINDS: dict[type, str] = {
    type(None): _NULL,
    TypedNull: _NULL,
    bool: "bool",
    int: _NUMBER,
    float: _NUMBER,
    Decimal: _NUMBER,
    str: "text",
    Symbol: "text",
    type(SYMBOL_ZERO): "text",
    bytes: "lob",
    Clob: "lob",
    Timestamp: "timestamp",
    list: "list",
    Sexp: "sexp",
    dict: "struct",
    MultiStruct: "struct",
    Document: "struct",
    MadeStruct: "struct",
}
_KIND_OF_ION_TYPE = {
    "bool": "bool",
    "int": _NUMBER,
    "float": _NUMBER,
    "decimal": _NUMBER,
    "string": "text",
    "symbol": "text",
    "blob": "lob",
    "clob": "lob",
    "timestamp": "timestamp",
    "list": "list",
    "sexp": "sexp",
    "struct": "struct",
}
_ORDERED = ("bool", _NUMBER, "timestamp", "text")
_TAGS = {
    _NULL: b"n",
    "bool": b"b",
    _NUMBER: b"d",
    "text": b"t",
    "lob": b"o",
    "timestamp": b"i",
    "list": b"l",
    "sexp": b"p",
    "struct": b"s",
    "bag": b"g",
}
_SAME_TYPE_COMPARES = frozenset((str, int, bytes, bool))


class NotComparable(TypeError):
    """``<`` on values of different classes, or of a class without an order."""


def kind(value: IonValue) -> str:
    """Return the class of a value for comparing; "null" for a null of any type.

    Raises TypeError for an object that is not a value.
    """
    if type(value) is Annotated:
        value = value.value
    known = _KINDS.get(type(value))
    if known is None:
        known = getattr(value, "partiql_kind", None) or _KIND_OF_ION_TYPE[ion_type(value)]
    return known


# --- The Ion data model ------------------------------------------------------------------------------------


def ion_equal(a: IonValue, b: IonValue) -> bool:
    """Whether two values are the same Ion value.  Raises TypeError for an object that is not an Ion value.

    The order of a struct's fields does not count; all NaNs are equal; 0e0 and -0e0 differ.
    """
    if type(a) is Annotated or type(b) is Annotated:
        if type(a) is not type(b) or a.annotations != b.annotations:
            return False
        a, b = a.value, b.value
    name = ion_type(a)
    if name != ion_type(b):
        return False
    if is_null(a) or is_null(b):
        return is_null(a) and is_null(b)
    if name == "struct":
        return _ion_equal_structs(a, b)
    if name == "list" or name == "sexp":
        if len(a) != len(b):
            return False
        for x, y in zip(a, b, strict=True):  # noqa: SIM110 a generator would double the stack
            if not ion_equal(x, y):
                return False
        return True
    if name == "float":
        return packing.pack(">d", a) == packing.pack(">d", b) or (a != a and b != b)
    if name == "decimal":
        return bool(a.compare_total(b) == 0)
    return bool(a == b)


def _ion_equal_structs(a: dict[str, IonValue], b: dict[str, IonValue]) -> bool:
    if type(a) is MultiStruct or type(b) is MultiStruct:
        return serialise(a) == serialise(b)
    if len(a) != len(b):
        return False
    for name, value in a.items():  # noqa: SIM110 a generator would double the stack
        if name not in b or not ion_equal(value, b[name]):
            return False
    return True


# --- PartiQL = ---------------------------------------------------------------------------------------------


def partiql_equal(a: IonValue, b: IonValue) -> bool:
    """Whether PartiQL ``=`` holds for two values that are neither null nor MISSING (nulls inside them may be)."""
    if type(a) is type(b) and type(a) in _SAME_TYPE_COMPARES:
        return bool(a == b)
    if type(a) is Annotated:
        a = a.value
    if type(b) is Annotated:
        b = b.value
    sort = kind(a)
    if sort != kind(b):
        return False
    if sort == _NUMBER:
        return bool(_quick(a) == _quick(b) or (a != a and b != b))
    if sort == "timestamp":
        return bool(a.instant() == b.instant())
    if sort == _NULL:
        return True
    if sort == "list" or sort == "sexp":
        if len(a) != len(b):
            return False
        check()
        for x, y in zip(a, b, strict=True):  # noqa: SIM110 a generator would double the stack
            if not partiql_equal(x, y):
                return False
        return True
    if sort == "struct" and type(a) is not MultiStruct and type(b) is not MultiStruct:
        if len(a) != len(b):
            return False
        check()
        for name, value in a.items():  # noqa: SIM110 a generator would double the stack
            if name not in b or not partiql_equal(value, b[name]):
                return False
        return True
    if sort == "struct" or sort == "bag":
        return _key(a) == _key(b)
    return bool(a == b)


def index_key(value: IonValue) -> bytes | None:
    """Return the canonical key of a value: ``partiql_equal(a, b)`` exactly when the keys are equal.

    None for a null or MISSING, which ``=`` never finds.  At most KEY_BYTES_MAX octets; the first is the value's class.
    """
    if type(value) is not str and kind(value) == _NULL:
        return None
    key = _key(value)
    if len(key) <= KEY_BYTES_MAX:
        return key
    return key[:1].upper() + sha256(key).digest()


def _key(value: IonValue) -> bytes:
    """Return the whole key, however long; also for a null inside a container."""
    if type(value) is str:
        return b"t" + value.encode("utf-8", "surrogatepass")
    if type(value) is Annotated:
        value = value.value
    sort = kind(value)
    tag = _TAGS[sort]
    if sort == _NUMBER:
        return tag + _number_text(value).encode("ascii")
    if sort == "text":
        return b"z" if value is SYMBOL_ZERO else tag + value.encode("utf-8", "surrogatepass")
    if sort == "timestamp":
        seconds, fraction = value.instant()
        return tag + f"{seconds}.{fraction}".encode("ascii")
    if sort == "bool":
        return tag + (b"1" if value else b"0")
    if sort == "lob":
        return tag + bytes(value)
    if sort == _NULL:
        return tag
    parts = []
    check()
    if sort == "struct":
        for name, each in struct_items(value):
            parts.append(_delimited((_key(name), _key(each))))
    else:
        for each in value:
            parts.append(_key(each))
    if sort == "struct" or sort == "bag":
        parts.sort()
    return tag + _delimited(parts)


def _delimited(parts: Iterable[bytes]) -> bytes:
    """Join parts, each after its length, so that no two sequences have the same result."""
    joined = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    if len(joined) > _LARGE_BYTES:
        charge(len(joined))
    return joined


def _quick(value: int | float | Decimal) -> int | float | Decimal:
    """Return a number in a form that compares fast: Python takes seconds to compare a long int with a Decimal."""
    return int_to_decimal(value) if type(value) is int and value.bit_length() > LONG_INT_BITS else value


def _number_text(value: int | float | Decimal) -> str:
    """Return one text per number: its significant digits and the power of ten, never more digits than the number."""
    if type(value) is not int:
        if value != value:
            return "nan"
        # Decimal(float) is exact; an infinity has no digits.
        value = Decimal(value)
        if not value.is_finite():
            return str(value)
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)
        digits = str(EXACT.scaleb(value, -exponent))
    else:
        exponent = 0
        digits = int_text(value)
    significant = digits.rstrip("0")
    if significant in ("", "-"):
        return "0"
    return f"{significant}e{exponent + len(digits) - len(significant)}"


# --- PartiQL < ---------------------------------------------------------------------------------------------


def compare(a: IonValue, b: IonValue) -> int:
    """Return -1, 0 or 1: whether a is before, with or after b.

    Numbers by value, NaN before all others; timestamps by instant; text by code points; false before true.
    Raises NotComparable for any other two values, nulls among them.
    """
    sort = kind(a)
    if sort != kind(b):
        raise NotComparable(f"{ion_type(a)} and {ion_type(b)} have no common order")
    x, y = order_key(a), order_key(b)
    return 0 if x == y else -1 if x < y else 1


def order_key(value: IonValue) -> tuple[object, ...]:
    """Return a sort key within the class of a value (see :func:`compare`).

    Raises NotComparable for a class without order.
    """
    if type(value) is Annotated:
        value = value.value
    sort = kind(value)
    if sort == _NUMBER:
        return (False, 0) if value != value else (True, _quick(value))
    if sort == "timestamp":
        return tuple(value.instant())
    if sort in _ORDERED:
        return (value is not SYMBOL_ZERO, str.__str__(value) if sort == "text" else value)
    raise NotComparable(f"values of type {ion_type(value)} have no order")
