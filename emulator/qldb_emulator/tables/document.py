"""Reads a document's Ion binary once, for its JSON text and for the values of its typed columns.

``to_json`` and ``fields_of`` do the same with a decoded document.  They say what is right; a test compares both ways.
This way takes half the time, because it makes no values that are thrown away at once.

The octets must be those of a document whose hash was computed, as ``StoredRevision`` has them: ``hash_fields`` refuses
what is not well-formed Ion, so it is not checked again here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring

from ..ion.binary_reader import contents, extent, read_decimal, read_timestamp, varuint
from ..ion.json import object_form, to_json
from ..ion.symbols import MAX_DEPTH
from ..ion.values import SYMBOL_ZERO
from .fields import MIXED, NO_FIELDS, Fields, Scalar, fields_of, fields_of_scalars, scalar_of

_TIMESTAMPS_KEPT = 4096
_LONG = 14  # from this length on it stands behind the type octet
_LONG_INT = 8  # octets; from here on a column of 64 bits may be too narrow

_quoted = encode_basestring  # as to_json writes a string


def json_and_fields(data: bytes, start: int, stop: int, symbols: Sequence[str], flatten: bool) -> tuple[str, Fields]:
    """Return what ``to_json`` and ``fields_of`` give for the document between two positions, type octet included."""
    if flatten or data[start] >> 4 != 13:
        return _decoded(data, start, stop, symbols, flatten)
    names: list[str] = []
    scalars: list[Scalar] = []
    texts = _texts(data, extent(data, start)[0], stop, symbols, names, scalars)
    if not names:
        return "{}", NO_FIELDS
    paths = tuple(names)
    if len(set(paths)) < len(paths) or SYMBOL_ZERO in paths:  # the rules for such names are in fields_of
        return _decoded(data, start, stop, symbols, flatten)
    return object_form(paths) % tuple(texts), fields_of_scalars(paths, scalars)


def _decoded(data: bytes, start: int, stop: int, symbols: Sequence[str], flatten: bool) -> tuple[str, Fields]:
    (value,) = contents(data, start, stop, symbols, MAX_DEPTH, None)
    return to_json(value), fields_of(value, flatten)


def _texts(
    data: bytes, pos: int, end: int, symbols: Sequence[str], names: list[str] | None, scalars: list[Scalar]
) -> list[str]:
    """Return the JSON texts of the values between ``pos`` and ``end``.

    names: None for a sequence; for a struct it receives the field names, one per value.
    scalars: receives what ``scalar_of`` gives for each value.
    """
    texts: list[str] = []
    while pos < end:
        if names is not None:
            octet = data[pos]
            if octet & 0x80:
                names.append(symbols[octet & 0x7F])
                pos += 1
            else:
                name_id, pos = varuint(data, pos)
                names.append(symbols[name_id])
        begin = pos
        octet = data[pos]
        pos += 1
        code = octet >> 4
        stop = octet & 15
        if stop < _LONG and octet != 0xD1:
            stop += pos
        elif stop == 15:
            texts.append("null")
            scalars.append(None)
            continue
        else:
            stop, pos = varuint(data, pos)
            stop += pos
        if code == 8:
            text = data[pos:stop].decode()
            texts.append(_quoted(text))
            scalars.append(("TEXT", text))
        elif code == 13:
            inner: list[str] = []
            values = _texts(data, pos, stop, symbols, inner, [])
            texts.append(object_form(tuple(inner)) % tuple(values))
            scalars.append(MIXED)
        elif code == 11 or code == 12:
            texts.append(f"[{','.join(_texts(data, pos, stop, symbols, None, []))}]")
            scalars.append(MIXED)
        elif code == 2 and stop - pos < _LONG_INT:
            number = int.from_bytes(data[pos:stop], "big")
            texts.append(str(number))
            scalars.append(("INT", number))
        elif code == 5:
            decimal = read_decimal(data, pos, stop)
            texts.append(str(decimal))
            scalars.append(scalar_of(decimal))
        elif code == 6:
            text, scalar = timestamp_text_and_scalar(data[pos:stop])
            texts.append(text)
            scalars.append(scalar)
        elif code == 1:
            stop = pos  # the length is the value
            texts.append("true" if octet == 0x11 else "false")
            scalars.append(("BOOL", octet == 0x11))
        elif code == 0:  # padding: no value, and in a struct no field
            if names is not None:
                names.pop()
        elif code == 14:
            length, pos = varuint(data, pos)
            texts += _texts(data, pos + length, stop, symbols, None, scalars)
        else:
            (value,) = contents(data, begin, stop, symbols, 0, None)
            texts.append(to_json(value))
            scalars.append(scalar_of(value))
        pos = stop
    return texts


@lru_cache(_TIMESTAMPS_KEPT)
def timestamp_text_and_scalar(octets: bytes) -> tuple[str, Scalar]:
    """Return the JSON text of a timestamp and what a column has of it.  Cached: the dates in documents recur."""
    time = read_timestamp(octets, 0, len(octets))
    return f'"{time}"', scalar_of(time)
