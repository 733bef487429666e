"""What a report draws: the chain round the first finding, and the way from a document to the digest where it fails.

Only what to draw is decided here; the template draws it as SVG.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from ..records import dataclass
from .audit import JournalReport
from .checks import Finding

State = Literal["held", "failed", "open"]

# check -> the step of the ladder at which it fails.  What stands above a failed step is not reached by a proof.
_STEP_OF: dict[str, int] = {
    "format": 0,
    "revision": 1,
    "address": 1,
    "transaction": 1,
    "tables": 1,
    "order": 2,
    "documents": 2,
    "revisions": 2,
    "info": 2,
    "redaction": 2,
    "header": 2,
    "statements": 2,
    "statement": 2,
    "layout": 2,
    "times": 2,
    "entriesHash": 3,
    "blockHash": 4,
    "link": 5,
    "sequence": 5,
    "strand": 5,
    "file": 5,
    "manifest": 5,
    "nodes": 6,
    "digest": 6,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a document up to the digest.  how: how the value is computed.  word: the state, for people."""

    label: str
    how: str
    state: State
    word: str


_STEPS = (
    ("document", "data and metadata, as they stand in the journal"),
    ("revision hash", "hash of the metadata, with hash of the data"),
    ("entries of the block", "Merkle root over the revision hashes; hash of transactionInfo"),
    ("entriesHash", "Merkle root over the entries"),
    ("blockHash", "entriesHash, with the hash of the block before"),
    ("next block", "its previousBlockHash is this blockHash"),
    ("digest", "Merkle root over all block hashes"),
)


_WORDS: dict[State, str] = {"held": "held", "failed": "failed", "open": "not reached"}


def ladder(finding: Finding | None, is_compared: bool) -> list[Step]:
    """The steps from a document to the digest.

    finding: the one that is drawn; None when there is none.  is_compared: whether a digest that was kept is equal.
    """
    failed = len(_STEPS) if finding is None else _STEP_OF.get(finding.check, 0)
    steps = []
    for number, (label, how) in enumerate(_STEPS):
        state: State = "held" if number < failed else "failed" if number == failed else "open"
        if number == len(_STEPS) - 1 and finding is None and not is_compared:
            steps.append(Step(label, how, "open", "not compared with one that was kept"))
            break
        steps.append(Step(label, how, state, _WORDS[state]))
    return steps


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """A block of the drawn chain.  link: the state of the link to the block before; None at the left end.

    is_gap: it stands for all blocks between its neighbours.
    """

    label: str
    state: State
    link: State | None
    is_gap: bool = False


_LINK_CHECKS = frozenset({"link", "sequence", "strand", "file", "manifest"})


def chain(report: JournalReport) -> list[ChainBlock]:
    """The first and last block, and the neighbourhood of the first block with a finding."""
    first, last = report.verification.first, report.verification.last
    if first is None or last is None:
        return []
    low, high = first.sequence_no, max(last.sequence_no, first.sequence_no)
    broken = {f.address.sequence_no for f in report.findings if f.address is not None and f.check not in _LINK_CHECKS}
    unlinked = {f.address.sequence_no for f in report.findings if f.address is not None and f.check in _LINK_CHECKS}
    middle = min((*broken, *unlinked), default=low)
    wanted = sorted({low, high, *(n for n in range(middle - 1, middle + 2) if low <= n <= high)})
    wanted += [one + 1 for one, other in pairwise(wanted) if other == one + 2]  # a gap of one block is that block
    wanted.sort()
    blocks: list[ChainBlock] = []
    previous: int | None = None
    for number in wanted:
        if previous is not None and number > previous + 1:
            inside = range(previous + 1, number)
            bad = any(n in inside for n in broken | unlinked)
            blocks.append(ChainBlock(f"{len(inside):,} blocks", "failed" if bad else "held", "held", is_gap=True))
        link: State | None = None if previous is None else "failed" if number in unlinked else "held"
        blocks.append(ChainBlock(f"block {number:,}", "failed" if number in broken else "held", link))
        previous = number
    return blocks
