"""Ion Hash with SHA-256: the same digest for the same Ion value, however it was encoded.

Serialisation of a value, after the Ion Hash 1.0 specification::

    scalar      0B  TQ  escape(representation)                      0E
    list, sexp  0B  TQ  s(value) ...                                0E
    struct      0B  D0  escape(sorted(H(s(name) + s(value)) ...))   0E
    annotated   0B  E0  s(annotation) ...  s(value)                 0E

TQ is the type code with, for some, a qualifier; the representation is that of canonical Ion binary, without its length.
The octets 0B, 0C and 0E are escaped with 0C.  QLDB used Ion Hash unchanged (recorded: the captured blocks verify).

The same digest is computed from values or straight from binary.  The latter builds no values, and for a document of 300
bytes it takes as long as hashing alone (measured), so it saves the decoding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256

from .binary_reader import BROKEN_OFF, read_decimal, read_float, read_timestamp, single_value, varuint
from .binary_writer import NULL_OCTETS, decimal_octets, float_octets, magnitude_octets, plain, timestamp_octets
from .symbols import MAX_DEPTH, TOO_DEEP
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    IonError,
    IonValue,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    struct_items,
)

# Field names recur.  The cache is dropped when it is full, so hostile names cost no memory.
_NAME_CACHE: dict[str, bytes] = {}
_NAME_CACHE_ENTRIES = 4096
_NAME_CACHE_CHARACTERS = 128

_SYMBOL_ZERO = b"\x0b\x71\x0e"
_NULLS = {name: b"\x0b" + octet + b"\x0e" for name, octet in NULL_OCTETS.items()}
_NULLS_BY_OCTET = {octet[0]: b"\x0b" + octet + b"\x0e" for octet in [*NULL_OCTETS.values(), b"\x3f"]}
_NULLS_BY_OCTET[0x3F] = _NULLS["int"]  # null.int has two encodings

# Timestamps in binary that are in canonical form already, as our writer and every SDK write them: their octets are
# their representation.  Years before 128 are converted.
_CANONICAL_TIMESTAMP = re.compile(
    rb"""(?s:\xc0[\x01-\x7f][\x80-\xff]{1,3}
    |(?:[\x80-\xff]|[\x00\x40][\xc0-\xff]|[\x01-\x3f\x41-\x7f][\x80-\xff])[\x01-\x7f][\x80-\xff]{5,6}
    |(?:[\x80-\xff]|[\x00\x40][\xc0-\xff]|[\x01-\x3f\x41-\x7f][\x80-\xff])[\x01-\x7f][\x80-\xff]{6}
     [\xc1-\xff](?:[\x01-\x7f].*|\x00[\x80-\xff].*|)
    )\Z""",
    re.VERBOSE,
).match


def hash_value(value: IonValue) -> bytes:
    """Return the 32-byte Ion Hash of a value.

    Raises IonError for what Ion cannot hold, TypeError for an object that is not an Ion value.
    """
    return sha256(serialise(value)).digest()


def hash_list(values: list[IonValue]) -> tuple[bytes, list[bytes]]:
    """Return the Ion Hash of a list and those of its elements; serialises each once, so both cost as much as the first.

    Raises as :func:`hash_value` does.  values: a list, not an s-expression.
    """
    parts = [serialise(value) for value in values]
    return sha256(b"\x0b\xb0%b\x0e" % b"".join(parts)).digest(), [sha256(part).digest() for part in parts]


def serialise(value: IonValue) -> bytes:
    """Return the input of SHA-256 for :func:`hash_value`: equal for two values exactly if they are the same value."""
    try:
        return _serialise(value, MAX_DEPTH)
    except UnicodeEncodeError:
        raise IonError("a text has half of a surrogate pair") from None
    except RecursionError:
        raise IonError(TOO_DEEP) from None


def hash_binary(data: bytes) -> bytes:
    """Return the 32-byte Ion Hash of the single value in self-contained Ion binary.

    This package should have read or written the binary before: a part that is not well-formed raises IonError, or is
    hashed as it is (text that is not UTF-8, a date that does not exist).
    """
    try:
        pos, stop, symbols = single_value(data)
        return sha256(_serialise_binary(data, pos, stop, symbols, MAX_DEPTH, False)[0]).digest()
    except IndexError:
        raise IonError(BROKEN_OFF) from None
    except UnicodeError:
        raise IonError("a text is not UTF-8") from None
    except RecursionError:
        raise IonError(TOO_DEEP) from None


# --- Serialisations of parts, for structs whose form is known -------------------------------------------------


def name_part(text: str) -> bytes:
    """Return the serialisation of a field's name, an annotation or a symbol value.  Raises IonError.

    The hash of a field is SHA-256 over that of its name and that of its value.
    """
    if text is SYMBOL_ZERO:
        return _SYMBOL_ZERO
    try:
        return b"\x0b\x70" + _escape(text.encode()) + b"\x0e"
    except UnicodeEncodeError:
        raise IonError("a text has half of a surrogate pair") from None


def text_part(text: str) -> bytes:
    """Return the serialisation of a string.  Raises IonError."""
    try:
        return b"\x0b\x80" + _escape(text.encode()) + b"\x0e"
    except UnicodeEncodeError:
        raise IonError("a text has half of a surrogate pair") from None


def count_part(number: int) -> bytes:
    """Return the serialisation of an int that is not negative."""
    return b"\x0b\x20" + _escape(magnitude_octets(number)) + b"\x0e"


def time_part(time: Timestamp) -> bytes:
    """Return the serialisation of a timestamp."""
    return b"\x0b\x60" + _escape(timestamp_octets(time)) + b"\x0e"


def blob_part(octets: bytes) -> bytes:
    """Return the serialisation of a blob."""
    return b"\x0b\xa0" + _escape(octets) + b"\x0e"


def list_part(parts: list[bytes]) -> bytes:
    """Return the serialisation of a list of these values."""
    return b"\x0b\xb0" + b"".join(parts) + b"\x0e"


def struct_part(field_hashes: list[bytes]) -> bytes:
    """Return the serialisation of a struct with fields of these hashes; sorts them."""
    field_hashes.sort()
    return b"\x0b\xd0" + _escape(b"".join(field_hashes)) + b"\x0e"


def _escape(octets: bytes) -> bytes:
    # ``in`` finds an int in a sixth of the time that it takes for a bytes of length one.
    if 0x0C in octets:
        octets = octets.replace(b"\x0c", b"\x0c\x0c")
    if 0x0B in octets:
        octets = octets.replace(b"\x0b", b"\x0c\x0b")
    if 0x0E in octets:
        octets = octets.replace(b"\x0e", b"\x0c\x0e")
    return octets


def _name(text: str) -> bytes:
    """Do what name_part does, with a cache: most names come again."""
    known = _NAME_CACHE.get(text)
    if known is None:
        known = name_part(text)
        if len(text) <= _NAME_CACHE_CHARACTERS:
            if len(_NAME_CACHE) >= _NAME_CACHE_ENTRIES:
                _NAME_CACHE.clear()
            _NAME_CACHE[text] = known
    return known


def _serialise(value: IonValue, depth: int) -> bytes:
    """Return the serialisation of a value.  depth: how many more containers may open."""
    kind = type(value)
    if kind is str:
        return b"\x0b\x80" + _escape(value.encode()) + b"\x0e"
    if kind is int:
        tag = b"\x0b\x20" if value >= 0 else b"\x0b\x30"
        return tag + _escape(magnitude_octets(abs(value))) + b"\x0e"
    if isinstance(value, dict):
        if not depth:
            raise IonError(TOO_DEEP)
        fields = []
        for name, each in struct_items(value):
            # A comprehension would double the stack.
            known = _NAME_CACHE.get(name)
            if known is None:
                known = _name(name)
            if type(each) is str:  # the most frequent kind, inlined
                octets = each.encode()
                if 0x0B in octets or 0x0C in octets or 0x0E in octets:
                    octets = _escape(octets)
                fields.append(sha256(b"%b\x0b\x80%b\x0e" % (known, octets)).digest())
            else:
                fields.append(sha256(known + _serialise(each, depth - 1)).digest())
        fields.sort()
        return b"\x0b\xd0" + _escape(b"".join(fields)) + b"\x0e"
    if isinstance(value, list):
        if not depth:
            raise IonError(TOO_DEEP)
        parts = [b"\x0b\xc0" if isinstance(value, Sexp) else b"\x0b\xb0"]
        for each in value:
            parts.append(_serialise(each, depth - 1))
        parts.append(b"\x0e")
        return b"".join(parts)
    if kind is Annotated:
        annotations = b"".join(map(_name, value.annotations))
        return b"\x0b\xe0" + annotations + _serialise(value.value, depth) + b"\x0e"
    return _scalar(value)


def _scalar(value: IonValue) -> bytes:
    """Return the serialisation of a scalar of one of the less frequent types."""
    kind = type(value)
    if kind is bool:
        return b"\x0b\x11\x0e" if value else b"\x0b\x10\x0e"
    if value is None:
        return b"\x0b\x0f\x0e"
    if kind is Decimal:
        return b"\x0b\x50" + _escape(decimal_octets(value)) + b"\x0e"
    if kind is Timestamp:
        return b"\x0b\x60" + _escape(timestamp_octets(value)) + b"\x0e"
    if kind is float:
        return b"\x0b\x40" + _escape(float_octets(value)[1:]) + b"\x0e"
    if kind is bytes:
        return b"\x0b\xa0" + _escape(value) + b"\x0e"
    if isinstance(value, Symbol):
        return _name(value)
    if isinstance(value, TypedNull):
        return _NULLS[value.ion_type]
    if isinstance(value, Clob):
        return b"\x0b\x90" + _escape(value) + b"\x0e"
    return _serialise(plain(value), 0)


def _serialise_binary(
    data: bytes, pos: int, end: int, symbols: Sequence[str], depth: int, in_struct: bool
) -> list[bytes]:
    """The serialisations of the values between ``pos`` and ``end``; for the contents of a struct, the field hashes."""
    parts: list[bytes] = []
    append = parts.append
    name = b""
    while pos < end:
        if in_struct:
            octet = data[pos]
            pos += 1
            if octet & 0x80:
                text = symbols[octet & 0x7F]
            else:
                name_id, pos = varuint(data, pos - 1)
                text = symbols[name_id]
            name = _NAME_CACHE.get(text) or _name(text)
        octet = data[pos]
        pos += 1
        code = octet >> 4
        length = octet & 15
        if length == 15:
            stop = pos
            part = _NULLS_BY_OCTET.get(octet, b"")
            if not part:
                raise IonError(f"invalid type code at byte {pos - 1}")
        elif code == 1:
            stop = pos
            part = b"\x0b\x11\x0e" if octet == 0x11 else b"\x0b\x10\x0e"
        else:
            if length == 14 or octet == 0xD1:
                length, pos = varuint(data, pos)
            stop = pos + length
            if stop > end:
                raise IonError(f"the value before byte {pos} is longer than what holds it")
            if code == 8:
                part = b"\x0b\x80" + _escape(data[pos:stop]) + b"\x0e"
            elif code == 13 or code == 11 or code == 12:
                if not depth:
                    raise IonError(TOO_DEEP)
                inner = _serialise_binary(data, pos, stop, symbols, depth - 1, code == 13)
                if code == 13:
                    part = struct_part(inner)
                else:
                    part = (b"\x0b\xb0" if code == 11 else b"\x0b\xc0") + b"".join(inner) + b"\x0e"
            elif code == 2 or code == 3:
                part = (b"\x0b\x20" if code == 2 else b"\x0b\x30") + _escape(data[pos:stop].lstrip(b"\0")) + b"\x0e"
            elif code == 14:
                part = _annotated_binary(data, pos, stop, symbols, depth)
            elif code == 0:
                pos = stop
                continue
            else:
                part = _scalar_binary(code, data, pos, stop, symbols)
        pos = stop
        append(sha256(name + part).digest() if in_struct else part)
    return parts


def _annotated_binary(data: bytes, pos: int, stop: int, symbols: Sequence[str], depth: int) -> bytes:
    length, pos = varuint(data, pos)
    value_pos = pos + length
    names = []
    while pos < value_pos:
        symbol_id, pos = varuint(data, pos)
        names.append(_name(symbols[symbol_id]))
    if pos >= stop or data[pos] >> 4 == 14:
        raise IonError(f"annotations without a value before byte {pos}")
    values = _serialise_binary(data, pos, stop, symbols, depth, False)
    return b"\x0b\xe0" + b"".join(names) + b"".join(values) + b"\x0e"


def _scalar_binary(code: int, data: bytes, pos: int, stop: int, symbols: Sequence[str]) -> bytes:
    """Return the serialisation of a scalar whose contents are ``data[pos:stop]``; made canonical if they are not."""
    octets = data[pos:stop]
    if code == 5:
        return b"\x0b\x50" + _escape(_canonical_decimal(octets)) + b"\x0e"
    if code == 6:
        if not _CANONICAL_TIMESTAMP(octets):
            octets = timestamp_octets(read_timestamp(data, pos, stop))
        return b"\x0b\x60" + _escape(octets) + b"\x0e"
    if code == 7:
        return _name(symbols[int.from_bytes(octets, "big")])
    if code == 10:
        return b"\x0b\xa0" + _escape(octets) + b"\x0e"
    if code == 4:
        return b"\x0b\x40" + _escape(float_octets(read_float(data, pos, stop))[1:]) + b"\x0e"
    if code == 9:
        return b"\x0b\x90" + _escape(octets) + b"\x0e"
    raise IonError(f"invalid type code before byte {pos}")


def _canonical_decimal(octets: bytes) -> bytes:
    """Return the contents of a decimal in canonical form: least octets, 0d0 empty."""
    if len(octets) >= 2 and octets[0] > 0x80 and octets[0] != 0xC0:
        first = octets[1]
        if first & 0x7F or (len(octets) > 2 and octets[2] & 0x80):
            return octets
    return decimal_octets(read_decimal(octets, 0, len(octets)))
