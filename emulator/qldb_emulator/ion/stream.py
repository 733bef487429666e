"""Reads top-level values one by one from a stream; memory depends on the largest value, not on the stream.

The stream is cut where values end.  In binary a value's length precedes it.  In text a value that may be incomplete is
read again with more text after it.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from . import binary_reader, text_reader
from .symbols import MAX_DEPTH, SYSTEM_SYMBOLS, TOO_DEEP
from .values import IonError, IonValue

CHUNK_BYTES = 256 * 1024
AHEAD_BYTES = 32 * 1024  # some dozen blocks; more would not fit into a processor's second-level cache
# Far above any block (a transaction has 4 MiB of documents).  Bounds what a broken or hostile file makes us hold.
MAX_VALUE_BYTES = 64 * 1024 * 1024
_LONGEST_HEADER = 12  # type octet and a length of up to ten

Read = Callable[[int], bytes]
"""Returns up to this many of the next bytes; none at the end."""

Quick = Callable[[bytes, int], Any]
"""Reads self-contained binary, whose one struct begins at a position, in a way of its own; None: it cannot."""


def read_stream(read: Read, max_value_bytes: int = MAX_VALUE_BYTES, max_depth: int = MAX_DEPTH) -> Iterator[IonValue]:
    """Yield every top-level value of an Ion stream; see read_items."""
    for value, _ in read_items(read, max_value_bytes, max_depth):
        yield value


def read_items(
    read: Read,
    max_value_bytes: int = MAX_VALUE_BYTES,
    max_depth: int = MAX_DEPTH,
    origin: int = 0,
    lines: int = 0,
    quick: Quick | None = None,
) -> Iterator[Item]:
    """Yield every top-level value of an Ion stream, binary or text (UTF-8), in order, with its own binary if any.

    Its own binary: of a value right after a version marker, or after that and a symbol table; it is self-contained.
    origin, lines: how many bytes and lines of a file precede the stream, for messages.
    quick: is tried first with a struct that follows a version marker and a symbol table.  It must refuse what is not
    valid Ion or too deep.  What it returns is yielded in the place of the value.
    Raises IonError (while iterating) where the data is not valid Ion, ends inside a value, or has a value of more than
    max_value_bytes; and whatever *read* raises.
    """
    head = _exactly(read, len(binary_reader.VERSION_MARKER))
    items = ahead(_binary(read, head, max_value_bytes, max_depth, origin, quick))
    if head != binary_reader.VERSION_MARKER:
        items = ((value, None) for value in _text(read, head, max_value_bytes, max_depth, origin, lines))
    try:
        yield from items
    except RecursionError:
        raise IonError(TOO_DEEP) from None


Item = tuple[IonValue, bytes | None]
Ahead = TypeVar("Ahead")


def ahead(items: Iterator[tuple[Ahead, int]]) -> Iterator[Ahead]:
    """Yield items, but read some ahead of the first; raise a problem after the items before it.

    items: each with its size in bytes.
    The reader and the consumer of the items then each find their code and data in the processor's caches.
    """
    while True:
        ready: list[Ahead] = []
        size, problem = 0, None
        try:
            for item, item_bytes in items:
                ready.append(item)
                size += item_bytes
                if size >= AHEAD_BYTES:
                    break
        except Exception as error:
            problem = error
        yield from ready
        if problem is not None:
            raise problem
        if size < AHEAD_BYTES:
            return


def _exactly(read: Read, size: int) -> bytes:
    """Return exactly this many bytes; fewer only at the end of the stream."""
    data = read(size)
    while len(data) < size and (more := read(size - len(data))):
        data += more
    return data


def _binary(
    read: Read, head: bytes, max_value_bytes: int, max_depth: int, origin: int, quick: Quick | None
) -> Iterator[tuple[Item, int]]:
    """Yield each item with the size of its value in bytes."""
    buffer, pos = head, 0
    opening = b""  # what must precede a value to make it self-contained; empty if that is too far back
    offset = origin  # of the buffer in the file
    symbols: Sequence[str] = SYSTEM_SYMBOLS
    unread = b""  # the symbol table in force, if it was not read yet
    while True:
        if len(buffer) - pos < _LONGEST_HEADER:
            buffer, offset, pos = buffer[pos:] + _exactly(read, CHUNK_BYTES), offset + pos, 0
            if not buffer:
                return
        try:
            marker = buffer[pos] == 0xE0
            stop = pos + 4 if marker else binary_reader.extent(buffer, pos)[1]
        except IndexError:
            raise IonError(f"{binary_reader.BROKEN_OFF} (byte {offset + pos})") from None
        if marker and quick is not None:
            value, stop_of_value = value_behind(buffer, pos)
            if stop_of_value > len(buffer) and stop_of_value - pos <= max_value_bytes:
                more = _exactly(read, max(stop_of_value - len(buffer), CHUNK_BYTES))
                buffer, offset, pos, stop = buffer[pos:] + more, offset + pos, 0, stop - pos
                value, stop_of_value = value_behind(buffer, pos)
            piece = buffer[pos:stop_of_value] if 0 < stop_of_value <= len(buffer) else b""
            if piece and len(piece) <= max_value_bytes and (found := quick(piece, value - pos)) is not None:
                yield (found, piece), len(piece)
                unread, opening, pos = piece[4 : value - pos], b"", stop_of_value
                continue
        if stop - pos > max_value_bytes:
            raise IonError(f"a value of {stop - pos} bytes at byte {offset + pos}: the most read is {max_value_bytes}")
        if stop > len(buffer):
            missing = stop - len(buffer)
            buffer, offset = buffer[pos:] + _exactly(read, max(missing, CHUNK_BYTES)), offset + pos
            stop, pos = stop - pos, 0
            if stop > len(buffer):
                raise IonError(f"the data ends inside the value at byte {offset}")
        piece = buffer[pos:stop]
        if marker:
            if piece != binary_reader.VERSION_MARKER:
                raise IonError(f"unsupported Ion version marker at byte {offset + pos}")
            symbols, opening, unread = SYSTEM_SYMBOLS, piece, b""
        else:
            if unread:
                symbols, _ = binary_reader.read_piece(unread, SYSTEM_SYMBOLS, max_depth)
                unread = b""
            before = symbols
            try:
                symbols, values = binary_reader.read_piece(piece, symbols, max_depth)
            except IonError as error:
                raise IonError(f"{error} of the value at byte {offset + pos}") from None
            for value in values:
                yield (value, opening + piece if opening else None), len(piece)
            if values or before is not SYSTEM_SYMBOLS:
                opening = b""
            elif symbols is not before:
                opening += piece
        pos = stop


def value_behind(buffer: bytes, pos: int) -> tuple[int, int]:
    """Return where the struct begins and ends that follows a version marker and a symbol table at a position.

    The end may be beyond that of the buffer; both are 0 where something else follows.
    """
    try:
        table = pos + 4
        value = binary_reader.extent(buffer, table)[1]
        if not 0xE0 < buffer[table] < 0xEF or not 0xD0 <= buffer[value] < 0xDF:
            return 0, 0
        return value, binary_reader.extent(buffer, value)[1]
    except IndexError:
        return 0, len(buffer) + 1
    except IonError:
        return 0, 0


def _text(read: Read, head: bytes, max_value_bytes: int, max_depth: int, origin: int, lines: int) -> Iterator[IonValue]:
    decode = codecs.getincrementaldecoder("utf-8")()
    text, decoded = "", origin
    wanted, at_end = CHUNK_BYTES, False
    reader = text_reader.StreamReader(max_depth, lines)
    data = head
    while True:
        data += _exactly(read, wanted - len(data))
        at_end = len(data) < wanted
        try:
            text += decode.decode(data, at_end)
        except UnicodeDecodeError as error:
            pending = len(error.object) - len(data)  # of a character that began in the data before
            position = decoded - pending + error.start
            text += error.object[: error.start].decode()
            yield from reader.read(text, False)[0]  # the values before it, as far as they are known to be over
            raise IonError(f"neither Ion binary nor UTF-8 text: {error.reason} at byte {position}") from None
        decoded += len(data)
        data = b""
        values, rest = reader.read(text, at_end)
        yield from values
        if at_end and not rest:
            return
        # An incomplete value is tried again with twice the text, so the work stays linear.
        wanted = CHUNK_BYTES if len(rest) < CHUNK_BYTES else len(rest)
        if len(rest) > max_value_bytes:
            raise reader.too_long(rest, max_value_bytes)
        text = rest
