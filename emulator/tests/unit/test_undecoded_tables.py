"""Tables that do not fit the cache decoded are kept as they are stored, within the same bound of memory."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from helpers.local_driver import LocalSession, new_emulator, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger.documents import MEMORY_PER_BYTE
from qldb_emulator.engine.ledger.kept_tables import UNDECODED_OVERHEAD
from qldb_emulator.engine.ledger.ledger import Ledger
from qldb_emulator.engine.ledger.tables import PREFILTERED_SCANS_MAX
from qldb_emulator.partiql.planning.data import JoinedDocuments
from qldb_emulator.storage.ledger_file import LedgerFile

ROWS = 600
PADDING = "p" * 200
OCTETS = 250 * ROWS  # a little more than the documents of a table have
CACHE_BYTES = 2 * (OCTETS + UNDECODED_OVERHEAD * ROWS)  # two tables undecoded, none decoded
SCAN = "SELECT VALUE k FROM T WHERE c = ?"


def fill(session: LocalSession, table: str, rows: int = ROWS) -> None:
    session.run(f"CREATE TABLE {table}")
    for start in range(0, rows, 40):
        documents = [{"k": n, "c": f"colour {n % 3}", "p": PADDING} for n in range(start, min(start + 40, rows))]
        session.run(f"INSERT INTO {table} ?", documents)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with new_emulator(cache_bytes=CACHE_BYTES) as made:
        yield made


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    fill(session, "T")
    return session


@pytest.fixture
def ledger(emulator: Emulator, session: LocalSession) -> Ledger:
    found = emulator.ledgers.find("us-east-1", "cars")
    assert found is not None
    return found


@pytest.fixture
def scans_of_file(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of the table of every scan of the file from now on."""
    seen: list[int] = []

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def scan(self: LedgerFile, table_no: int, at_seq: int) -> Any:
            seen.append(table_no)
            return original(self, table_no, at_seq)

        return scan

    for name in ("scan_data", "scan_documents"):
        monkeypatch.setattr(LedgerFile, name, counted(getattr(LedgerFile, name)))
    return seen


def scan(session: LocalSession, table: str = "T", times: int = 1) -> None:
    for _ in range(times):
        assert len(session.run(f"SELECT VALUE k FROM {table} WHERE c = 'colour 1'")) == ROWS / 3


def test_the_second_complete_scan_is_the_last_that_reads_the_file(
    session: LocalSession, ledger: Ledger, scans_of_file: list[int]
) -> None:
    scan(session)
    assert ledger.tables.memory() == 0
    scan(session, times=PREFILTERED_SCANS_MAX + 3)
    assert len(scans_of_file) == 2
    assert (ledger.tables.kept(), ledger.tables.kept_undecoded()) == (0, 1)
    assert session.run("SELECT COUNT(*) AS n FROM T") == [{"n": ROWS}]
    assert len(scans_of_file) == 2


def test_a_kept_table_follows_the_commits(session: LocalSession, ledger: Ledger, scans_of_file: list[int]) -> None:
    scan(session, times=2)
    memory = ledger.tables.memory()
    session.run("UPDATE T SET c = 'new' WHERE k IN (0, 300, 599)")
    session.run("DELETE FROM T WHERE k = 301")
    session.run("INSERT INTO T ?", {"k": 600, "c": "new"})
    session.run("INSERT INTO T ?", {"k": 601, "c": "gone"})
    session.run("DELETE FROM T WHERE k = 601")
    scans_of_file.clear()
    assert session.run(SCAN, "new") == [0, 300, 599, 600]
    assert session.run(SCAN, "gone") == []
    assert session.run("SELECT VALUE k FROM T WHERE k >= 299 AND k < 303") == [299, 300, 302]
    assert session.run("SELECT COUNT(*) AS n FROM T") == [{"n": ROWS}]
    assert scans_of_file == []
    assert ledger.tables.memory() == pytest.approx(memory, abs=len(PADDING) + 100)


def test_a_table_that_has_become_small_is_decoded(session: LocalSession, ledger: Ledger) -> None:
    scan(session, times=2)
    for start in range(0, ROWS, 40):
        session.run(f"DELETE FROM T WHERE k >= {start} AND k < {start + 40}")
        assert session.run("SELECT COUNT(*) AS n FROM T") == [{"n": ROWS - start - 40}]
        assert ledger.tables.memory() <= CACHE_BYTES
    assert (ledger.tables.kept(), ledger.tables.kept_undecoded()) == (1, 0)


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM T WHERE c = 'colour 1' AND k < 4", "SELECT COUNT(*) FROM T", "SELECT COUNT(*) FROM T WHERE k = 1"],
)
def test_the_reads_of_a_statement_are_the_same(session: LocalSession, ledger: Ledger, statement: str) -> None:
    results = []
    for _ in range(PREFILTERED_SCANS_MAX + 2):
        transaction = session.begin()
        result = transaction.execute_raw(statement)
        results.append((result["FirstPage"], result["ConsumedIOs"]))
        transaction.abort()
    assert ledger.tables.kept_undecoded() == 1
    assert [result == results[0] for result in results] == [True] * len(results)
    assert results[0][1]["ReadIOs"] == ROWS


def test_a_page_counts_the_same_reads(session: LocalSession, ledger: Ledger) -> None:
    def first_page() -> int:
        transaction = session.begin()
        result = transaction.execute_raw("SELECT * FROM T WHERE k >= 0")
        assert result["FirstPage"]["NextPageToken"]
        transaction.abort()
        reads: int = result["ConsumedIOs"]["ReadIOs"]
        return reads

    before = first_page()
    scan(session, times=2)
    assert ledger.tables.kept_undecoded() == 1
    assert first_page() == before < ROWS


def test_scans_that_are_not_read_to_the_end_keep_nothing(session: LocalSession, ledger: Ledger) -> None:
    scan(session)
    transactions = [LocalSession(session._emulator, "cars").begin() for _ in range(3)]
    for transaction in transactions:
        assert transaction.execute_raw("SELECT * FROM T WHERE k >= 0")["FirstPage"]["NextPageToken"]
    assert ledger.tables.kept_undecoded() == 0
    scan(session)  # another scan goes on meanwhile, for all that this one can know
    assert ledger.tables.kept_undecoded() == 0
    scan(session)
    assert ledger.tables.kept_undecoded() == 1
    for transaction in transactions:
        transaction.abort()
    assert ledger.tables.memory() <= CACHE_BYTES


def octets_in_memory() -> int:
    """Those of all documents that are kept undecoded, also by scans that are paused."""
    gc.collect()
    return sum(len(each.joined) for each in gc.get_objects() if isinstance(each, JoinedDocuments))


def test_scans_that_are_not_read_to_the_end_hold_no_more_than_the_bound(session: LocalSession, ledger: Ledger) -> None:
    scan(session)
    transactions = [LocalSession(session._emulator, "cars").begin() for _ in range(12)]
    for transaction in transactions:
        assert transaction.execute_raw("SELECT * FROM T WHERE k >= 300")["FirstPage"]["NextPageToken"]
        assert octets_in_memory() <= CACHE_BYTES
    ledger.tables.clear()  # as a redaction does: no value may stay
    assert octets_in_memory() == 0


def test_own_writes_are_in_their_place(session: LocalSession, ledger: Ledger) -> None:
    for _ in range(PREFILTERED_SCANS_MAX + 2):
        transaction = session.begin()
        assert transaction.execute(SCAN, "new") == []
        transaction.execute("UPDATE T SET c = 'new' WHERE k = 300")
        transaction.execute("DELETE FROM T WHERE c = 'colour 0' AND k = 12")
        transaction.execute("INSERT INTO T ?", {"k": 1000, "c": "new"})
        assert transaction.execute(SCAN, "new") == [300, 1000]
        assert transaction.execute("SELECT VALUE k FROM T WHERE c = 'colour 0' AND k < 20") == [0, 3, 6, 9, 15, 18]
        transaction.abort()
    assert ledger.tables.kept_undecoded() == 1


def test_a_snapshot_older_than_the_last_change_is_read_from_the_file(session: LocalSession, ledger: Ledger) -> None:
    old = LocalSession(session._emulator, "cars").begin()
    session.run("UPDATE T SET c = 'new' WHERE k = 300")
    scan_count = "SELECT COUNT(*) AS n FROM T WHERE c = 'colour 0'"
    for _ in range(3):
        assert session.run(scan_count) == [{"n": 199}]
        assert old.execute(scan_count) == [{"n": 200}]
    assert ledger.tables.kept_undecoded() == 1
    assert session.run(SCAN, "new") == [300]
    assert old.execute(SCAN, "new") == []


def test_of_three_tables_two_have_room_and_the_one_unused_for_longest_gives_way(
    session: LocalSession, ledger: Ledger, scans_of_file: list[int]
) -> None:
    fill(session, "U")
    fill(session, "V")
    scan(session, "T", times=2)
    scan(session, "U", times=2)
    assert ledger.tables.kept_undecoded() == 2
    for _ in range(2):  # in turns: those that are kept stay
        scan(session, "V")
        scan(session, "T")
        scan(session, "U")
    scans_of_file.clear()
    scan(session, "T")
    scan(session, "U")
    assert scans_of_file == []
    scan(session, "V", times=2)  # now T is unused for longest
    scans_of_file.clear()
    scan(session, "U")
    scan(session, "V")
    assert scans_of_file == []
    assert ledger.tables.kept_undecoded() == 2
    assert ledger.tables.memory() <= CACHE_BYTES


def test_a_table_that_fits_decoded_comes_first(session: LocalSession, ledger: Ledger) -> None:
    fill(session, "U")
    small = CACHE_BYTES // MEMORY_PER_BYTE // 250
    session.run("CREATE TABLE Small")
    for start in range(0, small, 40):
        session.run("INSERT INTO Small ?", [{"k": n, "p": PADDING} for n in range(start, min(start + 40, small))])
    scan(session, "T", times=2)
    scan(session, "U", times=2)
    for _ in range(PREFILTERED_SCANS_MAX + 1):
        assert session.run("SELECT VALUE k FROM Small WHERE k = 3") == [3]
    assert ledger.tables.kept() == 1
    assert 0 < ledger.tables.memory() <= CACHE_BYTES
    scan(session, "T", times=3)
    assert ledger.tables.kept() == 1


def test_a_table_that_outgrows_the_cache_is_forgotten(session: LocalSession, ledger: Ledger) -> None:
    scan(session, times=2)
    assert ledger.tables.kept_undecoded() == 1
    for start in range(ROWS, 3 * ROWS, 40):
        session.run("INSERT INTO T ?", [{"k": n, "c": "more", "p": PADDING} for n in range(start, start + 40)])
    for _ in range(3):
        assert len(session.run(SCAN, "more")) == 2 * ROWS
        assert ledger.tables.memory() == 0


def redact_first_revision(session: LocalSession) -> None:
    address, document_id = session.run(
        "SELECT h.blockAddress, h.metadata.id FROM history(T) AS h WHERE h.data.k = 7 AND h.metadata.version = 0"
    )[0].values()
    (table_id,) = session.run("SELECT VALUE t.tableId FROM information_schema.user_tables AS t WHERE t.name = 'T'")
    session.run(f"EXEC REDACT_REVISION ?, '{table_id}', '{document_id}'", address)


def test_a_redaction_forgets_what_is_kept_and_what_is_being_read(session: LocalSession, ledger: Ledger) -> None:
    scan(session, times=2)
    assert ledger.tables.kept_undecoded() == 1
    old = LocalSession(session._emulator, "cars").begin()
    session.run("UPDATE T SET c = 'new' WHERE k = 7")
    redact_first_revision(session)
    assert ledger.tables.memory() == 0
    # The old snapshot's current revision of the document is erased, so the document is left out.
    assert old.execute("SELECT VALUE k FROM T WHERE c = 'colour 1' AND k < 11") == [1, 4, 10]


def test_a_scan_that_a_redaction_interrupts_keeps_nothing(session: LocalSession, ledger: Ledger) -> None:
    scan(session)
    seen: list[int] = []

    class Interrupting:
        def batches(self, rows: Any) -> Any:
            raise AssertionError("the table is not decoded")

        def positions(self, documents: Sequence[bytes]) -> Sequence[int]:
            if not seen:
                session.run("UPDATE T SET c = 'new' WHERE k = 7")
                redact_first_revision(session)
            seen.append(len(documents))
            return ()

    number = ledger.catalogue.tables[0].number
    for _ in ledger.tables.prefiltered_scan(number, ledger.last_sequence_no, Interrupting(), None):
        pass
    assert sum(seen) >= ROWS - 1
    assert ledger.tables.memory() == 0
