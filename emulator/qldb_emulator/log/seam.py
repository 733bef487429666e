"""What the engine asks of a log, and the errors a log may answer with (docs/design/011-journal-seam.md).

A log has one slot for each sequence number of a ledger's journal.  A slot is taken once and never again, and only by a
block that names the hash of the block before it.  So the order of the slots is the serial order of the transactions,
and every server that folds the same slots has the same tables and the same digest.

::

    LogError (a StorageError)     the journal cannot be used: unreachable, damaged, closed
      SlotTaken                   another server appended first; nothing of this call is in the log
      UnknownOutcome              the answer was lost: the rows are in the log, or not, or will be in a moment
      LogWentBack                 the log lacks blocks that it had: it was restored, or failed over, with a loss
      LedgerGone                  another server deleted the ledger
      LedgerTaken                 another server created a ledger of this name first
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from ..storage.errors import StorageError
from ..storage.ledger_file import LedgerFile

READ_BLOCKS = 64
"""How many blocks one ``read`` returns unless asked otherwise: some 32 KiB to 8 MiB."""


class LogError(StorageError):
    """The log of a journal cannot be used.  The text says which log and why."""


class SlotTaken(LogError):
    """Another server's block, or change of facts, came first.  Nothing was written."""


class UnknownOutcome(LogError):
    """The connection was lost during a write: whether it took place is not known, and it may still take place."""


class LogWentBack(LogError):
    """The log does not hold the blocks that this server has folded."""


class LedgerGone(LogError):
    """There is no such ledger in the log any more."""


class LedgerTaken(LogError):
    """There is already a ledger of this name in the log."""


class BlockRow(NamedTuple):
    """One block as a log keeps it.

    previous_hash: the hash of the block before it; empty for block 0.  ion: the block as Ion binary.
    """

    sequence_no: int
    block_hash: bytes
    previous_hash: bytes
    transaction_id: str
    timestamp_ms: int
    ion: bytes


class Rewrite(NamedTuple):
    """A block whose data a redaction erased.  Its hash stays, so the chain holds."""

    sequence_no: int
    ion: bytes


class LogTip(NamedTuple):
    """The end of a log.

    sequence_no: of the last block; -1 before the first.  block_hash: its hash; empty before the first.
    facts_version: changes whenever a fact changes.
    """

    sequence_no: int
    block_hash: bytes
    facts_version: int


Facts = Mapping[str, Any]
"""Facts of the control plane by name.  Values are anything JSON can say; None says that the fact is gone."""


class Log(Protocol):
    """The journal of one ledger.  Any thread may call; every method raises LogError when the log cannot be used."""

    @property
    def is_shared(self) -> bool:
        """Whether other servers append to it.  If not, the ledger's own file is the log, and has every block."""
        ...

    def tip(self) -> LogTip:
        """The end of the log.  Raises LedgerGone."""
        ...

    def hash_at(self, sequence_no: int) -> bytes | None:
        """The hash of a block; None when its slot is free."""
        ...

    def read(self, first: int, at_most: int = READ_BLOCKS) -> list[BlockRow]:
        """Blocks in order, from the slot ``first`` on; empty when that slot is free."""
        ...

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        """Take the slots of these rows, which follow one another, and rewrite redacted blocks: all or nothing.

        Both are made while they are read, so a log that does not need them costs nothing.  When this returns, the rows
        are durable.  Raises SlotTaken when the first slot is not the next one, or the block before it has another hash
        than the first row names; UnknownOutcome.
        """
        ...

    def facts(self) -> tuple[int, Facts]:
        """The version of the facts, and all of them."""
        ...

    def put_facts(self, version: int, changes: Facts) -> int:
        """Change facts as of a version; returns the new version.

        Raises SlotTaken when another server has changed facts since that version; UnknownOutcome.
        """
        ...

    def close(self) -> None:
        """Let go of connections.  The log stays."""
        ...


class Logs(Protocol):
    """All journals of an emulator.  Every method raises LogError when they cannot be reached."""

    @property
    def is_shared(self) -> bool:
        """Whether other servers use them."""
        ...

    def regions(self) -> list[str]:
        """The regions that have ledgers, sorted; there may be empty ones among them."""
        ...

    def names(self, region: str) -> list[str]:
        """The names of a region's ledgers, sorted."""
        ...

    def facts_of(self, region: str, name: str) -> Facts | None:
        """The facts of a ledger; None when there is no such ledger.  SQLite alone answers without any fact."""
        ...

    def create(self, region: str, name: str, facts: Facts) -> None:
        """Make an empty journal.  The fact ``strand_id`` is its key.  Raises LedgerTaken."""
        ...

    def open(self, region: str, name: str, file: LedgerFile) -> Log:
        """The journal of a ledger, whose file is open.  Raises LedgerGone."""
        ...

    def delete(self, region: str, name: str) -> None:
        """Remove a journal and all its blocks.  Does nothing when it is gone."""
        ...

    def close(self) -> None:
        """Let go of connections.  The journals stay."""
        ...
