"""One pass over a journal from wherever it is, and the verdict on it.

::

    audit = Audit("directory ./export", journal, digest)
    for block, ion in audit.blocks(read_blocks(container, journal)): ...
    report = audit.report()          # JournalReport: verdict, findings, what could not be proved

The caller pulls, so an import stores each block as it is verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, Literal

from ..journal.merkle import NodeID, Read, RightEdge
from ..journal.model import Block, BlockAddress
from ..journal.stored import StoredBlock
from ..records import dataclass
from .chain import JournalVerifier
from .checks import Finding, show
from .inputs import SavedDigest
from .segments import FileReader, whole_file
from .sources import Journal, Part, Reading, form_of
from .verdict import AFTER_ALL, Findings, SegmentVerdict, VerificationReport, finish

_NODES_AT_ONCE = 128

Verdict = Literal["whole", "incomplete", "broken"]

CHECKS: dict[str, str] = {
    "manifest": "Manifests and files fit together.",
    "file": "Every file can be read to its end and holds the blocks its name says.",
    "format": "Every value has the form of a block.",
    "blockHash": "blockHash follows from entriesHash and previousBlockHash.",
    "entriesHash": "entriesHash is the Merkle root over entriesHashList.",
    "link": "previousBlockHash is the hash of the block before.",
    "sequence": "Sequence numbers go up by one.",
    "strand": "All blocks are of one strand.",
    "info": "The hash of transactionInfo is among the entries.",
    "redaction": "The hash of redactionInfo is among the entries.",
    "revisions": "The Merkle root over the revisions is among the entries.",
    "revision": "Every revision's hash follows from its metadata and its data.",
    "address": "Every revision has the address of its block.",
    "transaction": "Every revision has the transaction id of its block.",
    "statement": "Every statement's digest follows from its text, where no parameter had a part in it.",
    "version": "A document's versions go up by one.",
    "header": "Blocks of this emulator: address, transaction id and time are covered by the hash.",
    "statements": "Blocks of this emulator: the statements' digests are covered by the hash.",
    "layout": "Blocks of this emulator: there are exactly the entries the block calls for.",
    "order": "Blocks of this emulator: revisions are in their order.",
    "documents": "Blocks of this emulator: transactionInfo names exactly the documents with a revision.",
    "times": "Blocks of this emulator: times are in order and of one form.",
    "digest": "The digest that was kept is the one of this journal.",
    "nodes": "Every node of the ledger's own Merkle tree, which proofs are made of, is that of the journal.",
    "tables": "The rows that queries read, each column of each, are those that the journal leads to.",
    "storage": "The ledger's file is sound: SQLite's structures, the checksums of rows, the facts a ledger needs.",
}
"""Check -> what must hold, in the order of a report.  See ``checks`` for formulas and sources."""


@dataclass(frozen=True, slots=True)
class DigestCheck:
    """A digest that was kept, compared.  found: None when this journal does not tell, and problem says why."""

    expected: bytes
    tip: BlockAddress | None
    found: bytes | None
    problem: str | None

    @property
    def ok(self) -> bool:
        """Whether it is the digest of the journal."""
        return self.found == self.expected


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What an audit came to.

    source: in words.  ledger: its name, empty when it is not known.  files: how many were read.  forms: "Ion", "JSON".
    limits: sentences that say what could not be proved; these make a journal incomplete.  notes: sentences for
    understanding, of no consequence for the verdict.
    """

    source: str
    strand_id: str
    files: int
    forms: tuple[str, ...]
    verification: VerificationReport
    digest_check: DigestCheck | None
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    ledger: str = ""

    @property
    def verdict(self) -> Verdict:
        """whole: all was proved.  incomplete: nothing is wrong, but not all is proved.  broken: a check failed."""
        if self.verification.findings_total:
            return "broken"
        return "incomplete" if self.limits else "whole"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The checks that failed, as far as they were kept."""
        return self.verification.findings

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; hashes in base64."""
        check = self.digest_check
        return {
            "verdict": self.verdict,
            "source": self.source,
            "ledger": self.ledger or None,
            "strand_id": self.strand_id,
            "files": self.files,
            "forms": list(self.forms),
            "journal": self.verification.as_dict(),
            "digest_check": None
            if check is None
            else {
                "ok": check.ok,
                "expected": show(check.expected),
                "tip": None if check.tip is None else asdict(check.tip),
                "found": None if check.found is None else show(check.found),
                "problem": check.problem,
            },
            "not_proved": list(self.limits),
            "notes": list(self.notes),
        }


class Audit:
    """Verifies the blocks of one journal as they are pulled."""

    def __init__(
        self, source: str, journal: Journal, digest: SavedDigest | None = None, types_lost: bool = False
    ) -> None:
        """types_lost: the blocks went through JSON before they came here."""
        self._source = source
        self._journal = journal
        self._digest = digest
        tips = () if digest is None or digest.tip is None else (digest.tip.sequence_no,)
        self.verifier = JournalVerifier(tips=tips, types_lost=types_lost)
        self._numbers = {part.name: number for number, part in enumerate(journal.parts)}
        self._part: Part | None = None
        for finding in journal.findings:
            self.verifier.note(finding)

    @property
    def has_findings(self) -> bool:
        """Whether anything is wrong so far."""
        return self.verifier.findings_total > 0

    def blocks(self, values: Iterable[Reading]) -> Iterator[tuple[Block | StoredBlock, bytes | None]]:
        """The blocks among the values, each after its checks, with its Ion binary if it came with one.

        What is wrong is in the report.
        """
        reader = FileReader(self.verifier)
        for part, value, ion in values:
            if part is not self._part:
                self._part = part
                reader.begin(whole_file(self._numbers.get(part.name, 0), part))
            block = reader.take(value)
            if block is not None:
                yield block, ion if block is value or form_of(value) == "Ion" else None
        self.verifier.end_file()

    def report(self) -> JournalReport:
        """The verdict, once all blocks were pulled."""
        return judge(self._source, self._journal, self.verifier.verdict(), self._digest)


def judge(source: str, journal: Journal, verdict: SegmentVerdict, digest: SavedDigest | None = None) -> JournalReport:
    """The report on a whole journal, from the verdict on it.

    source: the journal's place, in words.  Bytes of a path that are no UTF-8 are escaped, for a report goes into files
    and tables of UTF-8.  journal: its findings must be in the verdict.
    """
    before = finish(verdict)
    check = None if digest is None else _check_digest(digest, before, journal.strand_id)
    last = Findings()
    if check is not None and check.found is not None and not check.ok:
        tip = check.tip or before.last
        last.add(AFTER_ALL, [Finding("digest", tip, show(check.expected), show(check.found), "the digest kept")])
    elif check is not None and check.tip is not None and check.tip.strand_id != journal.strand_id:
        detail = "the digest's tip address"
        last.add(AFTER_ALL, [Finding("strand", before.last, check.tip.strand_id, journal.strand_id, detail)])
    verification = finish(replace(verdict, findings=verdict.findings.joined(last)))
    return JournalReport(
        source=source.encode("utf-8", "backslashreplace").decode("utf-8"),
        strand_id=journal.strand_id,
        files=verdict.file_count,
        forms=verdict.forms,
        verification=verification,
        digest_check=check,
        limits=tuple(_limits(verification, check)),
        notes=(*journal.notes, *_notes(verification, check)),
        ledger=journal.ledger,
    )


def findings_of_files(journal: Journal) -> SegmentVerdict:
    """The verdict on a journal before any file of it is read: what is wrong with the set of files."""
    verifier = JournalVerifier()
    for finding in journal.findings:
        verifier.note(finding)
    return verifier.verdict()


class TreeCheck:
    """Notes where a stored Merkle tree differs from that of the blocks: any node, for a proof may need any.

    read: gives the stored hashes.  It is asked for the nodes of many blocks at once.
    """

    def __init__(self, audit: Audit, read: Read) -> None:
        self._audit = audit
        self._read = read
        self._edge = RightEdge()
        self._expected: dict[NodeID, tuple[bytes, BlockAddress]] = {}

    def add(self, block: Block | StoredBlock) -> None:
        """Take in the next block.  From the first that is not in its place on, there is no tree to compare with."""
        if block.address.sequence_no != self._edge.size:
            return
        for level, index, node_hash in self._edge.append(block.block_hash):
            self._expected[level, index] = node_hash, block.address
        if len(self._expected) >= _NODES_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Compare what is still to be compared."""
        stored = self._read(tuple(self._expected))
        for (level, index), (expected, address) in self._expected.items():
            found = stored.get((level, index))
            if found != expected:
                shown = "none" if found is None else show(found)
                detail = f"level {level}, index {index}"
                self._audit.verifier.note(Finding("nodes", address, show(expected), shown, detail))
        self._expected.clear()

    @property
    def nodes_above_leaves(self) -> int:
        """How many nodes are stored beside the blocks: perfect ones above the leaves."""
        return self._edge.size - self._edge.size.bit_count()


def _check_digest(saved: SavedDigest, report: VerificationReport, strand_id: str) -> DigestCheck:
    tip, last = saved.tip, report.last
    if tip is not None and tip.strand_id != strand_id:
        return DigestCheck(saved.digest, tip, None, f"it is of strand {tip.strand_id}, and this is strand {strand_id}")
    found = report.digest if tip is None else report.digests.get(tip.sequence_no)
    if found is not None:
        return DigestCheck(saved.digest, tip, found, None)
    problem = report.digest_problem
    if problem is None and tip is not None and last is not None and tip.sequence_no > last.sequence_no:
        problem = f"the journal ends at block {last.sequence_no}, before the digest's tip {tip.sequence_no}"
    return DigestCheck(saved.digest, tip, None, problem or "the journal does not reach the digest's tip")


def _limits(report: VerificationReport, check: DigestCheck | None) -> Iterator[str]:
    counts, first = report.counts, report.first
    if first is None:
        yield "There is no block, so there is nothing to prove."
    elif first.sequence_no:
        yield (
            f"The journal begins at block {first.sequence_no}, and what was before it is not known. The "
            "previousBlockHash of that block could not be checked. No digest can be computed: it would cover every "
            "block."
        )
    if counts.data_unproven:
        yield (
            f"{report.json_blocks} blocks went through JSON, which has no Ion types. The data of "
            f"{counts.revisions - counts.data_unproven} of {counts.revisions} revisions leads to its hash. The data of "
            f"the other {counts.data_unproven} does not, so it is not proved."
        )
    if check is not None and check.found is None:
        yield f"The digest could not be compared: {check.problem}."


NO_DIGEST = (
    "No digest was given to compare with (--digest). The journal agrees with itself. Only a digest that was kept from "
    "its time can show that no other journal was put in its place."
)


def plural(count: int, noun: str, verb: str = "") -> str:
    """``1 block``, ``2 blocks``.  verb: of the plural, "are" or "have", which is put behind."""
    singular = {"are": "is", "have": "has", "were": "was"}
    words = f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
    return words if not verb else f"{words} {singular[verb] if count == 1 else verb}"


def _notes(report: VerificationReport, check: DigestCheck | None) -> Iterator[str]:
    counts = report.counts
    if counts.redacted:
        yield (
            f"{plural(counts.redacted, 'revision', 'are')} redacted. The data is gone. The hash of the data is still "
            "there and leads to the revision's hash."
        )
    if counts.deletions_unproven:
        yield (
            f"{plural(counts.deletions_unproven, 'deletion', 'have')} a hash that could not be computed again: how "
            "QLDB made it is not known. The block's hash covers it."
        )
    if counts.system_items:
        yield f"Of {plural(counts.system_items, 'system revision')} only the hash is in the journal."
    if counts.digests_unknown:
        yield (
            f"{counts.digests_unknown:,} of {plural(counts.statements, 'statement')} had parameters. A journal does "
            "not have the parameters, so the digests of these statements cannot be computed again. The block's hash "
            "covers them."
        )
    if report.profile.startswith("service"):
        yield (
            "In blocks of QLDB itself some entries are internal and cannot be computed outside of QLDB. Only these "
            "entries cover transactionId and blockTimestamp."
        )
    if check is None and counts.blocks:
        yield NO_DIGEST
