"""Writes values as Ion binary: version marker, one local symbol table if symbols are used, then the values.

Where Ion leaves a choice the output is canonical: fewest octets, 64-bit floats, timestamps in UTC, fields in order.
"""

from __future__ import annotations

import struct as packing
from collections.abc import Iterable
from decimal import Decimal

from ..budget import charge, check
from .binary_reader import MAX_EXPONENT, MAX_FRACTION_DIGITS, VERSION_MARKER, extent, single_value
from .numerals import EXACT, decimal_to_int
from .symbols import MAX_DEPTH, SYSTEM_SYMBOLS, TOO_DEEP, VERSION_MARKER_TEXT, is_symbol_table
from .values import (
    EPOCH_DAYS,
    SYMBOL_ZERO,
    Annotated,
    Clob,
    Document,
    IonError,
    IonValue,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    civil_from_days,
    struct_items,
)

NULL_OCTETS: dict[str, bytes] = {
    "null": b"\x0f",
    "bool": b"\x1f",
    "int": b"\x2f",
    "float": b"\x4f",
    "decimal": b"\x5f",
    "timestamp": b"\x6f",
    "symbol": b"\x7f",
    "string": b"\x8f",
    "clob": b"\x9f",
    "blob": b"\xaf",
    "list": b"\xbf",
    "sexp": b"\xcf",
    "struct": b"\xdf",
}
_TRUE, _FALSE = b"\x11", b"\x10"
pack_double = packing.Struct(">d").pack
# A value that holds another many times over can become huge when written, so large parts are counted in the budget.
_LARGE_BYTES = 4_096
_SHORT_DECIMAL = 24  # characters
NAN_OCTETS = bytes.fromhex("7ff8000000000000")
# What stands before contents of up to 127 octets, by type code and length.
_HEADS = [
    [bytes((code << 4 | length,)) if length < 14 else bytes((code << 4 | 14, 0x80 | length)) for length in range(0x80)]
    for code in range(16)
]
_STRING_HEADS = _HEADS[8]

# Symbol tables repeat like the shapes of documents do.
_TABLE_CACHE: dict[tuple[str, ...], bytes] = {}
_TEXTS_CACHE: dict[bytes, tuple[str, ...]] = {}  # the inverse
_TABLE_CACHE_ENTRIES = 512
_TABLE_CACHE_SYMBOLS = 64

# What precedes a struct, and the name of one more field -> what precedes it then, and the id of the name.
_EXTENDED: dict[tuple[bytes, str], tuple[bytes, bytes]] = {}
_OPENING_MAX = 2048  # octets of a symbol table that is worth knowing
_OTHER_STRUCTS = frozenset((0xD1, 0xDF))  # sorted by id; null

# Every text with a system id -> the id as VarUInt, as a field name is written.
_SYSTEM_IDS: dict[str, bytes] = {text: bytes((0x80 | number,)) for number, text in enumerate(SYSTEM_SYMBOLS)}
_FIRST_LOCAL_ID = len(SYSTEM_SYMBOLS)


def write_all(values: Iterable[IonValue], max_depth: int = MAX_DEPTH) -> bytes:
    """Return self-contained binary of these top-level values, in order.

    Raises IonError for a value that cannot be written, TypeError for an object that is not an Ion value.
    """
    symbols = _SYSTEM_IDS.copy()
    parts: list[bytes] = []
    try:
        for value in values:
            check_top_level(value)
            _write([value], None, symbols, max_depth, parts)
    except UnicodeEncodeError:
        raise IonError("a text has half of a surrogate pair") from None
    return _opening(symbols) + b"".join(parts)


def check_top_level(value: IonValue) -> None:
    """Raise IonError for the two values that a reader would not take as data at the top of a stream."""
    if type(value) is Symbol and value == VERSION_MARKER_TEXT:
        raise IonError("the symbol $ion_1_0 cannot stand alone: it would be read as a version marker")
    if type(value) is Annotated and is_symbol_table(value.annotations, value.value):
        raise IonError("a struct annotated $ion_symbol_table cannot stand alone: it would be read as a symbol table")


_SMALL_VARUINTS = [bytes((value | 0x80,)) for value in range(0x80)]


def varuint(value: int) -> bytes:
    """Return the VarUInt of a number that is not negative."""
    if value < 0x80:
        return _SMALL_VARUINTS[value]
    octets = [value & 0x7F | 0x80]
    value >>= 7
    while value:
        octets.append(value & 0x7F)
        value >>= 7
    return bytes(reversed(octets))


def _varint(value: int) -> bytes:
    magnitude = abs(value)
    sign = 0x40 if value < 0 else 0
    if magnitude < 0x40:
        return bytes((0x80 | sign | magnitude,))
    octets = [magnitude & 0x7F | 0x80]
    magnitude >>= 7
    while magnitude >= 0x40:
        octets.append(magnitude & 0x7F)
        magnitude >>= 7
    octets.append(sign | magnitude)
    return bytes(reversed(octets))


def magnitude_octets(value: int) -> bytes:
    """Return a number that is not negative, big-endian in the least octets; 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) >> 3, "big")


def coefficient_octets(value: int, negative: bool) -> bytes:
    """Return sign and magnitude in the fewest octets; positive zero is empty, negative zero one octet."""
    if not value:
        return b"\x80" if negative else b""
    octets = value.to_bytes((value.bit_length() >> 3) + 1, "big")  # always has room for the sign bit
    return bytes((octets[0] | 0x80,)) + octets[1:] if negative else octets


def decimal_octets(value: Decimal) -> bytes:
    """Return the contents of a decimal.

    0d0 is empty.  Raises IonError for NaN and infinities, which Ion decimals lack.
    """
    coefficient, exponent, negative = _short_parts(value) or _parts(value)
    if not coefficient and not exponent and not negative:
        return b""
    return _varint(exponent) + coefficient_octets(abs(coefficient), negative)


def _parts(value: Decimal) -> tuple[int, int, bool]:
    """Return (signed coefficient, exponent, whether there is a minus sign, be it of a zero)."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise IonError(f"{value} is no Ion decimal")
    if abs(exponent) > MAX_EXPONENT:
        raise IonError(f"the exponent of a decimal is beyond {MAX_EXPONENT}")
    return decimal_to_int(EXACT.scaleb(value, -exponent)), exponent, value.is_signed()


def _short_parts(value: Decimal) -> tuple[int, int, bool] | None:
    """Do what _parts does, in a third of the time, for decimals like 90.25; None for 9E+1, NaN and long ones."""
    text = str(value)
    if len(text) > _SHORT_DECIMAL:
        return None
    whole, _, fraction = text.partition(".")
    try:
        return int(whole + fraction), -len(fraction), text[0] == "-"
    except ValueError:
        return None


# The last time of a journal's own form, and its octets: the time of a block stands in its header and its revisions, and
# each is hashed and written.  By identity; nothing changes a Timestamp.
_latest: tuple[Timestamp | None, bytes] = (None, b"")


def timestamp_octets(value: Timestamp) -> bytes:
    """Return the contents of a timestamp: offset, then as many fields as its precision has, in UTC."""
    global _latest
    latest, octets = _latest  # read at once: other threads write times, too
    if latest is value:
        return octets
    precision = value.precision
    if precision == "second" and value.offset == 0 and len(value.fraction) == 3 and value.year >= 128:
        octets = _milliseconds_in_utc(value)
        _latest = value, octets
        return octets
    if precision == "year":
        return b"\xc0" + varuint(value.year)
    if precision == "month":
        return b"\xc0" + varuint(value.year) + bytes((0x80 | value.month,))
    if precision == "day":
        year = value.year
        if year >= 128:
            return bytes((0xC0, year >> 7, 0x80 | year & 0x7F, 0x80 | value.month, 0x80 | value.day))
        return b"\xc0" + varuint(year) + bytes((0x80 | value.month, 0x80 | value.day))
    offset = value.offset
    year, month, day, hour, minute = value.year, value.month, value.day, value.hour, value.minute
    if offset:
        year, month, day, hour, minute = _utc_fields(value)
    head = b"\xc0" if offset is None else _varint(offset)
    octets = head + varuint(year) + bytes((0x80 | month, 0x80 | day, 0x80 | hour, 0x80 | minute))
    if precision == "minute":
        return octets
    octets += bytes((0x80 | value.second,))
    if not value.fraction:
        return octets
    if len(value.fraction) > MAX_FRACTION_DIGITS:
        raise IonError(f"a timestamp's fraction has more than {MAX_FRACTION_DIGITS} digits")
    return octets + _varint(-len(value.fraction)) + coefficient_octets(int(value.fraction), False)


def _milliseconds_in_utc(value: Timestamp) -> bytes:
    """Write a time as every journal has it, in the years from 128 on, like timestamp_octets but in one step."""
    milliseconds = int(value.fraction)
    if milliseconds >= 128:
        coefficient = bytes((milliseconds >> 8, milliseconds & 0xFF))
    else:
        coefficient = bytes((milliseconds,)) if milliseconds else b""
    return (
        bytes(
            (
                0x80,
                value.year >> 7,
                0x80 | value.year & 0x7F,
                0x80 | value.month,
                0x80 | value.day,
                0x80 | value.hour,
                0x80 | value.minute,
                0x80 | value.second,
                0xC3,
            )
        )
        + coefficient
    )


def _utc_fields(value: Timestamp) -> tuple[int, int, int, int, int]:
    days, rest = divmod(value.utc_seconds(), 86400)
    # An offset can push UTC out of the years that a date can have; 400 years are a whole number of cycles.
    shift = 400 if days + EPOCH_DAYS < 366 else -400 if days + EPOCH_DAYS > 3_651_000 else 0
    year, month, day = civil_from_days(days + shift // 400 * 146_097)
    return year - shift, month, day, rest // 3600, rest // 60 % 60


def _opening(symbols: dict[str, bytes]) -> bytes:
    """Return the version marker, and the local symbol table if any symbol is not the system's."""
    if len(symbols) == _FIRST_LOCAL_ID:
        return VERSION_MARKER
    texts = tuple(symbols)[_FIRST_LOCAL_ID:]
    known = _TABLE_CACHE.get(texts)
    if known is not None:
        return known
    opening = opening_of(listed(texts))
    if len(texts) <= _TABLE_CACHE_SYMBOLS:
        if len(_TABLE_CACHE) >= _TABLE_CACHE_ENTRIES:
            _TABLE_CACHE.clear()
            _TEXTS_CACHE.clear()
        _TABLE_CACHE[texts] = opening
        _TEXTS_CACHE[opening] = texts
    return opening


def listed(texts: Iterable[str]) -> bytes:
    """Return the contents of a symbol table's list."""
    return b"".join([headed(8, text.encode()) for text in texts])


def opening_of(symbols_listed: bytes) -> bytes:
    """Version marker and local symbol table."""
    table = headed(13, b"\x87" + headed(11, symbols_listed))  # {symbols: [...]}
    return VERSION_MARKER + headed(14, b"\x81\x83" + table)  # $ion_symbol_table::


def opened(document: Document) -> tuple[tuple[str, ...], bytes] | None:
    """Return the local symbols of a document's binary, and the value after them; None if it was not written lately.

    A caller can copy the value into a larger one whose symbol table begins with the same symbols.
    """
    ion = document.ion
    if ion[4] >> 4 != 14:
        return (), ion[4:]
    if ion[4] != 0xEE:
        start = 5 + (ion[4] & 15)
    elif ion[5] & 0x80:
        start = 6 + (ion[5] & 0x7F)
    else:
        start = 7 + (ion[5] << 7 | ion[6] & 0x7F)
    texts = _TEXTS_CACHE.get(ion[:start])
    return None if texts is None else (texts, ion[start:])


def value_start(ion: bytes) -> int:
    """Return where the value begins in self-contained binary of one value by our writer, after the symbol table.

    For an annotated value without a symbol table that is the end.
    """
    return extent(ion, len(VERSION_MARKER))[1] if ion[len(VERSION_MARKER)] >> 4 == 14 else len(VERSION_MARKER)


def texts_of(opening: bytes) -> tuple[str, ...] | None:
    """Return the local symbols of a version marker and symbol table.

    None if a larger table cannot begin with them: it is long, or our writer would write it in another way, because it
    has imports, ids without text, or texts that have two ids.
    """
    if len(opening) > _OPENING_MAX:
        return None
    try:
        # Only what follows a table tells which one is in force: here a null.
        texts = tuple(single_value(opening + NULL_OCTETS["null"])[2])[_FIRST_LOCAL_ID:]
        if tuple(local_texts(first_ids(texts))) != texts:
            return None
        return texts if opening == (opening_of(listed(texts)) if texts else VERSION_MARKER) else None
    except (IonError, IndexError, UnicodeError):
        return None


def with_text_field(ion: bytes, name: str, text: str) -> bytes | None:
    """Return self-contained binary of a struct with one more field at its end; the others are not decoded.

    ion: of one struct, by our writer.  None if it has to be decoded: see texts_of; or it is no plain struct.
    """
    start = value_start(ion)
    opening = ion[:start]
    known = _EXTENDED.get((opening, name))
    if known is None:
        texts = texts_of(opening)
        if texts is None:
            return None
        symbols = first_ids(texts)
        field = symbol_id(name, symbols)
        known = _opening(symbols), field
        if len(_EXTENDED) >= _TABLE_CACHE_ENTRIES:
            _EXTENDED.clear()
        _EXTENDED[opening, name] = known
    if start == len(ion) or ion[start] >> 4 != 13 or ion[start] in _OTHER_STRUCTS:
        return None
    octets = text.encode()
    return known[0] + headed(13, b"".join((ion[extent(ion, start)[0] :], known[1], headed(8, octets))))


def first_ids(texts: Iterable[str]) -> dict[str, bytes]:
    """Return every text that has an id when these are the first local symbols, with the id as VarUInt."""
    symbols = _SYSTEM_IDS.copy()
    for text in texts:
        symbol_id(text, symbols)
    return symbols


def write_value(value: IonValue, symbols: dict[str, bytes], max_depth: int = MAX_DEPTH) -> bytes:
    """Return the binary of one value within something larger; add the symbols that it uses."""
    parts: list[bytes] = []
    _write([value], None, symbols, max_depth, parts)
    return b"".join(parts)


def local_texts(symbols: dict[str, bytes]) -> list[str]:
    """Return the local symbols, in the order of their ids."""
    return list(symbols)[_FIRST_LOCAL_ID:]


def headed(code: int, contents: bytes) -> bytes:
    """Type octet and length before the contents."""
    length = len(contents)
    if length < 0x80:
        return _HEADS[code][length] + contents
    # A row may name one list a thousand times: many containers of middle size take time, too.
    check()
    if length > _LARGE_BYTES:
        charge(length)
    return bytes((code << 4 | 14,)) + varuint(length) + contents


def symbol_id(text: str, symbols: dict[str, bytes]) -> bytes:
    """Return the VarUInt id of a symbol, a new one if need be."""
    known = symbols.get(text)
    if known is None:
        known = symbols[str(text)] = varuint(len(symbols))
    return known


def _write(
    values: Iterable[IonValue], names: Iterable[str] | None, symbols: dict[str, bytes], depth: int, parts: list[bytes]
) -> None:
    """Append the binary of each value, each after its field name if there are names.

    depth: how many more containers may open.
    """
    append = parts.append
    name_iterator = None if names is None else iter(names)
    for value in values:
        if name_iterator is not None:
            name = next(name_iterator)
            known = symbols.get(name)
            append(known if known is not None else symbol_id(name, symbols))
        kind = type(value)
        if kind is str:
            octets = value.encode()
            length = len(octets)
            if length > _LARGE_BYTES:
                charge(length)
            append(_STRING_HEADS[length] if length < 0x80 else b"\x8e" + varuint(length))
            append(octets)
        elif kind is dict or kind is Document:
            if not depth:
                raise IonError(TOO_DEEP)
            inner: list[bytes] = []
            _write(value.values(), value, symbols, depth - 1, inner)
            append(headed(13, b"".join(inner)))
        elif kind is list:
            if not depth:
                raise IonError(TOO_DEEP)
            inner = []
            _write(value, None, symbols, depth - 1, inner)
            append(headed(11, b"".join(inner)))
        elif kind is int:
            append(headed(2, magnitude_octets(value)) if value >= 0 else headed(3, magnitude_octets(-value)))
        elif kind is Decimal:
            append(headed(5, decimal_octets(value)))
        elif kind is Timestamp:
            append(headed(6, timestamp_octets(value)))
        elif kind is bool:
            append(_TRUE if value else _FALSE)
        elif value is None:
            append(b"\x0f")
        elif kind is bytes:
            append(headed(10, value))
        elif kind is float:
            append(float_octets(value))
        elif kind is Annotated:
            annotations = b"".join([symbol_id(each, symbols) for each in value.annotations])
            inner = []
            _write([value.value], None, symbols, depth, inner)
            append(headed(14, varuint(len(annotations)) + annotations + b"".join(inner)))
        else:
            _write_rarer(value, symbols, depth, parts)


def float_octets(value: float) -> bytes:
    """Return a float with its type octet; positive zero has no contents, and there is one NaN."""
    octets = pack_double(value) if value == value else NAN_OCTETS
    return b"\x40" if octets == bytes(8) else b"\x48" + octets


def _write_rarer(value: IonValue, symbols: dict[str, bytes], depth: int, parts: list[bytes]) -> None:
    """Write a kind of value that documents seldom hold, or a subclass of a frequent one."""
    if isinstance(value, Symbol):
        number = 0 if value is SYMBOL_ZERO else _id_number(symbol_id(value, symbols))
        parts.append(headed(7, magnitude_octets(number)))
    elif isinstance(value, TypedNull):
        parts.append(NULL_OCTETS[value.ion_type])
    elif isinstance(value, Clob):
        parts.append(headed(9, value))
    elif isinstance(value, (list, MultiStruct)):
        if not depth:
            raise IonError(TOO_DEEP)
        inner: list[bytes] = []
        if isinstance(value, list):
            _write(value, None, symbols, depth - 1, inner)
        else:
            _write([each for _, each in value.pairs], [name for name, _ in value.pairs], symbols, depth - 1, inner)
        code = 13 if isinstance(value, MultiStruct) else 12 if isinstance(value, Sexp) else 11
        parts.append(headed(code, b"".join(inner)))
    else:
        _write([plain(value)], None, symbols, depth, parts)


def plain(value: IonValue) -> IonValue:
    """Return a value of a subclass (an enumeration's, say) as the class itself.

    Raises TypeError for what is no Ion value.
    """
    if isinstance(value, dict):
        return dict(struct_items(value))
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise TypeError(f"not an Ion value: {type(value).__name__}")


def _id_number(octets: bytes) -> int:
    number = 0
    for octet in octets:
        number = number << 7 | octet & 0x7F
    return number
