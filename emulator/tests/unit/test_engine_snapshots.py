"""Snapshots, forks, differences and resets of ledgers that are in use."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger

from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import register
from qldb_emulator.engine.workbench import diff
from qldb_emulator.engine.workbench.diff import diff_ledger
from qldb_emulator.engine.workbench.snapshots import (
    delete_snapshot,
    fork_ledger,
    list_snapshots,
    reset_ledgers,
    restore_snapshot,
    take_snapshot,
)
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings
from qldb_emulator.storage.ledger_file import LedgerFile


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE Car")
    session.run("CREATE INDEX ON Car (VIN)")
    session.run("INSERT INTO Car ?", [{"VIN": "1", "owner": "Maria"}, {"VIN": "2", "owner": "Raul"}])
    return session


def owners(session: LocalSession) -> list[str]:
    return sorted(session.run("SELECT VALUE owner FROM Car"))


def test_a_restored_ledger_is_what_the_snapshot_was(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    session.run("UPDATE Car SET owner = 'Ana'")
    restored = restore_snapshot(emulator, REGION, "cars", "before")
    assert restored["blocks"] == 4
    assert owners(LocalSession(emulator, "cars")) == ["Maria", "Raul"]


def test_the_sessions_of_a_restored_ledger_end_and_its_transactions_leave_nothing(
    emulator: Emulator, session: LocalSession
) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    transaction = session.begin()
    transaction.execute("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    restore_snapshot(emulator, REGION, "cars", "before")
    with pytest.raises(QldbError, match="No such session"):
        transaction.commit()
    assert owners(LocalSession(emulator, "cars")) == ["Maria", "Raul"]


def test_a_session_that_begins_during_a_restore_waits_for_it(
    emulator: Emulator, session: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    session.run("UPDATE Car SET owner = 'Ana'")
    copies, may_end, waits = threading.Event(), threading.Event(), threading.Event()
    copy = LedgerFile.restore

    def slowly(self: LedgerFile, source: LedgerFile) -> None:
        copies.set()
        assert may_end.wait(10)
        copy(self, source)

    monkeypatch.setattr(LedgerFile, "restore", slowly)
    monkeypatch.setattr(register, "about_to_wait", waits.set)
    with ThreadPoolExecutor(2) as pool:
        restoring = pool.submit(restore_snapshot, emulator, REGION, "cars", "before")
        assert copies.wait(10)
        beginning = pool.submit(LocalSession, emulator, "cars")
        is_waiting = waits.wait(2)
        may_end.set()
        restoring.result(10)
        assert owners(beginning.result(10)) == ["Maria", "Raul"]
    assert is_waiting


def test_a_commit_that_waited_for_a_restore_is_refused(emulator: Emulator, session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    ledger = emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    open_transaction = next(iter(emulator.sessions._sessions.values())).transaction
    assert open_transaction is not None
    proposal = open_transaction.proposal()
    assert proposal is not None
    ledger.retire()
    with pytest.raises(QldbError, match="No such session"):
        ledger.committer.commit_unsynced(proposal)


def test_a_journal_goes_on_after_a_restore_and_its_chain_is_whole(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    session.run("DELETE FROM Car")
    restore_snapshot(emulator, REGION, "cars", "before")
    LocalSession(emulator, "cars").run("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    ledger = emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    assert ledger.tip().sequence_no == 4
    ledger.rebuild()
    assert owners(LocalSession(emulator, "cars")) == ["Ana", "Maria", "Raul"]


def test_a_deleted_ledger_comes_back_from_its_snapshot(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    restore_snapshot(emulator, REGION, "cars", "before")
    assert owners(LocalSession(emulator, "cars")) == ["Maria", "Raul"]


def test_snapshots_survive_a_restart(tmp_path) -> None:
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        new_ledger(emulator).run("CREATE TABLE Car")
        take_snapshot(emulator, REGION, "cars", "one")
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        assert [(row["ledger"], row["name"], row["blocks"]) for row in list_snapshots(emulator, REGION)] == [
            ("cars", "one", 2)
        ]
        assert emulator.ledgers.names(REGION) == ["cars"]
        delete_snapshot(emulator, REGION, "cars", "one")
        assert list_snapshots(emulator, REGION, "cars") == []


def test_a_fork_goes_its_own_way(emulator: Emulator, session: LocalSession) -> None:
    fork_ledger(emulator, REGION, "cars", "copy")
    copy = LocalSession(emulator, "copy")
    copy.run("DELETE FROM Car WHERE VIN = '1'")
    session.run("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    assert owners(copy) == ["Raul"]
    assert owners(session) == ["Ana", "Maria", "Raul"]
    described = emulator.call("DescribeLedger", {"Name": "copy"}, CONTEXT)
    assert (described["Name"], described["State"], described["DeletionProtection"]) == ("copy", "ACTIVE", False)


def test_a_fork_of_a_snapshot_begins_there(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    session.run("DELETE FROM Car")
    fork_ledger(emulator, REGION, "cars", "copy", "before")
    assert owners(LocalSession(emulator, "copy")) == ["Maria", "Raul"]


def test_a_fork_with_clock_and_ids_of_its_own_repeats(emulator: Emulator, session: LocalSession) -> None:
    tips = []
    for name in ("one", "two"):
        clock = ManualClock(1_700_000_000_000, tick_ms=1)
        ledger = fork_ledger(emulator, REGION, "cars", name, None, clock, RandomIds(clock, "seed"))
        LocalSession(emulator, name).run("INSERT INTO Car ?", {"VIN": "9", "owner": "Ana"})
        tips.append(ledger.file.tip())
    assert tips[0] == tips[1]


def test_forks_and_restores_run_beside_writers(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        while not stop.is_set():
            try:
                LocalSession(emulator, "cars").run("INSERT INTO Car ?", {"VIN": "x", "owner": "x"})
            except QldbError as error:
                if error.shape not in ("InvalidSessionException", "OccConflictException"):
                    failures.append(error)
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        fork_ledger(emulator, REGION, "cars", f"fork-{number}")
        restore_snapshot(emulator, REGION, "cars", "before")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    for name in ("cars", *(f"fork-{number}" for number in range(10))):
        ledger = emulator.ledgers.find(REGION, name)
        assert ledger is not None
        tip = ledger.file.tip()
        assert tip is not None
        assert tip.sequence_no == ledger.tip().sequence_no
        assert len(list(ledger.file.blocks())) == tip.sequence_no + 1


def test_a_difference_lists_what_was_added_changed_and_removed(emulator: Emulator, session: LocalSession) -> None:
    take_snapshot(emulator, REGION, "cars", "before")
    session.run("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    session.run("UPDATE Car SET owner = 'Eva' WHERE VIN = '1'")
    session.run("DELETE FROM Car WHERE VIN = '2'")
    session.run("CREATE TABLE Bike")
    for before in ("before", "3"):
        found = diff_ledger(emulator, REGION, "cars", before, "now", 100)
        assert found["changes"] == {"added": 1, "changed": 1, "removed": 1}
        assert found["tables"] == {"added": ["Bike"], "removed": []}
        assert found["commonBlocks"] == 4
        rows = {row["change"]: row for row in found["documents"]}
        assert rows["added"]["after"]["data"] == '{VIN:"3",owner:"Ana"}'
        assert (rows["changed"]["before"]["data"], rows["changed"]["after"]["data"]) == (
            '{VIN:"1",owner:"Maria"}',
            '{VIN:"1",owner:"Eva"}',
        )
        assert rows["removed"]["before"]["data"] == '{VIN:"2",owner:"Raul"}'
        assert {row["table"] for row in found["documents"]} == {"Car"}


def test_a_difference_backwards_is_the_other_way_round(emulator: Emulator, session: LocalSession) -> None:
    session.run("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    assert diff_ledger(emulator, REGION, "cars", "now", "3", 10)["changes"] == {"added": 0, "changed": 0, "removed": 1}


def test_journals_that_parted_are_compared_from_where_they_did(emulator: Emulator, session: LocalSession) -> None:
    session.run("UPDATE Car SET owner = 'Eva' WHERE VIN = '1'")
    take_snapshot(emulator, REGION, "cars", "one-way")
    delete_me = fork_ledger(emulator, REGION, "cars", "unused")
    emulator.ledgers.delete(delete_me)
    session.run("INSERT INTO Car ?", {"VIN": "3", "owner": "Ana"})
    take_snapshot(emulator, REGION, "cars", "further")
    restore_snapshot(emulator, REGION, "cars", "one-way")
    LocalSession(emulator, "cars").run("DELETE FROM Car WHERE VIN = '2'")
    found = diff_ledger(emulator, REGION, "cars", "further", "now", 10)
    assert found["commonBlocks"] == 5
    assert found["changes"] == {"added": 0, "changed": 0, "removed": 2}


def documents_of(ledger: str, emulator: Emulator) -> dict[str, str]:
    """The hash of each document that exists, by its id."""
    rows = LocalSession(emulator, ledger).run("SELECT c.metadata.id, c.hash FROM _ql_committed_Car AS c")
    return {row["id"]: row["hash"].hex() for row in rows}


@pytest.mark.parametrize("seed", range(12))
def test_a_difference_is_that_of_the_documents_of_both_states(
    emulator: Emulator, session: LocalSession, seed: int
) -> None:
    """Journals that parted, documents written often, added and removed in between: against two whole tables."""
    chance = random.Random(seed)
    kept: dict[str, dict[str, str]] = {}

    def write(count: int) -> None:
        own = LocalSession(emulator, "cars")
        for _ in range(count):
            vin = str(chance.randrange(6))
            statement = chance.choice(
                [
                    f"INSERT INTO Car {{'VIN': '{vin}', 'owner': 'Ana'}}",
                    f"UPDATE Car SET owner = '{chance.random()}' WHERE VIN = '{vin}'",
                    f"DELETE FROM Car WHERE VIN = '{vin}'",
                ]
            )
            own.run(statement)

    for name in ("a", "b"):
        write(chance.randrange(8))
        take_snapshot(emulator, REGION, "cars", name)
        kept[name] = documents_of("cars", emulator)
    restore_snapshot(emulator, REGION, "cars", "a")
    write(chance.randrange(8))
    kept["now"] = documents_of("cars", emulator)
    for before, old in kept.items():
        for after, new in kept.items():
            found = diff_ledger(emulator, REGION, "cars", before, after, 1000)
            expected = {
                **dict.fromkeys(new.keys() - old.keys(), "added"),
                **dict.fromkeys(old.keys() - new.keys(), "removed"),
                **{each: "changed" for each in old.keys() & new.keys() if old[each] != new[each]},
            }
            assert {row["documentId"]: row["change"] for row in found["documents"]} == expected, (before, after)
            assert sum(found["changes"].values()) == len(found["documents"]) == len(expected)


def test_a_difference_reads_blocks_by_windows_and_writes_only_what_is_listed(
    emulator: Emulator, session: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a ledger of a million blocks is compared in half a minute."""
    for _ in range(5):
        session.run("INSERT INTO Car ?", [{"VIN": str(number)} for number in range(40)])
    texts: list[object] = []
    reads: list[object] = []
    monkeypatch.setattr(diff, "dumps_text", lambda value: texts.append(value) or "")
    for name, read in (("_rows", LedgerFile._rows), ("_few", LedgerFile._few)):
        monkeypatch.setattr(LedgerFile, name, lambda *each, read=read: reads.append(each) or read(*each))
    found = diff_ledger(emulator, REGION, "cars", "3", "now", 2)
    assert (found["changes"]["added"], len(found["documents"]), len(texts)) == (200, 2, 2)
    assert len(reads) < 230, "one for each document"


def test_reset_deletes_protected_ledgers_too_and_ends_sessions(emulator: Emulator, session: LocalSession) -> None:
    emulator.call("CreateLedger", {"Name": "safe", "PermissionsMode": "ALLOW_ALL"}, CONTEXT)
    assert reset_ledgers(emulator) == ["cars", "safe"]
    assert emulator.ledgers.names(REGION) == []
    with pytest.raises(QldbError, match="No such session"):
        session.send("StartTransaction")


def test_a_deterministic_emulator_begins_anew_at_a_reset() -> None:
    journals = []
    with Emulator(Settings(is_ephemeral=True, deterministic_seed="7")) as emulator:
        for _ in range(2):
            new_ledger(emulator).run("CREATE TABLE Car")
            ledger = emulator.ledgers.find(REGION, "cars")
            assert ledger is not None
            journals.append(list(ledger.file.blocks()))
            reset_ledgers(emulator)
    assert journals[0] == journals[1]


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (lambda e: take_snapshot(e, REGION, "none", "x"), "The Ledger with name none is not found"),
        (lambda e: take_snapshot(e, REGION, "cars", "../x"), "cannot be the name of a file"),
        (lambda e: take_snapshot(e, REGION, "cars", "kept"), "has a snapshot kept already"),
        (lambda e: restore_snapshot(e, REGION, "cars", "none"), "has no snapshot none: it has kept"),
        (lambda e: delete_snapshot(e, REGION, "none", "x"), "The ledger none has no snapshot x: it has none"),
        (lambda e: fork_ledger(e, REGION, "cars", "cars"), "Ledger name already exists"),
        (lambda e: fork_ledger(e, REGION, "cars", "y", "none"), "has no snapshot none"),
        (lambda e: diff_ledger(e, REGION, "cars", "99", "now", 1), "has no block 99: its last is 3"),
        (lambda e: diff_ledger(e, REGION, "cars", "none", "now", 1), "has no snapshot none"),
        (lambda e: reset_ledgers(e, REGION, "none"), "The Ledger with name none is not found"),
    ],
    ids=[
        "snapshot of no ledger",
        "name that is a path",
        "name taken",
        "restore of nothing",
        "deletion of nothing",
        "fork onto itself",
        "fork of nothing",
        "block beyond the journal",
        "difference to nothing",
        "reset of no ledger",
    ],
)
def test_what_cannot_be_done_is_said(emulator: Emulator, session: LocalSession, work, text: str) -> None:
    take_snapshot(emulator, REGION, "cars", "kept")
    with pytest.raises(QldbError) as error:
        work(emulator)
    assert text in error.value.message
