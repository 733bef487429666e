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
from functools import lru_cache
from hashlib import sha256

from .binary_reader import BROKEN_OFF, read_decimal, read_float, read_timestamp, single_value, varuint
from .binary_writer import NULL_OCTETS, decimal_octets, float_octets, magnitude_octets, plain, timestamp_octets
from .numerals import MAX_NUMBER_BYTES
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

_TIMESTAMPS_KEPT = 4096

OTHER_OCTETS = -1  # among symbol ids

_SYMBOL_ZERO = b"\x0b\x71\x0e"
_NULLS = {name: b"\x0b" + octet + b"\x0e" for name, octet in NULL_OCTETS.items()}
# First octet of a value without contents -> its serialisation.
_FIXED = {octet[0]: b"\x0b" + octet + b"\x0e" for octet in [*NULL_OCTETS.values(), b"\x10", b"\x11"]}
_FIXED[0x3F] = _NULLS["int"]  # null.int has two encodings

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

    Raises IonError for what the reader of binary refuses.
    """
    try:
        pos, stop, symbols = single_value(data)
        return sha256(_serialise_binary(data, pos, stop, symbols, MAX_DEPTH, False, [])[0]).digest()
    except IndexError:
        raise IonError(BROKEN_OFF) from None
    except UnicodeError:
        raise IonError("a text is not UTF-8") from None
    except RecursionError:
        raise IonError(TOO_DEEP) from None


def hash_fields(data: bytes, pos: int, stop: int, symbols: Sequence[str], depth: int, ids: list[int]) -> bytes:
    """Return the hash of the struct whose contents are ``data[pos:stop]``.

    depth: how many containers may open inside.  ids: receives every symbol id, in the order of the data, and
    OTHER_OCTETS where our writer would perhaps have written other octets for the same value.
    Raises IonError, IndexError or UnicodeDecodeError for what the reader of binary refuses.
    """
    return sha256(struct_part(_serialise_binary(data, pos, stop, symbols, depth, True, ids))).digest()


def hash_noted_fields(
    data: bytes, pos: int, stop: int, symbols: Sequence[str], depth: int, notes: list[int], leaves: list[bytes]
) -> bytes:
    """Do what hash_fields does, and note what the struct is made of, so that it need not be gone through again.

    notes: receives what ``ids`` does and, for each value, less than those, ``NOTE - code``: its type code, or one of
    NULL and UNNOTED; after the contents of a container END.  Equal notes stand for structs that differ in leaves alone.
    leaves: receives the octets of each scalar's contents, the type octet of a bool; nothing of nulls, of symbols, whose
    ids are in the notes, and of values that are UNNOTED.
    """
    return sha256(struct_part(_serialise_noted(data, pos, stop, symbols, depth, True, notes, leaves))).digest()


NOTE = -2  # a value with the type code c is noted as NOTE - c
NULL, END, UNNOTED = 15, 16, 17  # in the place of a type code; UNNOTED: annotations and padding


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


def scalar_part(kind: bytes, octets: bytes) -> bytes:
    """Return the serialisation of a scalar.  kind: type code and qualifier.  octets: its canonical representation."""
    if 0x0B in octets or 0x0C in octets or 0x0E in octets:
        octets = _escape(octets)
    return b"\x0b%b%b\x0e" % (kind, octets)


def list_part(parts: list[bytes]) -> bytes:
    """Return the serialisation of a list of these values."""
    return b"\x0b\xb0" + b"".join(parts) + b"\x0e"


def struct_part(field_hashes: list[bytes]) -> bytes:
    """Return the serialisation of a struct with fields of these hashes; sorts them."""
    field_hashes.sort()
    octets = b"".join(field_hashes)
    if 0x0B in octets or 0x0C in octets or 0x0E in octets:  # of twenty hashes nearly always
        octets = _escape(octets)
    return b"\x0b\xd0%b\x0e" % octets


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
    data: bytes, pos: int, end: int, symbols: Sequence[str], depth: int, in_struct: bool, ids: list[int]
) -> list[bytes]:
    """The serialisations of the values between ``pos`` and ``end``; for the contents of a struct, the field hashes.

    It refuses what ``binary_reader.contents`` refuses.  ids: receives every symbol id, in the order of the data, and
    OTHER_OCTETS where our writer would perhaps have written other octets for the same value.
    """
    parts: list[bytes] = []
    append = parts.append
    name = b""
    while pos < end:
        if in_struct:
            name_id = data[pos]
            if name_id & 0x80:
                name_id &= 0x7F
                pos += 1
            else:
                if not name_id:
                    ids.append(OTHER_OCTETS)
                name_id, pos = varuint(data, pos)
            text = symbols[name_id]
            ids.append(name_id)
            name = _NAME_CACHE.get(text) or _name(text)
        octet = data[pos]
        pos += 1
        code = octet >> 4
        length = octet & 15
        if length == 15 or code == 1:
            stop = pos
            part = _FIXED.get(octet, b"")
            if not part:
                raise IonError(f"invalid type code at byte {pos - 1}")
            if octet == 0x3F:
                ids.append(OTHER_OCTETS)
        else:
            if length == 14 or octet == 0xD1:
                start = pos
                length, pos = varuint(data, pos)
                if length < 14 or not data[start] or octet == 0xD1:
                    ids.append(OTHER_OCTETS)
                if octet == 0xD1 and not length:
                    raise IonError(f"invalid ordered struct before byte {pos}")
            stop = pos + length
            if stop > end:
                raise IonError(f"the value before byte {pos} is longer than what holds it")
            if code == 8:
                octets = data[pos:stop]
                if not octets.isascii():
                    octets.decode()  # only to refuse what is not UTF-8
                if 0x0B in octets or 0x0C in octets or 0x0E in octets:
                    octets = _escape(octets)
                part = b"\x0b\x80%b\x0e" % octets
            elif code == 13:
                if not depth:
                    raise IonError(TOO_DEEP)
                part = struct_part(_serialise_binary(data, pos, stop, symbols, depth - 1, True, ids))
            elif code == 11 or code == 12:
                if not depth:
                    raise IonError(TOO_DEEP)
                inner = _serialise_binary(data, pos, stop, symbols, depth - 1, False, ids)
                part = (b"\x0b\xb0%b\x0e" if code == 11 else b"\x0b\xc0%b\x0e") % b"".join(inner)
            elif code == 14:
                part = _annotated_binary(data, pos, stop, symbols, depth, ids)
            elif code == 0:
                if in_struct:
                    ids.pop()
                ids.append(OTHER_OCTETS)
                pos = stop
                continue
            else:
                part = _scalar_binary(code, data, pos, stop, symbols, ids)
        pos = stop
        append(sha256(name + part).digest() if in_struct else part)
    if pos != end:
        raise IonError(f"a value before byte {pos} is longer than what holds it")
    return parts


def _serialise_noted(
    data: bytes,
    pos: int,
    end: int,
    symbols: Sequence[str],
    depth: int,
    in_struct: bool,
    ids: list[int],
    leaves: list[bytes],
) -> list[bytes]:
    """Do what ``_serialise_binary`` does; ids, leaves: notes and leaves of ``hash_noted_fields``.

    It has the same lines and those that note, because most callers need no notes, and asking for each value whether it
    is to be noted would cost them time.
    """
    parts: list[bytes] = []
    append = parts.append
    name = b""
    while pos < end:
        if in_struct:
            name_id = data[pos]
            if name_id & 0x80:
                name_id &= 0x7F
                pos += 1
            else:
                if not name_id:
                    ids.append(OTHER_OCTETS)
                name_id, pos = varuint(data, pos)
            text = symbols[name_id]
            ids.append(name_id)
            name = _NAME_CACHE.get(text) or _name(text)
        octet = data[pos]
        pos += 1
        code = octet >> 4
        length = octet & 15
        if length == 15 or code == 1:
            stop = pos
            part = _FIXED.get(octet, b"")
            if not part:
                raise IonError(f"invalid type code at byte {pos - 1}")
            if octet == 0x3F:
                ids.append(OTHER_OCTETS)
            if length == 15:
                ids.append(NOTE - NULL)
            else:
                ids.append(NOTE - 1)
                leaves.append(data[pos - 1 : pos])
        else:
            if length == 14 or octet == 0xD1:
                start = pos
                length, pos = varuint(data, pos)
                if length < 14 or not data[start] or octet == 0xD1:
                    ids.append(OTHER_OCTETS)
                if octet == 0xD1 and not length:
                    raise IonError(f"invalid ordered struct before byte {pos}")
            stop = pos + length
            if stop > end:
                raise IonError(f"the value before byte {pos} is longer than what holds it")
            if code == 8:
                octets = data[pos:stop]
                ids.append(NOTE - 8)
                leaves.append(octets)
                if not octets.isascii():
                    octets.decode()  # only to refuse what is not UTF-8
                if 0x0B in octets or 0x0C in octets or 0x0E in octets:
                    octets = _escape(octets)
                part = b"\x0b\x80%b\x0e" % octets
            elif code == 13:
                if not depth:
                    raise IonError(TOO_DEEP)
                ids.append(NOTE - 13)
                part = struct_part(_serialise_noted(data, pos, stop, symbols, depth - 1, True, ids, leaves))
                ids.append(NOTE - END)
            elif code == 11 or code == 12:
                if not depth:
                    raise IonError(TOO_DEEP)
                ids.append(NOTE - code)
                inner = _serialise_noted(data, pos, stop, symbols, depth - 1, False, ids, leaves)
                ids.append(NOTE - END)
                part = (b"\x0b\xb0%b\x0e" if code == 11 else b"\x0b\xc0%b\x0e") % b"".join(inner)
            elif code == 14:
                ids.append(NOTE - UNNOTED)
                part = _annotated_binary(data, pos, stop, symbols, depth, ids)
            elif code == 0:
                if in_struct:
                    ids.pop()
                ids.append(OTHER_OCTETS)
                ids.append(NOTE - UNNOTED)
                pos = stop
                continue
            else:
                ids.append(NOTE - code)
                if code != 7:
                    leaves.append(data[pos:stop])
                part = _scalar_binary(code, data, pos, stop, symbols, ids)
        pos = stop
        append(sha256(name + part).digest() if in_struct else part)
    if pos != end:
        raise IonError(f"a value before byte {pos} is longer than what holds it")
    return parts


def _annotated_binary(data: bytes, pos: int, stop: int, symbols: Sequence[str], depth: int, ids: list[int]) -> bytes:
    ids.append(OTHER_OCTETS)  # perhaps: annotations are too rare to look
    length, pos = varuint(data, pos)
    value_pos = pos + length
    if not length or value_pos >= stop:
        raise IonError(f"annotations without names or value before byte {pos}")
    if data[value_pos] >> 4 == 14:
        raise IonError(f"annotations directly round annotations at byte {value_pos}")
    names = []
    while pos < value_pos:
        symbol_id, pos = varuint(data, pos)
        ids.append(symbol_id)
        names.append(_name(symbols[symbol_id]))
    if pos != value_pos:
        raise IonError(f"an annotation is longer than what holds it, before byte {pos}")
    values = _serialise_binary(data, value_pos, stop, symbols, depth, False, ids)
    if len(values) != 1:
        raise IonError(f"an annotation wrapper must hold one value, found {len(values)}, before byte {stop}")
    return b"\x0b\xe0" + b"".join(names) + values[0] + b"\x0e"


def _scalar_binary(code: int, data: bytes, pos: int, stop: int, symbols: Sequence[str], ids: list[int]) -> bytes:
    """Return the serialisation of a scalar whose contents are ``data[pos:stop]``; made canonical if they are not."""
    octets = data[pos:stop]
    if code == 6:
        canonical = _canonical_timestamp(octets)
    elif code == 5:
        canonical = _canonical_decimal(octets)
    elif code == 4:
        canonical = float_octets(read_float(data, pos, stop))[1:]
    elif code == 2 or code == 3:
        if stop - pos > MAX_NUMBER_BYTES:
            raise IonError(f"a number of more than {MAX_NUMBER_BYTES} bytes at byte {pos}")
        canonical = octets.lstrip(b"\0")
        if code == 3 and not canonical:
            raise IonError(f"a negative zero is no int, before byte {stop}")
    elif code == 7:
        symbol_id = int.from_bytes(octets, "big")
        if octets[:1] == b"\0":
            ids.append(OTHER_OCTETS)
        ids.append(symbol_id)
        return _name(symbols[symbol_id])
    elif code == 9 or code == 10:
        canonical = octets
    else:
        raise IonError(f"invalid type code before byte {pos}")
    if canonical != octets:
        ids.append(OTHER_OCTETS)
    return _SCALARS[code] + _escape(canonical) + b"\x0e"


_SCALARS = {code: bytes((0x0B, code << 4)) for code in (2, 3, 4, 5, 6, 9, 10)}


@lru_cache(_TIMESTAMPS_KEPT)
def _canonical_timestamp(octets: bytes) -> bytes:
    """Return the contents of a timestamp in canonical form.  Cached: the dates in documents recur."""
    time = read_timestamp(octets, 0, len(octets))
    return octets if _CANONICAL_TIMESTAMP(octets) else timestamp_octets(time)


def _canonical_decimal(octets: bytes) -> bytes:
    """Return the contents of a decimal in canonical form: least octets, 0d0 empty."""
    if len(octets) > MAX_NUMBER_BYTES:
        raise IonError(f"a number of more than {MAX_NUMBER_BYTES} bytes")
    if len(octets) >= 2 and octets[0] > 0x80 and octets[0] != 0xC0:
        first = octets[1]
        if first & 0x7F or (len(octets) > 2 and octets[2] & 0x80):
            return octets
    return decimal_octets(read_decimal(octets, 0, len(octets)))
