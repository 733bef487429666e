"""Commits that share a sync of the disk: no answer comes before it, and a failed one is an error for every commit."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.local_driver import CONTEXT, LocalSession, new_emulator, new_ledger

from qldb_emulator.context import CommandResult
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.workbench.traces import trace
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings
from qldb_emulator.storage import StorageError, log_sync
from qldb_emulator.storage.ledger_file import LedgerFile


class Disk:
    """A disk that syncs when it is told to.  syncs: how many there were."""

    def __init__(self) -> None:
        self.syncs = 0
        self.requested = threading.Event()
        self.may = threading.Event()
        self.problem: OSError | None = None

    def sync(self, descriptor: int) -> None:
        self.requested.set()
        assert self.may.wait(10)
        if self.problem is not None:
            raise self.problem
        self.syncs += 1
        os.fsync(descriptor)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(data_dir=tmp_path)) as made:
        session = new_ledger(made)
        session.run("CREATE TABLE T")
        session.run("INSERT INTO T ?", {"k": 1})
        yield made


@pytest.fixture
def disk(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(log_sync, "sync_descriptor", disk.sync)
    return disk


class Task:
    """Something in a thread of its own.  result: what it returned or raised, once it ended."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.result: Any = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except QldbError as error:
            self.result = error

    @property
    def waits(self) -> bool:
        """Whether it is still at it a moment later."""
        self._thread.join(0.1)
        return self._thread.is_alive()

    def end(self) -> Any:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.result


def insert(emulator: Emulator, k: int) -> Task:
    session = LocalSession(emulator, "cars")
    return Task(lambda: session.run("INSERT INTO T ?", {"k": k}))


def get_digest(emulator: Emulator) -> Any:
    return emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)


def test_a_reader_of_an_unsynced_commit_is_answered_after_the_sync(emulator: Emulator, disk: Disk) -> None:
    writer = insert(emulator, 2)
    disk.requested.wait(10)
    reader = LocalSession(emulator, "cars").begin()
    assert reader.execute("SELECT VALUE k FROM T") == [1, 2]
    commit, digest = Task(reader.commit), Task(lambda: get_digest(emulator))
    assert [task.waits for task in (writer, commit, digest)] == [True] * 3
    disk.may.set()
    assert [isinstance(task.end(), QldbError) for task in (writer, commit, digest)] == [False] * 3
    assert disk.syncs <= 2  # the writer's and, for the reader's block, the digest's


def test_writers_commit_while_another_waits_for_the_disk(emulator: Emulator, disk: Disk) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    before = ledger.tip().sequence_no
    first = insert(emulator, 2)
    disk.requested.wait(10)
    others = [insert(emulator, k) for k in range(3, 9)]
    assert all(task.waits for task in (first, *others))
    assert ledger.tip().sequence_no == before + 7
    disk.may.set()
    assert all(len(task.end()) == 1 for task in (first, *others))
    assert disk.syncs == 2


def test_conflicts_are_found_before_the_disk_has_answered(emulator: Emulator, disk: Disk) -> None:
    rival = LocalSession(emulator, "cars").begin()
    rival.execute("SELECT * FROM T")
    writer = insert(emulator, 2)
    disk.requested.wait(10)
    with pytest.raises(QldbError, match="Optimistic concurrency control"):
        rival.commit()
    disk.may.set()
    writer.end()


def test_a_disk_that_fails_to_sync_fails_all_who_wait_for_it(emulator: Emulator, disk: Disk) -> None:
    writer = insert(emulator, 2)
    disk.requested.wait(10)
    reader = LocalSession(emulator, "cars").begin()
    reader.execute("SELECT * FROM T")
    commit = Task(reader.commit)
    assert commit.waits
    disk.problem = OSError(errno.EIO, "Input/output error")
    disk.may.set()
    for task in (writer, commit):
        assert (task.end().shape, "Input/output error" in task.end().message) == ("LedgerFileUnusableException", True)
    with pytest.raises(QldbError, match="Input/output error"):
        get_digest(emulator)
    disk.problem = None
    get_digest(emulator)
    assert LocalSession(emulator, "cars").run("SELECT VALUE k FROM T") == [1, 2]


def test_readers_rest_on_a_change_whose_commit_failed_when_it_had_happened(emulator: Emulator, disk: Disk) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    file: Any = ledger.file
    write = file.write

    @contextmanager
    def failing(sync: bool = True) -> Iterator[Any]:
        with write(sync=sync) as writer:
            yield writer
        raise StorageError("The disk said no after all")

    file.write = failing
    with pytest.raises(QldbError, match="The disk said no after all"):
        LocalSession(emulator, "cars").run("INSERT INTO T ?", {"k": 2})
    file.write = write
    reader = LocalSession(emulator, "cars").begin()
    assert reader.execute("SELECT VALUE k FROM T") == [1, 2]
    commit = Task(reader.commit)
    assert commit.waits
    disk.may.set()
    assert not isinstance(commit.end(), QldbError)
    assert disk.syncs == 1


def test_a_reader_does_not_wait_when_nothing_was_written(emulator: Emulator, disk: Disk) -> None:
    session = LocalSession(emulator, "cars")
    for _ in range(3):
        session.run("SELECT * FROM T")
    assert not disk.requested.is_set()


def test_what_is_thrown_away_is_never_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    monkeypatch.setattr(log_sync, "sync_descriptor", disk.sync)
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        get_digest(emulator)
    assert not disk.requested.is_set()


# --- answers that the server holds ------------------------------------------------------------------------------

HOLDS = replace(CONTEXT, can_hold_answer=True)


def held_insert(emulator: Emulator, k: int) -> CommandResult:
    """The result of a commit whose caller waits for the disk by itself."""
    transaction = LocalSession(emulator, "cars", HOLDS).begin()
    transaction.execute("INSERT INTO T ?", {"k": k})
    return transaction.commit_raw()


def test_one_sync_serves_all_answers_that_are_held(emulator: Emulator, disk: Disk) -> None:
    held = [held_insert(emulator, k).before_response for k in range(2, 6)]
    assert disk.syncs == 0
    disk.may.set()
    for wait in held:
        assert wait is not None
        wait()
    assert disk.syncs == 1


def test_a_reader_of_an_unsynced_commit_is_held_as_well(emulator: Emulator, disk: Disk) -> None:
    held_insert(emulator, 2)
    reader = LocalSession(emulator, "cars", HOLDS).begin()
    assert reader.execute("SELECT VALUE k FROM T") == [1, 2]
    wait = reader.commit_raw().before_response
    assert wait is not None
    task = Task(wait)
    assert task.waits
    disk.may.set()
    task.end()
    assert disk.syncs == 1
    again = LocalSession(emulator, "cars", HOLDS).begin()
    again.execute("SELECT VALUE k FROM T")
    assert again.commit_raw().before_response is None, "everything that it read is on the disk"


def test_a_disk_that_fails_is_the_answer_that_was_held(emulator: Emulator, disk: Disk) -> None:
    wait = held_insert(emulator, 2).before_response
    assert wait is not None
    disk.problem = OSError(errno.EIO, "Input/output error")
    disk.may.set()
    with pytest.raises(QldbError, match="Input/output error"):
        wait()
    disk.problem = None
    wait()


def test_after_a_sync_that_failed_commits_are_moved_into_the_file(
    emulator: Emulator, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux tells of a failed write once.  The next sync succeeds, and the commit may not be on the disk."""
    one, other = [held_insert(emulator, k).before_response for k in (2, 3)]
    assert one is not None
    assert other is not None
    (log,) = tmp_path.rglob("*-wal")
    disk.may.set()
    disk.problem = OSError(errno.EIO, "Input/output error")
    with pytest.raises(QldbError, match="Input/output error"):
        one()
    disk.problem = None

    def fail(_: LedgerFile) -> None:
        raise StorageError("The disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(LedgerFile, "checkpoint", fail)
        for wait in (other, one):
            with pytest.raises(QldbError, match="The disk is full"):
                wait()
    assert log.stat().st_size > 0
    other()
    assert log.stat().st_size == 0
    insert(emulator, 4).end()
    assert log.stat().st_size > 0, "the log is trusted again"


def test_an_answer_that_is_held_survives_the_deletion_of_its_ledger(emulator: Emulator, disk: Disk) -> None:
    wait = held_insert(emulator, 2).before_response
    assert wait is not None
    disk.may.set()
    emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    wait()


def test_with_traces_a_commit_waits_within_its_span(emulator: Emulator, disk: Disk) -> None:
    ended: list[tuple[str, int]] = []

    class Span:
        set_attribute = staticmethod(lambda *_: None)

    class Tracer:
        @staticmethod
        @contextmanager
        def start_as_current_span(name: str, **_: Any) -> Iterator[Span]:
            yield Span()
            ended.append((name, disk.syncs))

    trace(emulator, Tracer())
    disk.may.set()
    assert held_insert(emulator, 2).before_response is None
    assert ("commit", 1) in ended
