"""One open ledger: its file, its log, its caches and its facts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ...clock import Clock
from ...ids import IdSource
from ...journal.model import BlockAddress
from ...limits import Limits
from ...log.seam import Log, SlotTaken, UnknownOutcome
from ...partiql.planning.catalogue import Catalogue
from ...partiql.prepare import StatementCache
from ...settings import Settings
from ...storage.errors import StorageError
from ...storage.ledger_file import LedgerFile
from .committer import Committer
from .documents import DocumentCache
from .facts import LedgerFacts, Tags, changed_rows, read_facts, rows_after, write_rows
from .retries import Retries
from .tables import TableCache

logger = logging.getLogger(__name__)

ERASED_AT_ONCE_BYTES = 32 * 1024 * 1024
"""A redaction rewrites a file of up to this size: 4 ms for each megabyte, while other commits wait.  A larger file is
rewritten when the ledger is closed."""
FOLLOW_SECONDS = 0.5
"""How often a follower asks a shared log for blocks of other servers."""


class Ledger:
    """One ledger.  The committer commits; this class does everything else: reading, facts and the ledger's life."""

    def __init__(
        self, file: LedgerFile, log: Log, region: str, settings: Settings, clock: Clock, ids: IdSource
    ) -> None:
        self._file = file
        # The file, without flushing deferred blocks.  Safe for reading documents: only blocks of transactions that only
        # read can be missing.
        self.documents = file
        self.log = log
        self.region = region
        self.limits: Limits = settings.limits
        self.clock = clock
        self.ids = ids
        self.is_closed = False  # closed, deleted, or replaced by a restored one
        self._known_ms = -1  # a time that has passed: is_before compares with it before it reads the clock
        self._facts_version = -1
        self.facts: LedgerFacts = read_facts(file)  # replaced as a whole, so reading it needs no lock
        self.name = self.facts.name
        self.strand_id = self.facts.strand_id
        self.cache = DocumentCache(settings.cache_bytes)
        self.tables = TableCache(file, self.cache, settings.cache_bytes)
        self.statements = StatementCache()
        has_tree = self.digest_problem is None
        self.committer = Committer(
            file, log, self.strand_id, clock, has_tree, self._add_table_tags, self._forget_documents
        )
        self.commit_lock = self.committer.lock
        self.writes = self.committer.writes
        self.retries = Retries()
        if log.is_shared:
            self._follow_facts()
        # Blocks of other servers are folded by the first request, not here: that may take long, and the register's lock
        # keeps other ledgers from being opened meanwhile.
        if self.last_sequence_no < 0 and log.tip().sequence_no < 0:
            # Not after CreationDateTime: a stream or export from that time on must have this block (journal.md 1.5).
            self.committer.begin_journal(ids.new_id(), self.facts.creation_ms)
        if file.has_entries_of_dropped_indexes():  # no transaction is open yet that could need them
            with file.write() as writer:
                writer.purge_dropped_indexes()

    @property
    def file(self) -> LedgerFile:
        """Return the ledger's file, with every block in it.  Raises StorageError if one cannot be written."""
        if self.committer.has_deferred:
            self.committer.flush_deferred()
        return self._file

    # --- where the journal is ----------------------------------------------------------------------------

    def snapshot(self) -> tuple[int, Catalogue]:
        """Return the last block's sequence number and the catalogue after it, taken together."""
        return self.committer.state

    @property
    def last_sequence_no(self) -> int:
        """The last block's sequence number."""
        return self.committer.state[0]

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue after the last block."""
        return self.committer.state[1]

    def tip(self) -> BlockAddress:
        """Return the address of the last block."""
        return BlockAddress(self.strand_id, self.committer.state[0])

    def catch_up(self) -> None:
        """Apply what other servers have done: their blocks, and the facts that they changed.

        Everything that any server answered before this call is visible after it.  Does nothing with SQLite alone.
        Raises StorageError.
        """
        if not self.log.is_shared:
            return
        version = self.committer.catch_up()
        if version != self._facts_version:
            self._follow_facts()

    def catch_up_facts(self) -> None:
        """Take the facts that other servers have changed, and fold nothing.  Raises StorageError."""
        # Not by log.tip(), which takes a new epoch, and needs the lock: a fold may hold that for minutes.
        if self.log.is_shared and self.log.facts()[0] != self._facts_version:
            self._follow_facts()

    def _follow_facts(self) -> None:
        """Take the facts of a shared log.  Raises StorageError."""
        with self.commit_lock:
            version, rows = self.log.facts()
            with self._file.write(sync=False) as writer:
                write_rows(writer, rows)
            self._facts_version = version
            self.facts = rows_after(self.facts, rows)

    def make_durable(self) -> None:
        """Sync every block so far: an answer must not depend on a block that a power cut could undo.

        Raises StorageError.
        """
        self.file.sync()

    def live_version(self, document_id: str, snapshot: int) -> int:
        """Return the version of a document's revision at a snapshot, which must exist."""
        info = self._file.document_info(document_id)
        row = None if info is None else self._file.revision_at(info.doc_no, snapshot)
        assert row is not None
        return row.version

    # --- facts -------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return CREATING, ACTIVE, DELETING or DELETED.  It depends on time alone, so it survives a restart."""
        facts = self.facts
        gone_ms = facts.gone_ms
        if gone_ms is None and facts.active_ms <= self._known_ms:
            return "ACTIVE"  # without a look at the clock, for every StartSession
        self._known_ms = max(self._known_ms, self.clock.now_ms())
        if gone_ms is not None:
            return "DELETING" if self._waits(facts.deleted_ms, gone_ms) else "DELETED"
        if self._waits(facts.creation_ms, facts.active_ms):
            return "CREATING"
        self._known_ms = max(self._known_ms, facts.active_ms)
        return "ACTIVE"

    def _waits(self, since_ms: int, until_ms: int) -> bool:
        """Whether a delay is not over.

        It is over if the clock shows a time before its beginning: then the clock was set back while the server was
        down, and what was ACTIVE must stay so.  It is over, too, if there is a block with a later time.
        """
        return since_ms <= self._known_ms < until_ms and self.committer.tip.time_ms < until_ms

    def now_ms(self) -> int:
        """Return the ledger's time: the clock's, but never before the last block.

        After a restart the machine's clock may be behind the journal; another server's clock may be ahead.
        """
        now, last = self.clock.now_ms(), self.committer.tip.time_ms
        return now if now > last else last

    @property
    def permissions_mode(self) -> str:
        """ALLOW_ALL or STANDARD."""
        return self.facts.permissions_mode

    @property
    def is_read_only(self) -> bool:
        """Whether the ledger was imported for reading only."""
        return self.facts.is_read_only

    @property
    def digest_problem(self) -> str | None:
        """Return why the journal has no digest: it was imported with blocks missing.  None for a complete one."""
        return self.facts.digest_problem

    def change_facts(self, change: Callable[[LedgerFacts], LedgerFacts], is_progress: bool = False) -> None:
        """Change the facts of the ledger, durably.

        change: from the present facts to the new ones; it returns the same object for no change.  If it raises, nothing
        is changed.  It is called again if another server's change came first, or if the answer of a shared log was
        lost, so applying it twice must be right.
        is_progress: a power cut may undo the change; for progress that may be made twice.
        """
        with self.commit_lock:
            while True:
                before = self.facts
                after = change(before)
                if after is before:
                    return
                rows = changed_rows(before, after)
                try:
                    # As with a block: first the log, then the COMMIT of the ledger's own file.
                    with self.file.write(sync=not is_progress, is_progress=is_progress) as writer:
                        write_rows(writer, rows)
                        version = self.log.put_facts(self._facts_version, rows)
                except (SlotTaken, UnknownOutcome) as error:
                    # Only a shared log raises these.  Its present facts are the ones to change.
                    self.committer.pause_after(error)
                    self.catch_up()
                    continue
                # Not before the COMMIT: if that fails, the facts of the log are read again.
                self._facts_version = version
                self.facts = after
                return

    def _add_table_tags(self, tags: dict[str, Tags]) -> None:
        """Note the first tags of new tables; the fold has stored them."""
        self.facts = replace(self.facts, table_tags={**self.facts.table_tags, **tags})

    # --- followers ---------------------------------------------------------------------------------------

    def wait_for_block(self, sequence_no: int, timeout: float, stop: threading.Event) -> bool:
        """Wait until this block exists; return False if time is up, ``stop`` is set or the ledger closes."""

        def is_over() -> bool:
            return self.last_sequence_no >= sequence_no or stop.is_set() or self.is_closed

        if not self.log.is_shared:
            self.committer.news.wait_for(is_over, timeout)
        else:
            deadline = time.monotonic() + timeout  # real time, as in a wait without a shared log
            self.catch_up()
            # Commits of this server wake the follower at once; those of other servers are found by asking the log.
            while not is_over() and (left := deadline - time.monotonic()) > 0:
                self.committer.news.wait_for(is_over, min(left, FOLLOW_SECONDS))
                self.catch_up()
        return self.last_sequence_no >= sequence_no and not stop.is_set() and not self.is_closed

    def wake(self) -> None:
        """Let every thread that waits for a block check again."""
        self.committer.news.wake()

    def _forget_documents(self) -> None:
        """Drop every copy of erased data in memory, and in the file's unused space, after a redaction."""
        self.cache.clear()
        self.tables.clear()
        self.statements = self.statements.emptied()
        try:
            self._file.finish_erasure(ERASED_AT_ONCE_BYTES)
        except StorageError as problem:  # the redaction is committed; closing the ledger tries again
            logger.warning("a redaction of ledger %s is not finished: %s", self.name, problem)

    # --- life --------------------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Delete everything derived and fold the blocks again."""
        with self.commit_lock:
            self.committer.rebuild()
            self.facts = read_facts(self._file)
        self.tables.clear()

    def retire(self) -> None:
        """Give the file to another ledger object, and close this one.  Raises StorageError."""
        with self.commit_lock:
            self.committer.flush_deferred()
            self._end()

    def close(self) -> None:
        """Close the file and the log."""
        self.committer.is_ending = True  # a long fold gives up the lock
        with self.commit_lock:
            try:
                self.committer.flush_deferred()
            except StorageError as error:
                logger.warning("the last blocks of ledger %s, which change nothing, are lost: %s", self.name, error)
            self._end()
            self._file.close()
            self.log.close()

    def _end(self) -> None:
        self.is_closed = True
        self.committer.close()
