"""Reads one top-level field of a document out of its Ion binary: skips the fields before it, ignores those after it.

The documents of one table have few shapes, so the same symbol tables recur, byte for byte.  The reader looks up the
name's id once for each.  Measured, of a document with nine fields: the first field takes 0.7 µs, the fifth 1.2, and
decoding the whole document 12.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .binary_reader import contents, extent, single_value, varuint
from .symbols import MAX_DEPTH
from .values import IonError, IonValue

_OPENINGS_MAX = 512  # of one reader; when there are more shapes, it forgets them all and starts again
_SYMBOLS_MAX = 10_000  # a table that imports others may claim any number

# First octet of a value -> how many octets the value takes; 0: its length follows.
_STEPS = bytes(
    1 if octet & 15 == 15 or octet == 0x11 else 0 if octet & 15 == 14 or octet == 0xD1 else 1 + (octet & 15)
    for octet in range(256)
)


class _Opening(NamedTuple):
    """The octets before the struct of a document, and what they say about a name.

    octets: everything before the struct.  number: the name's symbol id, -1 if no id has this name.
    octet: the one octet that such a field begins with, -1 if it takes several.
    is_near: there is a name that differs only in case.
    """

    octets: bytes
    symbols: tuple[str, ...]
    number: int
    octet: int
    is_near: bool


FieldReader = Callable[[bytes], IonValue]


def field_reader(name: str, absent: IonValue, unread: IonValue, kept: int = _OPENINGS_MAX) -> FieldReader:
    """Return a function that decodes the top-level field of this name from a document's self-contained binary.

    The function returns the first field of exactly this name.  It returns *absent* if there is neither such a field nor
    one whose name differs only in case.  It returns *unread* if only the whole document can tell: a name differs only
    in case, the document is annotated or not a struct, or our own writer did not make it.  It never raises; any thread
    may call it.

    kept: how many shapes of documents it remembers.
    """
    lowered = name.lower()
    known: dict[bytes, _Opening] = {}
    last = _Opening(b"\0", (), -1, -1, False)

    def read(data: bytes) -> IonValue:
        nonlocal last
        opening = last
        octets, symbols, number, wanted, is_near = opening
        pos = len(octets)
        try:
            if not data.startswith(octets) or data[pos] >> 4 != 13:
                last = opening = _opening(data, name, lowered, known, kept)
                octets, symbols, number, wanted, is_near = opening
                pos = len(octets)
            octet = data[pos]
            # The lengths that are most frequent are read here, because a call takes as long as a field.
            if octet == 0xDE and data[pos + 1] < 0x80 <= data[pos + 2]:
                stop = pos + 3 + (data[pos + 1] << 7 | data[pos + 2] & 0x7F)
                pos += 3
            else:
                pos, stop = extent(data, pos)
            if stop != len(data) or octet == 0xD1 or octet == 0xDF:
                return unread
            if number < 0:
                return unread if is_near else absent
            while pos < stop:
                octet = data[pos]
                pos += 1
                if octet == wanted:
                    return _value(data, pos, symbols)
                if octet < 0x80:  # an id of more than one octet
                    field, pos = varuint(data, pos - 1)
                    if field == number:
                        return _value(data, pos, symbols)
                octet = data[pos]
                step = _STEPS[octet]
                if step:
                    pos += step
                elif octet != 0xD1 and data[pos + 1] >= 0x80:  # of 14 to 127 octets
                    pos += 2 + (data[pos + 1] & 0x7F)
                else:
                    pos = extent(data, pos)[1]
            return unread if is_near or pos != stop else absent
        except (IndexError, UnicodeDecodeError, IonError, RecursionError):
            return unread  # the caller decodes the whole document, which raises the proper error

    return read


def _opening(data: bytes, name: str, lowered: str, known: dict[bytes, _Opening], kept: int) -> _Opening:
    """Return what precedes the struct.  Raises IonError, IndexError or UnicodeDecodeError if there is no struct."""
    if data[4] >> 4 == 14:
        found = known.get(data[: extent(data, 4)[1]])
        if found is not None and data[len(found.octets)] >> 4 == 13:
            return found
    pos, _, symbols = single_value(data)
    if data[pos] >> 4 != 13 or len(symbols) > _SYMBOLS_MAX:
        raise IonError("not a plain struct with symbols of its own")
    texts = tuple(symbols)
    numbers = [number for number, text in enumerate(texts) if text == name]
    if len(numbers) > 1:
        raise IonError("two symbols of one text")
    number = numbers[0] if numbers else -1
    is_near = any(text.lower() == lowered for text in texts if text != name)
    found = _Opening(data[:pos], texts, number, number | 0x80 if 0 <= number < 0x80 else -1, is_near)
    if len(known) >= kept:
        known.clear()
    known[found.octets] = found
    return found


def _value(data: bytes, pos: int, symbols: tuple[str, ...]) -> IonValue:
    """Return the value here, decoded.  Raises IndexError if there is padding instead."""
    octet = data[pos]
    if 0x80 <= octet < 0x8E:
        return data[pos + 1 : pos + octet - 0x7F].decode()
    if octet == 0x8E:
        if data[pos + 1] >= 0x80:
            return data[pos + 2 : pos + data[pos + 1] - 0x7E].decode()
        start, stop = extent(data, pos)
        return data[start:stop].decode()
    if 0x20 <= octet < 0x2E:
        return int.from_bytes(data[pos + 1 : pos + octet - 0x1F], "big")
    return contents(data, pos, extent(data, pos)[1], symbols, MAX_DEPTH, None)[0]
