"""Imports a journal from elsewhere as a ledger: folds it, many blocks in one SQLite transaction.

The caller must have checked the blocks; ``verify`` does.  The facts about the import are kept with the ledger
(``ledger.facts``).  The ledger's creation time is that of its first block: exports and streams cannot start earlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ...ion.codec import dumps, loads
from ...ion.stream import ahead
from ...journal.merkle import RightEdge
from ...journal.model import Block
from ...journal.parse import block_from_ion
from ...journal.stored import StoredBlock
from ...partiql.planning.catalogue import Catalogue
from ...records import dataclass
from ...storage.batches import BatchWriter
from ...storage.ledger_file import LedgerFile
from ..ledger.facts import LedgerFacts, rows_from_facts, write_rows
from ..ledger.fold import ApplyError, stored_catalogue, stored_edge
from ..ledger.fold_many import ManyBlocks

if TYPE_CHECKING:
    from ...storage.directory import DataDirectory

# Of the blocks of a SQLite transaction.  Ids of documents come in no order, so each one changes a page of their index
# somewhere; the more documents a transaction has, the more often that is a page it has changed already.
TRANSACTION_BYTES = 8 * 1024 * 1024
PROBLEMS_KEPT = 20

AnyBlock = Block | StoredBlock

# Documented: the API model's LedgerName.
_LEDGER_NAME = re.compile(r"(?!^.*--)(?!^[0-9]+$)(?!^-)(?!.*-$)^[A-Za-z0-9-]{1,32}\Z")


@dataclass(frozen=True, slots=True)
class Folded:
    """What was imported.

    first_ms: the first block's time, None when there was none.  problems: the first redactions that could not be
    carried out, in sentences.
    """

    blocks: int
    first_ms: int | None
    problems: tuple[str, ...] = ()


def is_ledger_name(name: str) -> bool:
    """Whether a ledger may be called so."""
    return _LEDGER_NAME.match(name) is not None


def fold(file: LedgerFile, blocks: Iterable[tuple[AnyBlock, bytes | None]], state: FoldState | None = None) -> Folded:
    """Store blocks in a new ledger's file, with everything that follows from them.

    blocks: each with its Ion binary if available.  state: of the end of an earlier call; this call changes it.
    Skips a block whose number is not above the previous one.  The Merkle tree is kept while no block is missing.
    Raises ApplyError, StorageError, and whatever the iterable raises.
    """
    state = FoldState() if state is None else state
    rest = iter(blocks)
    while True:
        with file.write(sync=False) as transaction, BatchWriter(transaction) as writer:
            many, written = ManyBlocks(writer, state.catalogue), 0
            for block, ion in ahead(_some(rest, TRANSACTION_BYTES)):
                written += len(ion)
                number = block.address.sequence_no
                if number <= state.last:
                    continue
                if number != state.last + 1:
                    state.edge = None
                applied = many.apply(block, ion, state.edge)
                if applied is not None:
                    state.catalogue = applied.catalogue
                    state.problems += applied.problems[: PROBLEMS_KEPT - len(state.problems)]
                state.last = number
                state.blocks += 1
                if state.first_ms is None:
                    state.first_ms = block.time_ms
            many.settle()
        if written < TRANSACTION_BYTES:
            return Folded(state.blocks, state.first_ms, tuple(state.problems))


def _some(blocks: Iterator[tuple[AnyBlock, bytes | None]], size: int) -> Iterator[tuple[tuple[AnyBlock, bytes], int]]:
    """Yield the next blocks, until they have this many bytes: each with its binary, and the size of that."""
    for block, given in blocks:
        ion = given or dumps(block.decoded().to_ion())
        length = len(ion)
        yield (block, ion), length
        size -= length
        if size <= 0:
            return


class NotImported(Exception):
    """No ledger was created: the journal is broken, or has no block.  report: the verdict on it."""

    def __init__(self, report: Any) -> None:
        super().__init__()
        self.report = report


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ledger that an import creates.

    strand_id: of the journal.  now_ms: the time of the import.
    even_if_broken: take all blocks that can be read of a broken journal, for looking into it.
    """

    name: str
    strand_id: str
    now_ms: int
    is_writable: bool
    even_if_broken: bool = False


def import_audited(
    directory: DataDirectory,
    region: str,
    wanted: Wanted,
    audit: Any,
    blocks: Iterator[tuple[AnyBlock, bytes | None]],
) -> Any:
    """Create a ledger from blocks while they are audited; return the report.  The file appears complete or not at all.

    audit: a ``verify.Audit``, which has ``has_findings`` and returns the ``report()``; blocks: those that it yields.
    Raises NotImported, ApplyError, StorageError.
    """
    with directory.appearing(region, wanted.name) as file, file.without_log():
        # All blocks are pulled, so that all are in the report; after a finding none is stored.
        folded = fold(file, (block for block in blocks if wanted.even_if_broken or not audit.has_findings))
        report = audit.report()
        accept(file, wanted, report, folded)
    return report


def accept(file: LedgerFile, wanted: Wanted, report: Any, folded: Folded) -> None:
    """Make a file a ledger: write its facts, if the report allows it.  The one place that has this rule.

    report: a ``verify.JournalReport`` on the blocks that were folded into the file.
    Raises NotImported; ApplyError when a redaction could not be carried out; StorageError.
    """
    if not folded.blocks or (report.verdict == "broken" and not wanted.even_if_broken):
        raise NotImported(report)
    if folded.problems and not wanted.even_if_broken:
        raise ApplyError(folded.problems[0])
    about = {
        "source": report.source,
        "verdict": report.verdict,
        "forms": list(report.forms),
        "not_proved": list(report.limits),
        "not_redacted": list(folded.problems),
        "imported_ms": wanted.now_ms,
        "blocks": folded.blocks,
    }
    facts = LedgerFacts(
        name=wanted.name,
        strand_id=wanted.strand_id,
        creation_ms=wanted.now_ms if folded.first_ms is None else folded.first_ms,
        # The permissions mode is not in a journal; deletion protection was QLDB's default.
        permissions_mode="ALLOW_ALL",
        deletion_protection=True,
        is_read_only=not wanted.is_writable,
        digest_problem=report.verification.digest_problem,
        imported=about,
    )
    with file.write() as writer:
        write_rows(writer, rows_from_facts(facts))


@dataclass(slots=True)
class FoldState:
    """How far a fold is.  edge: of the Merkle tree; None when blocks are missing."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    last: int = -1
    edge: RightEdge | None = field(default_factory=RightEdge)
    blocks: int = 0
    first_ms: int | None = None
    problems: list[str] = field(default_factory=list)

    @classmethod
    def stored(cls, file: LedgerFile, problems: Iterable[str]) -> FoldState:
        """Return where the fold of a file ended whose blocks have no gap.  problems: that were found so far."""
        tip = file.tip()
        if tip is None:
            return cls(problems=list(problems))
        first, ion = next(file.blocks(0, None, 1))
        last = tip.sequence_no
        return cls(
            catalogue=stored_catalogue(file, last),
            last=last,
            edge=stored_edge(file, last) if first == 0 else None,
            blocks=last + 1 - first,
            first_ms=block_from_ion(loads(ion)).timestamp.epoch_ms(),
            problems=list(problems),
        )
