"""The verdict on a segment of a journal, and how two of them become one.

A journal is cut into segments, each is verified by itself, anywhere, and ``merge`` joins the verdicts of neighbours::

    verdict = reduce(merge, map(verify_one, segments))
    report = finish(verdict)

``merge`` is associative: any order of joining gives what one pass over the whole journal gives.  A verdict has

==================  ==============================================================================================
part                why
==================  ==============================================================================================
first, last         the link, the sequence and the strand are checked where two segments meet
findings            what is wrong, whatever stands before the segment
if_service, if_own  what is wrong with the blocks before the first one of ours, depending on what stands before them
nodes               the perfect Merkle nodes over the segment: at most 2·log2 of its blocks
tips                the same from its beginning to each block at which a digest is wanted
files               what is known of files that are not read whole in this segment
==================  ==============================================================================================

Findings are kept up to FINDINGS_KEPT in each list, and all are counted, so a verdict has a bounded size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields, replace
from typing import Any, Literal

from ..journal.dot import dot
from ..journal.merkle import Node
from ..journal.model import BlockAddress
from ..records import dataclass
from .checks import Counts, Finding, link_findings, show, start_findings

FINDINGS_KEPT = 1_000
_END = 2**62  # after every byte and every value of a file

Profile = Literal["emulator", "service", "service, then emulator", "empty"]

Position = tuple[int, int, int, int]
"""Where something is in a journal, for order: (number of the file, byte at which the piece begins, number of the value
in the piece, order within the value)."""

BEFORE_ALL: Position = (-1, 0, 0, 0)
AFTER_ALL: Position = (_END, 0, 0, 0)


class MergeError(ValueError):
    """Two verdicts cannot be joined: the second is not of what follows the first."""


@dataclass(frozen=True, slots=True)
class BlockEdge:
    """The first or the last block of a segment: what its neighbour is compared with."""

    position: Position
    address: BlockAddress
    block_hash: bytes
    previous_block_hash: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no digest from a position on."""

    position: Position
    text: str


@dataclass(slots=True)
class Findings:
    """Findings in order, the first FINDINGS_KEPT of them.  total: how many there were."""

    total: int = 0
    kept: list[tuple[Position, Finding]] = field(default_factory=list)

    def add(self, position: Position, findings: Iterable[Finding]) -> None:
        """Add findings at one position, not before those that are there."""
        for finding in findings:
            self.total += 1
            if len(self.kept) < FINDINGS_KEPT:
                self.kept.append((position, finding))

    def joined(self, *others: Findings) -> Findings:
        """All of these, in order."""
        kept = sorted([each for some in (self, *others) for each in some.kept], key=lambda each: each[0])
        return Findings(self.total + sum(other.total for other in others), kept[:FINDINGS_KEPT])


@dataclass(frozen=True, slots=True)
class FilePiece:
    """What was read of a file that may go on before or after the segment.

    number: of the file in the journal.  strand_id, first, last: what its name claims, last None for no claim.
    begins, ends: whether the piece has the beginning and the end of the file.
    is_spoilt: whether a value in it could not be read.  first_block, last_block: as they were found.
    """

    number: int
    name: str
    strand_id: str
    first: int
    last: int | None
    begins: bool
    ends: bool
    is_spoilt: bool = False
    first_block: BlockEdge | None = None
    last_block: BlockEdge | None = None


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """What the verification of a segment came to; see the table above.

    start, stop: positions between which the segment lies.  at_start: whether its first block is the journal's first.
    undecided: how many blocks stand before the first one of ours.  own_from: the number of that one.
    unproven_if_service: deletions among the undecided whose hash has no form known of the service.
    span: numbers of the leaves that the nodes cover.  problem: why the nodes end before the segment does.
    """

    start: Position = BEFORE_ALL
    stop: Position = BEFORE_ALL
    at_start: bool = False
    first: BlockEdge | None = None
    last: BlockEdge | None = None
    counts: Counts = field(default_factory=Counts)
    findings: Findings = field(default_factory=Findings)
    if_service: Findings = field(default_factory=Findings)
    if_own: Findings = field(default_factory=Findings)
    undecided: int = 0
    unproven_if_service: int = 0
    own_from: int | None = None
    span: tuple[int, int] | None = None
    nodes: tuple[Node, ...] = ()
    tips: Mapping[int, tuple[Node, ...]] = field(default_factory=dict)
    problem: Problem | None = None
    redactions: int = 0
    json_blocks: int = 0
    file_count: int = 0
    forms: tuple[str, ...] = ()
    files: tuple[FilePiece, ...] = ()


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a journal's verification came to.

    first, last: addresses of the first and last block read.  counts: see :class:`Counts`.
    profile: whose blocks these are.  own_from: sequence number of the first block of ours.
    findings: the first of them, at most FINDINGS_KEPT; findings_total: how many there were.
    digest: at the last block; None when it cannot be computed, and digest_problem says why.
    digests: at the tips asked for, as far as they were reached.
    redactions_recorded: revisions that redactionInfo structs named.
    json_blocks: blocks that went through JSON.
    last_block_hash: of the last block; not in ``as_dict``, so that reports of earlier versions stay comparable.
    """

    first: BlockAddress | None
    last: BlockAddress | None
    counts: Counts
    profile: Profile
    own_from: int | None
    findings: tuple[Finding, ...]
    findings_total: int
    digest: bytes | None
    digest_problem: str | None
    digests: dict[int, bytes]
    redactions_recorded: int
    json_blocks: int = 0
    last_block_hash: bytes | None = None

    @property
    def ok(self) -> bool:
        """Whether every check held.  Also true of an empty journal: look at ``counts.blocks``."""
        return self.findings_total == 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: hashes in base64, addresses as {strand_id, sequence_no}."""
        plain = asdict(self)
        del plain["last_block_hash"]
        plain["ok"] = self.ok
        plain["digest"] = None if self.digest is None else show(self.digest)
        plain["digests"] = {str(sequence_no): show(digest) for sequence_no, digest in self.digests.items()}
        return plain


# --- Joining -------------------------------------------------------------------------------------------------


def merge(left: SegmentVerdict, right: SegmentVerdict) -> SegmentVerdict:
    """The verdict on two segments of which the second follows the first.

    Associative; ``SegmentVerdict()`` is neutral.  Raises MergeError when the second does not stand after the first.
    """
    if left.stop == BEFORE_ALL and left.start == BEFORE_ALL and not left.counts.blocks and not left.findings.total:
        return right
    if right.stop == BEFORE_ALL and right.start == BEFORE_ALL and not right.counts.blocks and not right.findings.total:
        return left
    if right.start < left.stop:
        raise MergeError(f"the segment at {right.start} does not follow the one that ends at {left.stop}")
    files, of_files = _joined_files(left.files, right.files)
    is_own = left.own_from is not None
    findings = [left.findings, _at_seam(left, right), right.findings, of_files]
    if is_own:
        findings.append(right.if_own)
    return SegmentVerdict(
        start=left.start,
        stop=right.stop,
        at_start=left.at_start,
        first=left.first or right.first,
        last=right.last or left.last,
        counts=_sum(left.counts, right.counts),
        findings=Findings().joined(*findings),
        if_service=left.if_service if is_own else left.if_service.joined(right.if_service),
        if_own=left.if_own if is_own else left.if_own.joined(right.if_own),
        undecided=left.undecided + (0 if is_own else right.undecided),
        unproven_if_service=left.unproven_if_service + (0 if is_own else right.unproven_if_service),
        own_from=left.own_from if is_own else right.own_from,
        redactions=left.redactions + right.redactions,
        json_blocks=left.json_blocks + right.json_blocks,
        file_count=left.file_count + right.file_count,
        forms=tuple(dict.fromkeys((*left.forms, *right.forms))),
        files=files,
        **_joined_trees(left, right),
    )


def _at_seam(left: SegmentVerdict, right: SegmentVerdict) -> Findings:
    found = Findings()
    if left.last is not None and right.first is not None:
        one, other = left.last, right.first
        found.add(
            (*other.position[:3], 0),
            link_findings(one.address, one.block_hash, other.address, other.previous_block_hash),
        )
    return found


def _sum(left: Counts, right: Counts) -> Counts:
    return Counts(*[getattr(left, each.name) + getattr(right, each.name) for each in fields(Counts)])


def _joined_trees(left: SegmentVerdict, right: SegmentVerdict) -> dict[str, Any]:
    """The members of a joined verdict that lead to digests."""
    problems = [each for each in (left.problem, _gap(left, right), right.problem) if each is not None]
    problem = min(problems, key=lambda each: each.position, default=None)
    joins = left.problem is None and _gap(left, right) is None and left.span is not None and right.span is not None
    if left.span is None and left.problem is None:
        return {"span": right.span, "nodes": right.nodes, "tips": right.tips, "problem": problem}
    if not joins or left.span is None or right.span is None:
        return {"span": left.span, "nodes": left.nodes, "tips": left.tips, "problem": problem}
    tips = {tip: tuple(add_nodes(list(left.nodes), nodes)) for tip, nodes in right.tips.items()}
    return {
        "span": (left.span[0], right.span[1]),
        "nodes": tuple(add_nodes(list(left.nodes), right.nodes)),
        "tips": {**left.tips, **tips},
        "problem": problem,
    }


def _gap(left: SegmentVerdict, right: SegmentVerdict) -> Problem | None:
    """The block that is missing where two segments meet."""
    if left.span is None or right.first is None or right.first.address.sequence_no == left.span[1]:
        return None
    return Problem(right.first.position, f"block {left.span[1]} is not in its place")


def add_nodes(nodes: list[Node], more: Iterable[Node]) -> list[Node]:
    """Perfect nodes over a range of leaves, grown by those of the range that follows; two neighbours become one."""
    for level, index, node_hash in more:
        add_node(nodes, level, index, node_hash)
    return nodes


def add_node(nodes: list[Node], level: int, index: int, node_hash: bytes) -> None:
    """Grow perfect nodes over a range of leaves by the one that follows; two neighbours become one."""
    while index & 1 and nodes:
        last_level, last_index, last_hash = nodes[-1]
        if last_level != level or last_index != index - 1:
            break
        nodes.pop()
        node_hash = dot(last_hash, node_hash)
        level, index = level + 1, index >> 1
    nodes.append((level, index, node_hash))


def root_of(nodes: Iterable[Node]) -> bytes:
    """The Merkle root over leaves from 0 on, given as perfect nodes."""
    root = b""
    for _, _, node_hash in reversed(tuple(nodes)):
        root = dot(node_hash, root)
    return root


# --- Files ---------------------------------------------------------------------------------------------------


def _joined_files(left: tuple[FilePiece, ...], right: tuple[FilePiece, ...]) -> tuple[tuple[FilePiece, ...], Findings]:
    """What remains of files whose ends are not both known, and what is wrong with those that are complete now."""
    pieces: dict[int, FilePiece] = {}
    for piece in (*left, *right):
        before = pieces.get(piece.number)
        pieces[piece.number] = piece if before is None else _joined_piece(before, piece)
    found = Findings()
    for piece in pieces.values():
        if piece.begins and piece.ends:
            found = found.joined(file_findings(piece))
    return tuple(piece for piece in pieces.values() if not (piece.begins and piece.ends)), found


def _joined_piece(left: FilePiece, right: FilePiece) -> FilePiece:
    return replace(
        left,
        ends=right.ends,
        is_spoilt=left.is_spoilt or right.is_spoilt,
        first_block=left.first_block or right.first_block,
        last_block=right.last_block or left.last_block,
    )


def file_findings(piece: FilePiece) -> Findings:
    """Where the blocks of a whole file are not those that its name claims."""
    found = Findings()
    if piece.first_block is not None:
        claim, address = BlockAddress(piece.strand_id, piece.first), piece.first_block.address
        if claim != address:
            finding = Finding("file", address, _text(claim), _text(address), piece.name)
            found.add((*piece.first_block.position[:3], 2), [finding])
    last = piece.last_block
    if piece.last is not None and not piece.is_spoilt and last is not None and last.address.sequence_no != piece.last:
        shown = f"block {last.address.sequence_no}"
        finding = Finding("file", last.address, f"block {piece.last} at the end", shown, piece.name)
        found.add((piece.number, _END, 0, 0), [finding])
    return found


def _text(address: BlockAddress) -> str:
    return f"block {address.sequence_no} of strand {address.strand_id}"


# --- The end -------------------------------------------------------------------------------------------------


def finish(verdict: SegmentVerdict) -> VerificationReport:
    """What a verdict says, taken as the one on a whole journal."""
    first = verdict.first
    is_service = verdict.own_from is None or verdict.undecided > 0
    findings = verdict.findings.joined(verdict.if_service)
    if first is not None and not verdict.undecided and not verdict.at_start:
        start = Findings()
        start.add((*first.position[:3], 0), start_findings(first.address, first.previous_block_hash))
        findings = findings.joined(start)
    counts = replace(verdict.counts)
    counts.deletions_unproven += verdict.unproven_if_service
    problem = _digest_problem(verdict)
    begins_at_0 = verdict.span is not None and verdict.span[0] == 0
    profile: Profile = "service" if verdict.own_from is None else "service, then emulator" if is_service else "emulator"
    return VerificationReport(
        first=None if first is None else first.address,
        last=None if verdict.last is None else verdict.last.address,
        counts=counts,
        profile=profile if counts.blocks else "empty",
        own_from=verdict.own_from,
        findings=tuple(finding for _, finding in findings.kept),
        findings_total=findings.total,
        digest=root_of(verdict.nodes) if problem is None else None,
        digest_problem=problem,
        digests={tip: root_of(nodes) for tip, nodes in verdict.tips.items()} if begins_at_0 else {},
        redactions_recorded=verdict.redactions,
        json_blocks=verdict.json_blocks,
        last_block_hash=None if verdict.last is None else verdict.last.block_hash,
    )


def _digest_problem(verdict: SegmentVerdict) -> str | None:
    problem = verdict.problem
    if verdict.span is not None and verdict.span[0] and verdict.first is not None:
        start = f"the journal begins at block {verdict.span[0]}: the digest covers all blocks from 0"
        if problem is None or verdict.first.position <= problem.position:
            return start
    if problem is not None:
        return problem.text
    return None if verdict.span is not None else "no block was read"
