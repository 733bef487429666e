"""A commit, from top to bottom: a proposal becomes the journal's next block.

::

    commit ─► validate ─┬─► _write ─► build, append to the log, apply   (one SQLite transaction) ─► _publish ─► sync
       │                └─► _reserve   (the transaction only read: its block is written later)
       └─► with a shared log: _commit_together ─► _append_batch ─► validate, _write, until the outcome is known

Two locks are taken, always in this order.  First ``lock``: only one thread at a time commits, changes facts or closes
the ledger.  Then the write lock of the ledger's file, for one SQLite transaction.  Reading takes neither lock: each row
has the numbers of the first and the last block for which it is valid, so a snapshot is one number.

A transaction that only read has a block, too, but the block changes no table.  It is *deferred*.  The commit decides
its place in the journal, its time and its conflicts.  The block is built and written after the answer, or with the next
block if that comes first (docs/design/009-after-the-answer.md).  A shared log cannot reserve a place, so with one
nothing is deferred.

``log.seam`` is the interface to the journal itself (docs/design/011-journal-seam.md).
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...clock import Clock
from ...errors import NO_SUCH_SESSION, OCC_CONFLICT
from ...ion.codec import loads
from ...ion.values import Timestamp
from ...journal.block import TransactionResult, build_block
from ...journal.encode import encode_block
from ...journal.merkle import RightEdge
from ...journal.model import Block, BlockAddress
from ...journal.parse import block_from_ion
from ...journal.read_stored import block_from_binary
from ...log.seam import (
    BlockRow,
    Deposed,
    LedgerGone,
    Log,
    LogError,
    LogWentBack,
    Rewrite,
    SlotTaken,
    UnknownOutcome,
    Unreachable,
)
from ...partiql.planning.catalogue import Catalogue
from ...storage.errors import StorageError
from ...storage.ledger_file import LedgerFile
from .conflicts import ReadMark, WriteLog
from .facts import Tags
from .fold import Applied, ApplyError, apply_block, derive, stored_catalogue, stored_edge
from .following import BlockNews

if TYPE_CHECKING:
    from ...storage.writer import Writer

logger = logging.getLogger(__name__)

TOGETHER_MAX = 64
"""Blocks of transactions that are appended to a shared log together."""

DEFERRED_MAX = 64
"""The most blocks that may be deferred.  So many are written in one SQLite transaction after a burst of readers.  With
more, it would take longer until a failing disk is noticed."""

UNKNOWN_OUTCOME_SECONDS = 60.0
"""If the log's answer to a commit was lost, the committer asks the log for so long whether it has the block.  Then it
tells the client that the outcome is unknown.  A failover takes less: Patroni by default gives up a primary after
30 seconds."""
UNKNOWN_OUTCOME_PAUSE_SECONDS = 0.1
OUTCOME_STAYS_UNKNOWN = "It is not known whether the transaction was committed. Look before you try again. {reason}"


# Each commit makes one of these; a named tuple takes half the time of a frozen class.
class Proposal(NamedTuple):
    """What a transaction asks to commit.

    reads: everything that it read, up to the block ``snapshot``.  result: what its block is built from; without a
    statement there is no block.  is_writing: whether the block holds more than statements.
    """

    reads: Collection[ReadMark]
    snapshot: int
    result: TransactionResult
    is_writing: bool


class Waiting:
    """A proposal while it is committed to a shared log.  is_done: it is decided.  error: what its client is told."""

    __slots__ = ("error", "is_done", "now_ms", "proposal")

    def __init__(self, proposal: Proposal, now_ms: int) -> None:
        self.proposal = proposal
        self.now_ms = now_ms
        self.is_done = False
        self.error: BaseException | None = None


class PendingBlock(NamedTuple):
    """A transaction that passed validation at ``now_ms``: what its block is built from.

    waiting: the proposal it belongs to, if the log is shared.
    """

    result: TransactionResult
    now_ms: int
    waiting: Waiting | None = None


class Tip(NamedTuple):
    """The last block in the file, on which the next is built.  ``sequence_no`` is -1 before the first.

    edge: of the Merkle tree up to this block; None if there is no tree.
    """

    sequence_no: int
    block_hash: bytes
    time_ms: int
    catalogue: Catalogue
    edge: RightEdge | None


class AppendedBlock(NamedTuple):
    """A block in a SQLite transaction that is not committed yet, its changes, and the tip after it."""

    block: Block
    ion: bytes
    applied: Applied
    tip: Tip

    @property
    def row(self) -> BlockRow:
        """The block as a log keeps it."""
        block, tip = self.block, self.tip
        previous_hash, transaction_id = block.previous_block_hash, block.transaction_id
        return BlockRow(tip.sequence_no, tip.block_hash, previous_hash, transaction_id, tip.time_ms, self.ion)


class Committer:
    """Appends blocks to one ledger's journal.

    file: every access to it that must see deferred blocks goes through ``Ledger.file``.
    on_table_tags: called with the tags that a block gave to new tables, by table id.
    on_erased: called when a block's redaction erased data; copies elsewhere must go, too.
    tip: the last block in the file.  state: number of the last block, deferred ones included, and the catalogue after
    it.
    """

    def __init__(
        self,
        file: LedgerFile,
        log: Log,
        strand_id: str,
        clock: Clock,
        has_tree: bool,
        on_table_tags: Callable[[dict[str, Tags]], None],
        on_erased: Callable[[], None],
    ) -> None:
        self.lock = threading.RLock()
        self.writes = WriteLog()
        self.news = BlockNews()
        self.is_closed = False
        self.is_ending = False  # set without the lock, before is_closed
        self._file = file
        self._log = log
        self._strand_id = strand_id
        self._clock = clock
        self._on_table_tags = on_table_tags
        self._on_erased = on_erased
        self._deferred: list[PendingBlock] = []
        self._waiting: deque[Waiting] = deque()  # for a shared log
        self.lost_slots = 0
        self.unknown_outcomes = 0
        self._last_change = (
            0  # number of the last SQLite commit that changed data; no answer leaves before it is synced
        )
        self.tip = stored_tip(file, has_tree)
        # The last block's number and the catalogue after it, deferred blocks included.  One tuple, replaced as a
        # whole, so that a snapshot takes both together without a lock.
        self.state: tuple[int, Catalogue] = (self.tip.sequence_no, self.tip.catalogue)

    # --- the commit --------------------------------------------------------------------------------------

    def commit_unsynced(self, proposal: Proposal) -> int:
        """Turn a proposal into the journal's next block, without waiting for the disk.

        Return the number of a commit of the ledger's file, for ``sync``.  When that is synced, so are the block and
        every block that its transaction may have read; no client may be told before.  Exception: the block of a
        transaction that only read may be written later (inferred: journal.md 1.6).
        Raises NO_SUCH_SESSION, OCC_CONFLICT, StorageError.  Nothing was written then, except that after an
        UnknownOutcome the block may still appear.
        """
        if self._log.is_shared:
            self._commit_together(proposal)
            return 0
        with self.lock:
            # From here on no other commit of this server can come between the validation and the block.
            if self.is_closed:  # deleted, restored or closed since the transaction began
                raise NO_SUCH_SESSION()
            self._validate(proposal)
            if not proposal.result.statements:
                return 0  # every statement failed: what they read is validated, but the block would be empty
            pending = PendingBlock(proposal.result, self._clock.now_ms())
            if proposal.is_writing:
                self._write((*self._deferred, pending), is_change=True)
            else:
                self._reserve(pending)
            # The lock is released.  While this commit waits for the disk, other commits are written, and one sync makes
            # all of them durable.  A transaction that only read waits, too: what it read must be durable.
            return self._last_change

    def is_synced(self, commit_no: int) -> bool:
        """Whether the disk has a commit of the ledger's file."""
        return self._file.is_synced(commit_no)

    def sync(self, commit_no: int) -> None:
        """Wait until the disk has a commit of the ledger's file.  Raises StorageError."""
        self._file.sync(commit_no)

    def _validate(self, proposal: Proposal) -> None:
        """Raise OCC_CONFLICT if a block after the proposal's snapshot wrote what the proposal read."""
        if self.writes.conflict(proposal.reads, proposal.snapshot) is not None:
            raise OCC_CONFLICT()

    def _reserve(self, pending: PendingBlock) -> None:
        """Defer a block: it gets its number now, and its bytes later."""
        if len(self._deferred) >= DEFERRED_MAX:
            self.flush_deferred()
        self._deferred.append(pending)
        sequence_no, catalogue = self.state
        self.state = (sequence_no + 1, catalogue)
        if self.news.listeners:
            self.news.wake()

    # --- the commit into a shared log --------------------------------------------------------------------

    def _commit_together(self, proposal: Proposal) -> None:
        """Commit together with all other proposals that wait: one round trip to the log serves all of them.

        Raises NO_SUCH_SESSION, OCC_CONFLICT, StorageError.
        """
        mine = Waiting(proposal, self._clock.now_ms())
        self._waiting.append(mine)  # a deque: no lock is needed
        with self.lock:
            # While this thread waited for the lock, another may have committed this proposal with its own.
            if not mine.is_done:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
                if mine not in batch:  # more proposals wait than a batch takes; this one must be in it
                    self._waiting.remove(mine)
                    batch.append(mine)
                self._commit_batch(batch)
        if mine.error is not None:
            raise mine.error

    def _commit_batch(self, batch: list[Waiting]) -> None:
        """Decide every proposal of a batch.  Requires the lock.  Raises no error: each proposal has its own."""
        try:
            if self.is_closed:
                raise NO_SUCH_SESSION()
            try:
                self._append_batch(batch)
            except ApplyError:
                # One of them cannot be applied.  Committed one by one, each gets its own answer.
                if len(batch) == 1:
                    raise
                for each in batch:
                    self._commit_batch([each])
        except BaseException as error:
            for each in batch:
                if not each.is_done:
                    each.error, each.is_done = error, True
            if not isinstance(error, Exception):
                raise

    def _append_batch(self, batch: Sequence[Waiting]) -> None:
        """Append the blocks of a batch, all or none.  Requires the lock.

        Another server's block may have taken the slot, or the log's answer may be lost.  Then this server folds the
        blocks that the log has.  They show which proposals are committed.  The others are validated against these
        blocks, and their blocks are built again after them.
        Raises StorageError: proposals that are not done have no block then, except after an UnknownOutcome.
        """
        before = self.tip.sequence_no
        deadline: float | None = None
        if any(not each.proposal.result.statements for each in batch):
            # Such a proposal appends no block, so it cannot find a slot taken, which is how others learn of new blocks.
            self.catch_up()
        while pending := self._validated(batch, before):
            try:
                self._write(pending, is_change=True)
            except SlotTaken:
                self.lost_slots += 1
                self.catch_up()
            except UnknownOutcome as error:
                self.unknown_outcomes += 1
                if deadline is None:
                    deadline = self._clock.monotonic() + UNKNOWN_OUTCOME_SECONDS
                # No client may be answered before it is known whether its block is in the log.
                while self.is_ending or not self._settles_after(error):
                    if self.is_ending or self._clock.monotonic() > deadline:
                        raise UnknownOutcome(OUTCOME_STAYS_UNKNOWN.format(reason=error)) from error

    def _validated(self, batch: Sequence[Waiting], before: int) -> list[PendingBlock]:
        """Return what remains to be appended of a batch, after the blocks that follow ``before`` were folded."""
        pending = []
        is_moved = self.tip.sequence_no > before
        for each in batch:
            if each.is_done:
                continue
            proposal = each.proposal
            if is_moved and self._file.has_transaction(proposal.result.transaction_id, before):
                each.is_done = True  # the block is in the log: the answer that was lost was a success
            elif self.writes.conflict(proposal.reads, proposal.snapshot) is not None:
                each.error, each.is_done = OCC_CONFLICT(), True
            elif not proposal.result.statements:
                each.is_done = True  # every statement failed: there is nothing for a block
            else:
                pending.append(PendingBlock(proposal.result, each.now_ms, each))
        return pending

    def _settles_after(self, error: LogError) -> bool:
        """Whether the log answers again, and has been read after everything that was sent to it before.

        Raises LogWentBack, LedgerGone, Deposed.
        """
        self.pause_after(error)
        try:
            self._log.fence()
            self.catch_up()
        except (LogWentBack, LedgerGone):
            raise
        except Deposed:
            return True  # the next append raises it; what the log has is final in any case
        except LogError:
            return False
        return True

    def _catch_up_if_possible(self) -> None:
        """Fold what the log has.  If that fails, the next caller that needs these blocks gets the error."""
        try:
            self.catch_up()
        except StorageError as error:
            logger.warning("a block that the log has cannot be folded yet: %s", error)

    # --- one SQLite transaction --------------------------------------------------------------------------

    def _write(self, pending: Sequence[PendingBlock], is_change: bool) -> None:
        """Build blocks, append them to the log, apply them: one SQLite transaction.  Then publish them.

        Requires the lock.  Raises StorageError.  With SQLite alone, trying again is of no use then.
        """
        appended: list[AppendedBlock] = []
        refused: list[Waiting] = []
        is_logged = False
        tip = self.tip
        try:
            # Takes the file's write lock, and begins the SQLite transaction.
            with self._file.write(sync=False) as writer:
                for each in pending:
                    if each.waiting is not None and conflicts_with(appended, each.waiting.proposal.reads):
                        refused.append(each.waiting)
                        continue
                    appended.append(self._build_and_apply(writer, tip, each))
                    tip = appended[-1].tip
                # The append to a shared log decides the order.  With SQLite alone, the COMMIT below is the append.
                if self._log.is_shared:
                    self._log.append_at((each.row for each in appended), rewrites_of(appended))
                    is_logged = True
            # The SQLite transaction is committed, unsynced, and the file's write lock is free.
        except (SlotTaken, UnknownOutcome, Unreachable):
            raise  # the SQLite transaction was rolled back
        except StorageError:
            # If the disk failed in the COMMIT itself, it may hold the blocks.  What is in memory must be the same.
            stored = self._file.tip()
            if appended and stored is not None and stored.sequence_no == tip.sequence_no:
                self._publish(appended, is_change)
            elif is_logged:
                self._catch_up_if_possible()
            if not is_logged:
                raise
            # A shared log has the blocks, so they are committed.
        else:
            self._publish(appended, is_change)
        for each in pending:
            if each.waiting is not None:
                each.waiting.is_done = True
        for waiting in refused:
            waiting.error = OCC_CONFLICT()

    def _build_and_apply(self, writer: Writer, tip: Tip, pending: PendingBlock) -> AppendedBlock:
        """Build a block after a tip, and apply it.  Raises StorageError, ApplyError."""
        previous = None if tip.sequence_no < 0 else BlockAddress(self._strand_id, tip.sequence_no)
        # The times of a journal never decrease, even if the machine's clock is set back.
        now = Timestamp.from_epoch_ms(max(pending.now_ms, tip.time_ms))
        block = build_block((previous, tip.block_hash), self._strand_id, pending.result, now)
        appended = apply_upon(writer, tip, block, encode_block(block))
        if appended.applied.problems:
            raise ApplyError(appended.applied.problems[0])
        return appended

    def _publish(self, appended: Sequence[AppendedBlock], is_change: bool) -> None:
        """Show committed blocks to transactions that begin, and to validation.  Requires the lock."""
        has_erased = False
        for each in appended:
            applied = each.applied
            if applied.table_tags:
                self._on_table_tags(applied.table_tags)
            # Before the state is replaced: no transaction may begin at a block whose writes are not recorded yet.
            self.writes.record(applied.marks, each.tip.sequence_no)
            has_erased = has_erased or applied.has_erased
        if has_erased:
            self._on_erased()
        if self.writes.is_long:
            self.writes.prune(self.state[0])
        if is_change:
            self._last_change = self._file.commits
        self._deferred.clear()
        self.tip = appended[-1].tip
        self.state = (self.tip.sequence_no, self.tip.catalogue)
        if self.news.listeners:
            self.news.wake()

    # --- deferred blocks ---------------------------------------------------------------------------------

    @property
    def has_deferred(self) -> bool:
        """Whether any block is deferred."""
        return bool(self._deferred)

    def flush_deferred(self) -> None:
        """Write the deferred blocks.  Raises StorageError; they then stay deferred."""
        with self.lock:
            if self._deferred:
                self._write(tuple(self._deferred), is_change=False)

    # --- the first block, and blocks of other servers ----------------------------------------------------

    def begin_journal(self, transaction_id: str, created_ms: int) -> None:
        """Append block 0 at the ledger's creation time, unless it exists.  Raises StorageError."""
        with self.lock:
            first = PendingBlock(TransactionResult(transaction_id), created_ms)
            deadline = self._clock.monotonic() + UNKNOWN_OUTCOME_SECONDS
            while self.tip.sequence_no < 0:
                try:
                    self._write((first,), is_change=True)
                except (SlotTaken, UnknownOutcome) as error:
                    # Block 0 of another server serves as well.
                    if self._clock.monotonic() > deadline or self.is_ending:
                        raise
                    self._settles_after(error)
        self._file.sync()

    def catch_up(self) -> int:
        """Fold what other servers have appended; return the version of the log's facts.

        Does nothing when the log is not shared.  Raises LogWentBack, LedgerGone, Deposed, StorageError.
        """
        if not self._log.is_shared:
            return 0
        with self.lock:
            end = self._log.tip()
            while self.tip.sequence_no < end.sequence_no:
                if self.is_ending:
                    raise Unreachable("The server lets go of the ledger")
                rows = self._log.read(self.tip.sequence_no + 1)
                if not rows:
                    raise self._went_back()
                self._fold(rows)
            if self.tip.sequence_no == end.sequence_no:
                log_hash: bytes | None = end.block_hash
            else:  # the log took a block of this server's after it was asked for its end
                log_hash = self._log.hash_at(self.tip.sequence_no)
            if log_hash != self.tip.block_hash:
                raise self._went_back()
            if end.is_deposed:  # after the fold: what the log shows still settles what was sent to it
                raise Deposed("The other servers took this server for dead, and its sessions are over")
            return end.facts_version

    def pause_after(self, error: LogError) -> None:
        """Wait a moment if an answer was lost.  After a taken slot, the next one can be tried at once."""
        if not isinstance(error, SlotTaken):
            self._clock.sleep(UNKNOWN_OUTCOME_PAUSE_SECONDS)

    def _fold(self, rows: Sequence[BlockRow]) -> None:
        """Apply blocks that the log has, and publish them.  Requires the lock."""
        appended: list[AppendedBlock] = []
        tip = self.tip
        with self._file.write(sync=False) as writer:
            for row in rows:
                # The log enforces the chain; this checks that the file still belongs to it.
                if row.sequence_no != tip.sequence_no + 1 or row.previous_hash != tip.block_hash:
                    raise self._went_back()
                appended.append(apply_upon(writer, tip, block_from_ion(loads(row.ion)), row.ion))
                tip = appended[-1].tip
        self._publish(appended, is_change=True)

    def _went_back(self) -> LogWentBack:
        return LogWentBack(
            f"The log does not hold block {self.tip.sequence_no} of strand {self._strand_id} as this server has it. "
            "It was restored from a backup, or failed over to a copy that lacked its last blocks. "
            "Compare the digests of all servers, then remove the ledger files of those that are ahead of the log."
        )

    # --- life --------------------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Delete everything derived from the blocks in the file, and derive it again."""
        self.flush_deferred()
        with self.lock, self._file.write() as writer:
            writer.clear_derived()
            catalogue = Catalogue()
            for _, ion in writer.blocks():
                catalogue = derive(writer, catalogue, block_from_binary(ion)).catalogue
            tip = self.tip
            self.tip = Tip(tip.sequence_no, tip.block_hash, tip.time_ms, catalogue, tip.edge)
            self.state = (self.state[0], catalogue)

    def close(self) -> None:
        """Refuse every commit from now on, and wake the threads that wait for blocks.  Deferred blocks are dropped."""
        with self.lock:
            self.is_closed = True
            self._deferred.clear()
            self.news.wake()


def apply_upon(writer: Writer, tip: Tip, block: Block, ion: bytes) -> AppendedBlock:
    """Apply a block that follows a tip, and return it with the new tip.  Does not change the old tip."""
    edge = None if tip.edge is None else tip.edge.copy()
    applied = apply_block(writer, tip.catalogue, block, ion, edge)
    made = Tip(block.address.sequence_no, block.block_hash, block.timestamp.epoch_ms(), applied.catalogue, edge)
    return AppendedBlock(block, ion, applied, made)


def stored_tip(file: LedgerFile, has_tree: bool) -> Tip:
    """Return the tip of a file.

    Raises StorageError if it is damaged, or lacks a part of the Merkle tree it should have.
    """
    stored = file.tip()
    if stored is None:
        return Tip(-1, b"", 0, Catalogue(), RightEdge())
    file.block_bytes(stored.sequence_no)  # verifies the checksum: the next block is built on this one's hash
    edge = stored_edge(file, stored.sequence_no) if has_tree else None
    catalogue = stored_catalogue(file, stored.sequence_no)
    return Tip(stored.sequence_no, stored.block_hash, stored.timestamp_ms, catalogue, edge)


def conflicts_with(appended: Sequence[AppendedBlock], reads: Collection[ReadMark]) -> bool:
    """Whether blocks that are about to be appended write what a transaction read before them."""
    return any(mark in reads for each in appended for mark in each.applied.marks)


def rewrites_of(appended: Sequence[AppendedBlock]) -> Iterator[Rewrite]:
    """Yield the earlier blocks from which redactions erased data."""
    for each in appended:
        yield from each.applied.rewrites
