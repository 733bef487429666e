"""A journal in segments: where it is cut, and what one of them comes to.

``plan`` cuts a journal into segments of about the same number of bytes: whole small files, or pieces of a large one.
The plan depends on the files alone, so a run that was interrupted can go on with the segments it has not done.

=================  ==========================================================================================
a large file of    is cut
=================  ==========================================================================================
Ion binary         between values.  A piece carries the symbol table that is in force where it begins
JSON, Ion text     between lines, where a value is over; ``cuts`` says where that cannot be known
anything in a zip  the same, but into ZIP_PIECES_MAX pieces at most, as each is unpacked from the beginning
S3 objects         never: each is read once, as a stream
=================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from ..ion.codec import IonError
from ..ion.stream import Quick, read_items
from ..ion.values import IonValue
from ..journal.model import Block, BlockAddress
from ..journal.read_stored import read_block
from ..journal.stored import StoredBlock
from ..records import dataclass
from .chain import JournalVerifier
from .checks import Finding
from .containers import Container, DamagedError, open_container
from .cuts import cuts
from .sources import Journal, Part, address_of
from .verdict import FilePiece, SegmentVerdict

SEGMENT_BYTES_MIN = 1 << 20  # below this, starting a process takes longer than the work
SEGMENT_BYTES_MAX = 16 << 20
PLAN_VERSION = 2  # goes up when ``plan`` cuts a journal in other places: checkpoints name segments by their number
SEGMENTS_WANTED = 64  # of a journal of middle size: enough for many processes to end at about the same time


@dataclass(frozen=True, slots=True)
class Source:
    """A container as any process can open it: what a user named, and how S3 is reached."""

    target: str
    region: str | None = None
    s3_endpoint: str | None = None

    def open(self) -> Container:
        """Raises SourceError."""
        return open_container(self.target, self.region, self.s3_endpoint)

    @contextmanager
    def opened(self) -> Iterator[Container]:
        """The container, closed at the end; in a process that ``keep_sources_open``, kept for the next segment.

        Raises SourceError.
        """
        container = None if _kept is None else _kept.get(self)
        if container is None:
            container = self.open()
        if _kept is not None:
            _kept[self] = container
        try:
            yield container
        finally:
            if _kept is None:
                container.close()


_kept: dict[Source, Container] | None = None


def keep_sources_open() -> None:
    """For a process that verifies many segments and then ends: listing a zip's entries for each would take long."""
    global _kept
    _kept = {}


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
    quick: Quick = read_block,
) -> Iterator[tuple[Block | StoredBlock, bytes | None]]:
    """The blocks of a segment, each after its checks, with its Ion binary if it came with one.

    verifier: takes in what is found.  progress: is told of bytes as they are read.  quick: reads blocks from octets.
    Raises SourceError.
    """
    with source.opened() if isinstance(source, Source) else nullcontext(source) as container:
        reader = FileReader(verifier)
        for piece in segment.pieces:
            for begun, value, ion in piece_values(container, piece, progress, quick):
                if begun:
                    reader.begin(piece.as_file(), piece.start)
                block = reader.take(value)
                if block is not None:
                    yield block, ion
        verifier.end_file()


class FileReader:
    """Gives the values of files to a verifier, and says which block each should have been."""

    def __init__(self, verifier: JournalVerifier) -> None:
        self._verifier = verifier
        self._first: BlockAddress | None = None  # of the file, as its name says
        self._passed: BlockAddress | None = None  # of the last block in it

    def begin(self, piece: FilePiece, start_byte: int = 0) -> None:
        """The values that follow are of this file."""
        self._verifier.begin_file(piece, start_byte)
        self._first, self._passed = BlockAddress(piece.strand_id, piece.first), None

    def take(self, value: IonValue | StoredBlock | Finding) -> Block | StoredBlock | None:
        """The block that a value is, after its checks; None when it is not a block."""
        if isinstance(value, Finding):
            self._verifier.note(value if value.address is not None else replace(value, address=self._next()), True)
            return None
        if type(value) is StoredBlock:
            self._verifier.take(value)
            self._passed = value.address
            return value
        block, _ = self._verifier.take(value, lambda: address_of(value) or self._next())
        address = address_of(value) if block is None else block.address
        if address is not None:
            self._passed = address
        return block

    def _next(self) -> BlockAddress | None:
        """The address that the next block should have."""
        passed = self._passed
        return self._first if passed is None else BlockAddress(passed.strand_id, passed.sequence_no + 1)


PieceReading = tuple[bool, IonValue | StoredBlock | Finding, bytes | None]
"""Whether it is the first of its piece; a value or a block, or a Finding in the place of values; its own Ion binary."""


def piece_values(
    container: Container, piece: Piece, progress: Callable[[int], None] | None = None, quick: Quick = read_block
) -> Iterator[PieceReading]:
    """Every top-level value of a piece, and a Finding where it cannot be read further.  Raises SourceError."""
    part, begun = piece.part, True
    try:
        with container.open(part.name, piece.start, piece.stop) as stream:
            read = _opened(stream.read, piece.opening, progress)
            origin = piece.start - len(piece.opening)
            for value, ion in read_items(read, origin=origin, lines=piece.lines, quick=quick):
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
    if container.pieces_max is not None:
        wanted = max(wanted, -(-part.size // container.pieces_max))
    if part.size < 2 * wanted:
        yield whole
        return
    piece = whole
    try:
        with container.open(part.name) as stream:
            for cut in cuts(stream, wanted):
                yield replace(piece, stop=cut.start)
                piece = Piece(number, part, cut.start, None, cut.opening, cut.lines)
    except DamagedError:
        pass  # what comes after the last cut is one piece, and reading that will say so
    yield piece
