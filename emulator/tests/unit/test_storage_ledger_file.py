"""The file itself: creating, opening, refusing, migrating, syncing, copying and closing it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.storage_steps import HASH, Put, Scribe, contents

from qldb_emulator.storage import Durability, LedgerFile, StorageError, StorageVersionError, log_sync, schema
from qldb_emulator.storage.connections import SCAN_CACHE_KIB
from qldb_emulator.storage.errors import BeingMadeError
from qldb_emulator.storage.stored_rows import StoredRows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "with space" / "cars%20#1.qldb"


@pytest.fixture
def file(path: Path) -> Iterator[LedgerFile]:
    path.parent.mkdir()
    with LedgerFile.create(path, "full", {"name": "cars", "tags": {"a": "ü"}, "protected": True}) as ledger_file:
        yield ledger_file


def add_block(file: LedgerFile, seq: int, sync: bool = True) -> None:
    with file.write(sync) as writer:
        writer.insert_block(seq, "t", seq, HASH, b"")


# --- create and open --------------------------------------------------------------------------------------------
def test_a_new_file_has_its_facts_and_nothing_else(file: LedgerFile) -> None:
    assert file.all_meta() == {"name": "cars", "tags": {"a": "ü"}, "protected": True}
    assert file.counts() == (0, 0, 0, 0, 0, 0, 0)
    assert file.tip() is None
    assert (file.meta("name"), file.meta("x"), file.meta("x", 7)) == ("cars", None, 7)


def test_facts_are_changed_and_forgotten(file: LedgerFile) -> None:
    with file.write() as writer:
        writer.set_meta({"name": "bikes", "more": [1, None]})
        writer.delete_meta("tags")
    assert file.all_meta() == {"name": "bikes", "protected": True, "more": [1, None]}


@pytest.mark.parametrize("durability", ["full", "off"])
def test_what_was_committed_is_there_after_opening_again(tmp_path: Path, durability) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cars.qldb"
    with LedgerFile.create(path, durability) as file:
        scribe = Scribe(file)
        table_no = scribe.table("Cars")
        scribe.block(table_no, Put("a", b"a0"))
    with LedgerFile.open(path, durability) as file:
        assert contents(file.scan(table_no, 1)) == [("a", 0, b"a0")]


def test_the_file_stands_alone_after_close(file: LedgerFile, path: Path) -> None:
    add_block(file, 0)
    file.close()
    assert [path.name] == [entry.name for entry in path.parent.iterdir()]


def test_creating_over_a_file_is_refused(file: LedgerFile, path: Path) -> None:
    with pytest.raises(StorageError, match="already a ledger file"):
        LedgerFile.create(path)


def test_a_file_that_cannot_be_finished_does_not_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_TABLES", schema._TABLES + "CREATE NONSENSE;\n")
    with pytest.raises(StorageError, match="syntax error"):
        LedgerFile.create(tmp_path / "cars.qldb")
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cars.qldb"
    for leftover in (".unfinished", ".unfinished-wal", "-wal", "-shm"):
        path.with_name(path.name + leftover).write_bytes(b"half a database" * 1000)
    with LedgerFile.create(path, facts={"name": "cars"}) as file:
        add_block(file, 0)
        assert file.all_meta() == {"name": "cars"}


def test_the_log_of_a_deleted_ledger_is_not_taken_for_the_new_ones(tmp_path: Path) -> None:
    old, new = tmp_path / "old.qldb", tmp_path / "new.qldb"
    with LedgerFile.create(old) as file:
        add_block(file, 0)
        log = old.with_name("old.qldb-wal").read_bytes()
    new.with_name("new.qldb-wal").write_bytes(log)
    with LedgerFile.create(new) as file:
        assert file.tip() is None


def test_creating_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere.cars\.qldb cannot be used: unable to open database file"):
        LedgerFile.create(tmp_path / "nowhere" / "cars.qldb")


def no_file(path: Path) -> None:
    """Leave the path empty."""


def a_folder(path: Path) -> None:
    path.mkdir()


def an_empty_file(path: Path) -> None:
    path.touch()


def a_text(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()


def a_torn_ledger(path: Path) -> None:
    LedgerFile.create(path).close()
    with path.open("r+b") as stream:
        stream.truncate(4096 + 100)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (no_file, "There is no ledger file"),
        (a_folder, "There is no ledger file"),
        (an_empty_file, "not a ledger"),
        (a_text, "file is not a database"),
        (another_database, "not a ledger"),
        (a_torn_ledger, "database disk image is malformed"),
    ],
)
def test_other_files_than_ledgers_are_refused_and_not_changed(tmp_path: Path, make, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cars.qldb"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StorageError, match=f"{path}.*{reason}|{reason}.*{path}"), LedgerFile.open(path) as file:
        file.counts()
    assert before == (path.read_bytes() if path.is_file() else None)


def test_pages_that_are_damaged_give_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "cars.qldb"
    with LedgerFile.create(path) as file:
        scribe = Scribe(file)
        table_no = scribe.table("Cars")
        scribe.block(table_no, *(Put(f"d{number}", bytes(500)) for number in range(100)))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="malformed"), LedgerFile.open(path) as file:
        contents(file.scan(table_no, 1))


# --- versions ---------------------------------------------------------------------------------------------------
def set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_a_newer_file_is_refused_with_advice(file: LedgerFile, path: Path) -> None:
    file.close()
    set_version(path, 99)
    with pytest.raises(StorageVersionError, match=r"newer version of the emulator \(schema 99; .* Upgrade"):
        LedgerFile.open(path)


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(file: LedgerFile, path: Path, version: int) -> None:
    file.close()
    set_version(path, version)
    with pytest.raises(StorageError, match=f"schema version {version} is unknown"):
        LedgerFile.open(path)


def add_colour(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE block ADD COLUMN colour TEXT")


def paint(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE block SET colour = 'red'")


def fail_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE block SET colour = 'blue'")
    raise sqlite3.OperationalError("disk I/O error")


def test_an_older_file_is_migrated_step_by_step(file: LedgerFile, path: Path) -> None:
    add_block(file, 0)
    file.close()
    set_version(path, 1)
    connection = sqlite3.connect(path, isolation_level=None)
    schema.check_schema(connection, 3, [add_colour, paint])
    assert connection.execute("PRAGMA user_version").fetchall() == [(3,)]
    assert connection.execute("SELECT colour FROM block").fetchall() == [("red",)]
    connection.close()


def test_a_migration_that_fails_keeps_the_steps_before_it_and_goes_on_later(file: LedgerFile, path: Path) -> None:
    add_block(file, 0)
    file.close()
    set_version(path, 1)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        schema.check_schema(connection, 3, [add_colour, fail_half_way])
    assert connection.execute("PRAGMA user_version").fetchall() == [(2,)]
    assert connection.execute("SELECT colour FROM block").fetchall() == [(None,)]
    schema.check_schema(connection, 3, [add_colour, paint])
    assert connection.execute("SELECT colour FROM block").fetchall() == [("red",)]
    connection.close()


VERSION_2 = """
ALTER TABLE block DROP COLUMN crc;
DROP INDEX revision_of_block;
ALTER TABLE revision DROP COLUMN crc;
ALTER TABLE revision DROP COLUMN data_crc;
CREATE INDEX revision_of_block ON revision (seq);
PRAGMA user_version = 2;
"""
VERSION_1 = """
INSERT INTO merkle_node SELECT 0, seq, block_hash FROM block;
CREATE INDEX block_time ON block (timestamp_ms);
PRAGMA user_version = 1;
"""


def make_older(path: Path, version: int) -> None:
    """Take a file back: before 3 without checksums, in 1 with leaves of the tree and an index over times as rows."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(VERSION_2 + (VERSION_1 if version == 1 else ""))
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_file_says_the_same(file: LedgerFile, path: Path, version: int) -> None:
    scribe = Scribe(file)
    table_no = scribe.table("Cars", ["colour"])
    for number in range(5):
        scribe.block(table_no, Put(f"d{number}", b"data", [b"red"]))

    def said(file: LedgerFile) -> list[object]:
        nodes = file.merkle_nodes((level, index) for level in range(3) for index in range(6))
        times = [file.last_block_before(milliseconds) for milliseconds in range(1_000, 1_080)]
        return [nodes, times, list(file.blocks()), list(file.dump_derived())]

    expected = said(file)
    file.close()
    make_older(path, version)
    with StoredRows.open(path) as stored:  # verify looks at a migrated copy
        assert [(row[0], is_sound) for row, is_sound in stored.blocks()] == [(seq, True) for seq in range(6)]
        assert [is_sound for _, is_sound in stored.revisions(1)] == [True]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchall() == [(version,)]
    with LedgerFile.open(path) as file:
        assert said(file) == expected
        assert file._rows("PRAGMA user_version") == [(schema.SCHEMA_VERSION,)]
        assert file._rows("SELECT name FROM sqlite_master WHERE name = 'block_time'") == []
        assert file._rows("SELECT count(*) FROM merkle_node WHERE level = 0") == [(0,)]


def test_every_version_before_this_one_has_its_migration() -> None:
    assert len(schema.MIGRATIONS) == schema.SCHEMA_VERSION - 1


# --- writing ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(file: LedgerFile, problem: type[BaseException]) -> None:
    def write() -> None:
        with file.write() as writer:
            writer.insert_block(0, "t", 0, HASH, b"")
            raise problem

    with pytest.raises(problem):
        write()
    assert file.tip() is None
    add_block(file, 0)
    assert file.tip() is not None


def test_a_writer_is_of_no_use_after_its_transaction(file: LedgerFile) -> None:
    with file.write() as writer:
        pass
    for use in (lambda: writer.insert_block(0, "t", 0, HASH, b""), writer.tip, lambda: writer.set_meta({"a": 1})):
        with pytest.raises(StorageError, match="is over"):
            use()


def test_a_thread_that_writes_already_is_told_so(file: LedgerFile) -> None:
    """It would wait for itself for ever."""
    with file.write() as writer:
        for use in (lambda: add_block(file, 0), file.checkpoint, file.close):
            with pytest.raises(StorageError, match="already writing"):
                use()
        writer.insert_block(0, "t", 0, HASH, b"")
    assert file.tip() is not None


def test_writers_wait_for_each_other(file: LedgerFile) -> None:
    with file.write() as writer:
        writer.insert_block(0, "t", 0, HASH, b"")
    threads = [threading.Thread(target=append_blocks, args=(file, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(81)) == [seq for seq, _ in file.blocks()]


def append_blocks(file: LedgerFile, count: int) -> None:
    for _ in range(count):
        with file.write(sync=False) as writer:
            tip = writer.tip()
            assert tip is not None
            writer.insert_block(tip.sequence_no + 1, "t", 0, HASH, b"")


# --- durability -------------------------------------------------------------------------------------------------
@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were synced, in order."""
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        os.fsync(descriptor)

    monkeypatch.setattr(log_sync, "sync_descriptor", sync)
    return synced


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell what a descriptor is of")
@pytest.mark.parametrize(
    ("durability", "sync", "expected"),
    [("full", True, ["cars.qldb-wal"] * 2), ("full", False, []), ("off", True, []), ("off", False, [])],
)
def test_a_commit_syncs_the_log_as_asked(
    tmp_path: Path, syncs: list[str], durability: Durability, sync: bool, expected: list[str]
) -> None:
    with LedgerFile.create(tmp_path / "cars.qldb", durability) as file:
        for seq in range(2):
            add_block(file, seq, sync)
        assert syncs == expected


def test_sqlite_keeps_log_and_file_in_order_by_itself(tmp_path: Path) -> None:
    for durability, level in (("full", 1), ("off", 0)):
        with LedgerFile.create(tmp_path / f"{durability}.qldb", durability) as file, file.write() as writer:
            assert writer._rows("PRAGMA synchronous") == [(level,)]


def test_those_who_wait_for_the_disk_share_a_sync(file: LedgerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on, count = threading.Event(), threading.Event(), itertools.count(1)

    def slow(_: int) -> None:
        began.set()
        go_on.wait(10)
        next(count)

    monkeypatch.setattr(log_sync, "sync_descriptor", slow)
    threads = [threading.Thread(target=add_block, args=(file, 0))]
    threads[0].start()
    began.wait(10)
    for seq in range(1, 6):  # they commit while the first one waits for the disk
        threads.append(threading.Thread(target=add_block, args=(file, seq)))
        threads[-1].start()
        while file.commits <= seq:
            time.sleep(0.001)
    assert file.unsynced
    go_on.set()
    for thread in threads:
        thread.join()
    assert next(count) == 3  # one sync for the first, one for the five others
    assert not file.unsynced


def test_a_disk_that_fails_to_sync_is_reported_to_all_who_need_it(
    file: LedgerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(log_sync, "sync_descriptor", fail)
        for _ in range(2):
            with pytest.raises(StorageError, match=r"cars%20#1\.qldb cannot be used: .*Input/output error"):
                file.sync() if file.unsynced else add_block(file, 0)
    assert file.unsynced
    assert [seq for seq, _ in file.blocks()] == [0]
    file.sync()
    assert not file.unsynced


def test_unsynced_tells_whether_a_power_cut_would_take_something_back(file: LedgerFile) -> None:
    steps = [
        (lambda: add_block(file, 0), False),
        (lambda: add_block(file, 1, sync=False), True),
        (file.sync, False),
        (lambda: add_block(file, 2, sync=False), True),
        (lambda: add_block(file, 3), False),
    ]
    for step, unsynced in steps:
        step()
        assert unsynced == file.unsynced


def test_progress_that_may_be_lost_leaves_nothing_to_sync_and_hides_nothing(file: LedgerFile) -> None:
    for sync, unsynced in ((True, False), (False, True)):
        add_block(file, 0 if sync else 1, sync=sync)
        with file.write(sync=False, is_progress=True) as writer:
            writer.set_meta({"position": 1})
        assert unsynced == file.unsynced


def test_a_write_that_fails_does_not_count_as_a_sync(file: LedgerFile) -> None:
    add_block(file, 0, sync=False)
    with pytest.raises(StorageError):
        add_block(file, 0)
    assert file.unsynced


def test_nothing_is_unsynced_in_a_file_that_is_thrown_away(tmp_path: Path) -> None:
    with LedgerFile.create(tmp_path / "cars.qldb", "off") as file:
        add_block(file, 0, sync=False)
        assert not file.unsynced
        file.sync()


def test_checkpoint_empties_the_log(file: LedgerFile, path: Path) -> None:
    add_block(file, 0)
    file.checkpoint()
    assert path.with_name(path.name + "-wal").stat().st_size == 0


# --- forks ------------------------------------------------------------------------------------------------------
def test_a_fork_is_a_ledger_of_its_own(file: LedgerFile, tmp_path: Path) -> None:
    scribe = Scribe(file)
    table_no = scribe.table("Cars", ["VIN"])
    scribe.block(table_no, Put("a", b"a0", [b"k"]), sync=False)
    copy_path = tmp_path / "fork.qldb"
    file.fork(copy_path, {"name": "fork", "parent": "cars"})
    scribe.block(table_no, Put("a", b"a1", [b"k"]))
    assert {copy_path, file.path.parent} == set(tmp_path.iterdir())
    with LedgerFile.open(copy_path) as copy:
        assert contents(copy.scan(table_no, 9)) == [("a", 0, b"a0")]
        assert copy.all_meta() == {"name": "fork", "parent": "cars", "tags": {"a": "ü"}, "protected": True}
        copy_scribe = Scribe(copy, 2, scribe.indexes)
        copy_scribe.block(table_no, Put("b", b"b0", [b"k"]))
        assert contents(copy.scan(table_no, 9)) == [("a", 0, b"a0"), ("b", 0, b"b0")]
    assert contents(file.scan(table_no, 9)) == [("a", 1, b"a1")]


def test_a_fork_does_not_see_a_transaction_that_is_open(file: LedgerFile, tmp_path: Path) -> None:
    with file.write() as writer:
        writer.insert_block(0, "t", 0, HASH, b"")
        file.fork(tmp_path / "fork.qldb")
    with LedgerFile.open(tmp_path / "fork.qldb") as copy:
        assert copy.tip() is None


def test_a_fork_over_a_file_is_refused(file: LedgerFile) -> None:
    with pytest.raises(StorageError, match="already a ledger file"):
        file.fork(file.path)


def test_a_fork_that_cannot_be_written_leaves_nothing(file: LedgerFile, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        file.fork(tmp_path / "nowhere" / "fork.qldb")
    assert [file.path.parent] == list(tmp_path.iterdir())
    assert file.tip() is None


# --- closing ----------------------------------------------------------------------------------------------------
def test_a_closed_file_refuses_everything(file: LedgerFile, tmp_path: Path) -> None:
    file.tip()
    file.close()
    file.close()
    uses = [file.tip, file.checkpoint, lambda: add_block(file, 0), lambda: file.fork(tmp_path / "fork.qldb")]
    for use in uses:
        with pytest.raises(StorageError, match="is closed"):
            use()


def test_no_connection_outlives_the_file(file: LedgerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads have read, and also a connection that was out when the file was closed."""
    from qldb_emulator.storage import connections

    opened: list[sqlite3.Connection] = []
    original = connections.connect

    def counting(*arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(original(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(connections, "connect", counting)
    out = [file._readers.take() for _ in range(12)]
    for connection in out[:11]:
        file._readers.give(connection)
    file.close()
    file._readers.give(out[11])
    assert len(opened) == 12
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            connection.execute("SELECT 1")


def test_threads_share_the_connections_that_are_idle(file: LedgerFile) -> None:
    for _ in range(20):
        thread = threading.Thread(target=file.tip)
        thread.start()
        thread.join()
    assert len(file._readers._idle) == 1


def test_what_is_longer_than_a_batch_is_read_with_a_small_cache(file: LedgerFile) -> None:
    for seq in range(70):
        add_block(file, seq)
    assert len(list(file.blocks(0, 20))) == 21
    assert len(file._scanners._idle) == 0
    assert [seq for seq, _ in file.blocks()] == list(range(70))
    (scanner,) = file._scanners._idle
    assert scanner.execute("PRAGMA cache_size").fetchone() == (-SCAN_CACHE_KIB,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        scanner.execute("DELETE FROM block")
    file.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        scanner.execute("SELECT 1")
    with pytest.raises(StorageError, match="is closed"):
        list(file.blocks())


def test_a_reader_cannot_write(file: LedgerFile) -> None:
    with pytest.raises(StorageError, match="readonly"):
        file._rows("DELETE FROM meta")


def journal_mode(file: LedgerFile) -> str:
    with file.write() as writer:
        (mode,) = writer.connection().execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def test_without_log_a_transaction_is_still_rolled_back_and_the_file_has_its_log_again(tmp_path: Path) -> None:
    with LedgerFile.appearing(tmp_path / "cars.qldb", "off") as file:
        with file.without_log():
            assert journal_mode(file) == "persist"
            add_block(file, 0, sync=False)
            with contextlib.suppress(KeyError), file.write() as writer:
                writer.insert_block(1, "t", 0, HASH, b"ion")
                raise KeyError
            add_block(file, 1, sync=False)
            assert not list(tmp_path.glob("*-wal"))
        assert journal_mode(file) == "wal"
        assert not list(tmp_path.glob("*-journal"))
    with LedgerFile.open(tmp_path / "cars.qldb") as file:
        assert [number for number, _ in file.blocks()] == [0, 1]


def test_without_log_the_changed_pages_of_a_transaction_are_not_kept_in_memory(tmp_path: Path) -> None:
    size = 1_000_000
    with LedgerFile.appearing(tmp_path / "cars.qldb", "off") as file, file.without_log():
        with file.write() as writer:
            writer.insert_block(0, "t", 0, HASH, bytes(size))
        with file.write() as writer:
            writer.replace_block(0, b"ion")
            (rollback,) = tmp_path.glob("*-journal")
            assert rollback.stat().st_size > size


def test_a_file_that_is_being_made_is_not_made_by_another_thread_too(tmp_path: Path) -> None:
    path = tmp_path / "cars.qldb"
    with LedgerFile.create(tmp_path / "other.qldb", "cache") as other, LedgerFile.appearing(path, "cache") as file:
        with pytest.raises(BeingMadeError, match="is being made by another request"):
            LedgerFile.create(path, "cache")
        with pytest.raises(BeingMadeError), LedgerFile.appearing(path, "cache"):
            raise AssertionError("it has begun")
        with pytest.raises(BeingMadeError):
            other.fork(path)
        add_block(file, 0, sync=False)
    with LedgerFile.open(path, "cache") as file:
        assert [number for number, _ in file.blocks()] == [0]
    with pytest.raises(StorageError, match="already a ledger file"):
        LedgerFile.create(path, "cache")
    path.unlink()
    LedgerFile.create(path, "cache").close()  # the name is free again
