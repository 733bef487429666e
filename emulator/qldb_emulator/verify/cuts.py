"""Where a large file is cut: before a block, at a place where reading can begin with what the cut carries.

Ion binary has the length of a value in front of it, so no value is read.  JSON is read as Ion text, which it is.  Of
text, only the end of a value can be recognised without reading it, and only where texts, lobs and brackets are all that
matters: a line break after a closing brace with no bracket left open.  Each quoted text ends on its line there, so
nothing within a text is taken for a cut.  Where text has anything else, no further cut is made:

==============================  ==================================================================================
text with                       is not cut from there on, because
==============================  ==================================================================================
a comment, ``'''...'''``        a line within it may look like a block
an escape outside ``"..."``     the symbol or clob would have to be decoded, to know what it is
a symbol table or ``$10``       what follows cannot be read without it
a text over several lines       its end is not on its line
no line break after a value     no place is looked for within a line
==============================  ==================================================================================

A cut changes no verdict.  If reading from the beginning gets as far as the cut, then it is between two values there,
and no symbol table is in force.  If it does not, the file is broken, and so is the piece in which that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ..ion import binary_reader
from ..ion.codec import IonError, loads
from ..ion.stream import MAX_VALUE_BYTES
from ..ion.symbols import SYMBOL_TABLE_ID
from ..records import dataclass
from .sources import address_of

Read = Callable[[int], bytes]

_SCAN_BYTES = 1 << 20
_SYMBOL_TABLE_OPENING_MAX = 1 << 20

# Whole texts, symbols and blobs on one line; each alternative takes linear time.
_QUOTED = re.compile(
    rb"""
      "(?:[^"\\\n\r]++|\\[^\n\r])*+"
    | '[^'"\\\n\r$]++'
    | \{\{[A-Za-z0-9+/=\ \t]*+\}\}
    """,
    re.VERBOSE,
)
_UNSAFE = re.compile(rb"""["'/\\]|\$(?:ion_symbol_table|[0-9])""")


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a piece begins: with a value that is a block.

    start: bytes before it.  opening: the symbol table in force, as Ion binary.  lines: how many stand before it.
    """

    start: int
    opening: bytes = b""
    lines: int = 0


def cuts(stream: Any, wanted: int) -> Iterator[Cut]:
    """Cuts of a file, in order, each at least *wanted* bytes after the one before.  Raises what the stream raises."""
    head: bytes = stream.read(len(binary_reader.VERSION_MARKER))
    if head == binary_reader.VERSION_MARKER:
        return _binary_cuts(_Ahead(stream, head), wanted)
    return _text_cuts(stream.read, head, wanted)


# --- Ion binary ----------------------------------------------------------------------------------------------


class _Ahead:
    """A stream as a window that moves on: ``data[0]`` is byte ``offset`` of the file."""

    def __init__(self, stream: Any, head: bytes) -> None:
        self._stream = stream
        self.data = head
        self.offset = 0

    def move(self, to: int, size: int) -> int:
        """Have *size* bytes from this byte of the file on, fewer at its end.  The index of the byte in the window."""
        index = to - self.offset
        if index + size > len(self.data):
            while index > len(self.data):
                self.offset += len(self.data)
                index -= len(self.data)
                self.data = self._stream.read(_SCAN_BYTES)
                if not self.data:
                    return 0
            kept = self.data[index:]
            self.offset, index = to, 0
            pieces = [kept]
            missing = max(size - len(kept), _SCAN_BYTES)
            while missing > 0 and (more := self._stream.read(missing)):
                pieces.append(more)
                missing -= len(more)
            self.data = b"".join(pieces)
        return index


def _binary_cuts(ahead: _Ahead, wanted: int) -> Iterator[Cut]:
    """Cuts of a file of Ion binary.  Where its structure is broken no more are made: reading it will say so."""
    position, opening, last = 0, b"", 0
    has_value = False  # a piece has one at least
    try:
        while True:
            index = ahead.move(position, 16)
            data = ahead.data
            if index >= len(data):
                return
            octet = data[index]
            if octet == 0xE0:
                opening, size = binary_reader.VERSION_MARKER, 4
            else:
                size = binary_reader.extent(data, index)[1] - index
                if octet > 0xE0 and _is_symbol_table(data, index):
                    index = ahead.move(position, size)
                    opening += ahead.data[index : index + size]
                    if len(opening) > _SYMBOL_TABLE_OPENING_MAX:
                        return
                else:
                    if has_value and position - last >= wanted and size <= MAX_VALUE_BYTES:
                        index = ahead.move(position, size)
                        if address_of(loads(opening + ahead.data[index : index + size])) is not None:
                            yield Cut(position, opening)
                            last = position
                    has_value = True
            position += size
    except (IonError, IndexError):
        return


def _is_symbol_table(data: bytes, index: int) -> bool:
    start, _ = binary_reader.extent(data, index)
    _, annotation = binary_reader.varuint(data, start)
    return binary_reader.varuint(data, annotation)[0] == SYMBOL_TABLE_ID


# --- Text ----------------------------------------------------------------------------------------------------


class _Scan:
    """How far a text was looked at.  depth: of brackets that are open.  is_closed: whether it ends with a brace."""

    def __init__(self) -> None:
        self.offset = 0
        self.lines = 0
        self.depth = 0
        self.is_closed = False

    def take(self, lines: bytes) -> bool:
        """Go on by whole lines.  False: what is behind them cannot be known without reading them."""
        rest = _QUOTED.sub(b"", lines)
        if _UNSAFE.search(rest) is not None:
            return False
        count = rest.count
        self.depth += count(b"{") + count(b"[") + count(b"(") - count(b"}") - count(b"]") - count(b")")
        self.offset += len(lines)
        self.lines += count(b"\n")
        end = lines.rstrip()
        if end:
            self.is_closed = end.endswith(b"}")
        return True

    @property
    def is_between_values(self) -> bool:
        """Whether a value is over and none has begun."""
        return self.is_closed and not self.depth


class _Lines:
    """A stream as whole lines: many at once, or one."""

    def __init__(self, read: Read, head: bytes) -> None:
        self._read = read
        self._data = head
        self._start = 0

    def next(self, size: int) -> bytes:
        """The lines that begin within the next *size* bytes, fewer if many; at least one.

        Empty at the end, and where a line is longer than any value that is read.
        """
        wanted = self._start + min(size, _SCAN_BYTES) - 1
        while not (stop := self._data.find(b"\n", wanted) + 1):
            if len(self._data) - self._start > MAX_VALUE_BYTES:
                return b""
            if not (more := self._read(_SCAN_BYTES)):
                stop = len(self._data)
                break
            wanted = max(wanted, len(self._data)) - self._start
            self._data, self._start = self._data[self._start :] + more, 0
        lines, self._start = self._data[self._start : stop], stop
        return lines


def _text_cuts(read: Read, head: bytes, wanted: int) -> Iterator[Cut]:
    """Cuts of a file of JSON or Ion text.  A value that is no block where one is wanted ends the search, too."""
    scan, source, last = _Scan(), _Lines(read, head), 0
    while True:
        while scan.offset < last + wanted or not scan.is_between_values:
            lines = source.next(max(last + wanted - scan.offset, 1))
            if not lines or not scan.take(lines):
                return
        start, before = scan.offset, scan.lines
        value: list[bytes] = []
        while not value or not scan.is_between_values:
            line = source.next(1)
            if not line or not scan.take(line) or scan.offset - start > MAX_VALUE_BYTES:
                return
            if value or not line.isspace():
                value.append(line)
            else:
                start, before = scan.offset, scan.lines
        if not _is_block(b"".join(value)):
            return
        yield Cut(start, lines=before)
        last = start


def _is_block(text: bytes) -> bool:
    try:
        return address_of(loads(text)) is not None
    except IonError:
        return False
