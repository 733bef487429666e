"""A commit is there as a whole or not at all, whenever and however the writing ends."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.storage_steps import HASH, Put, Scribe, contents, flat
from helpers.support import ROOT

from qldb_emulator.storage import LedgerFile, StorageError, Writer

# --- killed -----------------------------------------------------------------------------------------------------
WRITE_FOR_EVER = """
import sys
from pathlib import Path
from qldb_emulator.storage import LedgerFile
from helpers.storage_steps import Put, Scribe

path, durability, sync = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "sync"
scribe = Scribe(LedgerFile.open(path, durability))
table_no = scribe.table("Cars", ["colour"])
while True:
    name = "d%d" % (scribe.next_seq % 7)
    data = b"%d" % scribe.next_seq * 300
    puts = [Put(f"{name}-{n}", data, [name.encode()]) for n in range(5)]
    print(scribe.block(table_no, *puts, sync=sync), flush=True)
"""


def write_until_killed(path: Path, durability: str, sync: str, commits: int) -> int:
    """Kill a writing process some time after this many commits; returns the last block that it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(path), durability, sync],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "emulator"), str(ROOT / "emulator" / "tests")])},
    )
    assert process.stdout is not None
    for _ in range(commits):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return int(rest.splitlines()[-1]) if rest.endswith("\n") else commits


@pytest.mark.parametrize("commits", [1, 40, 300])
@pytest.mark.parametrize(("durability", "sync"), [("full", "sync"), ("full", "unsynced"), ("off", "sync")])
def test_a_killed_process_loses_no_acknowledged_commit_and_leaves_no_half_one(
    tmp_path: Path, durability: str, sync: str, commits: int
) -> None:
    path = tmp_path / "cars.qldb"
    LedgerFile.create(path, "off").close()
    acknowledged = write_until_killed(path, durability, sync, commits)
    with LedgerFile.open(path) as file:
        tip = file.tip()
        assert tip is not None
        assert acknowledged <= tip.sequence_no
        assert [seq for seq, _ in file.blocks()] == list(range(tip.sequence_no + 1))
        for level in (0, 1):
            nodes = file.merkle_nodes((level, seq) for seq in range(tip.sequence_no + 1))
            assert len(nodes) == tip.sequence_no + 1
        assert [len(file.block_revisions(seq)) for seq in range(1, tip.sequence_no + 1)] == [5] * tip.sequence_no
        for seq in {1, tip.sequence_no // 2, tip.sequence_no} - {0}:
            assert_block_is_whole(file, seq)
        assert file._rows("PRAGMA integrity_check") == [("ok",)]


def assert_block_is_whole(file: LedgerFile, seq: int) -> None:
    """The documents, revisions and index entries of a block are all there."""
    name = f"d{seq % 7}"
    rows = flat(file.seek_index(1, [name.encode()], seq))
    assert [f"{name}-{n}" for n in range(5)] == [row.document_id for row in rows]
    assert {(seq, b"%d" % seq * 300)} == {(row.seq, row.data) for row in rows}
    assert rows == file.block_revisions(seq)


def test_a_process_killed_while_making_a_ledger_leaves_all_or_nothing(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from qldb_emulator.storage import LedgerFile
for number in range(100_000):
    LedgerFile.create(Path(sys.argv[1]) / f"{number}.qldb", "off", {"number": number}).close()
    print(number, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "emulator")},
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "5.qldb").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()
    made = sorted(tmp_path.glob("*.qldb"))
    assert len(made) > 5
    for path in made:
        with LedgerFile.open(path) as file:
            assert {"number": int(path.stem)} == file.all_meta()


# --- failing at the n-th statement ------------------------------------------------------------------------------
class Failing:
    """A connection that works until its n-th statement."""

    def __init__(self, connection: sqlite3.Connection, fail_at: int) -> None:
        self._connection = connection
        self._left = fail_at

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise sqlite3.OperationalError("disk I/O error")

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "ROLLBACK":
            self._count()
        return self._connection.execute(sql, *parameters)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction


@pytest.fixture
def scribe(tmp_path: Path) -> Iterator[Scribe]:
    with LedgerFile.create(tmp_path / "cars.qldb", "off") as file:
        scribe = Scribe(file)
        table_no = scribe.table("Cars", ["colour"])
        scribe.block(table_no, Put("a", b"a0", [b"red"]))
        yield scribe


def write_everything(writer: Writer) -> None:
    writer.insert_block(2, "t", 0, HASH, b"")
    writer.insert_nodes([(1, 2, HASH), (2, 0, HASH)])
    table_no = writer.create_table("id", "Bikes", 2)
    writer.create_index("index", table_no, "frame", 2)
    writer.change_table(1, 2, status="INACTIVE")
    writer.drop_index(1, 2)
    writer.redact_revision(next(r for r in writer.block_revisions(1) if r.doc_no == 1), HASH)
    writer.replace_block(1, b"redacted")
    writer.insert_document("b", table_no, 2)
    row = flat(writer.scan(1, 2))[0]
    writer.insert_revision(row._replace(seq=2, version=1, data=None))
    writer.close_index_entries([(1, b"red", 1)], 2)
    writer.put_index_entries([(2, b"red", 2)], 2)
    writer.set_meta({"state": "DELETING"})


def everything(file: LedgerFile) -> list[Any]:
    nodes = file.merkle_nodes((level, index) for level in range(3) for index in range(4))
    return [list(file.dump_derived()), list(file.blocks()), file.all_meta(), nodes]


def problem_of(file: LedgerFile, write: Callable[[Writer], None] = write_everything) -> str | None:
    """Return what went wrong with writing everything; None when nothing did."""
    try:
        with file.write() as writer:
            write(writer)
    except StorageError as problem:
        return str(problem)
    return None


def test_a_connection_that_fails_at_any_statement_leaves_nothing(
    scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = scribe.file
    before = everything(file)
    connection = file._connection
    assert connection is not None
    for fail_at in range(1, 100):
        monkeypatch.setattr(file, "_connection", Failing(connection, fail_at))
        problem = problem_of(file)
        monkeypatch.undo()
        if problem is None:
            break
        assert "cannot be used: disk I/O error" in problem
        assert everything(file) == before
        assert not connection.in_transaction
    assert 20 < fail_at < 99
    assert everything(file) != before


def test_a_write_that_is_interrupted_inside_a_statement_leaves_nothing(scribe: Scribe) -> None:
    """An interrupted statement rolls the whole transaction back by itself: there is nothing left to roll back."""
    file = scribe.file
    before = everything(file)
    connection = file._connection
    assert connection is not None

    def write_interrupted(stop_at: int, writer: Writer) -> None:
        looks = itertools.count(1)  # SQLite looks in at every jump of its virtual machine, in whatever statement
        connection.set_progress_handler(lambda: next(looks) == stop_at, 1)
        try:
            write_everything(writer)
        finally:
            connection.set_progress_handler(None, 1)

    for stop_at in range(1, 1_000):
        problem = problem_of(file, partial(write_interrupted, stop_at))
        if problem is None:
            break
        assert "cannot be used: interrupted" in problem
        assert everything(file) == before
        assert not connection.in_transaction
    assert 30 < stop_at < 999
    assert everything(file) != before


# --- a full disk ------------------------------------------------------------------------------------------------
def limit_pages(file: LedgerFile, more: int) -> None:
    """Let the file grow by so many pages and not further, as a disk that is nearly full."""
    assert file._connection is not None
    (pages,) = file._connection.execute("PRAGMA page_count").fetchone()
    file._connection.execute(f"PRAGMA max_page_count = {pages + more}")


def test_a_full_disk_is_reported_and_the_file_stays_usable(scribe: Scribe) -> None:
    limit_pages(scribe.file, 3)
    before = everything(scribe.file)
    with pytest.raises(StorageError, match=r"cars\.qldb cannot be used: database or disk is full"):
        scribe.block(1, *(Put(f"big-{number}", bytes(2_000)) for number in range(100)))
    assert before == everything(scribe.file)

    scribe.next_seq, scribe.known = 2, {"a": scribe.known["a"]}
    scribe.block(1, Put("small", b"fits"))
    limit_pages(scribe.file, 1_000)
    scribe.block(1, *(Put(f"big-{number}", bytes(2_000)) for number in range(100)))
    assert contents(scribe.file.seek_documents(1, ["small"], 3)) == [("small", 0, b"fits")]
    assert len(flat(scribe.file.scan(1, 3))) == 102
