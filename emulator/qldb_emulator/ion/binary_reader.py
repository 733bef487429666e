"""Reads Ion binary into values.

:func:`contents` is one long function on purpose: it is the hottest loop of the emulator, and a call in Python costs
as much as a value.  It tests frequent type codes first.  It does not trust its input: it checks every length against
the length of the container.  So the values it builds never exceed a small multiple of the size of the data.
"""

from __future__ import annotations

import struct as packing
from collections.abc import Iterator, Sequence
from decimal import Decimal

from .numerals import EXACT, MAX_NUMBER_BYTES, int_to_decimal
from .symbols import (
    MAX_DEPTH,
    SYMBOL_TABLE_ID,
    SYSTEM_SYMBOLS,
    TOO_DEEP,
    VERSION_MARKER_TEXT,
    is_symbol_table,
    next_table,
)
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    IonError,
    IonValue,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    days_in_month,
)

VERSION_MARKER = b"\xe0\x01\x00\xea"

# decimal.Decimal cannot hold exponents beyond 10**18; one digit less leaves room for the coefficient's own digits.
MAX_EXPONENT = 10**17
# A fraction is kept digit by digit, and a binary one can claim a billion zeros in six bytes.
MAX_FRACTION_DIGITS = 1000
_NUMBER_CODES = frozenset((2, 3, 5))  # positive int, negative int, decimal
LONG_COEFFICIENT_BYTES = 1000  # from here on the way of converting matters
MAX_OFFSET_MINUTES = 24 * 60 - 1

_NULLS: tuple[IonValue, ...] = tuple(
    TypedNull.of(name)
    for name in (
        "null",
        "bool",
        "int",
        "int",
        "float",
        "decimal",
        "timestamp",
        "symbol",
        "string",
        "clob",
        "blob",
        "list",
        "sexp",
        "struct",
    )
)
BROKEN_OFF = "the data ends inside a value, or uses a symbol id that is not defined"
_unpack_float = packing.Struct(">f").unpack_from
_unpack_double = packing.Struct(">d").unpack_from
_from_bytes = int.from_bytes

# Documents of one table have few shapes, so the same symbol tables recur.  The cache is bounded, for small tables only.
_TABLE_CACHE: dict[bytes, Sequence[str]] = {}
_TABLE_CACHE_ENTRIES = 512
_TABLE_CACHE_BYTES = 2048


def read_all(data: bytes, max_depth: int = MAX_DEPTH) -> Iterator[IonValue]:
    """Yield every top-level value of a binary stream, in order.

    Raises IonError (while iterating) for anything that is not well-formed Ion 1.0 binary.
    """
    try:
        for pos, stop, symbols in data_values(data, max_depth):
            yield contents(data, pos, stop, symbols, max_depth, None)[0]
    except IndexError:
        raise IonError(BROKEN_OFF) from None
    except UnicodeDecodeError as error:
        raise IonError(f"text is not UTF-8: {error.reason}") from None


def read_one(data: bytes, max_depth: int = MAX_DEPTH) -> IonValue:
    """Return the single value in ``data``.

    Raises IonError like :func:`read_all`, and when there is not exactly one value.
    """
    try:
        pos, stop, symbols = single_value(data, max_depth)
        return contents(data, pos, stop, symbols, max_depth, None)[0]
    except IndexError:
        raise IonError(BROKEN_OFF) from None
    except UnicodeDecodeError as error:
        raise IonError(f"text is not UTF-8: {error.reason}") from None


def data_values(data: bytes, max_depth: int = MAX_DEPTH) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Yield (position, position after it, symbol table in force) of every top-level value that is data.

    Version markers, symbol tables and padding are dealt with here.  Raises IonError, and IndexError or
    UnicodeDecodeError for the caller to turn into one.
    """
    if data[:4] != VERSION_MARKER:
        raise IonError("the data does not begin with the Ion 1.0 binary version marker")
    symbols: Sequence[str] = SYSTEM_SYMBOLS
    pos = 4
    size = len(data)
    while pos < size:
        octet = data[pos]
        if octet == 0xE0:
            if data[pos : pos + 4] != VERSION_MARKER:
                raise IonError(f"unsupported Ion version marker at byte {pos}")
            symbols = SYSTEM_SYMBOLS
            pos += 4
            continue
        if 0xE0 < octet < 0xEF:
            table, pos = _symbol_table(data, pos, symbols, max_depth)
            if table is not None:
                symbols = table
                continue
        start, stop = extent(data, pos)
        if stop > size:
            raise IonError(f"the data ends inside the value at byte {pos}")
        if not _is_nothing(data, pos, start, stop, symbols):
            yield pos, stop, symbols
        pos = stop


def read_piece(data: bytes, symbols: Sequence[str], max_depth: int = MAX_DEPTH) -> tuple[Sequence[str], list[IonValue]]:
    """Return (symbol table in force afterwards, the value if it is data) of exactly one top-level item of a stream.

    Not for version markers.  Raises IonError.
    """
    try:
        if data[0] > 0xE0:
            table, _ = _symbol_table(data, 0, symbols, max_depth)
            if table is not None:
                return table, []
        if _is_nothing(data, 0, *extent(data, 0), symbols):
            return symbols, []
        return symbols, contents(data, 0, len(data), symbols, max_depth, None)
    except IndexError:
        raise IonError(BROKEN_OFF) from None
    except UnicodeDecodeError as error:
        raise IonError(f"text is not UTF-8: {error.reason}") from None


def _is_nothing(data: bytes, pos: int, start: int, stop: int, symbols: Sequence[str]) -> bool:
    """Whether an item is not data: padding, or any form of the symbol $ion_1_0 at the top (ion-tests nonIVMNoOps)."""
    octet = data[pos]
    code = octet >> 4
    return (code == 0 and octet != 0x0F) or (
        code == 7 and octet != 0x7F and symbols[_from_bytes(data[start:stop], "big")] == VERSION_MARKER_TEXT
    )


def single_value(data: bytes, max_depth: int = MAX_DEPTH) -> tuple[int, int, Sequence[str]]:
    """Like :func:`data_values`, but raises IonError if the data does not have exactly one value."""
    if len(data) > 4 and data[:4] == VERSION_MARKER and data[4] > 0xE0:
        # Stored documents have this form: a symbol table seen before, then one container to the end.
        pos = extent(data, 4)[1]
        known = _TABLE_CACHE.get(data[4:pos])
        if known is not None and pos < len(data) and 0xB0 <= data[pos] < 0xE0 and extent(data, pos)[1] == len(data):
            return pos, len(data), known
    found = list(data_values(data, max_depth))
    if len(found) != 1:
        raise IonError(f"expected one Ion value, found {len(found)}")
    return found[0]


def _symbol_table(data: bytes, pos: int, symbols: Sequence[str], max_depth: int) -> tuple[Sequence[str] | None, int]:
    """Return (new table, position after it) when the annotated value here is a local symbol table, else (None, pos)."""
    start, stop = extent(data, pos)
    if stop > len(data):
        raise IonError(f"the data ends inside the value at byte {pos}")
    # A first table depends on its own bytes alone, so it can be cached; a later one may extend the table before it.
    first = len(symbols) == len(SYSTEM_SYMBOLS)
    raw = data[pos:stop] if first and stop - pos <= _TABLE_CACHE_BYTES else b""
    known = _TABLE_CACHE.get(raw)
    if known is not None:
        return known, stop
    _, first_annotation = varuint(data, start)
    if varuint(data, first_annotation)[0] != SYMBOL_TABLE_ID:
        return None, pos
    (value,) = contents(data, pos, stop, symbols, max_depth, None)
    if not is_symbol_table(value.annotations, value.value):
        return None, pos
    table = next_table(symbols, value.value)
    if raw:
        if len(_TABLE_CACHE) >= _TABLE_CACHE_ENTRIES:
            _TABLE_CACHE.clear()
        _TABLE_CACHE[raw] = table
    return table, stop


def varuint(data: bytes, pos: int) -> tuple[int, int]:
    """Return (value, position after it) of a VarUInt.

    Raises IonError beyond 63 bits, IndexError at the end of the data.
    """
    value = 0
    while True:
        octet = data[pos]
        pos += 1
        if octet & 0x80:
            return value << 7 | octet & 0x7F, pos
        value = value << 7 | octet
        if value >> 56:
            raise IonError(f"a length or id before byte {pos} is too large")


def extent(data: bytes, pos: int) -> tuple[int, int]:
    """Return (start of the contents, end of the contents) of the value or padding at ``pos``, from its first octets.

    The second may lie beyond the end of the data.
    """
    octet = data[pos]
    length = octet & 15
    pos += 1
    if length == 14 or octet == 0xD1:
        length, pos = varuint(data, pos)
    elif length == 15 or octet == 0x11:
        length = 0
    return pos, pos + length


def contents(
    data: bytes, pos: int, end: int, symbols: Sequence[str], depth: int, names: list[str] | None
) -> list[IonValue]:
    """Return the values between ``pos`` and ``end``.

    names: None for a sequence; for a struct an empty list, which receives the field names, one per value.
    depth: how many more containers may open.
    Raises IonError, and IndexError or UnicodeDecodeError for the caller to turn into one.
    """
    values: list[IonValue] = []
    append = values.append
    while pos < end:
        if names is not None:
            octet = data[pos]
            pos += 1
            if octet & 0x80:
                names.append(symbols[octet & 0x7F])
            else:
                name_id, pos = varuint(data, pos - 1)
                names.append(symbols[name_id])
        octet = data[pos]
        pos += 1
        code = octet >> 4
        stop = octet & 15
        if stop < 14:
            stop += pos
        elif stop == 14:
            if code == 1:
                raise IonError(f"invalid boolean at byte {pos - 1}")
            stop, pos = varuint(data, pos)
            if stop > MAX_NUMBER_BYTES and code in _NUMBER_CODES:
                raise IonError(f"a number of more than {MAX_NUMBER_BYTES} bytes at byte {pos}")
            stop += pos
        else:
            if code > 13:
                raise IonError(f"invalid type code at byte {pos - 1}")
            append(_NULLS[code])
            continue
        if stop > end and code != 1 and octet != 0xD1:
            raise IonError(f"the value at byte {pos - 1} is longer than what holds it")
        if code == 8:
            append(data[pos:stop].decode())
        elif code == 13:
            if octet == 0xD1:  # a struct with its fields sorted by id: read like any other, but it is never empty
                stop, pos = varuint(data, pos)
                stop += pos
                if stop == pos or stop > end:
                    raise IonError(f"invalid ordered struct before byte {pos}")
            if not depth:
                raise IonError(TOO_DEEP)
            inner_names: list[str] = []
            inner = contents(data, pos, stop, symbols, depth - 1, inner_names)
            fields = dict(zip(inner_names, inner))  # noqa: B905 always as many; asking costs a tenth of a struct
            append(fields if len(fields) == len(inner) else MultiStruct(zip(inner_names, inner, strict=True)))
        elif code == 11:
            if not depth:
                raise IonError(TOO_DEEP)
            append(contents(data, pos, stop, symbols, depth - 1, None))
        elif code == 2:
            append(_from_bytes(data[pos:stop], "big"))
        elif code == 5:
            append(read_decimal(data, pos, stop))
        elif code == 6:
            append(read_timestamp(data, pos, stop))
        elif code == 1:
            if octet > 0x11:
                raise IonError(f"invalid boolean at byte {pos - 1}")
            append(octet == 0x11)
            continue
        elif code == 7:
            text = symbols[_from_bytes(data[pos:stop], "big")]
            append(SYMBOL_ZERO if text is SYMBOL_ZERO else Symbol(text))
        elif code == 10:
            append(data[pos:stop])
        elif code == 3:
            magnitude = _from_bytes(data[pos:stop], "big")
            if not magnitude:
                raise IonError(f"a negative zero is no int, before byte {stop}")
            append(-magnitude)
        elif code == 4:
            append(read_float(data, pos, stop))
        elif code == 14:
            append(_annotated(data, pos, stop, symbols, depth, octet))
        elif code == 12:
            if not depth:
                raise IonError(TOO_DEEP)
            append(Sexp(contents(data, pos, stop, symbols, depth - 1, None)))
        elif code == 9:
            append(Clob(data[pos:stop]))
        elif code == 0:  # padding: no value, and in a struct no field
            if names is not None:
                names.pop()
        else:
            raise IonError(f"invalid type code at byte {pos - 1}")
        pos = stop
    if pos != end:
        raise IonError(f"a value before byte {pos} is longer than what holds it")
    return values


def _annotated(data: bytes, pos: int, stop: int, symbols: Sequence[str], depth: int, octet: int) -> Annotated:
    if octet & 15 < 3:
        raise IonError(f"invalid annotation wrapper before byte {pos}")
    length, pos = varuint(data, pos)
    value_pos = pos + length
    if not length or value_pos >= stop:
        raise IonError(f"annotations without names or value before byte {pos}")
    if data[value_pos] >> 4 == 14:
        raise IonError(f"annotations directly round annotations at byte {value_pos}")
    annotations = []
    while pos < value_pos:
        symbol_id, pos = varuint(data, pos)
        annotations.append(symbols[symbol_id])
    if pos != value_pos:
        raise IonError(f"an annotation is longer than what holds it, before byte {pos}")
    values = contents(data, value_pos, stop, symbols, depth, None)
    if len(values) != 1:
        raise IonError(f"an annotation wrapper must hold one value, found {len(values)}, before byte {stop}")
    return Annotated(annotations, values[0])


def read_float(data: bytes, pos: int, stop: int) -> float:
    """Return the float whose contents are ``data[pos:stop]``: 0, 4 or 8 octets."""
    length = stop - pos
    if length == 8:
        return float(_unpack_double(data, pos)[0])
    if length == 4:
        return float(_unpack_float(data, pos)[0])
    if length == 0:
        return 0.0
    raise IonError(f"a float of {length} bytes before byte {stop}")


def _varint(data: bytes, pos: int, stop: int) -> tuple[int, bool, int]:
    """Return (magnitude, negative, position after it) of a VarInt that must end before ``stop``."""
    octet = data[pos]
    pos += 1
    negative = bool(octet & 0x40)
    magnitude = octet & 0x3F
    while not octet & 0x80:
        octet = data[pos]
        pos += 1
        magnitude = magnitude << 7 | octet & 0x7F
        if magnitude >> 63:
            raise IonError(f"a number before byte {pos} is too large")
    if pos > stop:
        raise IonError(f"a value before byte {pos} is longer than what holds it")
    return magnitude, negative, pos


def read_decimal(data: bytes, pos: int, stop: int) -> Decimal:
    """Return the decimal whose contents are ``data[pos:stop]``: exponent VarInt, coefficient Int; empty is 0d0."""
    if pos == stop:
        return Decimal(0)
    octet = data[pos]
    if octet & 0x80:
        exponent = -(octet & 0x3F) if octet & 0x40 else octet & 0x3F
        pos += 1
    else:
        exponent, negative, pos = _varint(data, pos, stop)
        if exponent > MAX_EXPONENT:
            raise IonError(f"the exponent of a decimal is beyond {MAX_EXPONENT}")
        if negative:
            exponent = -exponent
    coefficient = _from_bytes(data[pos:stop], "big")
    if pos < stop and data[pos] & 0x80:
        coefficient -= 1 << (8 * (stop - pos) - 1)
        if not coefficient:
            return Decimal((1, (0,), exponent))
        coefficient = -coefficient
    if stop - pos > LONG_COEFFICIENT_BYTES:
        return EXACT.scaleb(int_to_decimal(coefficient), exponent)
    return EXACT.scaleb(coefficient, exponent)


def read_timestamp(data: bytes, pos: int, stop: int) -> Timestamp:
    """Return the timestamp whose contents are ``data[pos:stop]``: offset, then fields in UTC.

    IonError out of range.
    """
    if stop - pos == 5 and data[pos] == 0xC0 and data[pos + 1] < 0x80:  # a date in the usual encoding
        stamp = Timestamp("day", data[pos + 1] << 7 | data[pos + 2] & 0x7F, data[pos + 3] & 0x7F, data[pos + 4] & 0x7F)
        if data[pos + 2] & data[pos + 3] & data[pos + 4] & 0x80:
            _check_date(stamp)
            return stamp
    if stop - pos < 2:
        raise IonError(f"a timestamp without a year before byte {stop}")
    offset, west, pos = _varint(data, pos, stop)
    if offset > MAX_OFFSET_MINUTES:
        raise IonError(f"a timestamp's offset is out of range, before byte {pos}")
    known = bool(offset or not west)
    parts: list[int] = []
    while pos < stop and len(parts) < 6:
        part, pos = varuint(data, pos)
        parts.append(part)
    if not parts:
        raise IonError(f"a timestamp without a year before byte {stop}")
    if pos > stop or len(parts) == 4:
        raise IonError(f"a timestamp ends within a field, or has an hour without a minute, before byte {stop}")
    fraction = _read_fraction(data, pos, stop) if pos < stop else ""
    count = len(parts)
    if count < 4:
        year, month, day = [*parts, 1, 1][:3]
        stamp = Timestamp(Timestamp.PRECISIONS[count - 1], year, month, day)
        _check_date(stamp)
        return stamp
    year, month, day, hour, minute = parts[:5]
    second = parts[5] if count == 6 else 0
    if hour > 23 or minute > 59 or second > 59 or not 1 <= month <= 12 or year > 10_000:
        raise IonError(f"a timestamp's field is out of range, before byte {stop}")
    precision = "second" if count == 6 else "minute"
    stamp = Timestamp(precision, year, month, day, hour, minute, second, fraction, None)
    if not known:
        _check_date(stamp)
        return stamp
    minutes = -offset if west else offset
    if not minutes:
        _check_date(stamp)
        stamp.offset = 0
        return stamp
    if not 1 <= day <= days_in_month(year, month):
        raise IonError(f"a timestamp's field is out of range, before byte {stop}")
    try:
        return Timestamp.from_utc_seconds(stamp.utc_seconds(), fraction, minutes, precision)
    except ValueError:
        raise IonError("a timestamp is outside the years 0001 to 9999") from None


def _read_fraction(data: bytes, pos: int, stop: int) -> str:
    """Return the digits of a fraction of a second: exponent VarInt, coefficient Int, together from 0 to less than 1."""
    digits, negative, pos = _varint(data, pos, stop)
    coefficient = _from_bytes(data[pos:stop], "big")
    if pos < stop and data[pos] & 0x80:
        coefficient -= 1 << (8 * (stop - pos) - 1)
        if coefficient:
            raise IonError(f"a timestamp's fraction is negative, before byte {stop}")
    if not negative or not digits:
        if coefficient:
            raise IonError(f"a timestamp's fraction is not less than a second, before byte {stop}")
        return ""
    if digits > MAX_FRACTION_DIGITS:
        raise IonError(f"a timestamp's fraction has more than {MAX_FRACTION_DIGITS} digits")
    if coefficient >= 10**digits:
        raise IonError(f"a timestamp's fraction is not less than a second, before byte {stop}")
    return str(coefficient).zfill(digits)


def _check_date(stamp: Timestamp) -> None:
    year, month = stamp.year, stamp.month
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= stamp.day <= days_in_month(year, month)):
        raise IonError(f"{stamp} is not a date")
