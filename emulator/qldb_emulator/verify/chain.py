"""The blocks of a journal, or of a segment of one, in order; memory does not grow with their number.

What is kept is the block before, and the perfect nodes of the Merkle tree.  Only a table of document versions, if the
caller asks for that check, grows with the number of documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import replace

from ..ion.values import IonValue
from ..journal.merkle import Node
from ..journal.model import Block, BlockAddress
from ..journal.parse import BlockFormatError, block_from_ion
from ..journal.stored import StoredBlock
from .checks import Counts, Finding, Inspection, findings_if_own, inspect_block, is_own
from .json_blocks import is_json_block, restored
from .sound import Kind, add_counts, inspection_of_sound, kind_of_sound
from .verdict import (
    BEFORE_ALL,
    FINDINGS_KEPT,
    BlockEdge,
    FilePiece,
    Findings,
    Position,
    Problem,
    SegmentVerdict,
    VerificationReport,
    add_node,
    file_findings,
    finish,
)

_Placed = tuple[Position, Block | StoredBlock]


def _edge(placed: _Placed | None) -> BlockEdge | None:
    if placed is None:
        return None
    position, block = placed
    return BlockEdge(position, block.address, block.block_hash, block.previous_block_hash)


class JournalVerifier:
    """Takes the blocks of one journal in order; tells what is wrong with each, and at the end with all.

    tips: sequence numbers at which the digest is wanted.
    own_from: the first block known to be ours; None to find out: from the first that is on, all must be.
    versions: a table {document id: last version} to check versions with; it is written to.
    types_lost: the blocks went through JSON before they came here.
    at_start: whether the first block is the journal's first; False for a segment that may stand anywhere.
    """

    def __init__(
        self,
        tips: Iterable[int] = (),
        own_from: int | None = None,
        versions: MutableMapping[str, int] | None = None,
        types_lost: bool = False,
        at_start: bool = True,
    ) -> None:
        self._types_lost = types_lost
        self._tips = frozenset(tips)
        self._known_from = own_from
        self._versions = versions
        self._at_start = at_start
        self._start = self._position = BEFORE_ALL
        self._first: _Placed | None = None
        self._last: _Placed | None = None
        self.data_hashes: dict[int, bytes] = {}
        """Of the last block: id() of a revision -> the Ion Hash of its data.  Tables have that hash, too."""
        self._counts = Counts()
        self._findings, self._if_service, self._if_own = Findings(), Findings(), Findings()
        self._undecided = 0
        self._unproven = 0
        self._own_from: int | None = None
        self._span: tuple[int, int] | None = None
        self._nodes: list[Node] = []
        self._tip_nodes: dict[int, tuple[Node, ...]] = {}
        self._problem: Problem | None = None
        self._redactions = 0
        self._json_blocks = 0
        self._file: FilePiece | None = None
        self._file_first: _Placed | None = None
        self._file_last: _Placed | None = None
        self._file_spoilt = False
        self._open_files: list[FilePiece] = []
        self._file_count = 0
        self._forms: dict[str, None] = {}

    @property
    def previous(self) -> Block | StoredBlock | None:
        """The last block taken in."""
        return None if self._last is None else self._last[1]

    @property
    def findings_total(self) -> int:
        """How many checks failed so far."""
        return self._findings.total + self._if_service.total

    @property
    def keeps_findings(self) -> bool:
        """Whether another finding is kept, not only counted."""
        return self._findings.total < FINDINGS_KEPT

    # --- Files -------------------------------------------------------------------------------------------------

    def begin_file(self, piece: FilePiece, start_byte: int = 0) -> None:
        """What follows is from this file, from this byte on."""
        self.end_file()
        self._position = (piece.number, start_byte, 0, 1)
        if self._start == BEFORE_ALL:
            self._start = self._position
        self._file, self._file_first, self._file_last, self._file_spoilt = piece, None, None, False
        self._file_count += piece.begins

    def end_file(self) -> None:
        """The file, or the piece of it, is over."""
        if self._file is None:
            return
        piece = replace(
            self._file,
            is_spoilt=self._file_spoilt,
            first_block=_edge(self._file_first),
            last_block=_edge(self._file_last),
        )
        if piece.begins and piece.ends:
            self._findings = self._findings.joined(file_findings(piece))
        else:
            self._open_files.append(piece)
        self._file = None

    # --- Blocks ------------------------------------------------------------------------------------------------

    def add_value(self, value: IonValue) -> list[Finding]:
        """Take in the next block as an Ion value; one that is no block is a finding."""
        return self.take(value)[1]

    def take(
        self, value: IonValue | StoredBlock, place: Callable[[], BlockAddress | None] = lambda: None
    ) -> tuple[Block | StoredBlock | None, list[Finding]]:
        """Take in the next block as an Ion value, JSON's loss of types made good as far as can be; or as it is stored.

        place: gives the address it should have, for a finding about a value that has none.
        The block, or None for a value that is not a block, and everything that is wrong with it.
        """
        if type(value) is StoredBlock:
            self._forms["Ion"] = None
            return value, [] if self._add_sound(value) else self.add(value.decoded())
        from_json = is_json_block(value)
        try:
            block = block_from_ion(restored(value) if from_json else value)
        except BlockFormatError as error:
            # The next block is compared with the last one that could be read: its sequence number will not follow.
            finding = Finding("format", error.address or place(), "a block", error.problem, error.field)
            self._fail(f"{error}", finding)
            return None, [finding]
        self._forms["JSON" if from_json else "Ion"] = None
        return block, self.add(block, from_json)

    def note(self, finding: Finding, hides_blocks: bool = False) -> None:
        """Take in a finding made elsewhere.  hides_blocks: blocks may be missing for it, so there is no digest."""
        if hides_blocks:
            self._fail(f"{finding}", finding)
        else:
            self._findings.add(self._next(), [finding])

    def add(self, block: Block, from_json: bool = False) -> list[Finding]:
        """Take in the next block.  Everything that is wrong with it."""
        position = self._next()
        own = self._is_own(block)
        from_json = from_json or self._types_lost
        self._json_blocks += from_json
        unproven = self._counts.deletions_unproven
        previous = None if self._last is None else self._last[1]
        look = inspect_block(block, previous, own, self._counts, from_json, self._at_start)
        self.data_hashes = look.data_hashes
        if self._versions is not None:
            self._check_versions(look, self._versions)
        if block.redaction_info is not None:
            self._redactions += len(block.redaction_info.get("revisions", ()))
        if own:
            self._findings.add(position, look.findings)
        else:
            self._add_undecided(position, look)
            self._unproven += self._counts.deletions_unproven - unproven
            self._counts.deletions_unproven = unproven
        self._grow(block, position)
        self._pass(block, position)
        return look.findings

    def verdict(self) -> SegmentVerdict:
        """The verdict so far; more blocks may follow."""
        self.end_file()
        return SegmentVerdict(
            start=self._start,
            stop=self._position,
            at_start=self._at_start,
            first=_edge(self._first),
            last=_edge(self._last),
            counts=replace(self._counts),
            findings=self._findings.joined(),
            if_service=self._if_service.joined(),
            if_own=self._if_own.joined(),
            undecided=self._undecided,
            unproven_if_service=self._unproven,
            own_from=self._own_from,
            span=self._span,
            nodes=tuple(self._nodes),
            tips=dict(self._tip_nodes),
            problem=self._problem,
            redactions=self._redactions,
            json_blocks=self._json_blocks,
            file_count=self._file_count,
            forms=tuple(self._forms),
            files=tuple(self._open_files),
        )

    def report(self) -> VerificationReport:
        """The result so far, for a whole journal; more blocks may follow."""
        return finish(self.verdict())

    def _next(self) -> Position:
        file, start, value, _ = self._position
        self._position = (file, start, value + 1, 1)
        return self._position

    def _fail(self, problem: str, finding: Finding) -> None:
        position = self._next()
        self._findings.add(position, [finding])
        self._file_spoilt = True
        if self._problem is None:
            self._problem = Problem(position, problem)

    def _is_own(self, block: Block) -> bool:
        number = block.address.sequence_no
        if self._own_from is None and (is_own(block) if self._known_from is None else number >= self._known_from):
            self._own_from = number
        return self._own_from is not None

    def _add_undecided(self, position: Position, look: Inspection) -> None:
        """Whether a block is of the service shows in what stands before it, which a segment does not know."""
        linked = look.sections[0]
        self._findings.add((*position[:3], 0), look.findings[:linked])
        self._if_service.add(position, look.findings[linked:])
        self._undecided += 1
        if not self._at_start:
            self._if_own.add(position, findings_if_own(look))

    def _add_sound(self, block: StoredBlock) -> bool:
        """Take in the next block if all that holds for it alone is known to hold.  False: it is not taken in.

        Then nothing is changed, and ``add`` tells what is wrong, or that nothing is.
        """
        if self._types_lost or self._versions is not None or self._known_from is not None:
            return False
        kind = kind_of_sound(block)
        if kind is None or not self._fits(block, kind):
            return False
        position = self._next()
        self.data_hashes = {}
        add_counts(self._counts, block, kind)
        if kind == "service":
            self._undecided += 1
            if not self._at_start:
                self._if_own.add(position, findings_if_own(inspection_of_sound(block)))
        elif self._own_from is None:
            self._own_from = block.address.sequence_no
        self._grow(block, position)
        self._pass(block, position)
        return True

    def _fits(self, block: StoredBlock, kind: Kind) -> bool:
        """Whether a sound block of this kind may stand here."""
        if kind == "service" and self._own_from is not None:
            return False
        if self._last is None:
            return not (
                kind == "own" and self._at_start and block.previous_block_hash and not block.address.sequence_no
            )
        previous = self._last[1]
        return (
            block.previous_block_hash == previous.block_hash
            and block.address.sequence_no == previous.address.sequence_no + 1
            and block.address.strand_id == previous.address.strand_id
        )

    def _pass(self, block: Block | StoredBlock, position: Position) -> None:
        self._last = position, block
        if self._first is None:
            self._first = self._last
        if self._file_first is None:
            self._file_first = self._last
        self._file_last = self._last

    def _grow(self, block: Block | StoredBlock, position: Position) -> None:
        if self._problem is not None:
            return
        number = block.address.sequence_no
        start, stop = (number, number) if self._span is None else self._span
        if number != stop:
            self._problem = Problem(position, f"block {stop} is not in its place")
            return
        add_node(self._nodes, 0, number, block.block_hash)
        self._span = start, number + 1
        if number in self._tips:
            self._tip_nodes[number] = tuple(self._nodes)

    def _check_versions(self, look: Inspection, versions: MutableMapping[str, int]) -> None:
        first = look.block.address if self._first is None else self._first[1].address
        for position, revision in enumerate(look.block.revisions or ()):
            metadata = revision.get("metadata")
            if metadata is None:
                continue
            last = versions.get(metadata["id"], -1)
            # Of a journal that begins in its middle, a document's first revision seen may be any.
            if last >= 0 or first.sequence_no == 0:
                look.expect("version", last + 1, metadata["version"], f"revisions[{position}], {metadata['id']}")
            versions[metadata["id"]] = metadata["version"]
