"""Ledgers: one open ledger with its commit, and the register of all of them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...clock import Clock
from ...errors import DIGESTS_DO_NOT_MATCH, LEDGER_FILE_UNUSABLE, NO_SUCH_SESSION, OCC_CONFLICT, QldbError
from ...ids import IdSource
from ...ion.codec import loads
from ...ion.values import Timestamp
from ...journal.block import TransactionResult, build_block
from ...journal.encode import encode_block
from ...journal.merkle import RightEdge
from ...journal.model import Block, BlockAddress
from ...journal.parse import block_from_ion
from ...limits import Limits
from ...partiql.planning.catalogue import Catalogue, IndexInfo, TableInfo, TableStatus
from ...records import dataclass
from ...settings import Settings
from ...storage.directory import DataDirectory
from ...storage.errors import StorageError
from ...storage.ledger_file import LedgerFile
from ...storage.reads import Reads
from ..session.plan_header import mark_text
from ..session.statements import StatementCache
from .conflicts import Mark, WriteLog
from .documents import DocumentCache
from .fold import Applied, ApplyError, apply_block, derive
from .tables import TableCache

if TYPE_CHECKING:
    from ...storage.writer import Writer
    from ..session.transactions import Transaction

logger = logging.getLogger(__name__)

Facts = dict[str, Any]
# A header must not outgrow what clients accept; the log line has all of them.
STATEMENT_HASHES_IN_HEADER = 40
CONFLICT_CHARACTERS = 300
# Blocks in memory that are still to be written: a burst of readers is written in few SQLite transactions, and a disk
# that fails is noticed soon.
PUT_OFF_AT_MOST = 64
STREAM_PREFIX = "stream/"
EXPORT_PREFIX = "export/"
STREAM_TAGS_PREFIX = "stream_tags/"


def stream_key(stream_id: str) -> str:
    """The fact that holds a journal stream."""
    return f"{STREAM_PREFIX}{stream_id}"


def stream_tags_key(stream_id: str) -> str:
    """The fact that holds a journal stream's tags."""
    return f"{STREAM_TAGS_PREFIX}{stream_id}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A transaction that has its place in the journal: what its block is built from."""

    result: TransactionResult
    now_ms: int


@dataclass(frozen=True, slots=True)
class Written:
    """The last block in the file: what the next one is built upon.  ``sequence_no`` is -1 before the first.

    edge: of the Merkle tree up to this block; None when there is no tree.
    """

    sequence_no: int
    block_hash: bytes
    time_ms: int
    edge: RightEdge | None


@dataclass(frozen=True, slots=True)
class Step:
    """A block and what it changed.  edge: of the Merkle tree with it."""

    block: Block
    applied: Applied
    edge: RightEdge | None

    @property
    def written(self) -> Written:
        """The block as the one before the next."""
        block = self.block
        return Written(block.address.sequence_no, block.block_hash, block.timestamp.epoch_ms(), self.edge)


class Ledger:
    """One ledger: its file, its catalogue and its commit lock.

    Reading needs no lock: rows say from which block to which they hold, so a snapshot is a number.

    The block of a transaction that only read is put off: its place in the journal is taken at the commit, but it is
    built and written after the answer, or with the next block, or when somebody looks at ``file``, whichever comes
    first (docs/design/009-after-the-answer.md).
    """

    def __init__(self, file: LedgerFile, region: str, settings: Settings, clock: Clock, ids: IdSource) -> None:
        self._file = file
        self.region = region
        self.limits: Limits = settings.limits
        self.clock = clock
        self.ids = ids
        self.is_closed = False
        self._known_ms = -1  # some time that has passed
        self.facts: Facts = file.all_meta()
        self.name: str = self.facts["name"]
        self.strand_id: str = self.facts["strand_id"]
        self.cache = DocumentCache(settings.cache_bytes)
        self.tables = TableCache(file, self.cache, settings.cache_bytes)
        self.statements = StatementCache()
        self.writes = WriteLog()
        self.commit_lock = threading.RLock()
        self._news = threading.Condition()
        self._waiting = 0
        self._put_off: list[Accepted] = []
        self._last_change = 0  # the file's commit that answers rest on: the last one which was no reader's
        tip = file.tip()
        if tip is None:
            self._written = Written(-1, b"", 0, RightEdge())
            self._state = (-1, Catalogue())
            self._append(Accepted(TransactionResult(ids.new_id()), clock.now_ms()))
            file.sync()
        else:
            edge = None if self.digest_problem is not None else stored_edge(file, tip.sequence_no)
            self._written = Written(tip.sequence_no, tip.block_hash, tip.timestamp_ms, edge)
            self._state = (tip.sequence_no, stored_catalogue(file, tip.sequence_no))

    @property
    def file(self) -> LedgerFile:
        """The ledger's file, with every block in it.  Raises StorageError when one cannot be written."""
        if self._put_off:
            self.write_out()
        return self._file

    @property
    def documents(self) -> Reads:
        """The ledger's file for whoever reads documents alone: blocks of readers may be missing, nothing else is."""
        return self._file

    # --- facts -------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """CREATING, ACTIVE, DELETING or DELETED: a matter of time alone, so it survives a restart."""
        facts = self.facts
        gone_ms = facts.get("gone_ms")
        if gone_ms is None and facts.get("active_ms", 0) <= self._known_ms:
            return "ACTIVE"  # without a look at the clock, for every StartSession
        self._known_ms = self.clock.now_ms()
        if gone_ms is not None:
            return "DELETED" if gone_ms <= self._known_ms else "DELETING"
        return "ACTIVE" if facts.get("active_ms", 0) <= self._known_ms else "CREATING"

    @property
    def permissions_mode(self) -> str:
        """ALLOW_ALL or STANDARD."""
        return str(self.facts["permissions_mode"])

    @property
    def is_read_only(self) -> bool:
        """Whether the ledger was imported to be looked at only."""
        return bool(self.facts.get("read_only"))

    @property
    def digest_problem(self) -> str | None:
        """Why the journal has no digest: it was imported with blocks missing.  None for a whole one."""
        return self.facts.get("digest_problem")

    def set_facts(self, **facts: Any) -> None:
        """Change what the control plane knows of the ledger, durably."""
        with self.commit_lock:
            with self.file.write() as writer:
                writer.set_meta(facts)
            self.facts = {**self.facts, **facts}

    def note_facts(self, facts: Facts) -> None:
        """As set_facts, but a power cut may take it back: for progress that may be made twice."""
        with self.commit_lock:
            with self.file.write(sync=False, is_progress=True) as writer:
                writer.set_meta(facts)
            self.facts = {**self.facts, **facts}

    def drop_facts(self, names: Iterable[str]) -> None:
        """Forget facts, durably."""
        gone = set(names)
        if not gone:
            return
        with self.commit_lock:
            with self.file.write() as writer:
                for name in gone:
                    writer.delete_meta(name)
            self.facts = {name: value for name, value in self.facts.items() if name not in gone}

    def snapshot(self) -> tuple[int, Catalogue]:
        """The last block's sequence number and the catalogue after it, taken together."""
        return self._state

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue after the last block."""
        return self._state[1]

    def tip(self) -> BlockAddress:
        """The address of the last block."""
        return BlockAddress(self.strand_id, self._state[0])

    def live_version(self, document_id: str, snapshot: int) -> int:
        """The version of a document's revision at a snapshot.  Requires that there is one."""
        info = self._file.document_info(document_id)
        row = None if info is None else self._file.revision_at(info.doc_no, snapshot)
        assert row is not None
        return row.version

    def make_durable(self) -> None:
        """Sync every block so far: nothing handed out may rest on one that a power cut could take.

        Raises StorageError.
        """
        self.file.sync()

    # --- commit ------------------------------------------------------------------------------------------

    def commit(self, transaction: Transaction, commit_digest: bytes) -> None:
        """Turn a transaction into the journal's next block.

        Raises DIGESTS_DO_NOT_MATCH, OCC_CONFLICT, StorageError; nothing is written then.  A transaction without a
        statement leaves no block; one that only read does (inferred: journal.md 1.6).
        """
        if commit_digest != transaction.commit_digest():
            raise digest_problem(transaction, commit_digest)
        if self.is_read_only or not (transaction.reads or transaction.statements):
            return
        result = transaction.result()
        with self.commit_lock:
            if self.is_closed:
                raise NO_SUCH_SESSION()
            mark = self.writes.conflict(transaction.reads, transaction.snapshot)
            if mark is not None:
                raise conflict_problem(transaction, mark, self.writes.last_write(mark))
            if not transaction.statements:
                return  # every statement failed: what they saw is checked, but there is nothing for a block
            accepted = Accepted(result, self.clock.now_ms())
            if transaction.is_writing:
                self._append(accepted)
            else:
                self._take_place(accepted)
        # Not under the lock: who commits meanwhile shares the next sync.  Readers wait for what they may have read.
        self._file.sync(self._last_change)

    def _take_place(self, accepted: Accepted) -> None:
        """Put a block off that changes nothing but the journal."""
        if len(self._put_off) >= PUT_OFF_AT_MOST:
            self._append(None)
        sequence_no, catalogue = self._state
        self._put_off.append(accepted)
        self._state = (sequence_no + 1, catalogue)
        if self._waiting:
            self.wake()

    @property
    def has_put_off(self) -> bool:
        """Whether there are blocks to write out."""
        return bool(self._put_off)

    def write_out(self) -> None:
        """Write the blocks that were put off.  Raises StorageError; they then stay where they are."""
        with self.commit_lock:
            if self._put_off:
                self._append(None)

    def _append(self, accepted: Accepted | None) -> None:
        """Build and apply what was put off, then this: the one way in, and one SQLite transaction.

        Raises StorageError.  A disk that fails in the commit itself leaves it open whether the blocks are there; then
        the file is asked, so that what is in memory follows what is on the disk.
        """
        steps: list[Step] = []
        try:
            with self._file.write(sync=False) as writer:
                for each in self._put_off if accepted is None else (*self._put_off, accepted):
                    steps.append(self._apply(writer, each, steps[-1] if steps else None))
        except StorageError:
            tip = self._file.tip()
            if steps and tip is not None and tip.sequence_no == steps[-1].block.address.sequence_no:
                self._accept(steps, is_change=accepted is not None)
            raise
        self._accept(steps, is_change=accepted is not None)

    def _apply(self, writer: Writer, accepted: Accepted, before: Step | None) -> Step:
        """Build a block on the one before it, and apply it.  Raises StorageError, ApplyError."""
        last = self._written if before is None else before.written
        catalogue = self._state[1] if before is None else before.applied.catalogue
        address = None if last.sequence_no < 0 else BlockAddress(self.strand_id, last.sequence_no)
        # The journal's times never go back, whatever the machine's clock does.
        now = Timestamp.from_epoch_ms(max(accepted.now_ms, last.time_ms))
        block = build_block((address, last.block_hash), self.strand_id, accepted.result, now)
        edge = None if last.edge is None else last.edge.copy()
        applied = apply_block(writer, catalogue, block, encode_block(block), edge)
        if applied.problems:
            raise ApplyError(applied.problems[0])
        return Step(block, applied, edge)

    def _accept(self, steps: Sequence[Step], is_change: bool) -> None:
        for step in steps:
            applied = step.applied
            if applied.facts:
                self.facts = {**self.facts, **applied.facts}
            self.writes.record(applied.marks, step.block.address.sequence_no)
        if is_change:
            self._last_change = self._file.commits
        self._put_off.clear()
        self._written = steps[-1].written
        self._state = (self._written.sequence_no, steps[-1].applied.catalogue)
        if self._waiting:
            self.wake()

    # --- followers ---------------------------------------------------------------------------------------

    def wait_for_block(self, sequence_no: int, timeout: float, stop: threading.Event) -> bool:
        """Wait until there is a block of this number; False when time is up, ``stop`` is set or the ledger closes."""
        with self._news:
            # Counted before the first look: a commit sees the waiter, or the waiter sees the commit.
            self._waiting += 1
            try:
                self._news.wait_for(lambda: self._state[0] >= sequence_no or stop.is_set() or self.is_closed, timeout)
            finally:
                self._waiting -= 1
        return self._state[0] >= sequence_no and not stop.is_set() and not self.is_closed

    def wake(self) -> None:
        """Let whoever waits for a block look again."""
        with self._news:
            self._news.notify_all()

    # --- life --------------------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Throw away everything derived and fold the blocks again."""
        with self.commit_lock, self.file.write() as writer:
            writer.clear_derived()
            catalogue = Catalogue()
            for _, ion in writer.blocks():
                catalogue = derive(writer, catalogue, block_from_ion(loads(ion))).catalogue
            facts = writer.all_meta()
        self.tables.clear()
        self.facts = facts
        self._state = (self._state[0], catalogue)

    def retire(self) -> None:
        """Give the file to another ledger; whoever still holds this one finds it closed."""
        with self.commit_lock:
            self.is_closed = True
            self.wake()

    def close(self) -> None:
        """Close the file; whoever still holds the ledger finds it closed."""
        with self.commit_lock:
            try:
                self.write_out()
            except StorageError as error:
                logger.warning("the last blocks of ledger %s, which change nothing, are lost: %s", self.name, error)
            self.is_closed = True
            self._put_off.clear()
            self.wake()
            self._file.close()


def digest_problem(transaction: Transaction, received: bytes) -> QldbError:
    """``Digests don't match``, with what it takes to find the first difference: both digests, each statement's hash."""
    error = DIGESTS_DO_NOT_MATCH()
    expected = transaction.commit_digest().hex()
    hashes = [asked.digest.hex() for asked in transaction.asked]
    error.debug = {
        "digest-expected": expected,
        "digest-received": received.hex(),
        "statement-hashes": ",".join(hashes[:STATEMENT_HASHES_IN_HEADER]),
    }
    logger.warning(
        "Digests don't match: transaction %s expected %s, received %s, statements in order: %s",
        transaction.id,
        expected,
        received.hex(),
        "; ".join(f"{asked.digest.hex()} {asked.text[:120]!r}" for asked in transaction.asked) or "none",
    )
    return error


def conflict_problem(transaction: Transaction, mark: Mark, sequence_no: int) -> QldbError:
    """The OCC conflict, with what was read and which block has written it since."""
    error = OCC_CONFLICT()
    # Names are the user's, and this becomes a header: escaped as JSON does it.
    text = json.dumps(mark_text(mark, transaction))[1:-1]
    error.debug = {"conflict": text[:CONFLICT_CHARACTERS], "conflict-block": str(sequence_no)}
    return error


def stored_catalogue(file: LedgerFile, sequence_no: int) -> Catalogue:
    """The catalogue after a block, from its rows."""
    tables = []
    for row in file.catalogue_rows(sequence_no):
        indexes = tuple(IndexInfo(i.index_id, i.field_name, "ONLINE", i.number) for i in row.indexes)
        status: TableStatus = "ACTIVE" if row.status == "ACTIVE" else "INACTIVE"
        tables.append(TableInfo(row.table_id, row.name, status, indexes, row.number))
    return Catalogue(tuple(tables))


def stored_edge(file: LedgerFile, sequence_no: int) -> RightEdge:
    """The edge of the Merkle tree up to a block.  Raises StorageError when it is not whole."""
    return RightEdge.read(sequence_no + 1, file.tree_nodes)


class Ledgers:
    """All ledgers of an emulator, opened when first asked for.  Listing them is reading a directory."""

    def __init__(self, directory: DataDirectory, settings: Settings, clock: Clock, ids: IdSource) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._open: dict[tuple[str, str], Ledger] = {}
        self.lock = threading.RLock()
        self.is_shut = False
        self.on_open: Callable[[Ledger], None] = lambda ledger: None
        self.on_delete: Callable[[Ledger], None] = lambda ledger: None

    def find(self, region: str, name: str) -> Ledger | None:
        """The ledger of a region and name, or None.  Raises LEDGER_FILE_UNUSABLE."""
        ledger = self._find(region, name)
        if ledger is None or ledger.state != "DELETED":
            return ledger
        self.delete(ledger)
        return None

    def _find(self, region: str, name: str) -> Ledger | None:
        ledger = self._open.get((region, name))
        if ledger is not None:
            return ledger
        with self.lock:
            if (region, name) in self._open:
                return self._open[region, name]
            if self.is_shut or not self._directory.exists(region, name):
                return None
            try:
                return self._register(self._directory.open(region, name), region, name)
            except StorageError as error:
                raise LEDGER_FILE_UNUSABLE(name=name, reason=error) from error

    def _register(
        self, file: LedgerFile, region: str, name: str, clock: Clock | None = None, ids: IdSource | None = None
    ) -> Ledger:
        try:
            ledger = Ledger(file, region, self._settings, clock or self._clock, ids or self._ids)
        except BaseException:
            file.close()
            raise
        self._open[region, name] = ledger
        self.on_open(ledger)
        return ledger

    def open_where(self, wanted: Callable[[Facts], bool]) -> None:
        """Open every ledger whose facts are wanted.  One that cannot be opened says so in the log."""
        for region in self._directory.regions():
            for name in self._directory.ledgers(region):
                with self.lock:
                    if self.is_shut or (region, name) in self._open:
                        continue
                    try:
                        with self._directory.open(region, name) as file:
                            is_wanted = wanted(file.all_meta())
                        if is_wanted:
                            self.find(region, name)
                    except (StorageError, QldbError) as error:
                        logger.warning("ledger %s in region %s stays closed: %s", name, region, error)

    def create(self, region: str, name: str, facts: Facts) -> Ledger:
        """A new ledger with its genesis block.  The caller holds ``lock`` and knows that the name is free."""
        file = self._directory.create(region, name, {"name": name, **facts})
        return self._register(file, region, name)

    def delete(self, ledger: Ledger) -> None:
        """Close a ledger and remove its file.  Does nothing for one that is deleted already."""
        with self.lock:
            if self._open.pop((ledger.region, ledger.name), None) is not ledger:
                return
            self.on_delete(ledger)
            ledger.close()
            self._directory.delete(ledger.region, ledger.name)

    def restore(self, ledger: Ledger, source: LedgerFile) -> Ledger:
        """Put the contents of another file into a ledger's own and begin with it anew.

        The file stays open: questions on their way are answered from before or after, never refused.
        Raises StorageError; the ledger is then as it was, but its sessions have ended.
        """
        with self.lock, ledger.commit_lock:
            ledger.retire()
            try:
                ledger.file.restore(source)
            finally:
                restored = self._register(ledger.file, ledger.region, ledger.name)
            return restored

    def fork(
        self,
        source: LedgerFile,
        region: str,
        name: str,
        facts: Facts,
        clock: Clock | None = None,
        ids: IdSource | None = None,
    ) -> Ledger:
        """A new ledger that begins as a copy of a file, with these facts changed.

        clock, ids: of its own, for a ledger that is to be deterministic beside others that are not.
        The caller holds ``lock`` and knows that the name is free.  Raises StorageError.
        """
        path = self._directory.path(region, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        source.fork(path, {"name": name, **facts})
        file = self._directory.open(region, name)
        of_source = (STREAM_PREFIX, STREAM_TAGS_PREFIX, EXPORT_PREFIX)
        running = [key for key in file.all_meta() if key.startswith(of_source)]
        if running:
            with file.write() as writer:
                for key in running:
                    writer.delete_meta(key)
        return self._register(file, region, name, clock, ids)

    def names(self, region: str) -> list[str]:
        """The names of a region's ledger files."""
        return self._directory.ledgers(region)

    def in_region(self, region: str) -> list[Ledger]:
        """The ledgers of a region, in any state, by name.  Raises LEDGER_FILE_UNUSABLE."""
        found = (self.find(region, name) for name in self.names(region))
        return [ledger for ledger in found if ledger is not None]

    def elsewhere(self, region: str, name: str) -> str:
        """For an error text: in which other regions a ledger of this name is; empty when in none."""
        regions = [
            other for other in self._directory.regions() if other != region and self._directory.exists(other, name)
        ]
        return f" in region {region}; it is in {', '.join(sorted(regions))}" if regions else ""

    def open_ledgers(self) -> list[Ledger]:
        """The ledgers that are open now."""
        return list(self._open.values())

    def close(self) -> None:
        """Close every ledger."""
        with self.lock:
            for ledger in self.open_ledgers():
                ledger.close()
            self._open.clear()
