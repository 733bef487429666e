"""A log that several emulators of one process share, in memory, and that fails as a log over a network may fail.

It is the second implementation of the journal's seam (docs/design/011-journal-seam.md) and the judge of its first user:
what the committer does with taken slots and lost answers is seen here, thousands of times a second.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from qldb_emulator.log.seam import (
    READ_BLOCKS,
    BlockRow,
    Facts,
    LedgerGone,
    LedgerTaken,
    LogTip,
    Rewrite,
    SlotTaken,
    UnknownOutcome,
    Unreachable,
)
from qldb_emulator.storage import LedgerFile

Fault = Literal["lost before", "lost after", "late", "taken"]
"""lost before: nothing was written, and the answer is lost.  lost after: it was written, and the answer is lost.
late: the answer is lost, and the write arrives when the log is used the next time.  taken: the slot is said to be
taken, and nothing is in it (as after a serialization failure)."""

FAULTS: tuple[Fault, ...] = ("lost before", "lost after", "late", "taken")


@dataclass
class Journal:
    """One ledger in the store: its blocks by slot, its facts."""

    rows: list[BlockRow] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    is_gone: bool = False

    def append(self, rows: Sequence[BlockRow], rewrites: Sequence[Rewrite]) -> None:
        """What a database does with its keys.  Raises SlotTaken."""
        first = rows[0]
        last = self.rows[-1] if self.rows else None
        if first.sequence_no != len(self.rows) or first.previous_hash != (last.block_hash if last else b""):
            raise SlotTaken(f"slot {first.sequence_no} is taken, or not the next one")
        known = {row.transaction_id for row in self.rows}
        for number, row in enumerate(rows):
            assert row.sequence_no == first.sequence_no + number, "rows follow one another"
            assert row.transaction_id not in known, "a transaction has one block"
        self.rows += rows
        for rewrite in rewrites:
            self.rows[rewrite.sequence_no] = self.rows[rewrite.sequence_no]._replace(ion=rewrite.ion)


@dataclass
class Store:
    """What the servers share.  chance: of a fault at each write, from 0 to 1."""

    chance: float = 0.0
    seed: int = 0
    journals: dict[tuple[str, str], Journal] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._late: list[Callable[[], None]] = []
        self.next_faults: list[Fault] = []
        self.is_down = False

    def logs(self) -> MemoryLogs:
        """Return the store as one more server sees it."""
        return MemoryLogs(self)

    def cut(self, blocks: int, name: str = "cars", region: str = "us-east-1") -> None:
        """Lose the last blocks, as a database that failed over to a copy that lagged."""
        with self.lock:
            del self.journals[region, name].rows[-blocks:]

    def rows(self, name: str = "cars", region: str = "us-east-1") -> list[BlockRow]:
        """The blocks of a journal."""
        with self.lock:
            return list(self.journals[region, name].rows)

    def arrive(self) -> None:
        """Let writes arrive whose answers were lost.  Called with the lock."""
        late, self._late = self._late, []
        for write in late:
            try:
                write()
            except SlotTaken:
                self.happened["arrived too late"] += 1

    def answer(self) -> None:
        """Raises Unreachable while the log is down."""
        if self.is_down:
            raise Unreachable("the log is down")

    def fence(self) -> None:
        """Let each late write arrive, or drop it.  Called with the lock."""
        self.answer()
        self._late = [write for write in self._late if self._random.random() < 0.5]
        self.happened["fenced"] += 1
        self.arrive()

    def write(self, work: Callable[[], None]) -> None:
        """Do a write, or fail at it.  Called with the lock."""
        self.answer()
        self.arrive()
        if self.next_faults:
            fault: Fault | None = self.next_faults.pop(0)
        else:
            fault = self._random.choice(FAULTS) if self._random.random() < self.chance else None
        if fault == "taken":
            self.happened[fault] += 1
            raise SlotTaken("a fault says so")
        if fault == "late":
            self._late.append(work)
        elif fault != "lost before":
            work()  # may raise SlotTaken, which is no fault
        if fault is not None:
            self.happened[fault] += 1
            raise UnknownOutcome(f"the connection was lost ({fault})")


class MemoryLog:
    """One journal for one server."""

    is_shared = True

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def tip(self) -> LogTip:
        with self._store.lock:
            self._store.answer()
            self._store.arrive()
            journal = self._journal
            if journal.is_gone:
                raise LedgerGone("The ledger was deleted")
            if not journal.rows:
                return LogTip(-1, b"", journal.version)
            return LogTip(journal.rows[-1].sequence_no, journal.rows[-1].block_hash, journal.version)

    def hash_at(self, sequence_no: int) -> bytes | None:
        with self._store.lock:
            rows = self._journal.rows
            return rows[sequence_no].block_hash if 0 <= sequence_no < len(rows) else None

    def read(self, first: int, at_most: int = READ_BLOCKS) -> list[BlockRow]:
        with self._store.lock:
            return self._journal.rows[first : first + at_most]

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        blocks, rewritten = list(rows), list(rewrites)
        with self._store.lock:
            self._store.write(lambda: self._journal.append(blocks, rewritten))

    def fence(self) -> None:
        """Late writes arrive now, or never."""
        with self._store.lock:
            self._store.fence()

    def facts(self) -> tuple[int, Facts]:
        with self._store.lock:
            if self._journal.is_gone:
                raise LedgerGone("The ledger was deleted")
            return self._journal.version, dict(self._journal.facts)

    def put_facts(self, version: int, changes: Facts) -> int:
        changes = dict(changes)

        def put() -> None:
            if self._journal.version != version:
                raise SlotTaken("facts were changed since")
            self._journal.facts.update(changes)
            self._journal.version += 1

        with self._store.lock:
            self._store.write(put)
            return version + 1

    def close(self) -> None:
        pass


class MemoryLogs:
    """All journals for one server."""

    is_shared = True
    servers = None  # sessions stay where they began

    def __init__(self, store: Store) -> None:
        self._store = store

    def regions(self) -> list[str]:
        with self._store.lock:
            return sorted({region for region, _ in self._store.journals})

    def names(self, region: str) -> list[str]:
        with self._store.lock:
            return sorted(name for place, name in self._store.journals if place == region)

    def facts_of(self, region: str, name: str) -> Facts | None:
        with self._store.lock:
            journal = self._store.journals.get((region, name))
            return None if journal is None else dict(journal.facts)

    def create(self, region: str, name: str, facts: Mapping[str, Any]) -> None:
        with self._store.lock:
            if (region, name) in self._store.journals:
                raise LedgerTaken(f"There is a ledger {name} already")
            self._store.journals[region, name] = Journal(facts=dict(facts))

    def open(self, region: str, name: str, file: LedgerFile) -> MemoryLog:
        with self._store.lock:
            journal = self._store.journals.get((region, name))
            if journal is None:
                raise LedgerGone("The ledger was deleted")
            return MemoryLog(self._store, journal)

    def delete(self, region: str, name: str, strand_id: str) -> None:
        with self._store.lock:
            journal = self._store.journals.get((region, name))
            if journal is not None and journal.facts["strand_id"] == strand_id:
                del self._store.journals[region, name]
                journal.is_gone = True

    def close(self) -> None:
        pass
