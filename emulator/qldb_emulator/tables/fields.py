"""The type of a field over all revisions of its table, and the value that a typed column has of it.

====================  =====================  =====================================================================
Ion values of a field  kind of the column     value
====================  =====================  =====================================================================
bool                  BOOL                   bool
int                   INT, or DECIMAL when   int
                      one needs more than
                      64 bits
int and decimal       DECIMAL                text with every digit, as Ion wrote it
float                 FLOAT                  float
string, symbol        TEXT                   str
timestamp, to the     TIME                   int: microseconds since 1970 in UTC
minute or finer,
at most microseconds
timestamp, a day      DATE                   int: days since 1970
other timestamps      TEXT                   the Ion text
blob, clob            BYTES                  bytes
lists, structs,       none                   in ``data`` alone
several of the above
====================  =====================  =====================================================================

Nulls and absent fields have no type.  With *flatten* the fields of a struct are looked at too: ``owner.name``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from ..ion.values import (
    SYMBOL_ZERO,
    Annotated,
    IonValue,
    MultiStruct,
    Timestamp,
    TypedNull,
    days_from_civil,
    ion_type,
)
from ..records import dataclass

Kind = Literal["BOOL", "INT", "DECIMAL", "FLOAT", "TEXT", "TIME", "DATE", "BYTES", "MIXED"]

INT_MAX = 2**63 - 1
MICROSECOND_DIGITS = 6
_MINUTES = ("minute", "second")
FLATTEN_DEPTH_MAX = 16  # deeper structs stay in data; a longer column name is hard to read

Value = bool | int | float | str | bytes
Fields = dict[str, tuple[Kind, Value]]
"""Path of a field -> its kind and value; kind MIXED for what has no column."""


def fields_of(document: IonValue, flatten: bool) -> Fields:
    """The fields of a document that may have columns, and those that can have none.  Nulls are left out."""
    found: Fields = {}
    if isinstance(document, dict):
        _collect(document, "", FLATTEN_DEPTH_MAX if flatten else 0, found)
    return found


def _collect(struct: Mapping[str, IonValue], prefix: str, depth: int, found: Fields) -> None:
    if type(struct) is MultiStruct:
        names = [name for name, _ in struct.pairs]
        for name in {name for name in names if names.count(name) > 1}:
            found[prefix + _text(name)] = "MIXED", 0
    for name, value in struct.items():
        path = prefix + _text(name)
        if path in found:
            continue
        if type(value) is Annotated:
            value = value.value
        if isinstance(value, dict):
            found[path] = "MIXED", 0
            if depth:
                _collect(value, f"{path}.", depth - 1, found)
            continue
        scalar = scalar_of(value)
        if scalar is not None:
            found[path] = scalar


def _text(name: str) -> str:
    return "$0" if name is SYMBOL_ZERO else str(name)


def scalar_of(value: IonValue) -> tuple[Kind, Value] | None:
    """The kind and the column's value of a value without annotations; None for a null."""
    kind = type(value)
    if kind is str:
        return "TEXT", value
    if kind is bool:
        return "BOOL", value
    if kind is int:
        return ("INT", value) if -INT_MAX <= value <= INT_MAX else ("DECIMAL", _digits(Decimal(value)))
    if kind is Decimal:
        return "DECIMAL", _digits(value)
    if value is None or kind is TypedNull:
        return None
    if kind is Timestamp:
        return _time(value)
    if kind is float:
        return "FLOAT", value
    name = ion_type(value)
    if name == "symbol":
        return "TEXT", _text(value)
    return ("BYTES", bytes(value)) if name in ("blob", "clob") else ("MIXED", 0)


def _digits(value: Decimal) -> str:
    """Every digit, without an exponent where that is short enough to read."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:f}" if -100 <= exponent <= 100 else str(value)


def _time(value: Timestamp) -> tuple[Kind, Value]:
    if value.precision == "day":
        return "DATE", days_from_civil(value.year, value.month, value.day)
    if value.precision in _MINUTES and len(value.fraction) <= MICROSECOND_DIGITS:
        micros = microseconds(value)
        if _FIRST_MICROSECOND <= micros <= _LAST_MICROSECOND:
            return "TIME", micros
    return "TEXT", str(value)


def microseconds(time: Timestamp) -> int:
    """Since 1970 in UTC; finer digits are cut."""
    return time.utc_seconds() * 1_000_000 + int((time.fraction + "000000")[:MICROSECOND_DIGITS])


_FIRST_MICROSECOND = microseconds(Timestamp("second", 1, offset=0))
_LAST_MICROSECOND = microseconds(Timestamp("second", 9999, 12, 31, 23, 59, 59, "999999", 0))


@dataclass(frozen=True, slots=True)
class FieldType:
    """The kind of a field over many revisions.

    digits, scale: of decimals, the most before and behind the point.  has_nul: a text has the character U+0000, which
    PostgreSQL cannot hold.
    """

    kind: Kind
    digits: int = 0
    scale: int = 0
    has_nul: bool = False


Types = dict[str, FieldType]
"""Path of a field -> its type."""


def type_of(kind: Kind, value: Value) -> FieldType:
    """The type of one value."""
    if kind == "DECIMAL":
        assert isinstance(value, str)
        digits, scale = _size(value)
        return FieldType(kind, digits, scale)
    if kind == "INT":
        return FieldType(kind, len(str(abs(int(value)))), 0)
    return FieldType(kind, 0, 0, kind == "TEXT" and "\0" in str(value))


def _size(text: str) -> tuple[int, int]:
    """Digits before and behind the point."""
    _, numbers, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    return max(len(numbers) + exponent, 1), max(-exponent, 0)


_SIMPLE: dict[Kind, FieldType] = {kind: FieldType(kind) for kind in ("BOOL", "FLOAT", "TIME", "DATE", "BYTES", "MIXED")}
_INT_LIMITS = [10**digits for digits in range(20)]


def joined_type(one: FieldType, other: FieldType) -> FieldType:
    """The type of a field that had both.  Associative and commutative."""
    if one == other:
        return one
    if one.kind == other.kind:
        kind: Kind = one.kind
    elif {one.kind, other.kind} == {"INT", "DECIMAL"}:
        kind = "DECIMAL"
    else:
        return _SIMPLE["MIXED"]
    return FieldType(kind, max(one.digits, other.digits), max(one.scale, other.scale), one.has_nul or other.has_nul)


def add_types(types: Types, fields: Fields) -> None:
    """Take the fields of one more document into account."""
    for path, (kind, value) in fields.items():
        known = types.get(path)
        if known is not None and (known.kind == "MIXED" or _covers(known, kind, value)):
            continue
        found = _SIMPLE.get(kind) or type_of(kind, value)
        types[path] = found if known is None else joined_type(known, found)


def _covers(known: FieldType, kind: Kind, value: Any) -> bool:
    """Whether a value changes nothing."""
    if known.kind != kind or kind == "DECIMAL":
        return False
    if kind == "INT":
        return known.digits < 20 and -_INT_LIMITS[known.digits] < value < _INT_LIMITS[known.digits]
    return known.has_nul or kind != "TEXT" or "\0" not in value


def joined_types(one: Types, other: Types) -> Types:
    """The types over two runs of revisions, in the order in which the fields were first seen."""
    joined = dict(one)
    for path, found in other.items():
        known = joined.get(path)
        joined[path] = found if known is None else joined_type(known, found)
    return joined


def types_to_plain(types: Types) -> list[list[Any]]:
    """For JSON."""
    return [[path, each.kind, each.digits, each.scale, each.has_nul] for path, each in types.items()]


def types_from_plain(plain: list[list[Any]]) -> Types:
    """From JSON."""
    return {path: FieldType(kind, digits, scale, has_nul) for path, kind, digits, scale, has_nul in plain}


def typed(types: Types) -> Iterator[tuple[str, FieldType]]:
    """The fields that have a column."""
    return ((path, each) for path, each in types.items() if each.kind != "MIXED")
