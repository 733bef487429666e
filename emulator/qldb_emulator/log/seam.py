"""The operations of a log, and the errors it may raise (docs/design/011-journal-seam.md).

A log has one slot for each sequence number of a ledger's journal.  A slot is taken once and never again, and only by a
block that names the hash of the block before it.  So the order of the slots is the serial order of the transactions,
and every server that folds the same slots has the same tables and the same digest.

::

    LogError (a StorageError)     the journal cannot be used: unreachable, damaged, closed
      SlotTaken                   another server appended first; nothing of this call is in the log
      UnknownOutcome              the answer was lost: the rows are in the log, or not, or will be in a moment
      Unreachable                 the log does not answer; nothing was sent to it
      Deposed                     the other servers took this one for dead; its sessions are over
      LogWentBack                 the log lacks blocks that it had: it was restored, or failed over, with a loss
      LedgerGone                  another server deleted the ledger
      LedgerTaken                 another server created a ledger of this name first
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from ..storage.errors import StorageError
from ..storage.ledger_file import LedgerFile
from .servers import Servers

READ_BLOCKS = 64
"""How many blocks one ``read`` returns by default: some 32 KiB to 8 MiB."""


class LogError(StorageError):
    """The log of a journal cannot be used.  The text says which log and why."""


class SlotTaken(LogError):
    """Another server's block, or change of facts, came first.  Nothing was written."""


class UnknownOutcome(LogError):
    """The connection was lost during a write: whether it took place is not known, and it may still take place."""


class Unreachable(LogError):
    """The log does not answer.  Nothing of this call was sent to it."""


class Deposed(LogError):
    """The other servers took this one for dead: what it began must not be finished."""


class LogWentBack(LogError):
    """The log does not hold the blocks that this server has folded."""


class LedgerGone(LogError):
    """The log no longer has this ledger."""


class LedgerTaken(LogError):
    """The log already has a ledger of this name."""


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
    """A block from which a redaction erased data.  Its hash stays, so the chain remains valid."""

    sequence_no: int
    ion: bytes


class LogTip(NamedTuple):
    """The end of a log.

    sequence_no: of the last block; -1 before the first.  block_hash: its hash; empty before the first.
    facts_version: changes whenever a fact changes.
    is_deposed: the other servers took this one for dead, and told its clients so.
    """

    sequence_no: int
    block_hash: bytes
    facts_version: int
    is_deposed: bool = False


Facts = Mapping[str, Any]
"""Facts of the control plane by name.  Values are anything that JSON can hold; None means that the fact was removed."""


class Log(Protocol):
    """The journal of one ledger.  Any thread may call; every method raises LogError if the log cannot be used."""

    @property
    def is_shared(self) -> bool:
        """Whether other servers append to it.  Otherwise the ledger's own file is the log, and has every block."""
        ...

    def tip(self) -> LogTip:
        """Return the end of the log.  Raises LedgerGone."""
        ...

    def hash_at(self, sequence_no: int) -> bytes | None:
        """Return the hash of a block; None if its slot is free."""
        ...

    def read(self, first: int, at_most: int = READ_BLOCKS) -> list[BlockRow]:
        """Return blocks in order, from the slot ``first`` on; empty if that slot is free."""
        ...

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        """Take the slots of these rows, which are consecutive, and rewrite redacted blocks: all or nothing.

        Both iterables are lazy, so they cost nothing if the log does not need them.  When this returns, the rows are
        durable.  Raises SlotTaken if the first slot is not the next one, or if the block before it has another hash
        than the first row names; UnknownOutcome.
        """
        ...

    def fence(self) -> None:
        """Let no write that was sent before this call take place after it.

        After an UnknownOutcome this settles the matter: what the log shows from now on is all that will ever be there.
        It is a write itself, so when it returns every block that the log shows is as durable as an append that was
        answered.  Raises LogError.
        """
        ...

    def facts(self) -> tuple[int, Facts]:
        """Return the version of the facts, and all of them."""
        ...

    def put_facts(self, version: int, changes: Facts) -> int:
        """Change facts as of a version; return the new version.

        Raises SlotTaken if another server has changed facts since that version; UnknownOutcome.
        """
        ...

    def close(self) -> None:
        """Close connections.  The log stays."""
        ...


class Logs(Protocol):
    """All journals of an emulator.  Every method raises LogError if they cannot be reached."""

    @property
    def is_shared(self) -> bool:
        """Whether other servers use them."""
        ...

    @property
    def servers(self) -> Servers | None:
        """The servers that use them; None when there is no other."""
        ...

    def regions(self) -> list[str]:
        """Return the regions that have ledgers, sorted; some may be empty."""
        ...

    def names(self, region: str) -> list[str]:
        """Return the names of a region's ledgers, sorted."""
        ...

    def facts_of(self, region: str, name: str) -> Facts | None:
        """Return the facts of a ledger; None if there is no such ledger.  SQLite alone returns no facts."""
        ...

    def create(self, region: str, name: str, facts: Facts) -> None:
        """Create an empty journal.  The fact ``strand_id`` is its key.  Raises LedgerTaken."""
        ...

    def open(self, region: str, name: str, file: LedgerFile) -> Log:
        """Return the journal of a ledger, whose file is open.  Raises LedgerGone."""
        ...

    def delete(self, region: str, name: str, strand_id: str) -> None:
        """Delete a journal and all its blocks.  Does nothing if it does not exist.

        strand_id: names are used again, so that of a ledger which another server deleted may be that of a new one.
        """
        ...

    def close(self) -> None:
        """Close connections.  The journals stay."""
        ...
