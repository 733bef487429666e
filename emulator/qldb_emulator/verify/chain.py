"""A whole journal, block by block, in memory that does not grow with it.

What is kept is the block before, and the right edge of the Merkle tree.  Only a table of document versions, if the
caller asks for that check, grows with the number of documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import asdict, replace
from typing import Any, Literal

from ..ion.values import IonValue
from ..journal.merkle import RightEdge
from ..journal.model import Block, BlockAddress
from ..journal.parse import BlockFormatError, block_from_ion
from ..records import dataclass
from .checks import Counts, Finding, Inspection, inspect_block, is_own, show
from .json_blocks import is_json_block, restored

FINDINGS_KEPT = 1_000

Profile = Literal["emulator", "service", "service, then emulator", "empty"]


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

    @property
    def ok(self) -> bool:
        """Whether every check held.  Also true of an empty journal: look at ``counts.blocks``."""
        return self.findings_total == 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: hashes in base64, addresses as {strand_id, sequence_no}."""
        plain = asdict(self)
        plain["ok"] = self.ok
        plain["digest"] = None if self.digest is None else show(self.digest)
        plain["digests"] = {str(sequence_no): show(digest) for sequence_no, digest in self.digests.items()}
        return plain


class JournalVerifier:
    """Takes the blocks of one journal in order; tells what is wrong with each, and at the end with all.

    tips: sequence numbers at which the digest is wanted.
    own_from: the first block known to be ours; None to find out: from the first that is on, all must be.
    versions: a table {document id: last version} to check versions with; it is written to.
    types_lost: the blocks went through JSON before they came here.
    """

    def __init__(
        self,
        tips: Iterable[int] = (),
        own_from: int | None = None,
        versions: MutableMapping[str, int] | None = None,
        types_lost: bool = False,
    ) -> None:
        self._types_lost = types_lost
        self._tips = frozenset(tips)
        self._own_from = own_from
        self._versions = versions
        self._first: BlockAddress | None = None
        self._previous: Block | None = None
        self._counts = Counts()
        self._findings: list[Finding] = []
        self._findings_total = 0
        self._edge = RightEdge()
        self._digest_problem: str | None = None
        self._digests: dict[int, bytes] = {}
        self._redactions = 0
        self._service_blocks = 0
        self._json_blocks = 0

    @property
    def previous(self) -> Block | None:
        """The last block taken in."""
        return self._previous

    @property
    def findings_total(self) -> int:
        """How many checks failed so far."""
        return self._findings_total

    def add_value(self, value: IonValue) -> list[Finding]:
        """Take in the next block as an Ion value; one that is no block is a finding."""
        return self.take(value)[1]

    def take(
        self, value: IonValue, place: Callable[[], BlockAddress | None] = lambda: None
    ) -> tuple[Block | None, list[Finding]]:
        """Take in the next block as an Ion value, JSON's loss of types made good as far as can be.

        place: gives the address it should have, for a finding about a value that has none.
        The block, or None for a value that is not a block, and everything that is wrong with it.
        """
        from_json = is_json_block(value)
        try:
            block = block_from_ion(restored(value) if from_json else value)
        except BlockFormatError as error:
            self._digest_problem = self._digest_problem or f"{error}"
            # The next block is compared with the last one that could be read: its sequence number will not follow.
            address = error.address or place()
            return None, self._keep([Finding("format", address, "a block", error.problem, error.field)])
        return block, self.add(block, from_json)

    def note(self, finding: Finding, hides_blocks: bool = False) -> None:
        """Take in a finding made elsewhere.  hides_blocks: blocks may be missing for it, so there is no digest."""
        if hides_blocks:
            self._digest_problem = self._digest_problem or f"{finding}"
        self._keep([finding])

    def add(self, block: Block, from_json: bool = False) -> list[Finding]:
        """Take in the next block.  Everything that is wrong with it."""
        if self._first is None:
            self._first = block.address
        own = self._is_own(block)
        from_json = from_json or self._types_lost
        self._json_blocks += from_json
        look = inspect_block(block, self._previous, own, self._counts, from_json)
        if self._versions is not None:
            self._check_versions(look, self._versions)
        if block.redaction_info is not None:
            self._redactions += len(block.redaction_info.get("revisions", ()))
        self._service_blocks += not own
        self._grow(block)
        self._previous = block
        return self._keep(look.findings)

    def report(self) -> VerificationReport:
        """The result so far; more blocks may follow."""
        problem = self._digest_problem if self._edge.size or self._digest_problem else "no block was read"
        return VerificationReport(
            first=self._first,
            last=None if self._previous is None else self._previous.address,
            counts=replace(self._counts),
            profile=self._profile(),
            own_from=self._own_from,
            findings=tuple(self._findings),
            findings_total=self._findings_total,
            digest=self._edge.root() if problem is None else None,
            digest_problem=problem,
            digests=dict(self._digests),
            redactions_recorded=self._redactions,
            json_blocks=self._json_blocks,
        )

    def _is_own(self, block: Block) -> bool:
        if self._own_from is None and is_own(block):
            self._own_from = block.address.sequence_no
        return self._own_from is not None and block.address.sequence_no >= self._own_from

    def _grow(self, block: Block) -> None:
        if self._digest_problem is None and block.address.sequence_no != self._edge.size:
            self._digest_problem = (
                f"the journal begins at block {block.address.sequence_no}: the digest covers all blocks from 0"
                if self._previous is None
                else f"block {self._edge.size} is not in its place"
            )
        if self._digest_problem is None:
            self._edge.append(block.block_hash)
            if block.address.sequence_no in self._tips:
                self._digests[block.address.sequence_no] = self._edge.root()

    def _check_versions(self, look: Inspection, versions: MutableMapping[str, int]) -> None:
        assert self._first is not None
        for position, revision in enumerate(look.block.revisions or ()):
            metadata = revision.get("metadata")
            if metadata is None:
                continue
            last = versions.get(metadata["id"], -1)
            # Of a journal that begins in its middle, a document's first revision seen may be any.
            if last >= 0 or self._first.sequence_no == 0:
                look.expect("version", last + 1, metadata["version"], f"revisions[{position}], {metadata['id']}")
            versions[metadata["id"]] = metadata["version"]

    def _profile(self) -> Profile:
        if self._counts.blocks == 0:
            return "empty"
        if self._service_blocks == 0:
            return "emulator"
        return "service" if self._service_blocks == self._counts.blocks else "service, then emulator"

    def _keep(self, findings: list[Finding]) -> list[Finding]:
        if not findings:
            return findings
        self._findings_total += len(findings)
        self._findings.extend(findings[: FINDINGS_KEPT - len(self._findings)])
        return findings
