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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
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

Scalar = tuple[Kind, Value] | None
"""Kind and value of a field; None for a null.  Of kind MIXED, with the value 0, for what has no column."""

Shape = tuple[tuple[str, ...], tuple[Kind, ...]]
"""Paths and kinds of the fields of a document that have a type, in order.  Documents of a table share few."""

Fields = tuple[Shape, tuple[Value, ...]]
"""The fields of a document and a value for each; of kind MIXED for what has no column, with the value 0."""

NO_FIELDS: Fields = (((), ()), ())

# The one object of each shape, so that rows that are kept have no copies of it.  Emptied when full: hostile names cost
# no memory.
_SHAPES: dict[Shape, Shape] = {}
_SHAPES_MAX = 512


def fields_of(document: IonValue, flatten: bool) -> Fields:
    """The fields of a document that may have columns, and those that can have none.  Nulls are left out."""
    if type(document) is dict and not flatten and SYMBOL_ZERO not in document:  # that one is called as a text may be
        return fields_of_scalars(tuple(document), [scalar_of(value) for value in document.values()])
    by_path: dict[str, tuple[Kind, Value]] = {}
    if isinstance(document, dict):
        _collect(document, "", FLATTEN_DEPTH_MAX if flatten else 0, by_path)
    return shape_of(tuple(by_path), tuple([kind for kind, _ in by_path.values()])), tuple(
        [value for _, value in by_path.values()]
    )


def fields_of_scalars(names: tuple[str, ...], scalars: list[Scalar]) -> Fields:
    """The fields of a document with these names, each of them once, and what ``scalar_of`` gives for each."""
    if None in scalars:
        names = tuple([name for name, scalar in zip(names, scalars, strict=True) if scalar is not None])
    found = [scalar for scalar in scalars if scalar is not None]
    if not found:
        return NO_FIELDS
    kinds, values = zip(*found, strict=True)
    return shape_of(names, kinds), values


def shape_of(paths: tuple[str, ...], kinds: tuple[Kind, ...]) -> Shape:
    """The shape with these paths and kinds; one object for all documents."""
    shape = paths, kinds
    known = _SHAPES.get(shape)
    if known is None:
        if len(_SHAPES) >= _SHAPES_MAX:
            _SHAPES.clear()
        known = _SHAPES[shape] = shape
    return known


def _collect(struct: Mapping[str, IonValue], prefix: str, depth: int, found: dict[str, tuple[Kind, Value]]) -> None:
    if type(struct) is MultiStruct:
        names = [name for name, _ in struct.pairs]
        for name in {name for name in names if names.count(name) > 1}:
            found[prefix + _text(name)] = "MIXED", 0
    for name, value in struct.items():
        path = prefix + _text(name)
        if path in found:
            continue
        scalar = scalar_of(value)
        if scalar is not None:
            found[path] = scalar
        inner = value.value if type(value) is Annotated else value
        if depth and isinstance(inner, dict):
            _collect(inner, f"{path}.", depth - 1, found)


def _text(name: str) -> str:
    return "$0" if name is SYMBOL_ZERO else str(name)


def scalar_of(value: IonValue) -> Scalar:
    """The kind and the column's value of a value, its annotations left away; None for a null."""
    kind = type(value)
    if kind is str:
        return "TEXT", value
    read = _BY_TYPE.get(kind)
    if read is not None:
        return read(value)
    if kind is Annotated:
        return scalar_of(value.value)
    if isinstance(value, (dict, list)):
        return MIXED
    name = ion_type(value)
    if name == "symbol":
        return "TEXT", _text(value)
    return ("BYTES", bytes(value)) if name in ("blob", "clob") else MIXED


MIXED: tuple[Kind, Value] = ("MIXED", 0)


def _int(value: int) -> tuple[Kind, Value]:
    return ("INT", value) if -INT_MAX <= value <= INT_MAX else ("DECIMAL", digits_of(Decimal(value)))


def digits_of(value: Decimal) -> str:
    """Every digit, without an exponent where that is short enough to read."""
    text = str(value)
    if "E" not in text:
        return text
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{value:f}" if -100 <= exponent <= 100 else text


def _time(value: Timestamp) -> tuple[Kind, Value]:
    if value.precision == "day":
        return "DATE", _days(value.year, value.month, value.day)
    if value.precision in _MINUTES and len(value.fraction) <= MICROSECOND_DIGITS:
        micros = microseconds(value)
        if _FIRST_MICROSECOND <= micros <= _LAST_MICROSECOND:
            return "TIME", micros
    return "TEXT", str(value)


_days = lru_cache(4096)(days_from_civil)


def microseconds(time: Timestamp) -> int:
    """Since 1970 in UTC; finer digits are cut."""
    return time.utc_seconds() * 1_000_000 + int((time.fraction + "000000")[:MICROSECOND_DIGITS])


_BY_TYPE: dict[type, Callable[[Any], tuple[Kind, Value] | None]] = {
    str: lambda value: ("TEXT", value),
    bool: lambda value: ("BOOL", value),
    int: _int,
    Decimal: lambda value: ("DECIMAL", digits_of(value)),
    Timestamp: _time,
    float: lambda value: ("FLOAT", value),
    bytes: lambda value: ("BYTES", value),
    type(None): lambda value: None,
    TypedNull: lambda value: None,
    dict: lambda value: MIXED,
    list: lambda value: MIXED,
}


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


def type_of(kind: Kind, values: Iterable[Any]) -> FieldType:
    """The type of a field that had these values, one at least, all of one kind."""
    if kind == "INT":
        values = list(values)
        return FieldType(kind, max(len(str(abs(max(values)))), len(str(abs(min(values))))))
    if kind == "DECIMAL":
        digits, scales = zip(*map(_size, set(values)), strict=True)
        return FieldType(kind, max(digits), max(scales))
    return FieldType("TEXT", has_nul="\0" in "".join(values)) if kind == "TEXT" else _SIMPLE[kind]


def _size(text: str) -> tuple[int, int]:
    """Digits before and behind the point."""
    if "E" not in text:
        whole, _, fraction = text.partition(".")
        return len(whole) - whole.startswith("-"), len(fraction)
    _, numbers, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    return max(len(numbers) + exponent, 1), max(-exponent, 0)


_SIMPLE: dict[Kind, FieldType] = {kind: FieldType(kind) for kind in ("BOOL", "FLOAT", "TIME", "DATE", "BYTES", "MIXED")}


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


def add_types(types: Types, documents: Iterable[Fields]) -> None:
    """Take the fields of more documents into account, a column at a time."""
    by_shape: dict[Shape, list[tuple[Value, ...]]] = {}
    for shape, values in documents:
        by_shape.setdefault(shape, []).append(values)
    for shape, rows in by_shape.items():
        add_types_of_columns(types, shape, zip(*rows, strict=True))


def add_types_of_columns(types: Types, shape: Shape, columns: Iterable[Sequence[Value]]) -> None:
    """Take the fields of documents of one shape into account.  columns: the values of each field."""
    for path, kind, column in zip(*shape, columns, strict=True):
        known = types.get(path)
        if known is None or known.kind != "MIXED":
            found = type_of(kind, column)
            types[path] = found if known is None else joined_type(known, found)


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
