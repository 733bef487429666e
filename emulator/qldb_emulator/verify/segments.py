"""A journal in segments: where it is cut, and what one of them comes to.

``plan`` cuts a journal into segments of about the same number of bytes: whole small files, or pieces of a large one.
The plan depends on the files alone, so a run that was interrupted can go on with the segments it has not done.

=================  ==========================================================================================
a large file of    is cut
=================  ==========================================================================================
Ion binary         between values; their lengths stand in front, so no value is read.  A piece carries the symbol
                   table that is in force where it begins
JSON, a line each  between lines
Ion text           never: only reading it all shows where a value ends
anything in a zip  never: a zip's entries are read from their beginning
S3 objects         never: each is read once, as a stream
=================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..ion import binary_reader
from ..ion.codec import IonError, loads
from ..ion.stream import MAX_VALUE_BYTES, read_items
from ..ion.symbols import SYMBOL_TABLE_ID
from ..ion.values import IonValue
from ..journal.model import Block, BlockAddress
from ..journal.read_stored import read_block
from ..journal.stored import StoredBlock
from ..records import dataclass
from .chain import JournalVerifier
from .checks import Finding
from .containers import Container, DamagedError, open_container
from .sources import Journal, Part, address_of
from .verdict import FilePiece, SegmentVerdict

SEGMENT_BYTES_MIN = 1 << 20  # below this, starting a process takes longer than the work
SEGMENT_BYTES_MAX = 16 << 20
SEGMENTS_WANTED = 64  # of a journal of middle size: enough for many processes to end at about the same time
_SCAN_BYTES = 1 << 20
_SYMBOL_TABLE_OPENING_MAX = 1 << 20
_JSON_BLOCK = b'{"blockAddress"'


@dataclass(frozen=True, slots=True)
class Source:
    """A container as any process can open it: what a user named, and how S3 is reached."""

    target: str
    region: str | None = None
    s3_endpoint: str | None = None

    def open(self) -> Container:
        """Raises SourceError."""
        return open_container(self.target, self.region, self.s3_endpoint)


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of a journal, or a part of one.

    number: of the file in the journal.  start, stop: bytes; stop None for the end.
    opening: the symbol table in force at start, as Ion binary.  lines: how many lines stand before start.
    """

    number: int
    part: Part
    start: int = 0
    stop: int | None = None
    opening: bytes = b""
    lines: int = 0

    @property
    def size(self) -> int:
        """Bytes to read."""
        return (self.part.size if self.stop is None else self.stop) - self.start

    def as_file(self) -> FilePiece:
        """What a verdict says of it before it is read."""
        whole = whole_file(self.number, self.part)
        return replace(whole, begins=self.start == 0, ends=self.stop is None)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a journal that one process verifies."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(piece.size for piece in self.pieces)


def whole_file(number: int, part: Part) -> FilePiece:
    """A file as a verdict knows it, from its beginning to its end."""
    return FilePiece(number, part.name, part.strand_id, part.first, part.last, begins=True, ends=True)


# --- What one comes to ---------------------------------------------------------------------------------------


def verify_segment(source: Source | Container, segment: Segment, tips: Iterable[int] = ()) -> SegmentVerdict:
    """The verdict on one segment; needs nothing of the others.

    source: where the files are.  tips: sequence numbers of the blocks at which a digest is wanted.
    Raises SourceError when a file cannot be opened; what cannot be read of one is a finding.
    """
    verifier = JournalVerifier(tips, at_start=False)
    for _ in segment_blocks(source, segment, verifier):
        pass
    return verifier.verdict()


def segment_blocks(
    source: Source | Container,
    segment: Segment,
    verifier: JournalVerifier,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[Block | StoredBlock, bytes | None]]:
    """The blocks of a segment, each after its checks, with its Ion binary if it came with one.

    verifier: takes in what is found.  progress: is told of bytes as they are read.  Raises SourceError.
    """
    container = source.open() if isinstance(source, Source) else source
    try:
        reader = FileReader(verifier)
        for piece in segment.pieces:
            for begun, value, ion in piece_values(container, piece, progress):
                if begun:
                    reader.begin(piece.as_file(), piece.start)
                block = reader.take(value)
                if block is not None:
                    yield block, ion
        verifier.end_file()
    finally:
        if isinstance(source, Source):
            container.close()


class FileReader:
    """Gives the values of files to a verifier, and says which block each should have been."""

    def __init__(self, verifier: JournalVerifier) -> None:
        self._verifier = verifier
        self._next: BlockAddress | None = None

    def begin(self, piece: FilePiece, start_byte: int = 0) -> None:
        """The values that follow are of this file."""
        self._verifier.begin_file(piece, start_byte)
        self._next = BlockAddress(piece.strand_id, piece.first)

    def take(self, value: IonValue | StoredBlock | Finding) -> Block | StoredBlock | None:
        """The block that a value is, after its checks; None when it is not a block."""
        if isinstance(value, Finding):
            self._verifier.note(value if value.address is not None else replace(value, address=self._next), True)
            return None
        block, _ = self._verifier.take(value, lambda: address_of(value) or self._next)
        address = address_of(value) if block is None else block.address
        if address is not None:
            self._next = BlockAddress(address.strand_id, address.sequence_no + 1)
        return block


PieceReading = tuple[bool, IonValue | StoredBlock | Finding, bytes | None]
"""Whether it is the first of its piece; a value or a block, or a Finding in the place of values; its own Ion binary."""


def piece_values(
    container: Container, piece: Piece, progress: Callable[[int], None] | None = None
) -> Iterator[PieceReading]:
    """Every top-level value of a piece, and a Finding where it cannot be read further.  Raises SourceError."""
    part, begun = piece.part, True
    try:
        with container.open(part.name, piece.start, piece.stop) as stream:
            read = _opened(stream.read, piece.opening, progress)
            origin = piece.start - len(piece.opening)
            for value, ion in read_items(read, origin=origin, lines=piece.lines, quick=read_block):
                yield begun, value, ion
                begun = False
        if begun and part.last is not None:
            address = BlockAddress(part.strand_id, part.first)
            yield begun, Finding("file", address, f"blocks {part.first} to {part.last}", "none", part.name), None
    except (IonError, DamagedError) as error:
        yield begun, Finding("file", None, "a stream of Ion values", str(error), part.name), None


def _opened(
    read: Callable[[int], bytes], opening: bytes, progress: Callable[[int], None] | None
) -> Callable[[int], bytes]:
    """What reads the opening and then the rest."""
    rest = opening

    def opened(size: int) -> bytes:
        nonlocal rest
        if rest:
            data, rest = rest[:size], rest[size:]
            return data
        data = read(size)
        if progress is not None:
            progress(len(data))
        return data

    return opened


# --- Where it is cut -----------------------------------------------------------------------------------------


def segment_bytes(journal: Journal) -> int:
    """The size of a segment of this journal; it depends on the journal alone."""
    return min(max(journal.size // SEGMENTS_WANTED, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX)


def plan(container: Container, journal: Journal, size: int | None = None) -> Iterator[Segment]:
    """The segments of a journal, in order.

    size: bytes of a segment, about; by default segment_bytes.  Raises SourceError.
    """
    wanted = size or segment_bytes(journal)
    pieces: list[Piece] = []
    filled = 0
    for number, part in enumerate(journal.parts):
        for piece in _pieces(container, number, part, wanted):
            if pieces and filled + piece.size > wanted:
                yield Segment(tuple(pieces))
                pieces, filled = [], 0
            pieces.append(piece)
            filled += piece.size
    if pieces:
        yield Segment(tuple(pieces))


def _pieces(container: Container, number: int, part: Part, wanted: int) -> Iterator[Piece]:
    whole = Piece(number, part)
    if part.size < 2 * wanted or not container.can_seek:
        yield whole
        return
    cuts = _cuts(container, part, wanted)
    if not cuts:
        yield whole
        return
    starts = [whole, *(Piece(number, part, cut.start, None, cut.opening, cut.lines) for cut in cuts)]
    for piece, following in pairwise(starts):
        yield replace(piece, stop=following.start)
    yield starts[-1]


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a piece begins: with a value that is a block."""

    start: int
    opening: bytes = b""
    lines: int = 0


def _cuts(container: Container, part: Part, wanted: int) -> list[_Cut]:
    with container.open(part.name) as stream:
        head: bytes = stream.read(len(_JSON_BLOCK))
        if head.startswith(binary_reader.VERSION_MARKER):
            return _binary_cuts(_Ahead(stream, head), wanted)
        if head == _JSON_BLOCK:
            return _line_cuts(stream.read, head, wanted)
    return []


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


def _binary_cuts(ahead: _Ahead, wanted: int) -> list[_Cut]:
    """Cuts of a file of Ion binary.  Where its structure is broken no more are made: reading it will say so."""
    cuts: list[_Cut] = []
    position, opening, last = 0, b"", 0
    has_value = False  # a piece has one at least
    try:
        while True:
            index = ahead.move(position, 16)
            data = ahead.data
            if index >= len(data):
                return cuts
            octet = data[index]
            if octet == 0xE0:
                opening, size = binary_reader.VERSION_MARKER, 4
            else:
                size = binary_reader.extent(data, index)[1] - index
                if octet > 0xE0 and _is_symbol_table(data, index):
                    index = ahead.move(position, size)
                    opening += ahead.data[index : index + size]
                    if len(opening) > _SYMBOL_TABLE_OPENING_MAX:
                        return cuts
                else:
                    if has_value and position - last >= wanted and size <= MAX_VALUE_BYTES:
                        index = ahead.move(position, size)
                        if address_of(loads(opening + ahead.data[index : index + size])) is not None:
                            cuts.append(_Cut(position, opening))
                            last = position
                    has_value = True
            position += size
    except (IonError, IndexError):
        return cuts


def _is_symbol_table(data: bytes, index: int) -> bool:
    start, _ = binary_reader.extent(data, index)
    _, annotation = binary_reader.varuint(data, start)
    return binary_reader.varuint(data, annotation)[0] == SYMBOL_TABLE_ID


def _line_cuts(read: Callable[[int], bytes], head: bytes, wanted: int) -> list[_Cut]:
    """Cuts of a file of JSON lines.  A line that is not a whole block ends the search: it is another kind of file."""
    cuts: list[_Cut] = []
    window, offset, lines = head, 0, 0  # offset: of the window in the file; lines: how many end before it
    while True:
        target = (cuts[-1].start if cuts else 0) + wanted
        end = window.find(b"\n", max(target - offset, 0))
        while end < 0:
            lines += window.count(b"\n")
            offset += len(window)
            window = read(_SCAN_BYTES)
            if not window:
                return cuts
            end = window.find(b"\n", max(target - offset, 0))
        start = end + 1
        while (end := window.find(b"\n", start)) < 0:
            more = read(_SCAN_BYTES)
            if not more or len(window) - start > MAX_VALUE_BYTES:
                return cuts
            window += more
        lines += window.count(b"\n", 0, start)
        offset, window, line = offset + start, window[start:], window[start:end]
        if not _is_json_block(line):
            return cuts
        cuts.append(_Cut(offset, lines=lines))


def _is_json_block(line: bytes) -> bool:
    try:
        return line.startswith(_JSON_BLOCK) and address_of(loads(line)) is not None
    except IonError:
        return False
