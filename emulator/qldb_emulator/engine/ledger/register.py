"""All ledgers of an emulator: it opens, creates, lists, restores, forks and deletes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...clock import Clock
from ...errors import LEDGER_FILE_UNUSABLE, LEDGER_LOG_UNREACHABLE, LEDGER_LOG_UNUSABLE, NOT_SUPPORTED, QldbError
from ...ids import IdSource
from ...log.seam import Deposed, LedgerGone, LedgerTaken, LogError, Logs, Unreachable
from ...settings import Settings
from ...storage.directory import DataDirectory
from ...storage.errors import BeingMadeError, StorageError
from ...storage.ledger_file import LedgerFile
from ...waiting import about_to_wait
from .facts import LedgerFacts, changed_rows, facts_from_rows, read_facts, rows_from_facts, write_rows

if TYPE_CHECKING:
    from .ledger import Ledger

logger = logging.getLogger(__name__)

IS_CACHE = "is_cache"
"""The row of a file's facts that says: the journal is in a shared log, and this file may be thrown away."""
CACHE_ALONE = (
    "The file {path} is a cache of a journal in a shared log. Start the server with --journal, "
    "or bring the journal into a file with: qldb-emulator journal move --to-file"
)
OWN_JOURNAL = (
    "The file {path} has a journal of its own, which is not in the shared log. "
    "Move it there with: qldb-emulator journal move, or choose another data directory"
)


def storage_problem(name: str, error: StorageError) -> QldbError:
    """Return the answer to a request whose ledger's file or log cannot be used."""
    if isinstance(error, Unreachable | Deposed):
        return LEDGER_LOG_UNREACHABLE(name=name, reason=error)
    problem = LEDGER_LOG_UNUSABLE if isinstance(error, LogError) else LEDGER_FILE_UNUSABLE
    return problem(name=name, reason=error)


def _ledger_class() -> type[Ledger]:
    """Return the class of ledgers.  With it comes PartiQL, which a start need not wait for."""
    from .ledger import Ledger

    return Ledger


class Register:
    """All ledgers of an emulator; each is opened by its first request.

    The logs list them: with SQLite alone, that is the data directory.
    """

    def __init__(self, directory: DataDirectory, logs: Logs, settings: Settings, clock: Clock, ids: IdSource) -> None:
        self._directory = directory
        self._logs = logs
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._open: dict[tuple[str, str], Ledger] = {}
        self.lock = threading.RLock()
        self.is_shut = False
        self.on_open: Callable[[Ledger], None] = lambda ledger: None
        self.on_delete: Callable[[Ledger], None] = lambda ledger: None

    def get_ready(self) -> None:
        """Import what the first ledger would otherwise import and wait for."""
        _ledger_class()

    def find(self, region: str, name: str) -> Ledger | None:
        """Return the ledger of a region and name, up to date with its log; None if it does not exist.

        Raises LEDGER_FILE_UNUSABLE.
        """
        return self._found(region, name, lambda ledger: ledger.catch_up())

    def find_restored(self, region: str, name: str) -> Ledger | None:
        """Return the same ledger as ``find``; while it is being restored, wait until it is.

        A restore takes as long as copying the file.  It ends the sessions first, and a session that began meanwhile
        would end at once.  Drivers try again four times within a second, which is not enough for a large ledger.
        """
        ledger = self.find(region, name)
        if ledger is None or not ledger.is_closed:
            return ledger
        about_to_wait()
        with self.lock:  # held by a restore
            return self.find(region, name)

    def look_up(self, region: str, name: str) -> Ledger | None:
        """Return a ledger with the facts that its log has now; its blocks may lag.  Raises LEDGER_FILE_UNUSABLE."""
        return self._found(region, name, lambda ledger: ledger.catch_up_facts())

    def _found(self, region: str, name: str, follow: Callable[[Ledger], None]) -> Ledger | None:
        """Return a ledger that has followed its log as far as ``follow`` does; None if it does not exist."""
        ledger: Ledger | None = None
        try:
            ledger = self._find(region, name)
            if ledger is not None and self._logs.is_shared:
                follow(ledger)
        except LedgerGone:  # another server deleted it; there may be a new ledger of the same name
            self._forget(region, name, ledger)
            return self._found(region, name, follow)
        except StorageError as error:
            raise storage_problem(name, error) from error
        if ledger is None or ledger.state != "DELETED":
            return ledger
        self.delete(ledger)
        return None

    def _find(self, region: str, name: str) -> Ledger | None:
        ledger = self._open.get((region, name))
        if ledger is not None:  # without the lock: this serves most requests
            try:
                ledger.documents.check_in_place()
            except StorageError:
                if not ledger.is_closed:  # otherwise it was deleted, or the emulator closed, in the meantime
                    raise
            return ledger
        with self.lock:
            if (region, name) in self._open:  # another request opened it first
                return self._open[region, name]
            facts = None if self.is_shut else self._logs.facts_of(region, name)
            if facts is None:
                return None
            return self._register(self._file(region, name, facts), region, name)

    def _file(self, region: str, name: str, facts: Mapping[str, Any]) -> LedgerFile:
        """Return the open file of a ledger that the logs know.

        facts: as a shared log has them; the file is then a cache.
        Raises StorageError, also for a file that is not what its name promises: a journal of its own is never taken for
        a cache, nor a cache for a journal.
        """
        if not self._logs.is_shared:
            file = self._directory.open(region, name)
            if file.meta(IS_CACHE):
                file.close()
                raise StorageError(CACHE_ALONE.format(path=self._directory.path(region, name)))
            return file
        if self._directory.exists(region, name):
            file = self._directory.open(region, name)
            is_cache, strand_id = bool(file.meta(IS_CACHE)), file.meta("strand_id")
            if is_cache and strand_id == facts["strand_id"]:
                return file
            file.close()
            self._drop_cache(region, name, is_cache)
        return self._directory.create(region, name, {**facts, IS_CACHE: True})

    def _drop_cache(self, region: str, name: str, is_cache: bool) -> None:
        """Remove the cache of an older ledger of this name.  Raises StorageError for a file that is no cache."""
        if not is_cache:
            raise StorageError(OWN_JOURNAL.format(path=self._directory.path(region, name)))
        self._directory.delete(region, name)

    def _register(
        self, file: LedgerFile, region: str, name: str, clock: Clock | None = None, ids: IdSource | None = None
    ) -> Ledger:
        try:
            log = self._logs.open(region, name, file)
            ledger = _ledger_class()(file, log, region, self._settings, clock or self._clock, ids or self._ids)
        except (KeyError, TypeError, ValueError) as error:  # facts that this program never stores
            file.close()
            raise StorageError(
                f"The ledger file {file.path} is damaged: {error!r}. Run qldb-emulator verify"
            ) from error
        except BaseException:
            file.close()
            raise
        self._open[region, name] = ledger
        self.on_open(ledger)
        return ledger

    def _forget(self, region: str, name: str, ledger: Ledger | None) -> None:
        """Close a ledger that another server deleted, and delete its file.

        Does nothing if another request did so first: by now the name may be that of a new ledger.
        """
        with self.lock:
            if ledger is None or self._open.get((region, name)) is not ledger:
                return
            del self._open[region, name]
            self.on_delete(ledger)
            ledger.close()
            if self._directory.exists(region, name):
                self._directory.delete(region, name)

    def open_where(self, wanted: Callable[[LedgerFacts], bool]) -> None:
        """Open every ledger whose facts fulfil the condition.  Log a message for each that cannot be opened."""
        for region in self._logs.regions():
            for name in self._logs.names(region):
                try:
                    with self.lock:
                        if self.is_shut or (region, name) in self._open or not wanted(self._facts_of(region, name)):
                            continue
                    self.find(region, name)  # without the lock: it may have a long journal to fold
                except (StorageError, QldbError) as error:
                    logger.warning("ledger %s in region %s stays closed: %s", name, region, error)

    def _facts_of(self, region: str, name: str) -> LedgerFacts:
        """Return the facts of a ledger that is not open.  Raises StorageError."""
        if self._logs.is_shared:
            rows = self._logs.facts_of(region, name)
            if rows is None:
                raise LedgerGone(f"The ledger {name} was deleted")
            return facts_from_rows(rows)
        with self._directory.open(region, name) as file:
            try:
                return read_facts(file)
            except (KeyError, TypeError, ValueError) as error:
                raise StorageError(f"The ledger file {file.path} is damaged: {error!r}") from error

    def create(self, region: str, facts: LedgerFacts) -> Ledger:
        """Create a ledger with its first block.  Requires ``lock``, and that the name is free.

        Raises LedgerTaken if another server creates a ledger of this name at the same time, or an import of this one;
        LEDGER_FILE_UNUSABLE, and then there is no file.
        """
        name, rows = facts.name, rows_from_facts(facts)
        try:
            # The file first: one that is in the way refuses the name.
            if self._logs.is_shared:
                file = self._file(region, name, rows)
            else:
                file = self._directory.create(region, name, rows)
        except BeingMadeError as error:
            raise LedgerTaken(str(error)) from error
        except StorageError as error:
            raise storage_problem(name, error) from error
        try:
            self._logs.create(region, name, rows)
        except BaseException as error:
            file.close()
            if isinstance(error, StorageError) and not isinstance(error, LedgerTaken):
                raise storage_problem(name, error) from error
            raise
        try:
            return self._register(file, region, name)
        except BaseException as error:  # a disk without room for the first block, or a log that does not answer
            self._directory.delete(region, name)
            with suppress(LogError):
                self._logs.delete(region, name, facts.strand_id)
            if isinstance(error, StorageError):
                raise storage_problem(name, error) from error
            raise

    def delete(self, ledger: Ledger) -> None:
        """Delete a ledger for good: its journal and its file.  Does nothing if it is deleted already."""
        with self.lock:
            if self._open.get((ledger.region, ledger.name)) is not ledger:
                return
            del self._open[ledger.region, ledger.name]
            self.on_delete(ledger)
            ledger.close()
            self._logs.delete(ledger.region, ledger.name, ledger.strand_id)
            self._directory.delete(ledger.region, ledger.name)

    def restore(self, ledger: Ledger, source: LedgerFile) -> Ledger:
        """Replace the contents of a ledger's file by those of another file, and open it again.

        The file stays open: a running query sees the old contents or the new, and is never refused.
        Raises StorageError; the ledger is then unchanged, but its sessions have ended.
        """
        self._refuse_if_shared("Restoring a ledger")
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
        change: Callable[[LedgerFacts], LedgerFacts],
        clock: Clock | None = None,
        ids: IdSource | None = None,
    ) -> Ledger:
        """Create a ledger that begins as a copy of a file, under another name and without streams and exports.

        change: further changes of its facts.
        clock, ids: its own, for a ledger that must be deterministic beside others that are not.
        Requires ``lock``, and that the name is free.  Raises StorageError.
        """
        self._refuse_if_shared("A fork of a ledger")
        path = self._directory.path(region, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = read_facts(source)
        source.fork(path, changed_rows(before, replace(change(before), name=name)))
        file = self._directory.open(region, name)
        # The source may have got a stream before it was copied; and a row of null, which fork leaves, does not count.
        copied = read_facts(file)
        with file.write() as writer:
            write_rows(writer, changed_rows(copied, copied.without_outgoing()))
        return self._register(file, region, name, clock, ids)

    def _refuse_if_shared(self, what: str) -> None:
        """Raise NOT_SUPPORTED for a shared log: a journal in it cannot be replaced or copied as one file."""
        if self._logs.is_shared:
            raise NOT_SUPPORTED(what=f"{what} whose journal is in a shared log")

    def names(self, region: str) -> list[str]:
        """Return the names of a region's ledgers."""
        return self._logs.names(region)

    def in_region(self, region: str) -> list[Ledger]:
        """Return the ledgers of a region, in any state, by name, with the facts that their logs have now.

        Their blocks may lag behind a shared log: to list ledgers must not take as long as to fold all their journals.
        Raises LEDGER_FILE_UNUSABLE.
        """
        found = (self.look_up(region, name) for name in self.names(region))
        return [ledger for ledger in found if ledger is not None]

    def regions(self) -> list[str]:
        """Return the regions that have ledgers; some may be empty."""
        return self._logs.regions()

    def elsewhere(self, region: str, name: str) -> str:
        """Return, for an error text, the other regions that have a ledger of this name; empty without any."""
        regions = [
            other for other in self._logs.regions() if other != region and self._logs.facts_of(other, name) is not None
        ]
        return f" in region {region}; it is in {', '.join(sorted(regions))}" if regions else ""

    def rows_of(self, region: str, name: str) -> Mapping[str, Any] | None:
        """Return the facts of a ledger as the logs have them, whether it is open or not.  Raises LogError."""
        return self._logs.facts_of(region, name)

    def close_open(self) -> None:
        """Close every ledger that is open, and with that end its sessions.  They are opened again when asked for."""
        with self.lock:
            for place, ledger in list(self._open.items()):
                del self._open[place]
                self.on_delete(ledger)
                ledger.close()

    def open_ledgers(self) -> list[Ledger]:
        """Return the ledgers that are open now."""
        return list(self._open.values())

    def interrupt(self) -> None:
        """End the folding of other servers' blocks: the ledgers are closed soon."""
        for ledger in self.open_ledgers():
            ledger.committer.is_ending = True

    def close(self) -> None:
        """Close every ledger."""
        with self.lock:
            for ledger in self.open_ledgers():
                ledger.close()
            self._open.clear()
